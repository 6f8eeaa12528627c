"""The front door every HTTP request passes: request id, security headers, refusals as JSON, log and metrics."""

import logging
import time
from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from refundgql.gql.answers import (
    JSON,
    MASKED,
    Header,
    RequestRefused,
    errors_body,
    new_fault_id,
    send_bytes,
    send_refusal,
)
from refundgql.gql.errors import ErrorCode
from refundgql.gql.exchange import Exchange, new_request_id
from refundgql.gql.metrics import Metrics
from refundgql.gql.observability import log_access

log = logging.getLogger("refundgql.front")

# Answers are data for programs: nothing in them may be run, framed, sniffed, cached or leak an address.
SECURITY_HEADERS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
DATA_HEADERS: Final[tuple[Header, ...]] = (
    *SECURITY_HEADERS,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
# Paths that probes and scrapers ask for every few seconds; lines about them would drown the others.
_NOT_LOGGED: Final = frozenset(("/healthz", "/readyz", "/metrics"))


_ROUTER_REFUSALS: Final = {
    404: (ErrorCode.NOT_FOUND, "There is nothing at this address."),
    405: (ErrorCode.METHOD_NOT_ALLOWED, "This method is not allowed here."),
}


class FrontDoor:
    """ASGI middleware; sockets and the endpoints in `direct` are reached without a detour over the router."""

    def __init__(self, app: ASGIApp, *, direct: Mapping[str, ASGIApp], sockets: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._sockets = sockets
        self._direct = direct
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, whatever happens in it."""
        if scope["type"] != "http":
            sockets = self._app if scope["type"] != "websocket" else self._sockets_at(scope["path"])
            await sockets(scope, receive, send)
            return
        started_at = time.perf_counter()
        exchange = Exchange(new_request_id(_header(scope, b"x-request-id")))
        scope["refundgql.exchange"] = exchange
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = list(message.get("headers", ()))
                # A page brings a policy and caching of its own.
                is_page = any(name == b"content-security-policy" for name, _ in headers)
                headers += SECURITY_HEADERS if is_page else DATA_HEADERS
                headers.append((b"x-request-id", exchange.request_id.encode()))
            await send(message)

        path = scope["path"]
        try:
            await self._serve(path, scope, receive, send_with_headers, exchange)
        except ClientDisconnect:
            # The client went away; there is nobody to answer. 499 is what proxies log for it.
            status = status or 499
        except Exception as fault:
            fault_id = new_fault_id()
            log.exception("fault %s while serving request %s", fault_id, exchange.request_id, exc_info=fault)
            exchange.code = ErrorCode.INTERNAL_SERVER_ERROR
            if status:
                raise
            body = errors_body(ErrorCode.INTERNAL_SERVER_ERROR, MASKED, id=fault_id)
            await send_bytes(send_with_headers, 500, JSON, body)
        finally:
            seconds = time.perf_counter() - started_at
            self._metrics.request_served("http", exchange, status, seconds)
            if path not in _NOT_LOGGED:
                log_access("http", exchange, status, seconds)

    def _sockets_at(self, path: str) -> ASGIApp:
        return self._sockets if path == "/graphql" else _no_socket_here

    async def _serve(self, path: str, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        try:
            await self._direct.get(path, self._app)(scope, receive, send)
        except RequestRefused as refused:
            exchange.code = refused.code
            await send_refusal(send, refused)


async def answer_router(request: Request, raised: Exception) -> Response:
    """Answer what the router refuses in the form all refusals have."""
    if not isinstance(raised, HTTPException):
        raise raised
    code, message = _ROUTER_REFUSALS.get(raised.status_code, (ErrorCode.BAD_REQUEST, raised.detail))
    request.scope["refundgql.exchange"].code = code
    body = errors_body(code, message)
    return Response(body, raised.status_code, headers=raised.headers, media_type="application/json")


async def refuse_handshake(send: Send, status: int, code: str, message: str) -> None:
    """Answer a handshake with a refusal as JSON, as plain requests are."""
    body = errors_body(code, message)
    headers = [(b"content-type", JSON), (b"content-length", str(len(body)).encode()), *DATA_HEADERS]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def _no_socket_here(_: Scope, __: Receive, send: Send) -> None:
    await refuse_handshake(send, 404, *_ROUTER_REFUSALS[404])


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    for name, value in scope["headers"]:
        if name == wanted:
            found: bytes = value
            return found
    return None
