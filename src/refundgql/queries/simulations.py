"""Past cases decided again under changed parameters: which ones are looked at, and a page of those that differ."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from refundgql.domain.history import History
from refundgql.domain.policy import Policy
from refundgql.domain.simulation import Rules, Simulated, SimulationChange, simulate
from refundgql.domain.viewers import Viewer
from refundgql.queries.case_filters import CaseFilter, conditions
from refundgql.queries.case_orders import ORDERS, RefundCaseOrder
from refundgql.queries.pages import Page
from refundgql.queries.policies import load_policies
from refundgql.storage import visibility
from refundgql.storage.database import Row, Source
from refundgql.storage.histories import load_histories

EXAMINED_AT_MOST = 200
"""Cases decided again for one answer: each takes about a millisecond of this process."""
TURN_CASES = 10
"""After so many cases others get their turn."""

_ORDER = ORDERS[RefundCaseOrder.NEWEST]


@dataclass(slots=True)
class FoundDifference:
    """One case whose outcome differs, and its place in the order of examination."""

    case_id: str
    cursor: str
    simulated: Simulated


@dataclass(slots=True)
class Examination:
    """What came of the cases that one call looked at."""

    examined: int = 0
    not_reproduced: int = 0
    changes: Counter[SimulationChange] = field(default_factory=Counter)
    found: list[FoundDifference] = field(default_factory=list)
    end_cursor: str | None = None
    """The place of the last case that was looked at."""
    has_more: bool = False


async def examine(
    source: Source,
    viewer: Viewer,
    in_force: Policy,
    overrides: Mapping[str, object],
    given: CaseFilter | None,
    page: Page,
    now: datetime,
) -> Examination:
    """Decide cases again, newest first from a place on, until a page of differences is full or enough were looked at.

    Each act is judged by the rules of its time, as they were and with the overrides.

    Refuses: BadPage for a cursor of another list.
    """
    rows = await _cases(source, viewer, given, page, now)
    histories = await load_histories(source, [row["id"] for row in rows[:EXAMINED_AT_MOST]])
    rules = Rules(in_force, overrides, await load_policies(source))
    result = Examination(has_more=len(rows) > EXAMINED_AT_MOST)
    for place, row in enumerate(rows[:EXAMINED_AT_MOST]):
        if len(result.found) >= page.size:
            result.has_more = True
            break
        if place % TURN_CASES == TURN_CASES - 1:
            await asyncio.sleep(0)
        _add(result, row, histories[row["id"]], rules, now)
    return result


async def _cases(source: Source, viewer: Viewer, given: CaseFilter | None, page: Page, now: datetime) -> list[Row]:
    """Return the cases to look at and one more, which tells that there are others."""
    which = [visibility.cases(viewer, "c"), *conditions(given, viewer, source.dialect, now)]
    if page.after is not None:
        which.append(_ORDER.beyond(_ORDER.values(page.after), later=True))
    sql = " AND ".join(condition for condition, _ in which)
    return list(
        await source.fetch(
            f"SELECT c.id, c.opened_at FROM refund_case c WHERE {sql} ORDER BY {_ORDER.by(False)} LIMIT ?",
            (*(value for _, values in which for value in values), EXAMINED_AT_MOST + 1),
        )
    )


def _add(result: Examination, row: Row, history: History, rules: Rules, now: datetime) -> None:
    """Look at one case more."""
    cursor = _ORDER.cursor((row["opened_at"], row["id"]))
    result.examined += 1
    result.end_cursor = cursor
    outcome = simulate(history, rules, now)
    result.not_reproduced += not outcome.reproduced
    if outcome.changes:
        result.changes[outcome.changes[0]] += 1
        result.found.append(FoundDifference(row["id"], cursor, outcome))
