"""A decision while it is being made: events, postings and sums are added until nothing more follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from refundgql.domain.clocks import due_clocks, indexed
from refundgql.domain.deadlines import CUT_OFF
from refundgql.domain.decisions import Decision, DueClock, Event, Posting
from refundgql.domain.facts import Case, Facts
from refundgql.domain.milestones import advance_milestone
from refundgql.domain.money import Money
from refundgql.domain.policy import Policy
from refundgql.domain.review_hiding import reviews_hidden
from refundgql.domain.vocabulary import (
    SYSTEM_ROLE,
    Audience,
    ClockName,
    MilestoneStatus,
    RefundCaseKind,
    RefundCaseState,
)


@dataclass(slots=True)
class Draft:
    """Everything one act changes, so far."""

    facts: Facts
    policy: Policy
    at: datetime
    earlier_cases: list[Case] = field(default_factory=list)
    case: Case | None = None
    events: list[Event] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    refunded_delta_minor: int = 0
    reserved_delta_minor: int = 0
    milestone_status: MilestoneStatus | None = None
    week_released: bool = False
    customer_reported: bool = False
    withdrawal_requested: bool = False

    def record(
        self,
        name: str,
        case: Case,
        from_state: RefundCaseState | None,
        *,
        actor_id: str | None = None,
        actor_role: str = SYSTEM_ROLE,
        amount_minor: int | None = None,
        note: str | None = None,
        internal_note: str | None = None,
        rule: str | None = None,
        audience: Audience = Audience.EVERYONE,
        saw: tuple[tuple[str, str], ...] = (),
    ) -> Case:
        """Add an event that leaves the case as given, and return the case at its next version."""
        facts = self.facts.after(self.refunded_delta_minor, self.reserved_delta_minor)
        case = indexed(case.changed(version=case.version + 1, updated_at=self.at), facts, self.policy)
        self.events.append(
            Event(
                name=name,
                sequence=case.version,
                at=self.at,
                actor_id=actor_id,
                actor_role=actor_role,
                from_state=from_state,
                to_state=case.state,
                amount=Money(amount_minor, case.currency) if amount_minor is not None else None,
                note=note,
                internal_note=internal_note,
                rule=rule,
                audience=audience,
                facts=(*saw, ("policyVersion", self.policy.version)),
                case_after=case,
            )
        )
        return case

    def move_milestone(self, target: MilestoneStatus) -> None:
        """Take the milestone one step on, through its machine; the case that held it is decided with it (C30)."""
        milestone = self.facts.milestone
        if milestone is None:
            raise ValueError("this payment funded no milestone")
        advance_milestone(self.milestone_status or milestone.status, target)
        self.milestone_status = target

    def decision(self) -> Decision:
        """Freeze what was drafted, with the timers and the review flag that follow from it."""
        if self.case is None:
            raise ValueError("a decision needs the case that was acted on")
        cases = (*self.earlier_cases, self.case)
        return Decision(
            cases=cases,
            events=tuple(self.events),
            postings=tuple(self.postings),
            payment_refunded_delta_minor=self.refunded_delta_minor,
            payment_reserved_delta_minor=self.reserved_delta_minor,
            clocks=self._clocks(self.case),
            milestone_status=self.milestone_status,
            week_released=self.week_released,
            reviews_hidden=self._reviews_hidden(),
            customer_reported=self.customer_reported,
            withdrawal_requested=self.withdrawal_requested,
        )

    def _clocks(self, case: Case) -> tuple[DueClock, ...]:
        """Return the case's next timer, and a look at what it leaves behind: its week's hold, its payment's decline."""
        clocks = due_clocks(self.facts, case, self.at, self.policy)
        week, other = self.facts.week, self.facts.previous_declined
        if case.kind is RefundCaseKind.TIMESHEET and week is not None and not (week.released or self.week_released):
            cut_off = CUT_OFF.end(week.ends_at, self.policy)
            clocks += (DueClock(name=ClockName.WEEK_RELEASE, due_at=cut_off, billing_week_id=week.id),)
        if other is not None and all(one.id != other.id for one in self.earlier_cases):
            clocks += (DueClock(name=ClockName.SUPPORT_WINDOW, due_at=self.at, case_id=other.id),)
        return clocks

    def _reviews_hidden(self) -> bool | None:
        """Return whether reviews are hidden now; None when that is as it was (C21)."""
        contract = self.facts.contract
        if contract is None or self.refunded_delta_minor == 0:
            return None
        refunded = contract.refunded_minor + self.refunded_delta_minor
        hidden = reviews_hidden(contract.paid_minor, refunded, contract.currency, self.policy)
        return hidden if hidden is not contract.reviews_hidden else None
