"""What operators look at from outside: how long the queue, due clocks, webhooks and withdrawals have waited."""

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


# Bounded: how far a queue reaches beyond that is no news.
_WEBHOOKS = """
SELECT
  (SELECT COUNT(*) FROM webhook_delivery WHERE state = 'PENDING') AS pending,
  (SELECT MIN(queued_at) FROM webhook_delivery WHERE state = 'PENDING') AS queued_at,
  SUM((SELECT COUNT(*) FROM (SELECT 1 AS one FROM refund_event e
    WHERE (e.commit_order, e.position) > (w.commit_order, w.position) LIMIT 1000) AS behind)) AS behind,
  MIN((SELECT e.at FROM refund_event e WHERE (e.commit_order, e.position) > (w.commit_order, w.position)
    ORDER BY e.commit_order, e.position LIMIT 1)) AS behind_at
FROM webhook_endpoint w WHERE w.deleted_at IS NULL AND w.stopped IS NULL"""

_WITHDRAWALS = "SELECT COUNT(*) FROM withdrawal WHERE status = 'REQUESTED'"


async def operating_figures(source: Source, now: datetime) -> dict[str, float]:
    """Return gauges by name: what waits for support, the sweeper, webhooks' receivers and the payment system."""
    (waiting, whose), (late, lateness) = whose_move_is(WhoseMove.SUPPORT, to_micros(now)), is_overdue(to_micros(now))
    row = await source.fetch_row(_QUEUE.format(waiting=waiting, late=late), (*lateness, *whose))
    oldest_at = row["oldest_at"] if row is not None else None
    due_at = await next_due_at(source)
    hooks = await source.fetch_row(_WEBHOOKS)
    assert hooks is not None  # noqa: S101  # a sum has one row
    blocked = [hooks[name] for name in ("queued_at", "behind_at") if hooks[name] is not None]
    return {
        "queue_cases": float(row["cases"]) if row is not None else 0.0,
        "queue_overdue_cases": float(row["overdue"]) if row is not None else 0.0,
        "queue_age_seconds": _seconds_since(from_micros(oldest_at) if oldest_at is not None else None, now),
        "sweeper_lag_seconds": _seconds_since(due_at, now),
        "webhook_backlog_events": float(hooks["pending"] + (hooks["behind"] or 0)),
        "webhook_oldest_seconds": _seconds_since(from_micros(min(blocked)) if blocked else None, now),
        "withdrawals_requested": float(await source.fetch_value(_WITHDRAWALS)),
    }


def _seconds_since(at: datetime | None, now: datetime) -> float:
    """Return how long ago an instant was; nothing and what lies ahead are no time."""
    return max((now - at).total_seconds(), 0.0) if at is not None else 0.0
