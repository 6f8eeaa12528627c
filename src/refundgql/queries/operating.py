"""What operators look at from outside: how long the queue and due clocks have waited.

It must not be shown to clients; staff has queries of its own.
"""

from __future__ import annotations

from datetime import datetime

from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.vocabulary import WhoseMove
from refundgql.queries.case_filters import is_overdue, whose_move_is
from refundgql.storage.clocks import next_due_at
from refundgql.storage.database import Source

_QUEUE = """
SELECT COUNT(*) AS cases, COUNT(CASE WHEN {late} THEN 1 END) AS overdue,
  MIN(COALESCE(c.escalated_at, c.opened_at)) AS oldest_at
FROM refund_case c WHERE {waiting}"""


async def operating_figures(source: Source, now: datetime) -> dict[str, float]:
    """Return gauges by name: the cases that wait for support, the oldest's age and the sweeper's lag in seconds."""
    (waiting, whose), (late, lateness) = whose_move_is(WhoseMove.SUPPORT, to_micros(now)), is_overdue(to_micros(now))
    row = await source.fetch_row(_QUEUE.format(waiting=waiting, late=late), (*lateness, *whose))
    oldest_at = row["oldest_at"] if row is not None else None
    due_at = await next_due_at(source)
    return {
        "queue_cases": float(row["cases"]) if row is not None else 0.0,
        "queue_overdue_cases": float(row["overdue"]) if row is not None else 0.0,
        "queue_age_seconds": _seconds_since(from_micros(oldest_at) if oldest_at is not None else None, now),
        "sweeper_lag_seconds": _seconds_since(due_at, now),
    }


def _seconds_since(at: datetime | None, now: datetime) -> float:
    """Return how long ago an instant was; nothing and what lies ahead are no time."""
    return max((now - at).total_seconds(), 0.0) if at is not None else 0.0
