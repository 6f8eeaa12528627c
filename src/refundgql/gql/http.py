"""Answer operations over HTTP, by the GraphQL-over-HTTP draft."""

from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from refundgql.gql.answers import (
    GRAPHQL_RESPONSE,
    JSON,
    RequestRefused,
    send_bytes,
)
from refundgql.gql.bodies import parse_request, read_body
from refundgql.gql.callers import Authentication, Caller
from refundgql.gql.errors import ErrorCode
from refundgql.gql.exchange import Exchange, address_of
from refundgql.gql.framing import EVENTS, PARTS
from refundgql.gql.limits import Limits
from refundgql.gql.negotiation import STREAMS, Answer, check_content_type, negotiate
from refundgql.gql.operations import OperationRefused, Operations
from refundgql.gql.rate import RequestRate
from refundgql.gql.sse import EventStreams

_WANTED: Final = frozenset(
    (b"accept", b"authorization", b"content-encoding", b"content-length", b"content-type", b"last-event-id")
)
_AWAY: Final = ErrorCode.SERVICE_UNAVAILABLE
# Codes of refused operations that have a status of their own; all others are the client's mistake, 400.
_STATUS_BY_CODE: Final[dict[str, int]] = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.INTERNAL_SERVER_ERROR: 500,
    _AWAY: 503,
}
_RETRY_SOON: Final = (b"retry-after", b"1")
_CHALLENGE: Final = (b"www-authenticate", b"Bearer")
_MEDIA_TYPES: Final = {Answer.JSON: JSON, Answer.GRAPHQL: GRAPHQL_RESPONSE}
_FRAMINGS: Final = {Answer.EVENT_STREAM: EVENTS, Answer.MULTIPART: PARTS}


class OperationsEndpoint:
    """`POST` runs an operation; everything else is refused with what would have been right."""

    def __init__(
        self,
        operations: Operations,
        authentication: Authentication,
        rate: RequestRate,
        streams: EventStreams,
        limits: Limits,
        *,
        always_stream: bool,
    ) -> None:
        self._operations = operations
        self._authentication = authentication
        self._rate = rate
        self._streams = streams
        self._limits = limits
        self._always_stream = always_stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Refuses: `RequestRefused`, which the front door turns into an answer."""
        if scope["method"] != "POST":
            message = "Operations are sent with POST."
            raise RequestRefused(405, ErrorCode.METHOD_NOT_ALLOWED, message, [(b"allow", b"POST")])
        headers = wanted_headers(scope)
        answer = self._negotiated(headers.get(b"accept"))
        try:
            await self._serve(scope, receive, send, headers, answer)
        except RequestRefused as refused:
            refused.media_type = _MEDIA_TYPES.get(answer, JSON)
            refused.framing = _FRAMINGS.get(answer)
            raise

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes], answer: Answer
    ) -> None:
        exchange: Exchange = scope["refundgql.exchange"]
        refused = check_content_type(headers.get(b"content-type"))
        if refused is not None:
            raise refused
        if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
            accepted = [(b"accept-encoding", b"identity")]
            raise RequestRefused(415, ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Compressed bodies are not accepted.", accepted)
        caller = await self._caller(headers.get(b"authorization"))
        exchange.viewer_ref = caller.ref
        self._rate.count(caller, address_of(scope))
        limits = self._limits
        most = limits.max_batch_bytes if caller.sends_batches else limits.max_body_bytes
        declared = headers.get(b"content-length")
        body = await read_body(receive, declared, max_bytes=most, seconds=limits.body_seconds)
        request = parse_request(body)
        prepared: Any = None
        if answer not in _FRAMINGS:
            try:
                prepared = self._operations.prepare(request)
            except OperationRefused as unable:
                await self._send_result(send, {"errors": unable.errors}, answer, exchange)
                return
            exchange.operation_name = prepared.operation_name
            exchange.operation_type = prepared.operation_type
            if prepared.operation_type == "subscription":
                answer = _stream_of(headers.get(b"accept"))
        framing = _FRAMINGS.get(answer)
        if framing is not None:
            last_event_id = headers.get(b"last-event-id")
            await self._streams.serve(scope, receive, send, request, caller, last_event_id, framing)
            return
        try:
            result = await self._operations.execute(prepared, request.variables, caller.account)
        except OperationRefused as unable:
            result = {"errors": unable.errors}
        await self._send_result(send, result, answer, exchange)

    def _negotiated(self, accept: bytes | None) -> Answer:
        answer = None if self._always_stream else negotiate(accept)
        if answer is None:
            answer = negotiate(accept, STREAMS)
        if answer is None:
            raise RequestRefused(406, ErrorCode.NOT_ACCEPTABLE, "None of the media types in Accept can be sent.")
        return answer

    async def _caller(self, authorization: bytes | None) -> Caller:
        text = None if authorization is None else authorization.decode("latin-1")
        return await self._authentication.by_header(text)

    async def _send_result(self, send: Send, result: dict[str, Any], answer: Answer, exchange: Exchange) -> None:
        if _nothing_could_be_done(result):
            result = {"errors": result["errors"]}
        status = 200 if "data" in result else _status_of(result, answer)
        exchange.code = _first_code(result)
        headers = {503: [_RETRY_SOON], 401: [_CHALLENGE]}.get(status, ())
        await send_bytes(send, status, _MEDIA_TYPES[answer], orjson.dumps(result), headers)


def _stream_of(accept: bytes | None) -> Answer:
    """Return the form of a subscription's answers: any that Accept lets through, however little it is liked.

    Refuses: 406 when it lets none through.
    """
    answer = negotiate(accept, STREAMS)
    if answer is None:
        message = "Subscriptions are served as text/event-stream, multipart/mixed or over a WebSocket."
        raise RequestRefused(406, ErrorCode.NOT_ACCEPTABLE, message)
    return answer


def wanted_headers(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers an operation depends on. Refuses: 400 when one that must be single is repeated."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _WANTED:
            if name not in found:
                found[name] = value
            elif name == b"accept":
                found[name] += b"," + value
            else:
                raise RequestRefused(400, ErrorCode.BAD_REQUEST, f"The header {name.decode()} stands twice.")
    return found


def _status_of(result: dict[str, Any], answer: Answer) -> int:
    code = _first_code(result) or ""
    status = _STATUS_BY_CODE.get(code, 400)
    # Clients from before the draft take any status but 200 for a broken connection.
    return 200 if answer is Answer.JSON and status == 400 else status


def _nothing_could_be_done(result: dict[str, Any]) -> bool:
    """Tell whether the database was away for all of an operation: nothing in its data, and no other error."""
    errors = result.get("errors")
    if not errors or any(error.get("extensions", {}).get("code") != _AWAY for error in errors):
        return False
    data = result.get("data")
    return data is None or all(value is None for value in data.values())


def _first_code(result: dict[str, Any]) -> str | None:
    errors = result.get("errors")
    if not errors:
        return None
    code = errors[0].get("extensions", {}).get("code")
    return code if isinstance(code, str) else None
