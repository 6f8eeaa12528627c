"""What the rules answer: acts that come in, decisions that go out, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from refundgql.domain.facts import Case
from refundgql.domain.money import Money
from refundgql.domain.refusals import Refusal
from refundgql.domain.sentences import Sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    Audience,
    ClockName,
    IssueDecision,
    MilestoneStatus,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundReason,
    RefundReasonDetail,
    RefundRoute,
    RestOfEscrow,
    WhoseMove,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Somebody wants to do something to a case; `viewer` None is the system acting by itself."""

    action: RefundActionName
    at: datetime
    viewer: Viewer | None = None
    kind: RefundCaseKind | None = None  # for acts that open a case
    case_id: str | None = None  # the id a new case will have
    follow_up_id: str | None = None  # the id that a follow-up case will have, should the act open one (D19)
    amount: Money | None = None
    reason: RefundReason | None = None
    reason_detail: RefundReasonDetail | None = None
    text: str | None = None  # explanation, message, note or reason, as the act calls it
    internal_note: str | None = None
    on_behalf_reason: str | None = None
    message_ids: tuple[str, ...] = ()
    decision: IssueDecision | None = None
    rest: RestOfEscrow | None = None  # of escrow, with support's approval (D11)
    send_to_payment_method: bool = False
    expected_version: int | None = None
    assignee_id: str | None = None
    audience: Audience = Audience.EVERYONE  # of a message or of evidence
    asked_party: WhoseMove | None = None  # whom support asks (D24), and for how many days
    days: int | None = None
    faults: tuple[Refusal, ...] = ()  # what is wrong with the input itself, found while it was read


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a case's history, and the case as it stood after it; storage gives it its id and position."""

    name: str
    sequence: int
    at: datetime
    actor_id: str | None
    actor_role: str
    from_state: RefundCaseState | None
    to_state: RefundCaseState
    amount: Money | None = None
    note: str | None = None
    internal_note: str | None = None  # staff only
    rule: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    audience: Audience = Audience.EVERYONE  # whom it is about; INTERNAL is told to parties without who and what (D29)
    case_after: Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One movement of a positive amount between two ledger accounts; keys as domain/ledger.py makes them."""

    fact: str  # CREDIT, REVERSAL, RELEASE, CHARGE, PAYMENT, OPENING, WITHDRAWAL, ...
    from_key: str
    to_key: str
    amount: Money
    description: str
    case_id: str | None = None
    payment_id: str | None = None
    withdrawal_id: str | None = None
    reverses_id: str | None = None  # the posting that this one undoes; an entry's are undone together
    may_overdraw: bool = False  # only support's decision may leave an expert's balance negative (D13)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueClock:
    """A timer to keep for a case or a week: at `due_at` the sweeper performs what the name says."""

    name: ClockName
    due_at: datetime
    case_id: str | None = None
    billing_week_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Everything one act changes; storage saves all of it or nothing."""

    cases: tuple[Case, ...]  # the case acted on last; a superseded or finalised earlier one before it
    events: tuple[Event, ...]  # in the order they happened, each with the case as it stood then
    postings: tuple[Posting, ...] = ()
    payment_refunded_delta_minor: int = 0
    payment_reserved_delta_minor: int = 0
    clocks: tuple[DueClock, ...] = ()  # timers to set; those of every case in `cases` not named again are dropped
    milestone_status: MilestoneStatus | None = None  # what the milestone has become; None is as it was
    week_released: bool = False  # the rest of held(week) went to the expert
    reviews_hidden: bool | None = None  # the contract's reviews are now hidden, shown, or as they were (None)
    customer_reported: bool = False  # L10
    withdrawal_requested: bool = False  # file a withdrawal of the credited amount for the requester (D10)

    @property
    def case(self) -> Case:
        """Return the case acted on as it stands after everything."""
        return self.cases[-1]

    @property
    def event(self) -> Event:
        """Return the act's own event (a CREDIT that followed by itself comes after it)."""
        mine = [event for event in self.events if event.case_after.id == self.case.id]
        return mine[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """One action for one viewer: whether it is open, and if not, everything that stands in its way."""

    name: RefundActionName
    blockers: tuple[Refusal, ...] = ()
    available_from: datetime | None = None
    available_until: datetime | None = None

    @property
    def enabled(self) -> bool:
        """Tell whether nothing stands in the way."""
        return not self.blockers


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseClock:
    """One deadline shown on a case; `ends_at` is exclusive."""

    name: ClockName
    rule: str
    starts_at: datetime
    ends_at: datetime
    whose_move: WhoseMove
    when_it_runs_out: Sentence
    paused_by_request: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an act that opens a case would do at an instant, by the same code that would do it."""

    allowed: bool
    blockers: tuple[Refusal, ...] = ()
    route: RefundRoute | None = None
    maximum: Money | None = None
    decided_by: WhoseMove | None = None
    decision_due_by: datetime | None = None
    contract_total_after: Money | None = None
    reviews_hidden: bool | None = None
    postings: tuple[Posting, ...] = ()
    clocks: tuple[CaseClock, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPreview:
    """What a decision on a case would do now, by the code that would take it; None is what the viewer is not shown."""

    allowed: bool
    blockers: tuple[Refusal, ...] = ()
    needs_confirmation: bool = False  # it would be proposed, and do the rest once it is confirmed (D23)
    postings: tuple[Posting, ...] = ()
    requester_balance_after: Money | None = None
    counterparty_balance_after: Money | None = None
    contract_total_after: Money | None = None
    reviews_hidden: bool | None = None
    stays_open: tuple[RefundActionName, ...] = ()  # to the requester
