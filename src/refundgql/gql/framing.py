"""How the results of a stream stand in the body of an HTTP answer: as server-sent events, or as parts of a multipart.

The stream itself, its bounds and its cursors are the same for both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# How soon a browser's own EventSource comes back after the stream broke off.
_RETRY_MILLISECONDS: Final = 1000
_BOUNDARY: Final = b"\r\n--graphql"


@dataclass(frozen=True, slots=True)
class Framing:
    """One form of a stream; `result` takes the JSON of a result and the cursor of its event."""

    media_type: bytes
    begin: bytes
    keep_alive: bytes
    restart: bytes
    complete: bytes
    result: Callable[[bytes, str | None], bytes]


def _event(result: bytes, cursor: str | None) -> bytes:
    number = f"id: {cursor}\n".encode() if cursor is not None else b""
    return b"event: next\n" + number + b"data: " + result + b"\n\n"


def _part(content: bytes, cursor: str | None = None) -> bytes:
    number = f"\r\nContent-ID: {cursor}".encode() if cursor is not None else b""
    # The boundary behind a part tells that it is whole, so it is sent at once.
    return b"\r\nContent-Type: application/json" + number + b"\r\n\r\n" + content + _BOUNDARY


def _payload(result: bytes, cursor: str | None) -> bytes:
    return _part(b'{"payload":' + result + b"}", cursor)


EVENTS: Final = Framing(
    media_type=b"text/event-stream; charset=utf-8",
    begin=f"retry: {_RETRY_MILLISECONDS}\n:\n\n".encode(),
    keep_alive=b": keep-alive\n\n",
    restart=b": service restart\n\n",
    complete=b"event: complete\ndata:\n\n",
    result=_event,
)
"""graphql-sse's distinct connections mode."""

PARTS: Final = Framing(
    media_type=b'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
    begin=_BOUNDARY,
    keep_alive=_part(b"{}"),
    restart=b"",
    complete=b"--\r\n",
    result=_payload,
)
"""Apollo's multipart subscriptions, the default of Apollo Kotlin and iOS."""
