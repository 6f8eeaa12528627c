"""Due clocks are looked at: hand-overs, missed targets, reminders, questions that ended, weeks at their cut-off.

A clock is a reason to look, never a decision: what is due follows from the facts and the rules in force, and a clock
that is not due by them is set anew (D28). It must not keep a timer of its own: the clocks are rows, each taken exactly
once, in due order, by whichever process comes first, also when several did not run for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from enum import Enum, auto

from refundgql.commands.arming import arm_cases, arm_deadlines, arm_forgotten, arm_week
from refundgql.commands.evidence_files import clear_abandoned
from refundgql.commands.settle import settle_balances, settle_postings
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.calendar import to_micros
from refundgql.domain.cases import run_out
from refundgql.domain.deadlines import CUT_OFF
from refundgql.domain.refusals import Refused
from refundgql.domain.settlement import release_postings
from refundgql.domain.vocabulary import ClockName, RefundCaseKind
from refundgql.storage.clocks import ClaimedClock, next_due_at
from refundgql.storage.facts import load_case_facts, load_payment_facts
from refundgql.storage.faults import StorageError
from refundgql.storage.ledger import post
from refundgql.storage.retention import purge
from refundgql.storage.settlements import Waiting, list_coverable
from refundgql.storage.subjects import Subject, payment_of
from refundgql.storage.sweeping import find_due_clock, take_clock, take_turn
from refundgql.storage.weeks import mark_week_released

LONGEST_SLEEP_SECONDS = 1.0
"""The domain's clock may be moved, and other processes set clocks: look again this often."""
PURGE_EVERY_SWEEPS = 3_600
"""Old idempotency keys are deleted about once an hour."""
SKIPPED_AT_MOST = 500
"""Clocks that fail in one pass are left for the next; with more than this many the pass ends."""

_log = logging.getLogger(__name__)


class _Step(Enum):
    """What came of looking for one due clock."""

    ACTED = auto()
    NOTHING_DUE = auto()
    NOT_MY_TURN = auto()


async def sweep_due(uow: UnitOfWork, *, armed: bool = False) -> int:
    """Act on every clock that is due, each in a transaction of its own, and return how many were acted on.

    Clocks that were set by other rules are set anew before; `armed` says that this was looked at.

    Another process that is sweeping goes on alone: then this one acts on nothing. A clock that fails is left for the
    next sweep and does not keep the others waiting.
    """
    if not armed:
        await arm_deadlines(uow)
    acted = 0
    failed: set[str] = set()
    while len(failed) <= SKIPPED_AT_MOST and await _something_due(uow):
        step, clock_id, error = await _act_on_next(uow, failed)
        if step is _Step.NOTHING_DUE or step is _Step.NOT_MY_TURN:
            break
        if error is not None:
            _log.error("The clock %s could not be acted on and is left for later.", clock_id, exc_info=error)
            failed.add(clock_id)
        else:
            acted += 1
    await _settle_what_was_left(uow)
    return acted


async def _settle_what_was_left(uow: UnitOfWork) -> None:
    """Credit cases whose money has come without anybody noticing; one that fails does not keep the others waiting."""
    for balance in await list_coverable(uow.database, limit=SKIPPED_AT_MOST):
        try:
            await uow.run(_settling(balance), name="settle")
        except Exception:
            _log.exception("Cases that wait for the balance of %s could not be credited.", balance.account_id)


