"""Decide which pages may open a socket here, and answer browsers that ask before a page's request."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from refundgql.gql.answers import errors_body
from refundgql.gql.errors import ErrorCode

REQUEST_HEADERS: Final = (
    *("accept", "authorization", "cache-control", "content-type", "last-event-id", "range", "x-request-id"),
    # What tracing and error reporting in browsers add by themselves: W3C, B3, Sentry, Datadog, New Relic, Elastic.
    *("traceparent", "tracestate", "baggage", "sentry-trace", "newrelic", "elastic-apm-traceparent"),
    *("b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags", "x-cloud-trace-context"),
    *("x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-origin", "x-datadog-sampling-priority", "x-datadog-tags"),
    # What GraphQL clients say of themselves and of the operation.
    *("apollographql-client-name", "apollographql-client-version", "apollo-require-preflight"),
    *("x-apollo-operation-name", "x-apollo-operation-id", "x-apollo-operation-type", "x-apollo-client-name"),
    *("x-apollo-client-version", "graphql-client-name", "graphql-client-version", "x-graphql-client-name"),
    *("x-graphql-client-version", "graphql-preflight", "x-requested-with", "x-client-name", "x-client-version"),
)
"""Headers that pages of allowed origins may send: none of them means anything else without CORS than with it."""

RESPONSE_HEADERS: Final = ("x-request-id", "retry-after", "www-authenticate", "content-range", "content-disposition")
"""Headers that such pages may read, beside those that browsers always show."""

_PREFLIGHT_SECONDS: Final = 600
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Cors(CORSMiddleware):
    """The headers that let pages of listed origins read answers; refusals of a question are JSON like all others."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        allowed_origins: Iterable[str],
        more_request_headers: Iterable[str] = (),
        more_response_headers: Iterable[str] = (),
    ) -> None:
        """Let pages of these origins ask; more headers are allowed beside the usual ones, `*` any that is asked for."""
        given = tuple(more_request_headers)
        headers: Any = ("*",) if "*" in given else (*REQUEST_HEADERS, *given)
        super().__init__(
            app,
            allow_origins=tuple(allowed_origins),
            allow_methods=("POST", "GET", "HEAD", "PUT"),
            allow_headers=headers,
            expose_headers=(*RESPONSE_HEADERS, *more_response_headers),
            max_age=_PREFLIGHT_SECONDS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks whether a page may send a request."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        body = errors_body(ErrorCode.FORBIDDEN, bytes(answer.body).decode() + ".")
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
