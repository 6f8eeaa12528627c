"""Whose turn it is to act on due clocks, which one is next, and what waits for money that has come."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from refundgql.domain.calendar import to_micros
from refundgql.storage.clocks import ClaimedClock
from refundgql.storage.database import Dialect, Source, Transaction
from refundgql.storage.rows import read

_SWEEP_TURN = 7_310_244_872
"""The advisory lock that lets one process sweep at a time on PostgreSQL, so that clocks are acted on in due order."""


async def take_turn(tx: Transaction) -> bool:
    """Tell whether this transaction is the one that sweeps now; on SQLite its write lock has decided that already."""
    if tx.dialect is not Dialect.POSTGRES:
        return True
    return bool(await tx.fetch_value("SELECT pg_try_advisory_xact_lock(?)", (_SWEEP_TURN,)))


async def find_due_clock(
    source: Source | Transaction, at: datetime, *, but: Collection[str] = ()
) -> ClaimedClock | None:
    """Return the clock that has been due longest, leaving out some by id; it is neither locked nor taken.

    The case is locked first and the clock taken after it, in the order in which decisions do: no deadlock.
    """
    left_out = f" AND id NOT IN ({', '.join('?' * len(but))})" if but else ""
    row = await source.fetch_row(
        "SELECT id, case_id, billing_week_id, name, due_at FROM clock"
        f" WHERE due_at <= ?{left_out} ORDER BY due_at, id LIMIT 1",
        (to_micros(at), *but),
    )
    return None if row is None else read(ClaimedClock, row)


async def take_clock(tx: Transaction, clock_id: str) -> bool:
    """Take a clock away and tell whether it was still there: whoever takes it acts, nobody else does."""
    return await tx.execute("DELETE FROM clock WHERE id = ?", (clock_id,)) == 1
