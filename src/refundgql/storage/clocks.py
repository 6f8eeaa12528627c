"""Timers as rows: which are due, in order, and whose turn it is to act on them.

It must not act on any: the sweeper does, in the transaction that takes the row away.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from refundgql.domain.vocabulary import ClockName
from refundgql.storage.database import Dialect, Row, Source, Transaction

_SWEEP_TURN = 7_310_244_872
"""The advisory lock that lets one sweeper act at a time on PostgreSQL, so that clocks are acted on in due order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRow:
    """One timer; `due_at` in microseconds."""

    id: str
    name: ClockName
    due_at: int
    case_id: str | None
    billing_week_id: str | None


async def take_turn(tx: Transaction) -> bool:
    """Tell whether this transaction is the one that sweeps now; on SQLite its write lock has decided that already."""
    if tx.dialect is not Dialect.POSTGRES:
        return True
    return bool(await tx.fetch_value("SELECT pg_try_advisory_xact_lock(?)", (_SWEEP_TURN,)))


async def find_next_due(source: Source | Transaction, now: int, *, but: Collection[str] = ()) -> DueRow | None:
    """Return the timer that has been due longest at an instant in microseconds, leaving out some by id."""
    left_out = f" AND id NOT IN ({', '.join('?' * len(but))})" if but else ""
    row = await source.fetch_row(
        "SELECT id, name, due_at, case_id, billing_week_id FROM clock"
        f" WHERE due_at <= ?{left_out} ORDER BY due_at, id LIMIT 1",
        (now, *but),
    )
    return None if row is None else _due(row)


async def take_clock(tx: Transaction, clock_id: str) -> bool:
    """Take a timer away and tell whether it was still there: whoever takes it acts, everybody else does not."""
    return await tx.execute("DELETE FROM clock WHERE id = ?", (clock_id,)) == 1


async def next_due_at(source: Source) -> int | None:
    """Return when the next timer is due, in microseconds."""
    found = await source.fetch_value("SELECT min(due_at) FROM clock")
    return None if found is None else int(found)


def _due(row: Row) -> DueRow:
    return DueRow(
        id=str(row["id"]),
        name=ClockName(row["name"]),
        due_at=row["due_at"],
        case_id=None if row["case_id"] is None else str(row["case_id"]),
        billing_week_id=None if row["billing_week_id"] is None else str(row["billing_week_id"]),
    )
