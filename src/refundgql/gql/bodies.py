"""Read a request's body within its limits and take the GraphQL parameters out of it."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from refundgql.gql.answers import Header, RequestRefused
from refundgql.gql.errors import ErrorCode

# What is left of a refused body must not be taken for the next request of the connection.
CLOSE: Final[list[Header]] = [(b"connection", b"close")]
_NAME_END = re.compile(rb'"[ \t\r\n]*:')


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The parameters of one operation, of the types the protocols ask for."""

    query: str | None
    operation_name: str | None
    variables: dict[str, Any] | None
    extensions: dict[str, Any] | None
    document_id: str | None = None


async def read_body(receive: Receive, declared_length: bytes | None, *, max_bytes: int, seconds: float) -> bytes:
    """Return the body, counted while it arrives.

    Refuses: 413 over `max_bytes`, 408 when it takes more than `seconds`, 400 for a length that is no number.
    """
    if declared_length is not None:
        if not declared_length.isdigit():
            raise RequestRefused(400, ErrorCode.BAD_REQUEST, "The Content-Length header is not a number.", CLOSE)
        if len(declared_length) > 12 or int(declared_length) > max_bytes:
            raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(seconds):
            return await _read_counted(receive, max_bytes)
    except TimeoutError:
        message = f"The body did not arrive within {seconds:g} seconds."
        raise RequestRefused(408, ErrorCode.REQUEST_TIMEOUT, message, CLOSE) from None


async def _read_counted(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if not message.get("more_body", False):
            return chunk if not chunks else b"".join([*chunks, chunk])
        chunks.append(chunk)


def _too_large(max_bytes: int) -> RequestRefused:
    return RequestRefused(413, ErrorCode.LIMIT_EXCEEDED, f"The body is larger than {max_bytes} bytes.", CLOSE)


def parse_request(body: bytes) -> GraphQLRequest:
    """Return the parameters of a JSON body. Refuses: 400 for anything but one strict JSON object of the right types."""
    if not body:
        raise _bad("The body is empty; send a JSON object with a query.")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _bad(f"The body is not valid JSON: {_position(error)}.") from None
    if isinstance(document, list):
        raise _bad("Batches are not supported; send one JSON object.")
    if not isinstance(document, dict):
        raise _bad("The body must be a JSON object.")
    refuse_duplicate_names(body, document)
    return request_of(document)


def request_of(parameters: dict[str, Any]) -> GraphQLRequest:
    """Return the parameters checked by type; names that are not known are ignored. Refuses: 400 for a wrong type."""
    query = parameters.get("query")
    document_id = parameters.get("documentId")
    extensions = parameters.get("extensions")
    if query is not None and not isinstance(query, str):
        raise _bad("The parameter query must be a string.")
    if document_id is not None and not isinstance(document_id, str):
        raise _bad("The parameter documentId must be a string.")
    operation_name = parameters.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        raise _bad("The parameter operationName must be a string.")
    variables = parameters.get("variables")
    if variables is not None and not isinstance(variables, dict):
        raise _bad("The parameter variables must be an object.")
    if extensions is not None and not isinstance(extensions, dict):
        raise _bad("The parameter extensions must be an object.")
    if query is None and document_id is None and not (extensions and "persistedQuery" in extensions):
        raise _bad("The parameter query is missing.")
    return GraphQLRequest(query, operation_name or None, variables, extensions, document_id)


def refuse_duplicate_names(body: bytes, document: Any) -> None:
    """Refuse an object that names a member twice: two readers of it could see different requests.

    Every name stands before a colon, so as many such places as names in the result settle nearly every body; only
    when there are more (a string that starts with a colon) is it parsed again, slowly.
    """
    if len(_NAME_END.findall(body)) == _count_names(document):
        return
    try:
        json.loads(body, object_pairs_hook=_refuse_duplicates)
    except RecursionError:
        raise _bad("The body is nested too deeply.") from None


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _bad("An object in the body names a member twice.")


def _count_names(value: Any) -> int:
    # An explicit stack: the parser allows a thousand levels, the interpreter's own stack does not.
    count = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            count += len(item)
            stack.extend(v for v in item.values() if isinstance(v, dict | list))
        elif isinstance(item, list):
            stack.extend(v for v in item if isinstance(v, dict | list))
    return count


def _position(error: orjson.JSONDecodeError) -> str:
    what = error.msg.split(":")[0].removeprefix("str is ")
    return f"{what} at line {error.lineno} column {error.colno}"


def _bad(message: str) -> RequestRefused:
    return RequestRefused(400, ErrorCode.BAD_REQUEST, message)
