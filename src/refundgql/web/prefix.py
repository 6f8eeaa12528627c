"""Serve under a path prefix, for a proxy that passes it on."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_HEADER: Final = b"x-forwarded-prefix"


class Prefix:
    """Take a prefix, the setting's or the proxy's header's, off the paths that begin with it."""

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, below the prefix or without it."""
        if scope["type"] != "lifespan":
            prefix = self._root_path or _forwarded(scope)
            path: str = scope["path"]
            if prefix and path.startswith(f"{prefix}/"):
                scope = {**scope, "path": path[len(prefix) :], "root_path": ""}
            elif prefix and path == prefix and scope["type"] == "http":
                # Without its last slash relative addresses would lead beside the prefix.
                await _lead_below(prefix, send)
                return
        await self._app(scope, receive, send)


def _forwarded(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == _HEADER and value.startswith(b"/") and not value.startswith(b"//"):
            found: str = value.decode("latin-1").rstrip("/")
            return found
    return ""


async def _lead_below(prefix: str, send: Send) -> None:
    headers = [(b"location", f"{prefix}/".encode("latin-1")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 308, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
