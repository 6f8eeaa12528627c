"""Run the app under uvicorn, and stop it without cutting anybody off."""

import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import uvicorn
from starlette.applications import Starlette

from refundgql.gql.hardening import HttpProtocol, SocketProtocol
from refundgql.gql.ports import Multiprocess

# Objects that live as long as the process are not looked at again; younger ones die in the first generation.
GC_THRESHOLDS: Final = (50_000, 50, 100)
BACKLOG: Final = 2048
# A process that does not answer its parent for so long hangs; one that starts on a busy machine only takes its time.
WORKER_SECONDS: Final = 60
# uvicorn tells that it serves each time so many seconds have passed since it last did, and at first since 1970.
_ONCE_SECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """In how many processes, within which bounds, and how long each waits for what."""

    workers: int = 1
    max_message_bytes: int = 64 * 1024
    keep_alive_seconds: int = 75
    ping_seconds: float = 20.0
    pong_seconds: float = 10.0
    shutdown_seconds: int = 10
    trusted_proxies: tuple[str, ...] = ()


def settle_memory() -> None:
    """Freeze what is there and collect more rarely: half of the processor time of large answers was collection.

    Nothing is collected before that: of all that starting makes one object in a hundred is garbage, and looking for
    it took a tenth of a start.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()


def make_config(make_app: Callable[[], Starlette], serving: Serving, on_started: Callable[[], None]) -> uvicorn.Config:
    """Return uvicorn's configuration: uvloop, httptools, own deadlines, nothing told about the server."""
    return uvicorn.Config(
        make_app,
        factory=True,
        workers=serving.workers,
        loop="auto",
        http=HttpProtocol,
        ws=SocketProtocol,
        ws_max_size=serving.max_message_bytes,
        ws_ping_interval=serving.ping_seconds,
        ws_ping_timeout=serving.pong_seconds,
        # Compression costs a quarter of a megabyte a socket, and messages here are small.
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=bool(serving.trusted_proxies),
        forwarded_allow_ips=list(serving.trusted_proxies),
        backlog=BACKLOG,
        callback_notify=partial(_started, on_started),
        timeout_notify=_ONCE_SECONDS,
        timeout_keep_alive=serving.keep_alive_seconds,
        timeout_graceful_shutdown=serving.shutdown_seconds,
        timeout_worker_healthcheck=WORKER_SECONDS,
    )


async def _started(on_started: Callable[[], None]) -> None:
    settle_memory()
    on_started()


class Workers(Multiprocess):
    """Processes whose end their parent sees at once, also while it waits for an answer of theirs."""

    def keep_subprocess_alive(self) -> None:
        """Replace those that have ended or hang."""
        for process in self.processes:
            # The worker's end of their pipe: while the parent holds it too, a killed worker's pipe never ends, and the
            # parent waits for the answer all `WORKER_SECONDS`, replaces nobody and does not stop.
            process.child_conn.close()
        super().keep_subprocess_alive()


def run(
    make_app: Callable[[], Starlette], serving: Serving, listener: socket.socket, on_started: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, in as many processes as asked for; each makes the app and tells when it serves.

    What is given is handed to the processes, so with several of them it must be possible to pickle it.
    """
    config = make_config(make_app, serving, on_started)
    if serving.workers > 1:
        Workers(config, sockets=[listener]).run()
        return
    for number in signal.SIGINT, signal.SIGTERM:
        # uvicorn raises the signal that has ended it once more: it must not end the process before its last line.
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listener])


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that has the port; who comes is refused until a server that can answer listens on it.

    `::` is every address of the machine, IPv4 too, wherever the system can do so.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = host == "::" and socket.has_dualstack_ipv6()
    listener = socket.socket(family)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
