"""Timers as rows, and what lists look for: both an index of the rules in force, set anew with them (D28)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.decisions import DueClock
from refundgql.domain.facts import Case
from refundgql.storage.case_rows import changed_columns, column_value
from refundgql.storage.database import Source, Transaction, Write
from refundgql.storage.ids import new_id
from refundgql.storage.rows import read


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


async def list_case_clocks(source: Source, case_ids: Sequence[str]) -> list[DueClock]:
    """Return the clocks of cases as they stand."""
    return await _list_clocks(source, "case_id = ANY(?)", case_ids)


async def list_week_clocks(source: Source, week_ids: Sequence[str]) -> list[DueClock]:
    """Return the clocks of weeks themselves as they stand, not those of their cases."""
    return await _list_clocks(source, "billing_week_id = ANY(?) AND case_id IS NULL", week_ids)


async def _list_clocks(source: Source, which: str, ids: Sequence[str]) -> list[DueClock]:
    rows = await source.fetch(f"SELECT case_id, billing_week_id, name, due_at FROM clock WHERE {which}", (list(ids),))
    return [read(DueClock, row) for row in rows]


async def next_due_at(source: Source) -> datetime | None:
    """Return when the next clock is due, or nothing."""
    micros = await source.fetch_value("SELECT min(due_at) FROM clock")
    return None if micros is None else from_micros(micros)


def index_write(before: Case, after: Case) -> Iterator[Write]:
    """Yield what brings the index of one case up to date, where it is not; the case itself stays as it is."""
    changed = changed_columns(before, after)
    if changed:
        sets = ", ".join(f"{name} = ?" for name in changed)
        values = [column_value(after, name) for name in changed]
        yield Write(f"UPDATE refund_case SET {sets} WHERE id = ? AND version = ?", (*values, after.id, after.version))


_UNARMED_CASES = """
SELECT id FROM refund_case WHERE id > ? AND (state IN ('REQUESTED', 'APPROVED', 'ESCALATED', 'DISPUTED')
  OR (state = 'DECLINED' AND NOT final_decision)
  OR (state = 'CREDITED' AND NOT support_decided AND credited_minor < requested_minor))
ORDER BY id LIMIT ?"""
_UNARMED_WEEKS = """
SELECT w.id, w.ends_at FROM billing_week w JOIN payment p ON p.id = w.payment_id
WHERE w.id > ? AND w.released_at IS NULL AND p.paid_minor > 0 ORDER BY w.id LIMIT ?"""
FIRST_ID = "00000000-0000-0000-0000-000000000000"


async def list_dated_cases(source: Source, after_id: str, limit: int) -> list[str]:
    """Return the next cases, by id, on which a deadline may run."""
    return [row["id"] for row in await source.fetch(_UNARMED_CASES, (after_id, limit))]


async def list_held_weeks(source: Source, after_id: str, limit: int) -> list[tuple[str, datetime]]:
    """Return the next weeks, by id, whose money is held, each with its end."""
    return [(row["id"], from_micros(row["ends_at"])) for row in await source.fetch(_UNARMED_WEEKS, (after_id, limit))]


_ANSWERED = """
INSERT INTO clock (id, case_id, name, due_at) SELECT id, id, 'SUPPORT_WINDOW', ? FROM refund_case
WHERE payment_id = ANY(?) AND state IN ('DECLINED', 'CREDITED') AND whose_move = 'REQUESTER'
  AND NOT EXISTS (SELECT 1 FROM clock k WHERE k.id = refund_case.id)"""


async def look_at_cases(tx: Transaction, payment_ids: Sequence[str], at: datetime) -> None:
    """Let the sweeper look anew at answered cases of payments of which something has changed that may close their ways.

    The clock bears the case's id: one look is enough, however often somebody asks for it.
    """
    await tx.execute(_ANSWERED, (to_micros(at), list(payment_ids)))


# What has been told late has no clock, and needs none until it is decided.
_UNCLOCKED = """
SELECT c.id FROM refund_case c WHERE c.state IN ('REQUESTED', 'ESCALATED', 'DISPUTED') AND NOT c.overdue
  AND c.deadline_at IS NULL AND NOT EXISTS (SELECT 1 FROM clock k WHERE k.case_id = c.id) ORDER BY c.id LIMIT ?"""


async def list_unclocked_cases(source: Source, limit: int) -> list[str]:
    """Return undecided cases that no deadline was worked out for: a process of the release before has written them."""
    return [row["id"] for row in await source.fetch(_UNCLOCKED, (limit,))]


async def armed_rules(source: Source) -> str | None:
    """Return the rules that the clocks and the index were last worked out by."""
    found: str | None = await source.fetch_value("SELECT policy_version FROM armed_rules WHERE id = 1")
    return found


async def set_armed_rules(tx: Transaction, policy_version: str) -> None:
    """Remember the rules that everything is worked out by now."""
    await tx.execute("DELETE FROM armed_rules WHERE id = 1")
    await tx.execute("INSERT INTO armed_rules (id, policy_version) VALUES (1, ?)", (policy_version,))
