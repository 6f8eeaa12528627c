"""Hear from each request, and from each socket, in which language whoever sends it reads."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from refundgql.api.languages import preferred, speak

_NAMES: Final = frozenset(("accept-language", "acceptlanguage"))


class Languages:
    """ASGI middleware: what a request's task says is in the language of its Accept-Language."""

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
    """Speak the language that a socket's connection_init asks for: pages cannot set headers of a handshake."""
    for name, value in payload.items():
        if name.lower() in _NAMES and isinstance(value, str):
            speak(preferred(value))
