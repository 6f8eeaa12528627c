"""What the rules looked at when past acts were taken, put together again from the event log.

What the log proves is taken from it (an approval that was credited at once had its money, a case about escrow stood on
a milestone that was not released, nothing was opened for who had been erased), the rest is fixed once recorded:
payments and their instants, parties, reasons, requested amounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from refundgql.domain.decisions import Act
from refundgql.domain.facts import Case, CreditedPart, Facts, FundsFacts, MilestoneFacts, PaymentFacts, WeekFacts
from refundgql.domain.money import Money
from refundgql.domain.rules.situation import refundable_minor
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    INFORMATION_REQUESTED,
    OPEN_STATES,
    SYSTEM_ROLE,
    IssueDecision,
    MilestoneStatus,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    Role,
    WhoseMove,
)

_GONE = "(erased)"
"""What stands for words that were written and are erased (D30): that there were some is all that rules look at."""
PLENTY_MINOR = 2**53
"""More than any amount: the money was there."""

_WITH_SUPPORT = (RefundCaseState.ESCALATED, RefundCaseState.DISPUTED)
_DECIDING = (RefundActionName.APPROVE.value, RefundActionName.DECLINE.value)
_TAKES_FURTHER = (RefundActionName.ESCALATE, RefundActionName.DISPUTE)
_ACTS = {INFORMATION_REQUESTED: RefundActionName.REQUEST_INFORMATION}
"""The acts whose events do not bear their name."""
_APPROVING = (RefundActionName.APPROVE.value, RefundActionName.ISSUE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEvent:
    """One recorded event; `place` orders events across cases, as the stream does."""

    case_id: str
    case_kind: RefundCaseKind
    opened_by: RefundActionName
    payment_id: str
    place: tuple[int, int]
    name: str
    at: datetime
    actor_id: str | None = None
    actor_role: str = SYSTEM_ROLE
    from_state: RefundCaseState | None = None
    to_state: RefundCaseState
    amount_minor: int | None = None
    note: str | None = None
    rule: str | None = None
    saw: Mapping[str, str] = field(default_factory=dict)
    """What was looked at."""

    @property
    def policy_version(self) -> str:
        """Return the version of the rules that it happened under."""
        return self.saw.get("policyVersion", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldChange:
    """What the marketplace told of a payment's money beside its cases (D25), in minor units.

    It counts for acts behind `after_position`, the place of an event in the stream.
    """

    payment_id: str
    after_position: int
    refunded_minor: int = 0
    charged_back_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One past case: what stands, what happened on it, and what happened to the same money."""

    facts: Facts
    """As they stand now, with the case."""
    events: Sequence[PastEvent]
    """The case's own, oldest first."""
    money_events: Sequence[PastEvent]
    """Of every case of the same payment or contract, its own too, in the order of the stream."""
    continues: Case | None = None
    """The case approved in part whose rest this one asks for, as it stands now (D19)."""
    contract_payments: Sequence[tuple[datetime, int]] = ()
    """When each payment of the contract was made, and its minor units."""
    told: Sequence[ToldChange] = ()
    """Of every payment of the contract."""

    @property
    def case(self) -> Case:
        """Return the case as it stands now."""
        if self.facts.case is None:
            raise ValueError("a history is a case's")
        return self.facts.case

    def is_credited_at_once(self, index: int) -> bool:
        """Tell whether the approval at this place of the case's events was followed by its credit."""
        event, following = self.events[index], self.events[index + 1 : index + 2]
        return any(one.name == RefundActionName.CREDIT.value and one.at == event.at for one in following)


