"""Every deadline: where it starts, when it ends, whose move it is, which act it bounds, what happens then (D1, D28).

Guards, clocks, timers, previews and lists read this page; nothing else makes a date of a fact and the policy. It must
not look at the present instant: clocks.py tells what runs, the rules tell what is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from refundgql.domain import runs_out
from refundgql.domain.calendar import day_number, hours_after, window_end_at
from refundgql.domain.facts import Case, Facts
from refundgql.domain.policy import Policy
from refundgql.domain.sentences import Sentence
from refundgql.domain.vocabulary import (
    INFORMATION_ENDED,
    TARGET_MISSED,
    ClockName,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    SettlementStatus,
    WhoseMove,
)

EDITION = 3
"""Raised when this page, or what closes a way on, has changed: clocks and index are set anew at the next start."""

Start = Callable[[Facts, Case | None], datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From an instant among the facts until so many units later, as the policy in force has it.

    Units are whole UTC days (D1) unless `after` counts otherwise.
    """

    setting: str
    starts_at: Start
    after: Callable[[datetime, int], datetime] = window_end_at
    counted_from_zero: bool = True
    """Whether the day of the start is day 0; a week's days count from its Sunday, the day before it has ended."""

    def limit(self, policy: Policy) -> int:
        """Return how many units it lasts."""
        units: int = getattr(policy, self.setting)
        return units

    def end(self, start_at: datetime, policy: Policy) -> datetime:
        """Return its exclusive end, for a known start."""
        return self.after(start_at, self.limit(policy))

    def ends_at(self, facts: Facts, case: Case | None, policy: Policy) -> datetime | None:
        """Return its exclusive end; None where it does not run."""
        start_at = self.starts_at(facts, case)
        return None if start_at is None else self.end(start_at, policy)

    def elapsed(self, start_at: datetime, at: datetime) -> int:
        """Return the day number of an instant."""
        return day_number(start_at, at) + (0 if self.counted_from_zero else 1)


def _days_from_sunday(week_ends_at: datetime, days: int) -> datetime:
    return window_end_at(week_ends_at - timedelta(microseconds=1), days)


def _answer_starts_at(facts: Facts, case: Case | None) -> datetime | None:
    """Return when the expert was asked, where an answer is awaited: on hourly and on escrow money (D8).

    After support's decision it is goodwill: the expert alone can be asked (D12).
    """
    if case is None or not (case.kind is RefundCaseKind.ESCROW or facts.is_hourly) or facts.payment.support_decided:
        return None
    return case.opened_at


def _decline_at(_facts: Facts, case: Case | None) -> datetime | None:
    return None if case is None else case.declined_at


def _approval_at(_facts: Facts, case: Case | None) -> datetime | None:
    return None if case is None else case.approved_at


def _came_to_support_at(_facts: Facts, case: Case | None) -> datetime | None:
    return None if case is None else case.escalated_at or case.opened_at


LEAD_WINDOW = Span(
    setting="lead_window_days", starts_at=lambda facts, _: None if facts.lead is None else facts.lead.charged_at
)
DIRECT_WINDOW = Span(setting="direct_window_days", starts_at=lambda facts, _: facts.paid_at)
SUPPORT_WINDOW = Span(setting="support_window_days", starts_at=lambda facts, _: facts.paid_at)
DISPUTE_WINDOW = Span(
    setting="dispute_resolution_days", starts_at=lambda facts, _: facts.paid_at if facts.is_hourly else None
)
CUT_OFF = Span(
    setting="timesheet_dispute_days",
    starts_at=lambda facts, _: None if facts.week is None else facts.week.ends_at,
    after=_days_from_sunday,
    counted_from_zero=False,
)
"""Until it a week's hours can be disputed and their money is held (C25)."""
ANSWER_TIME = Span(setting="respond_within_days", starts_at=_answer_starts_at)
SECOND_LOOK = Span(setting="second_look_window_days", starts_at=_decline_at)
REOPEN_WINDOW = Span(setting="reopen_window_days", starts_at=_decline_at)
FUNDS_WAIT = Span(setting="funds_wait_days", starts_at=_approval_at)
REVIEW_WINDOW = Span(
    setting="review_window_days", starts_at=lambda facts, _: None if facts.contract is None else facts.contract.ended_at
)
LEAD_TARGET = Span(setting="decision_target_hours", starts_at=_came_to_support_at, after=hours_after)
CONTRACT_TARGET = Span(setting="contract_target_hours", starts_at=_came_to_support_at, after=hours_after)


def information_until(case: Case) -> datetime | None:
    """Return until when a party that support has asked may answer; None while nobody is asked (D24)."""
    if case.information_at is None:
        return None
    return window_end_at(case.information_at, case.information_days or 0)


