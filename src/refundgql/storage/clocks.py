"""Timers as rows, kept with the decision that sets them.

It must not act on one: whoever takes a clock away does, in the same transaction; see sweeping.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.decisions import DueClock
from refundgql.storage.database import Source, Write
from refundgql.storage.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedClock(DueClock):
    """A due clock as it stands in its table."""

    id: str


def clock_writes(case_ids: Sequence[str], clocks: Collection[DueClock]) -> Iterator[Write]:
    """Yield what sets the clocks of cases, dropping theirs not named again; a week's own is replaced by name."""
    yield Write("DELETE FROM clock WHERE case_id = ANY(?)", (list(case_ids),))
    for clock in clocks:
        if clock.case_id is None:
            yield Write(
                "DELETE FROM clock WHERE billing_week_id = ? AND case_id IS NULL AND name = ?",
                (clock.billing_week_id, clock.name),
            )
    if clocks:
        yield Write(
            "INSERT INTO clock (id, case_id, billing_week_id, name, due_at)"
            f" VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(clocks))}",
            [
                value
                for it in clocks
                for value in (new_id(), it.case_id, it.billing_week_id, it.name, to_micros(it.due_at))
            ],
        )


async def next_due_at(source: Source) -> datetime | None:
    """Return when the next clock is due, or nothing."""
    micros = await source.fetch_value("SELECT min(due_at) FROM clock")
    return None if micros is None else from_micros(micros)
