"""A client of kept connections and nothing between: where many thousand requests are tried, a library costs most."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from patience import PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status_code: int
    content: bytes

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.content.decode()

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.content)


class Wire:
    """Connections to servers of this machine, one for each port, kept as long as the server keeps them."""

    def __init__(self) -> None:
        """Connect to nobody yet."""
        self._kept: dict[int, socket.socket] = {}

    def close(self) -> None:
        """Close what is open."""
        for one in self._kept.values():
            one.close()

    def post(self, port: int, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body to the API and read the answer to its end."""
        named = {"host": f"127.0.0.1:{port}", "content-length": str(len(content)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        told = f"POST /graphql HTTP/1.1\r\n{head}\r\n".encode() + content
        if (kept := self._kept.pop(port, None)) is not None:
            with suppress(ConnectionError):  # the server may have closed what was idle
                return self._exchange(port, kept, told)
        return self._exchange(port, socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS), told)

    def _exchange(self, port: int, connection: socket.socket, told: bytes) -> Answer:
        connection.sendall(told)
        head, body = _head(connection)
        first, *lines = head.decode("ascii").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        parts, missing = [body], int(fields["content-length"]) - len(body)
        while missing > 0:
            parts.append(_more(connection))
            missing -= len(parts[-1])
        if fields.get("connection") == "close":
            connection.close()
        else:
            self._kept[port] = connection
        return Answer(int(first.split(" ")[1]), b"".join(parts))


def _head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read until the head is there; return it, and what came of the body."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += _more(connection)
    head, _, body = read.partition(b"\r\n\r\n")
    return head, body


def _more(connection: socket.socket) -> bytes:
    if not (read := connection.recv(65_536)):
        connection.close()
        raise ConnectionError("the server closed the connection")
    return read
