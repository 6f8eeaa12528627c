"""Negotiate the language of each request (Accept-Language) and of each socket (connection_init)."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from refundgql.api.languages import preferred, speak

_NAMES: Final = frozenset(("accept-language", "acceptlanguage"))


class Languages:
    """ASGI middleware: sentences are written in the language of the request's Accept-Language header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] in ("http", "websocket"):
            _listen(scope)
        await self._app(scope, receive, send)


def _listen(scope: Scope) -> None:
    asked = [value for name, value in scope["headers"] if name == b"accept-language"]
    if asked:
        speak(preferred(b",".join(asked).decode("latin-1")))


def hear(payload: Mapping[str, Any]) -> None:
    """Set the language that a connection_init asks for: pages cannot set headers of a WebSocket handshake."""
    for name, value in payload.items():
        if name.lower() in _NAMES and isinstance(value, str):
            speak(preferred(value))
