"""A proxy that serves somebody else's server below a path prefix, as operators are told to.

It must not change anything but the path, one header and how long a connection is kept.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

PREFIX = "/desk/refunds"


@dataclass
class PrefixProxy:
    """What it does with a path below the prefix: `pass` it on, pass it on with the `header`, or `strip` it."""

    how: str
    port: int = 0
    target_port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one request on, and everything that follows on its connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            up_writer.write(self._told(head))
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        writer.close()

    def _told(self, head: bytes) -> bytes:
        if self.how == "strip":
            head = re.sub(rb"^(\S+) " + PREFIX.encode(), rb"\1 ", head)
        if self.how == "header":
            head = head.replace(b"\r\n", b"\r\nX-Forwarded-Prefix: " + PREFIX.encode() + b"\r\n", 1)
        if b"\r\nupgrade:" not in head.lower():
            # Each request has a head of its own to be changed: none follows on this connection.
            head = re.sub(rb"\r\nconnection:[^\r]*", b"", head, flags=re.IGNORECASE)
            head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        return head


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await source.read(65_536):
            sink.write(part)
            await sink.drain()
    sink.close()


@asynccontextmanager
async def prefix_proxy(how: str) -> AsyncIterator[PrefixProxy]:
    """Run a proxy on a free port; whom it serves for is said later."""
    proxy = PrefixProxy(how)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
