"""Ports for servers that tests start in processes of their own, some of them again and again."""

from __future__ import annotations

import socket

_held: list[socket.socket] = []


def free_port() -> int:
    """Return a port of this machine where nobody listens, and which nobody else is given while this process lives.

    Whoever opens a connection or asks for any port takes one of the same range: a port that was only looked at is gone
    before a server has started, or while it is away. So it stays bound here, and connections are refused; servers,
    which allow an address to be used again, may listen on it.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    port: int = held.getsockname()[1]
    return port
