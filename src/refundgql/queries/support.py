"""The figures of the desk, counted in SQL off the event log, so that what has happened later changes none of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from refundgql.domain.calendar import to_micros
from refundgql.domain.money import Money
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundCaseKind, RefundCaseState, RefundReason
from refundgql.queries.case_filters import is_overdue
from refundgql.storage import visibility
from refundgql.storage.database import Dialect, Source

HOUR_MICROS = 3_600_000_000
MOST_DECIDERS = 100
"""Those who decided most; a desk has fewer people."""


@dataclass(slots=True)
class StateCountRow:
    """How many cases were in a state."""

    state: str
    count: int


@dataclass(slots=True)
class ReasonCountRow:
    """How many cases were opened for a reason, and how many of them were approved."""

    reason: str
    count: int
    approved: int


@dataclass(slots=True)
class _Decided:
    """How many decisions were made, how many approved, and how many of those with a target met it."""

    decided: int
    approved: int
    with_target: int
    in_time: int

    @property
    def approved_share(self) -> float | None:
        """Return the share of approvals, from 0 to 1."""
        return _share(self.approved, self.decided)

    @property
    def decision_target_met_share(self) -> float | None:
        """Return the share of decisions that met their target, from 0 to 1."""
        return _share(self.in_time, self.with_target)


@dataclass(slots=True)
class KindRow(_Decided):
    """The figures of one kind of case."""

    kind: str
    opened: int


@dataclass(slots=True)
class DeciderRow(_Decided):
    """The figures of one member of staff."""

    decider_id: str


@dataclass(slots=True)
class MetricsRow(_Decided):
    """The figures of one span of time."""

    opened: int
    median_hours_to_decision: float | None
    p90_hours_to_decision: float | None
    overdue_now: int
    credited: list[Money]
    reversed: list[Money]
    by_state: list[StateCountRow]
    by_reason: list[ReasonCountRow]
    by_kind: list[KindRow]
    by_decider: list[DeciderRow]


Span = tuple[int, int]
_OPENED = "c.opened_at >= ? AND c.opened_at < ?"
# As the partial indexes of 0016_metrics have the names.
_DECIDING = "e.name IN ('APPROVE', 'CONFIRM', 'DECLINE', 'ISSUE')"
_MOVING = "e.name IN ('CREDIT', 'REVERSE')"
_IN_SPAN = "e.at >= ? AND e.at < ?"
_EVENTS = "refund_event e JOIN refund_case c ON c.id = e.case_id"
_DECISIONS = f"{_EVENTS} WHERE {_DECIDING} AND {_IN_SPAN} AND "
_BY_STAFF = "e.actor_role IN ('SUPPORT', 'ADMIN')"
# The deadline that stood when it was decided: what the case's event before it left.
_TARGET = {
    Dialect.POSTGRES: "CAST(CAST(b.snapshot AS json) ->> 'deadline_at' AS bigint)",
    Dialect.SQLITE: "b.snapshot ->> 'deadline_at'",
}
# When it came to whoever decided: opened, taken or handed over to support, or opened again.
_ARRIVED = (
    "(SELECT a.at FROM refund_event a WHERE a.case_id = e.case_id AND a.sequence <= e.sequence AND (a.sequence = 1"
    " OR a.name IN ('ESCALATE', 'DISPUTE', 'HAND_OVER', 'REOPEN')) ORDER BY a.sequence DESC LIMIT 1)"
)


async def support_metrics(
    source: Source, viewer: Viewer, start: datetime, until: datetime, wanted: Mapping[str, Any], *, now: datetime
) -> MetricsRow:
    """Return the figures of a span of time, and what is late now; lists and quantiles only when they are asked for."""
    condition, parameters = visibility.cases(viewer, "c")
    desk = _SeenCases(source, (to_micros(start), to_micros(until)), condition, tuple(parameters))
    opened = await desk.opened()
    kinds = await desk.by_kind(opened)
    decided = sum(kind.decided for kind in kinds)
    return MetricsRow(
        decided=decided,
        approved=sum(kind.approved for kind in kinds),
        with_target=sum(kind.with_target for kind in kinds),
        in_time=sum(kind.in_time for kind in kinds),
        opened=sum(opened.values()),
        median_hours_to_decision=await desk.hours(decided, 0.5) if "median_hours_to_decision" in wanted else None,
        p90_hours_to_decision=await desk.hours(decided, 0.9) if "p90_hours_to_decision" in wanted else None,
        overdue_now=await desk.overdue(to_micros(now)) if "overdue_now" in wanted else 0,
        credited=await desk.moved("CREDIT") if "credited" in wanted else [],
        reversed=await desk.moved("REVERSE") if "reversed" in wanted else [],
        by_state=await desk.by_state() if "by_state" in wanted else [],
        by_reason=await desk.by_reason() if "by_reason" in wanted else [],
        by_kind=kinds,
        by_decider=await desk.by_decider() if "by_decider" in wanted else [],
    )


def _four(counts: tuple[Any, ...]) -> tuple[int, int, int, int]:
    decided, approved, with_target, in_time = counts
    return decided, approved, with_target, in_time


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, slots=True)
class _SeenCases:
    """The cases of a span that the viewer sees."""

    source: Source
    span: Span
    condition: str
    parameters: tuple[Any, ...]

    async def rows(self, sql: str, values: tuple[Any, ...], tail: str = "") -> list[tuple[Any, ...]]:
        """Run a statement that ends in a place for the viewer's condition."""
        found = await self.source.fetch(f"{sql}{self.condition} {tail}", (*values, *self.parameters))
        return [tuple(row) for row in found]

    async def opened(self) -> dict[str, int]:
        """Return how many cases were opened in the span, by kind."""
        sql = f"SELECT c.kind, COUNT(*) FROM refund_case c WHERE {_OPENED} AND "
        return {row[0]: row[1] for row in await self.rows(sql, self.span, "GROUP BY c.kind")}

    async def overdue(self, now_micros: int) -> int:
        """Return how many cases are late at an instant."""
        late, parameters = is_overdue(now_micros)
        ((count,),) = await self.rows(f"SELECT COUNT(*) FROM refund_case c WHERE {late} AND ", tuple(parameters))
        return int(count)

    def _counts(self) -> str:
        target = _TARGET[self.source.dialect]
        before = "FROM refund_event b WHERE b.case_id = e.case_id AND b.sequence = e.sequence - 1"
        with_target = f"{_BY_STAFF} AND EXISTS (SELECT 1 {before} AND {target} IS NOT NULL)"
        in_time = f"{_BY_STAFF} AND EXISTS (SELECT 1 {before} AND {target} >= e.at)"
        return (
            "COUNT(*), COUNT(CASE WHEN e.to_state = 'APPROVED' THEN 1 END),"
            f" COUNT(CASE WHEN {with_target} THEN 1 END), COUNT(CASE WHEN {in_time} THEN 1 END)"
        )

    async def by_kind(self, opened: Mapping[str, int]) -> list[KindRow]:
        """Return the figures by kind; kinds without a case are left out."""
        sql = f"SELECT c.kind, {self._counts()} FROM {_DECISIONS}"
        found = {row[0]: row[1:] for row in await self.rows(sql, self.span, "GROUP BY c.kind")}
        return [
            KindRow(*_four(found.get(kind.value, (0, 0, 0, 0))), kind.value, opened.get(kind.value, 0))
            for kind in RefundCaseKind
            if kind.value in found or kind.value in opened
        ]

    async def by_decider(self) -> list[DeciderRow]:
        """Return the figures of the members of staff who decided, whoever decided most first."""
        sql = f"SELECT e.actor_id, {self._counts()} FROM {_DECISIONS}{_BY_STAFF} AND "
        tail = f"GROUP BY e.actor_id ORDER BY COUNT(*) DESC, e.actor_id LIMIT {MOST_DECIDERS}"
        return [DeciderRow(*_four(row[1:]), row[0]) for row in await self.rows(sql, self.span, tail)]

    async def hours(self, decided: int, share: float) -> float | None:
        """Return the hours within which a share of the span's decisions were made: the nearest rank."""
        if decided == 0:
            return None
        rank = max(math.ceil(decided * share) - 1, 0)
        sql = f"SELECT took FROM (SELECT e.at - {_ARRIVED} AS took FROM {_DECISIONS}{self.condition}) AS decisions"
        found = await self.source.fetch_value(
            f"{sql} ORDER BY took LIMIT 1 OFFSET ?", (*self.span, *self.parameters, rank)
        )
        return None if found is None else found / HOUR_MICROS

    async def moved(self, name: str) -> list[Money]:
        """Return what was credited, or taken back, in the span, by currency."""
        sql = (
            f"SELECT e.currency, CAST(SUM(e.amount_minor) AS BIGINT) FROM {_EVENTS} WHERE {_MOVING}"
            f" AND e.name = ? AND {_IN_SPAN} AND "
        )
        tail = "GROUP BY e.currency ORDER BY e.currency"
        return [Money(row[1], row[0]) for row in await self.rows(sql, (name, *self.span), tail)]

    async def by_state(self) -> list[StateCountRow]:
        """Return how the cases opened in the span stood at its end, by state; states without a case are left out."""
        sql = (
            "SELECT state, COUNT(*) FROM (SELECT (SELECT l.to_state FROM refund_event l WHERE l.case_id = c.id"
            f" AND l.at < ? ORDER BY l.sequence DESC LIMIT 1) AS state FROM refund_case c WHERE {_OPENED} AND "
        )
        values = (self.span[1], *self.span)
        found = {row[0]: row[1] for row in await self.rows(sql, values, ") AS stood GROUP BY state")}
        return [StateCountRow(state.value, found[state.value]) for state in RefundCaseState if state.value in found]

    async def by_reason(self) -> list[ReasonCountRow]:
        """Return the cases opened in the span by reason, and which stood approved or credited at its end."""
        sql = (
            "SELECT c.reason, COUNT(*), COUNT(CASE WHEN (SELECT l.to_state FROM refund_event l WHERE l.case_id = c.id"
            " AND l.at < ? ORDER BY l.sequence DESC LIMIT 1) IN ('APPROVED', 'CREDITED') THEN 1 END)"
            f" FROM refund_case c WHERE c.reason IS NOT NULL AND {_OPENED} AND "
        )
        values = (self.span[1], *self.span)
        found = {row[0]: row for row in await self.rows(sql, values, "GROUP BY c.reason")}
        return [ReasonCountRow(*found[reason.value]) for reason in RefundReason if reason.value in found]
