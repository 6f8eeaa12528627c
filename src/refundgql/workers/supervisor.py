"""Keep as many processes running as were asked for, and end them all, drained, when told to."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import SpawnProcess

log = logging.getLogger("refundgql.supervisor")

SUPERVISE_SECONDS = 5.0
MOST_EARLY_DEATHS = 10
"""Processes that die one right after another mean that none can start."""


def keep_running(start: Callable[[], SpawnProcess], count: int, ended: Callable[[int | None], None]) -> None:
    """Start processes, and another for each that ends; `ended` is told the id of one that did.

    SIGTERM and SIGINT end all of them.
    """
    stopping = False
    processes: list[SpawnProcess] = []

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        for process in processes:
            process.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    processes.extend(start() for _ in range(count))
    early_deaths = 0
    while not stopping:
        started_at = time.monotonic()
        wait_for([process.sentinel for process in processes], timeout=SUPERVISE_SECONDS)
        for index, process in enumerate(processes):
            if process.is_alive() or stopping:
                continue
            # One that was killed might have served for long; one that gave up by itself will do so again.
            early = time.monotonic() - started_at < SUPERVISE_SECONDS / 2 and (process.exitcode or 0) >= 0
            early_deaths = early_deaths + 1 if early else 0
            if early_deaths > MOST_EARLY_DEATHS:
                log.error("Server processes end as soon as they start; giving up.")
                stop()
                break
            ended(process.pid)
            log.warning("A server process ended with code %s; starting another.", process.exitcode)
            processes[index] = start()
    for process in processes:
        process.terminate()  # the one that was just started too
        process.join()


def end_with_parent() -> None:
    """Stop this process, drained, when its parent is gone: nobody else would, and the port would stay taken."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        log.warning("The process that started this one is gone; stopping.")
        os.kill(os.getpid(), signal.SIGTERM)