def stood_still_micros(case: Case, until: datetime | None = None) -> int:
    """Return how long the target of a case stands still in all, the question now open counted to its end (D24)."""
    ends_at = information_until(case)
    if case.information_at is None or ends_at is None:
        return case.target_paused_micros
    ends_at = ends_at if until is None else min(until, ends_at)
    return case.target_paused_micros + max((ends_at - case.information_at) // timedelta(microseconds=1), 0)


def hand_over(facts: Facts, case: Case, policy: Policy) -> tuple[datetime, str] | None:
    """Return when an unanswered request moves to support by itself, and by which rule (D7, D8).

    That is at once where the expert's account was erased: nobody else answers (D30).
    """
    if case.kind not in (RefundCaseKind.INVOICE, RefundCaseKind.ESCROW):
        return None
    if facts.expert_erased_at is not None:
        return case.opened_at, "D30"
    spans = {"D8": ANSWER_TIME} | ({"D7": DIRECT_WINDOW} if case.kind is RefundCaseKind.INVOICE else {})
    ends = [(span.ends_at(facts, case, policy), rule) for rule, span in spans.items()]
    return min(((ends_at, rule) for ends_at, rule in ends if ends_at is not None), default=None)


def _respond_by(facts: Facts, case: Case, policy: Policy) -> datetime | None:
    found = hand_over(facts, case, policy)
    return None if found is None else found[0]


def _target(span: Span) -> Callable[[Facts, Case, Policy], datetime | None]:
    def ends_at(facts: Facts, case: Case, policy: Policy) -> datetime | None:
        due_at = span.ends_at(facts, case, policy)
        return None if due_at is None else due_at + timedelta(microseconds=stood_still_micros(case))

    return ends_at


def _unposted_review(facts: Facts, case: Case) -> WhoseMove:
    contract = facts.contract
    if contract is None:
        return WhoseMove.NOBODY
    posted = contract.client_reviewed if case.requester_id == contract.client_id else contract.expert_reviewed
    return WhoseMove.COUNTERPARTY if posted else WhoseMove.REQUESTER


def _review_starts_at(facts: Facts, _case: Case) -> datetime | None:
    """Return the contract's end, as long as one of the two has not posted."""
    contract = facts.contract
    if contract is None or (contract.client_reviewed and contract.expert_reviewed):
        return None
    return contract.ended_at


def _funds_awaited_at(_facts: Facts, case: Case) -> datetime | None:
    return case.approved_at if case.settlement is SettlementStatus.AWAITING_FUNDS else None


def _asked_party(_facts: Facts, case: Case) -> WhoseMove:
    return case.information_from or WhoseMove.NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One deadline of a kind of case, while the case is in one of these states."""

    name: ClockName
    rule: str
    states: frozenset[RefundCaseState]
    starts_at: Callable[[Facts, Case], datetime | None]
    ends_at: Callable[[Facts, Case, Policy], datetime | None]
    whose_move: WhoseMove | Callable[[Facts, Case], WhoseMove]
    words: Sentence
    bounds: RefundActionName | None = None
    """The act that is open until then; the deadline runs while nothing else stands in that act's way."""
    triggers: str | None = None
    """The event that the desk makes when it runs out."""
    lasts: bool = False
    """Whether people see it after its end, too, because it is owed until then and afterwards."""
    is_reminded: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """One deadline of one case with its instants, whether or not the act that it bounds is open."""

    of: Deadline
    rule: str
    starts_at: datetime
    ends_at: datetime
    whose_move: WhoseMove


def deadlines(facts: Facts, case: Case, policy: Policy) -> Iterator[Running]:
    """Yield the deadlines of a case in its state, with their instants."""
    for one in DEADLINES[case.kind]:
        if case.state not in one.states:
            continue
        starts_at, ends_at = one.starts_at(facts, case), one.ends_at(facts, case, policy)
        if starts_at is None or ends_at is None:
            continue
        move = one.whose_move if isinstance(one.whose_move, WhoseMove) else one.whose_move(facts, case)
        rule = one.rule
        if one.triggers == RefundActionName.HAND_OVER.value:
            rule = (hand_over(facts, case, policy) or (ends_at, rule))[1]
        yield Running(one, rule, starts_at, ends_at, move)


def reminder_at(one: Running, policy: Policy) -> datetime | None:
    """Return when a word is due before a deadline ends (D21); None for one that is too short for that."""
    due_at = one.ends_at - timedelta(hours=policy.reminder_hours)
    return due_at if one.of.is_reminded and due_at > one.starts_at else None


_S = RefundCaseState
_WITH_SUPPORT = frozenset({_S.ESCALATED, _S.DISPUTED})
_DECIDED = frozenset({_S.DECLINED, _S.CREDITED})
_WAITS = frozenset({_S.APPROVED})


def _bounded(
    span: Span, name: ClockName, rule: str, states: frozenset[RefundCaseState], words: Sentence, act: RefundActionName
) -> Deadline:
    """Return the end of a span in which the requester may act."""
    return Deadline(
        name=name,
        rule=rule,
        states=states,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        whose_move=WhoseMove.REQUESTER,
        words=words,
        bounds=act,
    )


def _decision_target(span: Span, rule: str, states: frozenset[RefundCaseState]) -> Deadline:
    return Deadline(
        name=ClockName.SLA_DECISION,
        rule=rule,
        states=states,
        starts_at=span.starts_at,
        ends_at=_target(span),
        whose_move=WhoseMove.SUPPORT,
        words=runs_out.TARGET,
        triggers=TARGET_MISSED,
        lasts=True,
        is_reminded=True,
    )


def _information(states: frozenset[RefundCaseState]) -> Deadline:
    return Deadline(
        name=ClockName.INFORMATION,
        rule="D24",
        states=states,
        starts_at=lambda _facts, case: case.information_at,
        ends_at=lambda _facts, case, _policy: information_until(case),
        whose_move=_asked_party,
        words=runs_out.INFORMATION,
        triggers=INFORMATION_ENDED,
    )


_RESPOND_BY = Deadline(
    name=ClockName.RESPOND_BY,
    rule="D8",
    states=frozenset({_S.REQUESTED}),
    starts_at=lambda _facts, case: case.opened_at,
    ends_at=_respond_by,
    whose_move=WhoseMove.COUNTERPARTY,
    words=runs_out.ANSWER_TIME,
    triggers=RefundActionName.HAND_OVER.value,
    is_reminded=True,
)
_REVIEW = Deadline(
    name=ClockName.REVIEW,
    rule="C22",
    states=frozenset(_S),
    starts_at=_review_starts_at,
    ends_at=REVIEW_WINDOW.ends_at,
    whose_move=_unposted_review,
    words=runs_out.REVIEW_TIME,
)
_WITHDRAWAL = Deadline(
    name=ClockName.WITHDRAWAL_ESTIMATE,
    rule="D10",
    states=frozenset(_S),
    starts_at=lambda facts, _: facts.withdrawal_filed_at,
    ends_at=lambda facts, _case, _policy: facts.withdrawal_expected_until,
    whose_move=WhoseMove.SYSTEM,
    words=runs_out.WITHDRAWAL_ESTIMATE,
)
_OF_CONTRACTS = (
    _decision_target(CONTRACT_TARGET, "D20", _WITH_SUPPORT),
    _information(_WITH_SUPPORT),
    _REVIEW,
    _WITHDRAWAL,
)

DEADLINES: dict[RefundCaseKind, tuple[Deadline, ...]] = {
    RefundCaseKind.LEAD: (
        _decision_target(LEAD_TARGET, "L14", frozenset({_S.REQUESTED, _S.ESCALATED})),
        _information(frozenset({_S.REQUESTED, _S.ESCALATED})),
        _bounded(
            SECOND_LOOK,
            ClockName.SECOND_LOOK,
            "D6",
            frozenset({_S.DECLINED}),
            runs_out.SECOND_LOOK,
            RefundActionName.ESCALATE,
        ),
    ),
    RefundCaseKind.INVOICE: (
        _RESPOND_BY,
        Deadline(
            name=ClockName.DIRECT_WINDOW,
            rule="D7",
            states=frozenset({_S.REQUESTED}),
            starts_at=DIRECT_WINDOW.starts_at,
            ends_at=DIRECT_WINDOW.ends_at,
            whose_move=WhoseMove.COUNTERPARTY,
            words=runs_out.DIRECT_WINDOW,
        ),
        _bounded(
            DISPUTE_WINDOW,
            ClockName.DISPUTE_RESOLUTION,
            "C31",
            frozenset({_S.REQUESTED, _S.ESCALATED}) | _DECIDED,
            runs_out.DISPUTE_RESOLUTION,
            RefundActionName.DISPUTE,
        ),
        _bounded(
            SUPPORT_WINDOW, ClockName.SUPPORT_WINDOW, "C24", _DECIDED, runs_out.ESCALATION, RefundActionName.ESCALATE
        ),
        _bounded(
            SUPPORT_WINDOW,
            ClockName.SUPPORT_WINDOW,
            "D14",
            frozenset({_S.DECLINED}),
            runs_out.ASKING_AGAIN,
            RefundActionName.REQUEST,
        ),
        Deadline(
            name=ClockName.SUPPORT_WINDOW,
            rule="C07",
            states=_WITH_SUPPORT,
            starts_at=SUPPORT_WINDOW.starts_at,
            ends_at=SUPPORT_WINDOW.ends_at,
            whose_move=WhoseMove.SUPPORT,
            words=runs_out.SUPPORT_WINDOW,
        ),
        _bounded(
            CUT_OFF,
            ClockName.TIMESHEET_DISPUTE,
            "C25",
            frozenset({_S.REQUESTED, _S.ESCALATED}) | _DECIDED,
            runs_out.TIMESHEET_DISPUTE,
            RefundActionName.OPEN_TIMESHEET_DISPUTE,
        ),
        Deadline(
            name=ClockName.FUNDS_ESCALATION,
            rule="D13",
            states=_WAITS,
            starts_at=_funds_awaited_at,
            ends_at=FUNDS_WAIT.ends_at,
            whose_move=WhoseMove.SYSTEM,
            words=runs_out.FUNDS_WAIT,
        ),
        *_OF_CONTRACTS,
    ),
    RefundCaseKind.ESCROW: (_RESPOND_BY, *_OF_CONTRACTS),
    RefundCaseKind.TIMESHEET: _OF_CONTRACTS,
}
"""What may run on a case of each kind; of several of one name the first that runs is shown."""
