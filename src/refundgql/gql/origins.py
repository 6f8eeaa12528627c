"""Decide which pages may open a socket here, and answer browsers that ask before a page's request.

It must not look at plain requests: of those the CORS headers say which pages may read the answer.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Scope

from refundgql.gql.answers import errors_body

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Cors(CORSMiddleware):
    """The headers that let pages of listed origins read answers; refusals of a question are JSON like all others."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks whether a page may send a request."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        body = errors_body("FORBIDDEN", bytes(answer.body).decode() + ".")
        return Response(body, answer.status_code, kept, media_type="application/json")


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
