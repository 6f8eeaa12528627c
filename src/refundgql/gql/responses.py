"""Turns GraphQL errors into the entries of a response, hiding everything that is nobody's business."""

from collections.abc import Callable, Sequence
from typing import Any

from graphql import FieldNode, GraphQLError

from refundgql.gql.answers import MASKED, log_fault, new_fault_id
from refundgql.gql.errors import ApiError, ErrorCode
from refundgql.gql.ports import StrawberryInputCoercionError
from refundgql.gql.wording import null_for_none

Translate = Callable[[BaseException], ApiError | None]

MAX_MESSAGE_CHARS = 1_000
"""Messages quote names and values of the request, which may be as long as a whole body."""


def request_errors(errors: Sequence[GraphQLError], code: ErrorCode) -> list[dict[str, Any]]:
    """Describe errors found before execution; an error's own `extensions.code` wins over the given one."""
    return [_entry(error, {"code": str(code), **(error.extensions or {})}) for error in errors]


class ErrorFormat:
    """How one engine describes the errors of an execution."""

    def __init__(self, translate: Translate | None, max_errors: int) -> None:
        self._translate = translate
        self._max_errors = max_errors

    def describe(self, errors: Sequence[GraphQLError], data: Any) -> list[dict[str, Any]]:
        """Describe an execution's errors in the order of the response, the first `max_errors` of them."""
        shown = one_for_each_null(in_response_order(errors, data), data)
        faults: dict[int, str] = {}
        return [self.describe_one(error, faults) for error in shown[: self._max_errors]]

    def describe_one(self, error: GraphQLError, faults: dict[int, str] | None = None) -> dict[str, Any]:
        """Describe one error: an `ApiError` and a bad argument as they are, anything else masked.

        faults: ids given in this answer, so that one exception at many positions is reported once.
        """
        cause, located = _cause(error)
        if self._translate is not None and not isinstance(cause, ApiError):
            cause = self._translate(cause) or cause
        if isinstance(cause, ApiError):
            return _entry(error, cause.extensions, message=cause.message)
        if isinstance(cause, StrawberryInputCoercionError) or (
            isinstance(cause, GraphQLError) and located and not isinstance(located[0], FieldNode)
        ):  # graphql-core points argument errors at the argument's value, all others at the field
            return _entry(error, {"code": str(ErrorCode.BAD_USER_INPUT)})
        faults = {} if faults is None else faults
        fault_id = faults.get(id(cause), "")
        if not fault_id:
            fault_id = faults[id(cause)] = new_fault_id()
            log_fault(cause, fault_id)
        return _entry(error, {"code": str(ErrorCode.INTERNAL_SERVER_ERROR), "id": fault_id}, message=MASKED)


def _cause(error: GraphQLError) -> tuple[BaseException, Any]:
    """Unwrap to what was raised, and the nodes it carried itself."""
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and isinstance(cause.original_error, Exception):
        cause = cause.original_error
    return cause, getattr(cause, "nodes", None)


def _entry(error: GraphQLError, extensions: dict[str, Any], message: str | None = None) -> dict[str, Any]:
    text = null_for_none(error.message) if message is None else message
    entry: dict[str, Any] = {"message": text if len(text) <= MAX_MESSAGE_CHARS else f"{text[:MAX_MESSAGE_CHARS]}…"}
    if error.locations:
        entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        entry["path"] = list(error.path)
    entry["extensions"] = extensions
    return entry


def in_response_order(errors: Sequence[GraphQLError], data: Any) -> list[GraphQLError]:
    """Sort errors as their paths stand in the response, which does not depend on what finished first.

    Errors below one null keep the order in which they were found.
    """
    if len(errors) < 2:
        return list(errors)
    positions: dict[int, dict[str, int]] = {}

    def key(error: GraphQLError) -> tuple[int, ...]:
        at, found = data, []
        for step in error.path or ():
            if isinstance(at, dict) and step in at:
                if id(at) not in positions:
                    positions[id(at)] = {name: i for i, name in enumerate(at)}
                found.append(positions[id(at)][str(step)])
            elif isinstance(at, list) and isinstance(step, int) and step < len(at):
                found.append(step)
            else:
                break
            at = at[step]
        return tuple(found)

    return sorted(errors, key=key)


def one_for_each_null(errors: Sequence[GraphQLError], data: Any) -> list[GraphQLError]:
    """Keep one error for each null they explain: where an object was nulled, the first one found in it."""
    seen: set[tuple[str | int, ...]] = set()
    kept: list[GraphQLError] = []
    for error in errors:
        at, nulled = data, []
        for step in error.path or ():
            if at is None:
                break
            nulled.append(step)
            at = at[step]
        if tuple(nulled) not in seen:
            seen.add(tuple(nulled))
            kept.append(error)
    return kept
