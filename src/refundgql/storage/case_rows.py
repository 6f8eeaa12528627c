"""A case and its row, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.facts import Case
from refundgql.domain.vocabulary import (
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundDecision,
    RefundReason,
    RefundReasonDetail,
    RefundRoute,
    RestOfEscrow,
    SettlementStatus,
    WhoseMove,
)

_READ: dict[str, Callable[[Any], Any]] = {
    "kind": RefundCaseKind,
    "state": RefundCaseState,
    "route": RefundRoute,
    "opened_by": RefundActionName,
    "reason": RefundReason,
    "reason_detail": RefundReasonDetail,
    "settlement": SettlementStatus,
    "whose_move": WhoseMove,
    "next_move": WhoseMove,
    "information_from": WhoseMove,
    "proposed_decision": RefundDecision,
    "proposed_rest": RestOfEscrow,
    **dict.fromkeys(
        (
            "goodwill",
            "send_to_payment_method",
            "overdue",
            "reminded",
            "asks_support",
            "final_decision",
            "support_decided",
            "second_look_used",
        ),
        bool,
    ),
    **dict.fromkeys(
        (
            "opened_at",
            "updated_at",
            "decided_at",
            "approved_at",
            "declined_at",
            "escalated_at",
            "credited_at",
            "reversed_at",
            "respond_by",
            "deadline_at",
            "move_until",
            "information_at",
            "reopened_at",
            "proposed_at",
        ),
        from_micros,
    ),
}

COLUMNS: tuple[str, ...] = tuple(Case.__dataclass_fields__)
"""The columns of refund_case, named as the fields of a case."""

_READERS = tuple((name, _READ.get(name)) for name in COLUMNS)


def case_from(values: Iterable[Any]) -> Case:
    """Return the case whose columns hold these values, in the order of COLUMNS."""
    return Case(
        **{
            name: value if read is None or value is None else read(value)
            for (name, read), value in zip(_READERS, values, strict=True)
        }
    )


def column_value(case: Case, name: str) -> Any:
    """Return one field of a case as its column keeps it."""
    value = getattr(case, name)
    if value is not None and _READ.get(name) is from_micros:
        return to_micros(value)
    return value


def changed_columns(before: Case, after: Case) -> list[str]:
    """Return the names of the columns in which two states of one case differ."""
    return [name for name in COLUMNS if getattr(before, name) != getattr(after, name)]
