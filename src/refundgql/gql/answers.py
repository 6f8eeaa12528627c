"""Write JSON answers, and refuse a request in the one form every refusal has."""

import logging
import uuid
from collections.abc import Iterable
from typing import Any, Final

import orjson
from starlette.types import Send

from refundgql.gql.framing import Framing

JSON: Final = b"application/json; charset=utf-8"
GRAPHQL_RESPONSE: Final = b"application/graphql-response+json; charset=utf-8"

Header = tuple[bytes, bytes]

MASKED: Final = "Something went wrong on our side."

log = logging.getLogger("refundgql.faults")


class RequestRefused(Exception):
    """The request cannot be served as it is; status, code and one clear sentence for whoever sent it."""

    def __init__(self, status: int, code: str, message: str, headers: Iterable[Header] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = list(headers)
        self.media_type = JSON
        self.framing: Framing | None = None


def error_entry(code: str, message: str, **extensions: Any) -> dict[str, Any]:
    """Return one entry of a response's `errors`."""
    return {"message": message, "extensions": {"code": code, **extensions}}


def new_fault_id() -> str:
    """Return the id under which a fault is logged and told; one form over every road."""
    return uuid.uuid4().hex


def log_fault(fault: BaseException, fault_id: str) -> None:
    """Log a masked exception under the id the client was given."""
    log.error("fault %s", fault_id, exc_info=fault)


def errors_body(code: str, message: str, **extensions: Any) -> bytes:
    """Return a response without `data` that says one thing."""
    return orjson.dumps({"errors": [error_entry(code, message, **extensions)]})


async def send_bytes(send: Send, status: int, media_type: bytes, body: bytes, headers: Iterable[Header] = ()) -> None:
    """Send a whole answer of known length."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", media_type),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def send_refusal(send: Send, refused: RequestRefused) -> None:
    """Send a refusal in the form of a GraphQL response without `data`, as JSON of the type that was asked for.

    Who asked for a stream and has no good token is told in its first and last event, as whoever has none at all.
    """
    body = errors_body(refused.code, refused.message)
    status, media_type, framing = refused.status, refused.media_type, refused.framing
    if framing is not None and status == 401:
        status, media_type = 200, framing.media_type
        body = framing.begin + framing.result(body, None) + framing.complete
    await send_bytes(send, status, media_type, body, refused.headers)
