"""Subscribers that stop reading: their sockets stay open, and nothing is taken from them until they read on.

They must not hide how they ended: what had arrived before the end is all they know, and they resume from there.
"""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from followers import subscribed
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from patience import PATIENCE_SECONDS

RECEIVE_BYTES = 4_096
"""The kernel keeps little for such a reader, so that a server soon notices."""

_LAST_CHUNK = b"\r\n0\r\n\r\n"
_EVENT = re.compile(rb"event: next\nid: [^\n]*\ndata: ([^\n]*)\n\n")


def _connected(url: str) -> socket.socket:
    """Return a socket that takes little at once."""
    parts = urlsplit(url)
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    made.connect((parts.hostname, parts.port))
    made.setblocking(False)
    return made


@dataclass
class SlowReader:
    """One subscriber that does not read."""

    url: str
    token: str
    query: str
    cursor: str
    told: list[str] = field(default_factory=list)
    ended: Any = None
    """How its connection ended, once it has read on."""

    async def open(self) -> None:
        """Subscribe and stop reading."""
        raise NotImplementedError

    async def read_on(self) -> None:
        """Read what had arrived, to the end of the connection."""
        raise NotImplementedError

    def take(self, result: dict[str, Any]) -> None:
        """Remember one update."""
        (update,) = result["data"].values()
        self.cursor = update["cursor"]
        self.told.append(update["event"]["id"].partition("_")[2])


class SlowSocket(SlowReader):
    """Over graphql-transport-ws."""

    ws: ClientConnection

    async def open(self) -> None:
        """Subscribe and stop reading: the library's queue holds one message, the kernel little more."""
        address = self.url.replace("http", "ws", 1) + "/graphql"
        self.ws = await connect(
            address,
            sock=_connected(self.url),
            subprotocols=[Subprotocol("graphql-transport-ws")],
            compression=None,
            max_queue=1,
            max_size=None,
            open_timeout=PATIENCE_SECONDS,
            ping_interval=None,
            close_timeout=0.1,
        )
        await subscribed(self.ws, self.token, self.query, {"after": self.cursor})

    async def read_on(self) -> None:
        """Read to the close frame, or to where the connection broke off."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    message = orjson.loads(await self.ws.recv())
                    assert message["type"] == "next", message
                    self.take(message["payload"])
        except ConnectionClosed as closed:
            self.ended = closed.rcvd.code if closed.rcvd else None


class SlowEventStream(SlowReader):
    """Over server-sent events."""

    sock: socket.socket

    async def open(self) -> None:
        """Ask for the stream and read nothing of the answer."""
        self.sock = _connected(self.url)
        body = orjson.dumps({"query": self.query})
        head = (
            f"POST /graphql/stream HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {self.token}\r\n"
            f"Accept: text/event-stream\r\nLast-Event-ID: {self.cursor}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        await asyncio.get_running_loop().sock_sendall(self.sock, head.encode() + body)

    async def read_on(self) -> None:
        """Read to the end; an event that did not arrive whole has not arrived."""
        loop, found = asyncio.get_running_loop(), b""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while part := await loop.sock_recv(self.sock, 65_536):
                    found += part
                    if found.endswith(_LAST_CHUNK):  # the connection itself is kept for another request
                        break
            self.ended = "end"
        except ConnectionError:
            self.ended = "reset"
        finally:
            self.sock.close()
        for data in _EVENT.findall(found):
            self.take(orjson.loads(data))
