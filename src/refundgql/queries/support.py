"""The figures of the desk, counted in SQL.

It must not be asked for anybody but staff; the API checks that before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from refundgql.domain.calendar import to_micros
from refundgql.domain.money import Money
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundCaseState, RefundReason
from refundgql.storage import visibility
from refundgql.storage.database import Source

HOUR_MICROS = 3_600_000_000


@dataclass(slots=True)
class StateCountRow:
    """How many cases are in a state."""

    state: str
    count: int


@dataclass(slots=True)
class ReasonCountRow:
    """How many cases were opened for a reason, and how many of them were approved."""

    reason: str
    count: int
    approved: int


@dataclass(slots=True)
class MetricsRow:
    """The figures of one span of time."""

    opened: int
    decided: int
    approved_share: float | None
    decision_target_met_share: float | None
    median_hours_to_decision: float | None
    p90_hours_to_decision: float | None
    overdue_now: int
    credited: list[Money]
    by_state: list[StateCountRow]
    by_reason: list[ReasonCountRow]


Span = tuple[int, int]
_OPENED = "c.opened_at >= ? AND c.opened_at < ?"
_DECIDED = "c.decided_at >= ? AND c.decided_at < ?"
_COUNTS = f"""
SELECT COUNT(*), (SELECT COUNT(*) FROM refund_case c WHERE c.overdue AND {{visible}})
FROM refund_case c WHERE {_OPENED} AND """
_DECISIONS = f"""
SELECT COUNT(*), COUNT(CASE WHEN c.state <> 'DECLINED' THEN 1 END),
  COUNT(CASE WHEN c.kind = 'LEAD' THEN 1 END),
  COUNT(CASE WHEN c.kind = 'LEAD' AND c.decided_at - COALESCE(c.escalated_at, c.opened_at) <= ? THEN 1 END)
FROM refund_case c WHERE {_DECIDED} AND """


async def support_metrics(
    source: Source, viewer: Viewer, start: datetime, until: datetime, target_hours: int, wanted: Mapping[str, Any]
) -> MetricsRow:
    """Return the figures of a span of time; lists and quantiles are counted only when they are asked for."""
    condition, parameters = visibility.cases(viewer, "c")
    desk = _Desk(source, (to_micros(start), to_micros(until)), condition, tuple(parameters))
    counts = _COUNTS.format(visible=condition)
    opened, overdue = (await desk.rows(counts, (*parameters, *desk.span)))[0]
    target = target_hours * HOUR_MICROS
    decided, approved, leads, in_time = (await desk.rows(_DECISIONS, (target, *desk.span)))[0]
    return MetricsRow(
        opened=opened,
        decided=decided,
        approved_share=_share(approved, decided),
        decision_target_met_share=_share(in_time, leads),
        median_hours_to_decision=await desk.hours(decided, 0.5) if "median_hours_to_decision" in wanted else None,
        p90_hours_to_decision=await desk.hours(decided, 0.9) if "p90_hours_to_decision" in wanted else None,
        overdue_now=overdue,
        credited=await desk.credited() if "credited" in wanted else [],
        by_state=await desk.by_state() if "by_state" in wanted else [],
        by_reason=await desk.by_reason() if "by_reason" in wanted else [],
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, slots=True)
class _Desk:
    """The cases of a span that the viewer sees."""

    source: Source
    span: Span
    condition: str
    parameters: tuple[Any, ...]

    async def rows(self, sql: str, values: tuple[Any, ...], tail: str = "") -> list[tuple[Any, ...]]:
        """Run a statement that ends in a place for the viewer's condition."""
        found = await self.source.fetch(f"{sql}{self.condition} {tail}", (*values, *self.parameters))
        return [tuple(row) for row in found]

    async def hours(self, decided: int, share: float) -> float | None:
        """Return the hours within which a share of the span's decisions were made: the nearest rank."""
        if decided == 0:
            return None
        rank = max(math.ceil(decided * share) - 1, 0)
        sql = f"SELECT c.decided_at - c.opened_at FROM refund_case c WHERE {_DECIDED} AND "
        found = await self.source.fetch_value(
            f"{sql}{self.condition} ORDER BY c.decided_at - c.opened_at LIMIT 1 OFFSET ?",
            (*self.span, *self.parameters, rank),
        )
        return None if found is None else found / HOUR_MICROS

    async def credited(self) -> list[Money]:
        """Return what was credited in the span, by currency."""
        sql = (
            "SELECT c.currency, CAST(SUM(c.credited_minor) AS BIGINT) FROM refund_case c"
            " WHERE c.credited_at >= ? AND c.credited_at < ? AND "
        )
        return [
            Money(row[1], row[0]) for row in await self.rows(sql, self.span, "GROUP BY c.currency ORDER BY c.currency")
        ]

    async def by_state(self) -> list[StateCountRow]:
        """Return how the cases opened in the span stand now, by state; states without a case are left out."""
        sql = f"SELECT c.state, COUNT(*) FROM refund_case c WHERE {_OPENED} AND "
        found = {row[0]: row[1] for row in await self.rows(sql, self.span, "GROUP BY c.state")}
        return [StateCountRow(state.value, found[state.value]) for state in RefundCaseState if state.value in found]

    async def by_reason(self) -> list[ReasonCountRow]:
        """Return the cases opened in the span by reason; reasons without a case are left out."""
        sql = (
            "SELECT c.reason, COUNT(*), COUNT(CASE WHEN c.state IN ('APPROVED', 'CREDITED') THEN 1 END)"
            f" FROM refund_case c WHERE c.reason IS NOT NULL AND {_OPENED} AND "
        )
        found = {row[0]: row for row in await self.rows(sql, self.span, "GROUP BY c.reason")}
        return [ReasonCountRow(*found[reason.value]) for reason in RefundReason if reason.value in found]
