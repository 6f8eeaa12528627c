"""Runs the command line as its users do: a process with its own environment, folder and output."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from databases import sqlite_template
from patience import PATIENCE_SECONDS


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return an environment with these settings and no others of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REFUNDGQL_")}
    defaults = {
        "REFUNDGQL_DATABASE_URL": f"sqlite:///{folder}/desk.sqlite3",
        "REFUNDGQL_KEY_FILE": str(folder / "key.pem"),
        "REFUNDGQL_OPERATION_TIMEOUT_SECONDS": str(PATIENCE_SECONDS),
    }
    return kept | defaults | settings


def migrated(folder: Path) -> None:
    """Lay a migrated database where commands look for it, without a process that migrates one."""
    shutil.copy(sqlite_template(), folder / "desk.sqlite3")


def run(folder: Path, *arguments: str, given: str | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "refundgql", *arguments],
        env=environment(folder, **settings),
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


class Running:
    """A command that goes on, with what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return where the output first matches, or fail with all of it."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends:
            found = re.search(pattern, self.output)
            if found:
                return found
            if self.process.poll() is not None:
                self._reader.join(PATIENCE_SECONDS)
                if found := re.search(pattern, self.output):
                    return found
                break
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} was not printed:\n{self.output}")

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit code."""
        return self.end(signal.SIGINT)

    def end(self, number: int) -> int:
        """Send a signal, wait until everything is printed, and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code


@contextlib.contextmanager
def running(folder: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    """Start a command and make sure that it ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "refundgql", *arguments],
        env=environment(folder, **settings) | {"PYTHONUNBUFFERED": "1"},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Running(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def ask(url: str, token: str | None, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send one operation over HTTP and return the whole answer."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = {"query": query, "variables": variables or {}}
    answer: dict[str, Any] = httpx.post(f"{url}/graphql", json=body, headers=headers, timeout=PATIENCE_SECONDS).json()
    return answer


def wait_until_ready(url: str) -> None:
    """Wait until the server says that it can serve."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"{url} does not become ready")
