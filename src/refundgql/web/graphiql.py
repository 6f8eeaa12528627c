"""Serve GraphiQL's page and its own files, and in a demo the people one can try it as."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from stat import S_ISREG
from typing import Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from refundgql.gql.negotiation import Answer, negotiate

FOLDER: Final = Path(__file__).parent / "static" / "graphiql"

# As the build writes them, the smallest first.
_COMPRESSED: Final = {"br": ".br", "gzip": ".gz"}
_REFUSED: Final = re.compile(r"q=0(\.0{0,3})?")


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody a demo can be tried as; the short token stands for the signed one, and is known to the demo alone."""

    name: str
    role: str
    external_ref: str
    token: str
    short_token: str


DemoPeople = Sequence[DemoPerson]

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
        response = self._compressed(path, scope) or await super().get_response(path, scope)
        kept = "no-store" if path.endswith(".html") else FOR_EVER if path.startswith("assets/") else "no-cache"
        response.headers.update(_headers(kept) | {"vary": "accept-encoding"})
        return response

    def _compressed(self, path: str, scope: Scope) -> Response | None:
        """Return the file as the build compressed it, in the smallest coding that the client takes."""
        if scope["method"] not in ("GET", "HEAD"):
            return None
        taken = _codings(scope)
        for coding, ending in _COMPRESSED.items():
            if coding in taken:
                found, about = self.lookup_path(path + ending)
                if about is not None and S_ISREG(about.st_mode):
                    response = self.file_response(found, about, scope)
                    kind, _ = guess_type(path)
                    response.headers.update(
                        {"content-encoding": coding, "content-type": f"{kind or 'text/plain'}; charset=utf-8"}
                    )
                    return response
        return None


def _codings(scope: Scope) -> set[str]:
    """Return the content codings that a request takes; one with a weight of zero is refused by name."""
    wishes = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding").decode("latin-1")
    taken = set()
    for wish in wishes.lower().split(","):
        coding, _, weight = wish.partition(";")
        if not _REFUSED.fullmatch(weight.strip()):
            taken.add(coding.strip())
    return taken


def people_endpoint(people: DemoPeople) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that lists demo people with tokens to try; never added outside a demo."""
    listed = [
        {
            "name": person.name,
            "role": person.role,
            "externalRef": person.external_ref,
            "token": person.token,
            "shortToken": person.short_token,
        }
        for person in people
    ]

    async def give(_: Request) -> Response:
        return Response(orjson.dumps(listed), media_type="application/json", headers={"cache-control": "no-store"})

    return give


async def lead_to_page(request: Request) -> Response:
    """Lead a browser that asks for the server's root to GraphiQL, also under a path prefix."""
    if not asks_for_html(request.scope):
        raise HTTPException(404)
    return RedirectResponse("graphql", status_code=307, headers={"vary": "accept"})


def asks_for_html(scope: Scope) -> bool:
    """Tell whether a request would rather have a page than JSON."""
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
    return b"text/html" in accept and negotiate(accept, (Answer.JSON, Answer.HTML)) is Answer.HTML


def _headers(cache_control: str) -> dict[str, str]:
    return {"content-security-policy": CONTENT_SECURITY_POLICY, "cache-control": cache_control}


def _whole(scope: Scope) -> Scope:
    """Return the request without wishes for a part of the file: they are small, and bad wishes are no JSON."""
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"range"]}
