"""Clocks and the index of deadlines are worked out anew when the rules have changed; who was told reads so (D28)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.cases import deadline_moved
from refundgql.domain.clocks import due_clocks, indexed
from refundgql.domain.deadlines import CUT_OFF, EDITION
from refundgql.domain.decisions import DueClock
from refundgql.domain.facts import Facts
from refundgql.domain.vocabulary import ClockName
from refundgql.storage.clocks import (
    FIRST_ID,
    armed_rules,
    clock_writes,
    index_write,
    list_case_clocks,
    list_dated_cases,
    list_held_weeks,
    list_unclocked_cases,
    list_week_clocks,
    set_armed_rules,
)
from refundgql.storage.facts import load_case_facts
from refundgql.storage.policies import keep_policy, knows_policy
from refundgql.storage.sweeping import take_turn

ARMED_AT_ONCE = 100
"""Cases in one transaction: few enough that nobody who acts on one of them waits long."""

_Batch = Callable[[Unit, str], Awaitable[str | None]]
"""Works out the rows after an id and returns the last one's id, or nothing at the end."""


async def arm_deadlines(uow: UnitOfWork) -> None:
    """Set every clock anew if the rules in force are not those that they were last set by.

    Another process that is sweeping goes on alone. One that is cut off is made up for at the next start. Rules that no
    process has started with are kept first, whosever turn it is: cases will name them.
    """
    await _keep_rules(uow)
    rules = f"{EDITION} {uow.policy.version}"
    if await armed_rules(uow.database) == rules:
        return
    for batch in (_arm_some_cases, _arm_some_weeks):
        if not await _arm_all(uow, batch):
            return

    async def remember(unit: Unit) -> None:
        await set_armed_rules(unit.tx, rules)

    await uow.run(remember, name="arm")


async def _keep_rules(uow: UnitOfWork) -> None:
    async def work(unit: Unit) -> None:
        await keep_policy(unit.tx, unit.policy, unit.now())

    if not await knows_policy(uow.database, uow.policy):
        await uow.run(work, name="arm")


async def arm_forgotten(uow: UnitOfWork) -> None:
    """Work out the clocks of undecided cases that have none, which a process of the release before may have written."""
    ids = await list_unclocked_cases(uow.database, ARMED_AT_ONCE)

    async def work(unit: Unit) -> None:
        facts = await load_case_facts(unit.tx, ids, lock=True)
        await arm_cases(unit, [facts[one] for one in ids if one in facts])

    if ids:
        await uow.run(work, name="arm")


async def _arm_all(uow: UnitOfWork, batch: _Batch) -> bool:
    """Go through all rows of one kind, and tell whether it was this process's turn all along."""
    after: str | None = FIRST_ID
    turn = True

    async def work(unit: Unit) -> str | None:
        nonlocal turn
        turn = await take_turn(unit.tx)
        return await batch(unit, after or FIRST_ID) if turn else None

    while after is not None:
        after = await uow.run(work, name="arm")
    return turn


async def _arm_some_cases(unit: Unit, after: str) -> str | None:
    ids = await list_dated_cases(unit.tx, after, ARMED_AT_ONCE)
    facts = await load_case_facts(unit.tx, ids, lock=True)
    await arm_cases(unit, [facts[one] for one in ids if one in facts])
    return ids[-1] if ids else None


async def arm_cases(unit: Unit, cases: Collection[Facts]) -> None:
    """Work out the clocks and the index of locked cases by the rules in force; a date that moved is an event.

    Clocks that are right already stay as they are.
    """
    at, policy = unit.now(), unit.policy
    standing: dict[str | None, list[DueClock]] = {}
    for clock in await list_case_clocks(unit.tx, [facts.case.id for facts in cases if facts.case is not None]):
        standing.setdefault(clock.case_id, []).append(clock)
    armed: list[str] = []
    clocks: list[DueClock] = []
    for facts in cases:
        case = facts.case
        if case is None:
            continue
        moved = deadline_moved(facts, at, policy)
        if moved is not None:
            await unit.save(moved, facts)
            continue
        fresh = indexed(case, facts, policy)
        unit.tx.later(*index_write(case, fresh))
        needed = due_clocks(facts, fresh, at, policy)
        if standing.get(case.id, []) != [*needed]:
            armed.append(case.id)
            clocks += needed
    if armed:
        unit.tx.later(*clock_writes(armed, clocks))


async def _arm_some_weeks(unit: Unit, after: str) -> str | None:
    weeks = await list_held_weeks(unit.tx, after, ARMED_AT_ONCE)
    standing = {clock.billing_week_id: clock.due_at for clock in await list_week_clocks(unit.tx, [w for w, _ in weeks])}
    for week_id, ends_at in weeks:
        cut_off = CUT_OFF.end(ends_at, unit.policy)
        if standing.get(week_id) != cut_off:
            arm_week(unit, week_id, cut_off)
    return weeks[-1][0] if weeks else None


def arm_week(unit: Unit, week_id: str, cut_off: datetime) -> None:
    """Let the sweeper look at a week's held money at its cut-off (C25)."""
    clock = DueClock(name=ClockName.WEEK_RELEASE, due_at=cut_off, billing_week_id=week_id)
    unit.tx.later(*clock_writes([], [clock]))
