"""What runs on a case now: the deadlines people see, whose move it is, and the desk's own timers (D20, D21, D24, D28).

It must not make a date: deadlines.py does; nor decide: whether the act that a deadline bounds is open, its row says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from refundgql.domain.calendar import LAST_INSTANT
from refundgql.domain.deadlines import (
    FUNDS_WAIT,
    Running,
    deadlines,
    hand_over,
    information_until,
    reminder_at,
)
from refundgql.domain.decisions import Act, CaseClock, DueClock
from refundgql.domain.facts import Case, Facts
from refundgql.domain.machines.table import OPENING, TABLE, TableRow
from refundgql.domain.payment_cases import for_another_case
from refundgql.domain.policy import Policy
from refundgql.domain.rules.situation import Situation, taken_minor
from refundgql.domain.rules.who import Who
from refundgql.domain.vocabulary import (
    DUE_SOON,
    TARGET_MISSED,
    UNDECIDED_STATES,
    ClockName,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    WhoseMove,
)

_PARTIES = frozenset({Who.PRO, Who.CLIENT, Who.EXPERT})
_WAYS_ON = (RefundActionName.ESCALATE, RefundActionName.DISPUTE)
"""How a party goes on after an answer that did not give everything (D6, C24, C31, D19)."""
_ANSWERED = frozenset({RefundCaseState.DECLINED, RefundCaseState.CREDITED})


def case_clocks(facts: Facts, at: datetime, policy: Policy) -> tuple[CaseClock, ...]:
    """Return the deadlines that still run on a case, the soonest first; ends are exclusive, days are UTC days.

    A missed decision target stays in the list until the case is decided; none is there while it stands still (D24).
    """
    case = facts.case
    if case is None:
        return ()
    shown: dict[ClockName, CaseClock] = {}
    for one in running(facts, case, policy):
        stands_still = one.of.triggers == TARGET_MISSED and is_asked(case, at)
        if (one.ends_at > at or one.of.lasts) and not stands_still and one.of.name not in shown:
            shown[one.of.name] = CaseClock(
                name=one.of.name,
                rule=one.rule,
                starts_at=one.starts_at,
                ends_at=one.ends_at,
                whose_move=one.whose_move,
                when_it_runs_out=one.of.words,
            )
    return tuple(sorted(shown.values(), key=lambda clock: (clock.ends_at, clock.name)))


def running(facts: Facts, case: Case, policy: Policy) -> Iterator[Running]:
    """Yield the deadlines of a case, but for those whose act is closed for another reason than its time."""
    for one in deadlines(facts, case, policy):
        act = one.of.bounds
        closes_at = one.ends_at if act is None else _closes_at(facts, case, act, policy)
        if closes_at is not None:  # another window of the act may close before
            yield one if closes_at >= one.ends_at else replace(one, ends_at=closes_at)


def is_asked(case: Case, at: datetime) -> bool:
    """Tell whether support waits for an answer to a question (D24)."""
    ends_at = information_until(case)
    return ends_at is not None and at < ends_at


@dataclass(frozen=True, slots=True)
class Move:
    """Whose move it is, until when (none: until something happens), and whose it is from then on."""

    now: WhoseMove
    until: datetime | None = None
    then: WhoseMove | None = None

    def at(self, at: datetime) -> WhoseMove:
        """Return whose move it is at an instant."""
        return self.then if self.then is not None and self.until is not None and at >= self.until else self.now


def whose_move(facts: Facts, case: Case, policy: Policy) -> Move:
    """Return whose move a case is by the rules in force (D28)."""
    if case.state is RefundCaseState.REQUESTED and case.kind is not RefundCaseKind.LEAD:
        due = hand_over(facts, case, policy)
        return _until(WhoseMove.COUNTERPARTY, due[0] if due is not None else None, WhoseMove.SYSTEM)
    if case.state in UNDECIDED_STATES:
        if case.information_from is not None:
            return _until(case.information_from, information_until(case), WhoseMove.SUPPORT)
        return Move(WhoseMove.SUPPORT)
    if case.state is RefundCaseState.APPROVED:
        return _awaited(facts, case, policy)
    if case.state in _ANSWERED:
        ways = ways_on(facts, case, policy)
        if ways:
            until = None if None in ways else max(way for way in ways if way is not None)
            return _until(WhoseMove.REQUESTER, until, WhoseMove.NOBODY)
    return Move(WhoseMove.NOBODY)


def _awaited(facts: Facts, case: Case, policy: Policy) -> Move:
    """Return whose move an approved case is: no money that comes covers what a bank has taken meanwhile (D13, D25)."""
    if not taken_minor(case, facts):
        return Move(WhoseMove.SYSTEM)
    client = WhoseMove.COUNTERPARTY if case.opened_by is RefundActionName.ISSUE else WhoseMove.REQUESTER
    return _until(WhoseMove.SYSTEM, FUNDS_WAIT.ends_at(facts, case, policy), client)


def _until(party: WhoseMove, until: datetime | None, then: WhoseMove) -> Move:
    return Move(party) if until is None else Move(party, until, then)


def ways_on(facts: Facts, case: Case, policy: Policy) -> list[datetime | None]:
    """Return until when each way on from an answer is open by the rules, whatever the time; None has no end."""
    found = [_closes_at(facts, case, action, policy) for action in _WAYS_ON]
    return [None if one is _NEVER else one for one in found if one is not None]


def indexed(case: Case, facts: Facts, policy: Policy) -> Case:
    """Return the case with what lists and filters look for as the rules in force have it: an index, never the truth."""
    move = whose_move(facts, case, policy)
    awaits = [one for one in deadlines(facts, case, policy) if one.of.triggers in _AWAITED]
    answer = next((one.ends_at for one in awaits if one.of.name is ClockName.RESPOND_BY), None)
    return case.changed(
        respond_by=answer,
        deadline_at=min((one.ends_at for one in awaits), default=None),
        whose_move=move.now,
        move_until=move.until,
        next_move=move.then,
    )


def told_until(case: Case) -> datetime | None:
    """Return the date that people were told of a case, as the index has it: an answer's, a target's, a way's end."""
    if case.state in _ANSWERED:
        return case.move_until
    return case.deadline_at


