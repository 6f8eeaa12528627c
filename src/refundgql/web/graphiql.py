"""Serve GraphiQL's page and its own files, and in a demo the people one can try it as.

It must not fetch anything from elsewhere, and its page runs no inline script.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

FOLDER: Final = Path(__file__).parent / "static" / "graphiql"

DemoPeople = Callable[[], Awaitable[list[dict[str, Any]]]]

# The editor sets styles from script and draws its marks as data; scripts and connections stay ours alone.
# 'self' covers WebSockets to the own origin; `ws:` would let a stolen token out to any other.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
# The page names its files by a digest of their content: they never change, and a new page asks for new ones.
FOR_EVER: Final = "public, max-age=31536000, immutable"


def page() -> ASGIApp:
    """Return the app that gives GraphiQL's page."""

    async def give(scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers("no-store")
        answer = FileResponse(FOLDER / "index.html", headers=headers, media_type="text/html; charset=utf-8")
        await answer(_whole(scope), receive, send)

    return give


def assets() -> StaticFiles:
    """Return the app that serves GraphiQL's files."""
    return _Assets(directory=FOLDER, check_dir=False)


class _Assets(StaticFiles):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_whole(scope), receive, send)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        kept = "no-store" if path.endswith(".html") else FOR_EVER if path.startswith("assets/") else "no-cache"
        response.headers.update(_headers(kept))
        return response


def people_endpoint(list_people: DemoPeople) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that lists demo people with tokens to try; never added outside a demo."""

    async def people(_: Request) -> Response:
        return Response(orjson.dumps(await list_people()), media_type="application/json")

    return people


def _headers(cache_control: str) -> dict[str, str]:
    return {"content-security-policy": CONTENT_SECURITY_POLICY, "cache-control": cache_control}


def _whole(scope: Scope) -> Scope:
    """Return the request without wishes for a part of the file: they are small, and bad wishes are no JSON."""
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"range"]}
