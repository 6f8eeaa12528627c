"""Run the app under uvicorn, and stop it without cutting anybody off."""

import asyncio
import contextlib
import gc
import logging
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette

from refundgql.gql.hardening import ClientsMistakes, HttpProtocol, SocketProtocol

log = logging.getLogger("refundgql.server")

# Objects that live as long as the process are not looked at again; younger ones die in the first generation.
GC_THRESHOLDS: Final = (50_000, 50, 100)
BACKLOG: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How one process serves: where it listens and how long it waits for what."""

    host: str = "127.0.0.1"
    port: int = 8000
    max_message_bytes: int = 64 * 1024
    keep_alive_seconds: int = 75
    ping_seconds: float = 20.0
    pong_seconds: float = 10.0
    shutdown_seconds: int = 10
    trusted_proxies: tuple[str, ...] = ()


class DrainingServer(uvicorn.Server):
    """A server that says good-bye to open streams and sockets before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, app: Starlette, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Keep the signal that ended the server: raised once more, it would end the process before its last line."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then leave everything made so far out of garbage collection."""
        await super().startup(sockets)
        if self.started:
            settle_memory()
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams with the restart code, then wait for what is under way."""
        drain = getattr(self._app.state, "drain", None)
        if drain is not None:
            drain()
            # The close frames must leave before uvicorn sends closes of its own, without a reason.
            await asyncio.sleep(0)
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)


def settle_memory() -> None:
    """Freeze what is there and collect more rarely: half of the processor time of large answers was collection.

    Nothing is collected before that: of all that starting makes one object in a hundred is garbage, and looking for
    it took a tenth of a start.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()


def make_config(app: Starlette, serving: Serving) -> uvicorn.Config:
    """Return uvicorn's configuration: uvloop, httptools, own deadlines, nothing told about the server."""
    logger = logging.getLogger("uvicorn.error")
    if not any(isinstance(known, ClientsMistakes) for known in logger.filters):
        logger.addFilter(ClientsMistakes())
    return uvicorn.Config(
        app,
        host=serving.host,
        port=serving.port,
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
        timeout_keep_alive=serving.keep_alive_seconds,
        timeout_graceful_shutdown=serving.shutdown_seconds,
    )


def run(
    app: Starlette,
    serving: Serving,
    *,
    listener: socket.socket | None = None,
    on_started: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT; several workers are several processes with the same listener."""
    config = make_config(app, serving)
    server = DrainingServer(config, app, on_started)
    sockets = None if listener is None else [listener]
    factory: Callable[[], Any] | None = config.get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(server.serve(sockets=sockets))


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that has the port; who comes is refused until a server that can answer listens on it.

    Shared, several processes may listen on the same port, each with its own queue.

    `::` is every address of the machine, IPv4 too, wherever the system can do so.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = host == "::" and socket.has_dualstack_ipv6()
    listener = socket.socket(family)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