class Sweeper:
    """Sweeps as long as the server runs; several may run at once, in one process or many."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Keep what every command needs."""
        self._uow = uow

    async def run(self, stop: asyncio.Event) -> None:
        """Sweep, sleep until the next clock is due but not longer than a second, and again, until told to stop."""
        sweeps, armed = 0, False
        while not stop.is_set():
            acted = 0
            try:
                acted = await sweep_due(self._uow, armed=armed)
                armed = True
                if sweeps % PURGE_EVERY_SWEEPS == 0:
                    await purge(self._uow.database, to_micros(self._uow.clock.now()), self._uow.retention)
                    await clear_abandoned(self._uow)
                    await arm_forgotten(self._uow)
            except Exception:
                # Whatever it was, the next look may succeed, and nobody else looks in this process.
                _log.exception("Due clocks could not be looked at; the next look is in a second.")
            sweeps += 1
            if not acted:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), await self._pause_seconds())

    async def _pause_seconds(self) -> float:
        """Return how long nothing can be due, at most a second: the domain's clock may jump."""
        try:
            due_at = await next_due_at(self._uow.database)
        except StorageError:
            return LONGEST_SLEEP_SECONDS
        if due_at is None:
            return LONGEST_SLEEP_SECONDS
        left = (due_at - self._uow.clock.now()).total_seconds()
        return min(left, LONGEST_SLEEP_SECONDS) if left > 0 else LONGEST_SLEEP_SECONDS


async def _something_due(uow: UnitOfWork) -> bool:
    """Look without a lock, so that a look that finds nothing keeps no writer waiting."""
    due_at = await next_due_at(uow.database)
    return due_at is not None and due_at <= uow.clock.now()


async def _act_on_next(uow: UnitOfWork, failed: set[str]) -> tuple[_Step, str, Exception | None]:
    taken = ""

    async def work(unit: Unit) -> _Step:
        nonlocal taken
        if not await take_turn(unit.tx):
            return _Step.NOT_MY_TURN
        clock = await find_due_clock(unit.tx, unit.now(), but=failed)
        if clock is None:
            return _Step.NOTHING_DUE
        taken = clock.id
        await (_release_week if clock.name is ClockName.WEEK_RELEASE else _look_at_case)(unit, clock)
        return _Step.ACTED

    try:
        return await uow.run(work, name="sweep"), taken, None
    except Exception as error:
        if not taken:
            raise
        return _Step.ACTED, taken, error


async def _look_at_case(unit: Unit, clock: ClaimedClock) -> None:
    """Lock the case, take the clock, and save what was due by then; set the clock anew when nothing was.

    What fell due later, as when a reminder is looked at after its deadline, waits for its turn among the other cases.
    """
    case_id = clock.case_id or ""
    facts = (await load_case_facts(unit.tx, [case_id], lock=True)).get(case_id)
    if not await take_clock(unit.tx, clock.id) or facts is None:
        return
    try:
        decision = run_out(facts, unit.now(), unit.policy, due_by=clock.due_at)
    except Refused as refused:
        _log.info("The clock %s of case %s no longer applies: %s", clock.name, case_id, refused)
        return
    if decision is None:
        await arm_cases(unit, [facts])
        return
    await unit.save(decision, facts)
    await settle_postings(unit, decision.postings)


async def _release_week(unit: Unit, clock: ClaimedClock) -> None:
    """Give an undisputed week's money to the expert at the cut-off; a dispute's decision does it otherwise (C25)."""
    payment_id = await payment_of(unit.tx, Subject.BILLING_WEEK, clock.billing_week_id or "")
    facts = (await load_payment_facts(unit.tx, [payment_id], lock=True)).get(payment_id) if payment_id else None
    if not await take_clock(unit.tx, clock.id) or facts is None or facts.week is None or facts.week.released:
        return
    if facts.payment.open_case_kind is RefundCaseKind.TIMESHEET:
        return
    at, cut_off = unit.now(), CUT_OFF.end(facts.week.ends_at, unit.policy)
    if at < cut_off:
        arm_week(unit, facts.week.id, cut_off)
        return
    postings = release_postings(facts, facts.funds.held_minor)
    await post(unit.tx, postings, at)
    await mark_week_released(unit.tx, facts.week.id, to_micros(at))
    await settle_postings(unit, postings)


def _settling(balance: Waiting) -> Callable[[Unit], Awaitable[list[str]]]:
    async def work(unit: Unit) -> list[str]:
        return await settle_balances(unit, [balance])

    return work
