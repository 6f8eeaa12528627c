"""Choose the media type of an answer from Accept, and check the media type of a request."""

from enum import Enum
from functools import lru_cache
from typing import Final

from refundgql.gql.answers import RequestRefused
from refundgql.gql.errors import ErrorCode

# Clients send a handful of different values; the bound keeps invented ones from filling memory.
_REMEMBERED_VALUES: Final = 512
_MAX_HEADER_BYTES: Final = 1024


class Answer(Enum):
    """The form an operation is answered in."""

    JSON = "application/json"
    GRAPHQL = "application/graphql-response+json"
    EVENT_STREAM = "text/event-stream"
    MULTIPART = "multipart/mixed"
    HTML = "text/html"


STREAMS: Final = (Answer.EVENT_STREAM, Answer.MULTIPART)
# In the order preferred when a client likes several equally: what the draft asks for a wildcard comes first.
_FOR_OPERATIONS: Final = (Answer.JSON, Answer.GRAPHQL, Answer.EVENT_STREAM)


@lru_cache(_REMEMBERED_VALUES)
def negotiate(accept: bytes | None, offered: tuple[Answer, ...] = _FOR_OPERATIONS) -> Answer | None:
    """Return the best of the offered media types, or nothing when none is acceptable.

    Without a header, or with a bare wildcard, it is the first offered. Named types of equal weight count in the
    order the client wrote them.
    """
    if accept is None or not accept.strip():
        return offered[0]
    ranges = _parse_accept(accept)
    best: tuple[float, int, int] | None = None
    chosen: Answer | None = None
    for candidate in offered:
        weight, specificity, position = _weight_of(candidate.value, ranges)
        if weight <= 0 or (candidate is Answer.MULTIPART and specificity < 1):  # who wants parts says so
            continue
        # A type the client names beats one that only a wildcard of the same weight lets through.
        rank = (weight, specificity, -position)
        if best is None or rank > best:
            best, chosen = rank, candidate
    return chosen


def _parse_accept(accept: bytes) -> list[tuple[str, float]]:
    ranges = []
    for item in accept[:_MAX_HEADER_BYTES].decode("latin-1").lower().split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        weight = 1.0
        unacceptable = False
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = _quality(value.strip())
            elif name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8", "*"):
                unacceptable = True
        if media and not unacceptable:
            ranges.append((media, weight))
    return ranges


def _quality(value: str) -> float:
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0


def _weight_of(media: str, ranges: list[tuple[str, float]]) -> tuple[float, int, int]:
    group = media.partition("/")[0] + "/*"
    found = (0.0, -1, 0)
    for position, (pattern, weight) in enumerate(ranges):
        specificity = 2 if pattern == media else 1 if pattern == group else 0 if pattern == "*/*" else -1
        if specificity > found[1]:
            found = (weight, specificity, position)
    return found


@lru_cache(_REMEMBERED_VALUES)
def check_content_type(content_type: bytes | None) -> RequestRefused | None:
    """Return why a body of this type is refused, or nothing for JSON in UTF-8.

    Forms and plain text are refused because browsers send them across sites without asking first.
    """
    if content_type is None:
        return RequestRefused(
            415, ErrorCode.UNSUPPORTED_MEDIA_TYPE, "The Content-Type header is missing; send application/json."
        )
    media, *parameters = (part.strip() for part in content_type.decode("latin-1").lower().split(";"))
    if media != "application/json":
        return RequestRefused(415, ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Only application/json bodies are accepted.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            return RequestRefused(415, ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Only UTF-8 bodies are accepted.")
    return None
