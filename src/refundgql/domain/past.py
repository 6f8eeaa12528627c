"""What is said to have happened has happened: facts lie in the past, with some minutes for clocks that differ (D27)."""

from __future__ import annotations

from datetime import datetime, timedelta

from refundgql.domain.records import Record, RecordError
from refundgql.domain.sentences import sentence

AHEAD = timedelta(minutes=5)
"""So far two machines' clocks may differ; a fact further ahead is a mistake."""

_FACTS = {
    "charged_at": "chargedAt",
    "sent_at": "sentAt",
    "deleted_at": "deletedAt",
    "ended_at": "endedAt",
    "funded_at": "fundedAt",
    "released_at": "releasedAt",
    "paid_at": "paidAt",
    "posted_at": "postedAt",
    "requested_at": "requestedAt",
    "credited_at": "creditedAt",
    "opened_at": "openedAt",
    "opening_at": "openingAt",
}
"""The instants of records that tell what has happened; a contract may begin, and an invoice be issued, later."""


def check_past(record: Record, now: datetime) -> None:
    """Refuse a record that tells of what has not happened yet.

    Refuses: RecordError with D27.
    """
    latest = now + AHEAD
    for name, field in _FACTS.items():
        instant = getattr(record, name, None)
        if instant is not None and instant > latest:
            message = sentence(
                "NOT_HAPPENED_YET",
                "This has not happened yet: tell it when it has, at most five minutes ahead of the clock.",
            )
            raise RecordError(message, field, rule="D27")
