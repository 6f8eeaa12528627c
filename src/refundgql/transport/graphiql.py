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

from refundgql.transport.answers import Header

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
PAGE_HEADERS: Final[list[Header]] = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"cache-control", b"no-cache"),
]


def page() -> Response:
    """Return GraphiQL's page."""
    return FileResponse(FOLDER / "index.html", headers=_text_headers(), media_type="text/html; charset=utf-8")


def assets() -> StaticFiles:
    """Return the app that serves GraphiQL's files."""
    return _Assets(directory=FOLDER, check_dir=False)


class _Assets(StaticFiles):
    async def get_response(self, path: str, scope: Any) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_text_headers())
        return response


def people_endpoint(list_people: DemoPeople) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that lists demo people with tokens to try; never added outside a demo."""

    async def people(_: Request) -> Response:
        return Response(orjson.dumps(await list_people()), media_type="application/json")

    return people


def _text_headers() -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in PAGE_HEADERS}
