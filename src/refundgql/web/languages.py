"""Hear from each request in which language its sender reads."""

from starlette.types import ASGIApp, Receive, Scope, Send

from refundgql.api.languages import preferred, speak


class Languages:
    """ASGI middleware: what a request's task says is in the language of its Accept-Language."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] in ("http", "websocket"):
            asked = [value for name, value in scope["headers"] if name == b"accept-language"]
            if asked:
                speak(preferred(b",".join(asked).decode("latin-1")))
        await self._app(scope, receive, send)
