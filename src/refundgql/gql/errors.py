"""What a resolver raises to say something to the client through the response's `errors`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple


class ErrorCode(StrEnum):
    """The values of `extensions.code`, over every road; clients branch on them, so they never change their meaning."""

    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    OPERATION_RESOLUTION_FAILURE = "OPERATION_RESOLUTION_FAILURE"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"
    BAD_REQUEST = "BAD_REQUEST"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    NOT_FOUND = "NOT_FOUND"
    GONE = "GONE"
    CONFLICT = "CONFLICT"
    EVIDENCE_REJECTED = "EVIDENCE_REJECTED"


class Meaning(NamedTuple):
    """What a code says, and whether the same request may be sent again."""

    says: str
    again: str


MEANINGS: Final[Mapping[ErrorCode, Meaning]] = {
    ErrorCode.GRAPHQL_PARSE_FAILED: Meaning("The document is no GraphQL.", "no"),
    ErrorCode.GRAPHQL_VALIDATION_FAILED: Meaning("The document does not fit the schema.", "no"),
    ErrorCode.OPERATION_RESOLUTION_FAILURE: Meaning(
        "No operation, several without a name, or one that this road does not serve.", "no"
    ),
    ErrorCode.BAD_USER_INPUT: Meaning(
        "A variable or argument is wrong: a malformed scalar, `first` with `last`, a cursor that is none, a text with"
        " U+0000, nesting over 64 levels.",
        "no",
    ),
    ErrorCode.PERSISTED_QUERY_NOT_FOUND: Meaning(
        "The server does not know this document, or takes only those it knows.", "with the text"
    ),
    ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED: Meaning(
        "A version of automatic persisted queries other than 1.", "with the text alone"
    ),
    ErrorCode.UNAUTHENTICATED: Meaning("No token, or not a good one.", "with a new token"),
    ErrorCode.FORBIDDEN: Meaning("This field is not for your role, or this page's origin is not allowed.", "no"),
    ErrorCode.LIMIT_EXCEEDED: Meaning(
        "Too large, too deep, too dear, too slow, or too many at once.",
        "smaller, or fewer at once; a stream that did not keep up goes on after `extensions.after`",
    ),
    ErrorCode.RATE_LIMITED: Meaning("Too many requests in a minute.", "after `Retry-After` seconds"),
    ErrorCode.SERVICE_UNAVAILABLE: Meaning(
        "The database is away or takes no writes, or the server stops.", "after `Retry-After` seconds"
    ),
    ErrorCode.INTERNAL_SERVER_ERROR: Meaning(
        "A fault on our side; `extensions.id` finds it in the log.", "yes; a mutation with the same key"
    ),
    ErrorCode.BAD_REQUEST: Meaning("The request is not one of GraphQL over HTTP, or no HTTP at all.", "no"),
    ErrorCode.METHOD_NOT_ALLOWED: Meaning("Operations are sent with POST.", "no"),
    ErrorCode.NOT_ACCEPTABLE: Meaning("`Accept` lets none of the media types through that could be sent.", "no"),
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: Meaning("The body is not plain JSON in UTF-8.", "no"),
    ErrorCode.REQUEST_TIMEOUT: Meaning("The body did not arrive in time.", "yes"),
    ErrorCode.NOT_FOUND: Meaning("There is nothing at this address, or nothing for you.", "ask for a new address"),
    ErrorCode.GONE: Meaning("The address of a file was used or has expired.", "ask for a new address"),
    ErrorCode.CONFLICT: Meaning("The file is being sent already.", "wait for its answer"),
    ErrorCode.EVIDENCE_REJECTED: Meaning("The file is not the one that was announced.", "ask for a new address"),
}
"""Every code with what it says, for docs/api.md."""


class ApiError(Exception):
    """An error whose message and code the client may see; every other exception is masked.

    `extensions` joins the code in the error's `extensions`, for example `{"retryAfterSeconds": 3}`.
    """

    def __init__(self, message: str, code: str, extensions: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = str(code)
        self.extensions: dict[str, Any] = {**(extensions or {}), "code": self.code}