def facts_before(history: History, index: int) -> Facts:
    """Return the facts that the act at this place of the case's events found, without a case."""
    event, facts = history.events[index], history.facts
    earlier = [one for one in history.money_events if one.place < event.place]
    told = [one for one in history.told if one.after_position < event.place[1]]
    payment = replace(
        _payment_of_others(facts.payment, history.case.id, earlier),
        **_spoken_for(
            [one for one in earlier if one.payment_id == facts.payment.id],
            [one for one in told if one.payment_id == facts.payment.id],
        ),
    )
    contract = facts.contract
    if contract is not None:
        paid_minor = sum(minor for paid_at, minor in history.contract_payments if paid_at <= event.at)
        contract = replace(contract, paid_minor=paid_minor, **_spoken_for(earlier, told))
    lead = facts.lead
    if lead is not None:
        lead = replace(lead, case_id=payment.latest_case_id)
    return replace(
        facts,
        payment=payment,
        contract=contract,
        lead=lead,
        milestone=_milestone(facts.milestone, history.case.kind),
        week=_week(facts.week, history.case.kind),
        case=None,
        open_case=None,
        previous_declined=None,
        funds=_funds(history, index),
        credit=_credit(event),
        recipient_erased_at=None,
        expert_erased_at=facts.expert_erased_at if _was_expert_erased(history) else None,
    )


def _was_expert_erased(history: History) -> bool:
    """Tell whether the expert was gone already when this was asked: the hand-over says so (D30)."""
    return any(event.name == RefundActionName.HAND_OVER.value and event.rule == "D30" for event in history.events)


def act_of(history: History, index: int, facts: Facts) -> Act:
    """Return the act that made the event at this place of the case's events; `facts` are those it found."""
    event, case = history.events[index], history.case
    action = _ACTS.get(event.name) or RefundActionName(event.name)
    amount = None if event.amount_minor is None else Money(event.amount_minor, case.currency)
    act = Act(
        action=action,
        at=event.at,
        viewer=_viewer(event),
        kind=case.kind,
        case_id=case.id,
        follow_up_id=case.id,
        amount=amount if action not in _TAKES_FURTHER else None,
        text=event.note or _GONE,
    )
    if action is RefundActionName.ISSUE:
        return _issue(act, event, facts)
    if action is RefundActionName.REQUEST_INFORMATION:
        return replace(act, asked_party=WhoseMove(event.saw["askedParty"]), days=int(event.saw["days"]))
    if action in (RefundActionName.REQUEST, RefundActionName.OPEN_TIMESHEET_DISPUTE):
        return replace(
            act,
            amount=None if case.kind is RefundCaseKind.LEAD else amount,
            reason=case.reason,
            reason_detail=case.reason_detail,
            text=case.explanation or _GONE,
            on_behalf_reason=case.on_behalf_reason or (None if case.filed_by_id == case.requester_id else _GONE),
            send_to_payment_method=case.send_to_payment_method,
        )
    return act


def opens_follow_up(event: PastEvent) -> bool:
    """Tell whether an event of a credited case says that a follow-up case was opened for its rest (D19)."""
    return event.from_state is RefundCaseState.CREDITED and event.name in _TAKES_FURTHER


def _issue(act: Act, event: PastEvent, facts: Facts) -> Act:
    """Return what an expert issued: nothing, all that was left, or a part (C12, C13)."""
    if event.to_state is RefundCaseState.DECLINED:
        return replace(act, decision=IssueDecision.NONE, amount=None)
    if event.amount_minor == refundable_minor(facts):
        return replace(act, decision=IssueDecision.FULL, amount=None)
    return replace(act, decision=IssueDecision.PARTIAL)


def _viewer(event: PastEvent) -> Viewer | None:
    """Return who acted, in the role that the event shows; None is the system."""
    if event.actor_id is None or event.actor_role == SYSTEM_ROLE:
        return None
    return Viewer(account_id=event.actor_id, external_ref="", name="", roles=frozenset({Role(event.actor_role)}))


