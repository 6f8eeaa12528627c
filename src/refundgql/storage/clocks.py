"""Timers as rows, kept with the decision that sets them.

It must not act on one: whoever takes a clock away does, in the same transaction; see sweeping.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.decisions import DueClock
from refundgql.storage.database import Source, Transaction
from refundgql.storage.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedClock(DueClock):
    """A due clock as it stands in its table."""

    id: str


async def replace_clocks(tx: Transaction, case_ids: Sequence[str], clocks: Collection[DueClock]) -> None:
    """Set the clocks of cases, dropping theirs that are not named again; a week's own of the same name is replaced."""
    if case_ids:
        await tx.execute("DELETE FROM clock WHERE case_id = ANY(?)", (list(case_ids),))
    weekly = [(clock.billing_week_id, clock.name) for clock in clocks if clock.case_id is None]
    if weekly:
        await tx.execute_many("DELETE FROM clock WHERE billing_week_id = ? AND case_id IS NULL AND name = ?", weekly)
    if clocks:
        await tx.execute_many(
            "INSERT INTO clock (id, case_id, billing_week_id, name, due_at) VALUES (?, ?, ?, ?, ?)",
            [(new_id(), it.case_id, it.billing_week_id, it.name, to_micros(it.due_at)) for it in clocks],
        )


async def next_due_at(source: Source) -> datetime | None:
    """Return when the next clock is due, or nothing."""
    micros = await source.fetch_value("SELECT min(due_at) FROM clock")
    return None if micros is None else from_micros(micros)
