"""Decide which pages may open a socket here.

It must not be asked about plain requests: for those, browsers ask before they send, and the CORS headers answer.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def may_connect(scope: Scope, allowed_origins: frozenset[str]) -> bool:
    """Tell whether a handshake may go on: a program without Origin, our own page, or a listed origin.

    Browsers let any page open a socket to any server, so the server has to look.
    """
    origin = host = None
    for name, value in scope["headers"]:
        if name == b"origin":
            if origin is not None:
                return False
            origin = value.decode("latin-1")
        elif name == b"host":
            host = value.decode("latin-1")
    if origin is None or origin in allowed_origins or "*" in allowed_origins:
        return True
    ours = _authority(origin)
    return ours is not None and host is not None and ours == _authority(f"{origin.partition(':')[0]}://{host}")


def _authority(url: str) -> tuple[str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        if parts.hostname is None:
            return None
        return parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