def _spoken_for(events: Iterable[PastEvent], told: Iterable[ToldChange]) -> dict[str, Any]:
    """Return what was refunded, reserved and charged back after all of this, in minor units (D9, D25)."""
    refunded = charged_back = 0
    for change in told:
        refunded += change.refunded_minor
        charged_back += change.charged_back_minor
    approved: dict[str, int] = {}
    for event in events:
        if event.to_state is not RefundCaseState.APPROVED:
            approved.pop(event.case_id, None)
        if event.name == RefundActionName.CREDIT.value:
            refunded += event.amount_minor or 0
        elif event.name == RefundActionName.REVERSE.value:
            refunded -= event.amount_minor or 0
        elif event.name in _APPROVING and event.to_state is RefundCaseState.APPROVED:
            approved[event.case_id] = event.amount_minor or 0
    reserved = sum(approved.values())
    return {"refunded_minor": refunded, "reserved_minor": reserved, "charged_back_minor": charged_back}


@dataclass(slots=True)
class _Other:
    """Another case of the same payment, as its events up to some instant leave it."""

    state: RefundCaseState
    asked: bool
    requested_minor: int | None = None
    in_part: bool = False
    lasts: bool = True
    decided_by_support: bool = False

    def take(self, event: PastEvent) -> None:
        """Go on from one more event."""
        if self.requested_minor is None:
            self.requested_minor = event.amount_minor
        if event.name == RefundActionName.APPROVE.value:
            self.in_part = (event.amount_minor or 0) < (self.requested_minor or 0)
        elif event.to_state is not RefundCaseState.CREDITED:
            self.in_part = False
        if event.to_state is RefundCaseState.CANCELLED:
            # Cancelling a second look leaves a lead's decline as it stood (D6).
            self.lasts = event.case_kind is RefundCaseKind.LEAD and event.from_state is RefundCaseState.ESCALATED
        if event.name in _DECIDING and event.from_state in _WITH_SUPPORT:
            self.decided_by_support = event.case_kind is not RefundCaseKind.LEAD
        self.state = event.to_state


def _payment_of_others(payment: PaymentFacts, case_id: str, earlier: Iterable[PastEvent]) -> PaymentFacts:
    """Return the payment with what its other cases, as they stood, add to it (D6, D12, D14, D19)."""
    others: dict[str, _Other] = {}
    for event in earlier:
        if event.payment_id == payment.id and event.case_id != case_id:
            asked = event.opened_by is RefundActionName.REQUEST
            others.setdefault(event.case_id, _Other(event.to_state, asked)).take(event)
    opened = [one for one, other in others.items() if other.state in OPEN_STATES]
    lasting = [one for one, other in others.items() if other.lasts]
    return replace(
        payment,
        open_case_id=opened[-1] if opened else None,
        open_case_number=None,
        open_case_kind=None,
        requests_made=sum(other.asked and not other.in_part for other in others.values()),
        latest_case_id=lasting[-1] if lasting else None,
        support_decided=any(other.decided_by_support for other in others.values()),
    )


def _milestone(milestone: MilestoneFacts | None, kind: RefundCaseKind) -> MilestoneFacts | None:
    """Return the milestone as the case found it: escrow was not released (C30), an invoice's milestone was (C29)."""
    if milestone is None:
        return None
    held = kind is RefundCaseKind.ESCROW
    return replace(milestone, status=MilestoneStatus.FUNDED if held else MilestoneStatus.RELEASED)


def _week(week: WeekFacts | None, kind: RefundCaseKind) -> WeekFacts | None:
    """Return the week as a dispute of its hours found it: its money was held (D28)."""
    return replace(week, released=False) if week is not None and kind is RefundCaseKind.TIMESHEET else week


def _credit(event: PastEvent) -> tuple[CreditedPart, ...]:
    """Return what a reversal undid: all of it, wherever it had come from."""
    if event.name != RefundActionName.REVERSE.value:
        return ()
    return (CreditedPart(posting_id="", from_key="", to_key="", minor=event.amount_minor or 0),)


def _funds(history: History, index: int) -> FundsFacts:
    """Return whether the money was there: the log says so (D13, D16)."""
    event = history.events[index]
    if event.name in _APPROVING and not history.is_credited_at_once(index):
        return FundsFacts()
    return FundsFacts(
        held_minor=PLENTY_MINOR, expert_available_minor=PLENTY_MINOR, requester_available_minor=PLENTY_MINOR
    )