def told_clock(facts: Facts, case: Case, policy: Policy) -> ClockName:
    """Return the name of the deadline by which a case moves on, or can no longer be moved on, by itself."""
    if case.state in _ANSWERED:
        last = _last_way_to_support(facts, case, policy)
        return last.of.name if last is not None else ClockName.SUPPORT_WINDOW
    return ClockName.SLA_DECISION if case.respond_by is None else ClockName.RESPOND_BY


def mover(case: Case, at: datetime) -> WhoseMove:
    """Return whose move it is at an instant, as the index has it."""
    return Move(case.whose_move, case.move_until, case.next_move).at(at)


def is_overdue(case: Case, at: datetime) -> bool:
    """Tell whether support's decision is late at an instant, as the index has it (L14, D20)."""
    return case.deadline_at is not None and case.deadline_at <= at and mover(case, at) is WhoseMove.SUPPORT


@dataclass(frozen=True, slots=True)
class Timer:
    """Something that the desk does by itself at an instant: the event it makes, and the deadline it is about."""

    due_at: datetime
    event: str
    of: Running


def timers(facts: Facts, case: Case, at: datetime, policy: Policy) -> list[Timer]:
    """Return what the desk will do by itself on a case, or ought to have done by now, the first due first."""
    found = [_timer(one, case) for one in deadlines(facts, case, policy) if one.of.triggers is not None]
    due = [timer for timer in found if not (timer.event == TARGET_MISSED and case.overdue)]
    return sorted([*due, *_reminders(facts, case, at, policy)], key=lambda timer: (timer.due_at, timer.event))


def due_clocks(facts: Facts, case: Case, at: datetime, policy: Policy) -> tuple[DueClock, ...]:
    """Return the next timer that a case needs from now on; storage drops its other ones."""
    return tuple(
        DueClock(name=timer.of.of.name, due_at=timer.due_at, case_id=case.id)
        for timer in timers(facts, case, at, policy)[:1]
    )


def _timer(one: Running, case: Case) -> Timer:
    due_at = one.ends_at
    asked_until = information_until(case)
    if one.of.triggers == TARGET_MISSED and asked_until is not None:
        due_at = max(due_at, asked_until)  # what stands still is not missed
    return Timer(due_at, one.of.triggers or "", one)


def _reminders(facts: Facts, case: Case, at: datetime, policy: Policy) -> Iterable[Timer]:
    """Return the word before a deadline ends, unless it was said, or comes too late (D21)."""
    if case.reminded or case.overdue:
        return ()
    if case.state in _ANSWERED:
        one = _last_way_to_support(facts, case, policy)
    else:
        one = next((one for one in deadlines(facts, case, policy) if one.of.is_reminded), None)
    due_at = None if one is None else reminder_at(one, policy)
    if one is None or due_at is None:
        return ()
    asked_until = information_until(case)
    if asked_until is not None:
        due_at = max(due_at, asked_until)
    return (Timer(due_at, DUE_SOON, one),) if at < one.ends_at and due_at < one.ends_at else ()


def _last_way_to_support(facts: Facts, case: Case, policy: Policy) -> Running | None:
    """Return the deadline with which the last way to support ends; none where a way has no end."""
    if None in ways_on(facts, case, policy):
        return None
    ways = [one for one in running(facts, case, policy) if one.of.bounds in _WAYS_ON]
    last = max(ways, key=lambda one: one.ends_at, default=None)
    answered_at = case.declined_at or case.credited_at
    if last is None or answered_at is None:
        return None
    reminded = replace(last.of, is_reminded=True)
    return replace(last, of=reminded, starts_at=max(last.starts_at, answered_at))


_AWAITED = frozenset({RefundActionName.HAND_OVER.value, TARGET_MISSED})
_NEVER = LAST_INSTANT
"""Stands for an end that never comes."""


def _closes_at(facts: Facts, case: Case, action: RefundActionName, policy: Policy) -> datetime | None:
    """Return when an act of a party on a case, or on its payment, closes; None where it is closed for other reasons."""
    if facts.recipient_erased_at is not None:
        return None  # all of these are theirs who were erased (D30)
    at = case.opened_at  # the money was there then; nothing else that is asked below depends on it
    if action in OPENING:
        kind = RefundCaseKind.TIMESHEET if action is RefundActionName.OPEN_TIMESHEET_DISPUTE else case.kind
        facts, on = for_another_case(facts, case), None
    else:
        kind, on = case.kind, case
    it = Situation(Act(action=action, at=at), facts, policy, kind, action, on, asking=True)
    rows = TABLE[kind].get((action.value, None if on is None else on.state), ())
    if on is not None:
        rows = tuple(row for row in rows if row.applies(it))
    ends = [
        row.guards.window(it).closes_at or _NEVER for row in rows if _is_partys(row) and row.guards.open_but_time(it)
    ]
    return max(ends, default=None)


def _is_partys(row: TableRow) -> bool:
    return bool(_PARTIES.intersection(row.guards.by))
