"""A refund desk in memory for long random stories: one payment, its cases and a ledger, moved by decisions alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from domain_world import LEDGER, NOW, POLICY, A, K, S, facts_of

from refundgql.domain.cases import deadline_moved, decide, run_out
from refundgql.domain.clocks import indexed
from refundgql.domain.deadlines import CUT_OFF
from refundgql.domain.decisions import Act, Decision, Event, Posting
from refundgql.domain.facts import Case, CreditedPart, Facts, FundsFacts
from refundgql.domain.machines.table import ROWS
from refundgql.domain.payment_cases import with_cases
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refused
from refundgql.domain.settlement import release_postings
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import MilestoneStatus, RefundCaseKind, SettlementStatus

OPEN = (S.REQUESTED, S.APPROVED, S.ESCALATED, S.DISPUTED)


@dataclass
class Story:
    """What stands after some acts; `facts` hold the payment, `cases` its cases by id, `ledger` balances by key."""

    facts: Facts
    at: datetime = NOW
    policy: Policy = POLICY
    cases: dict[str, Case] = field(default_factory=dict)
    events: dict[str, list[Event]] = field(default_factory=dict)
    ledger: Counter[str] = field(default_factory=Counter)
    credits: dict[str, tuple[CreditedPart, ...]] = field(default_factory=dict)
    overdrawn_by_support: bool = False
    lost_minor: int = 0
    """What banks have taken for good (D25)."""

    @classmethod
    def of(cls, kind: RefundCaseKind) -> Story:
        """Begin with a paid payment whose money is where its kind keeps it."""
        story = cls(replace(facts_of(kind)))
        where = {K.LEAD: "platform", K.INVOICE: "expert"}.get(kind, "held")
        story.bring(LEDGER[where], story.facts.payment.paid_minor)
        return story

    def copy(self) -> Story:
        """Return another desk at which all of this has happened."""
        events = {case_id: [*events] for case_id, events in self.events.items()}
        return replace(self, cases={**self.cases}, events=events, ledger=Counter(self.ledger), credits={**self.credits})

    def bring(self, key: str, minor: int) -> None:
        """Move money from outside to an account."""
        self.ledger["external"] -= minor
        self.ledger[key] += minor

    def seen(self, case: Case | None) -> Facts:
        """Return what storage would load for a case, or for the payment."""
        owner = LEDGER["pro"] if self.facts.lead else LEDGER["client"]
        return replace(
            with_cases(self.facts, self.cases.values(), case),
            credit=() if case is None else self.credits.get(case.id, ()),
            funds=FundsFacts(
                held_minor=self.ledger[LEDGER["held"]],
                expert_available_minor=self.ledger[LEDGER["expert"]],
                requester_available_minor=self.ledger[owner],
            ),
        )

    def tries(self, act: Act, case: Case | None) -> Decision | None:
        """Decide an act and keep what it changes; None when it is refused, with nothing changed."""
        facts = self.seen(case)
        try:
            decision = decide(act, facts, self.policy)
        except Refused:
            return None
        self.keep(decision, facts)
        return decision

    def as_now(self, viewer: Viewer) -> Viewer:
        """Return somebody with the roles that they have now: who was erased has none (D30)."""
        lead, contract = self.facts.lead, self.facts.contract
        gone = set()
        if self.facts.recipient_erased_at is not None:
            gone.add(lead.pro_id if lead is not None else contract.client_id if contract is not None else "")
        if contract is not None and self.facts.expert_erased_at is not None:
            gone.add(contract.expert_id)
        return replace(viewer, roles=frozenset()) if viewer.account_id in gone else viewer

    def erase(self, who: str) -> None:
        """Forget whom money comes back to, or the expert; refused while a case is open (D30)."""
        there = who != "expert" or self.facts.contract is not None
        if there and not any(one.state in OPEN for one in self.cases.values()):
            self.facts = replace(self.facts, **{f"{who}_erased_at": self.at})
            self._look_again(*self.cases)

    def _look_again(self, *case_ids: str) -> None:
        """Work out the index of cases anew, as the sweeper does when it looks at them."""
        for case_id in case_ids:
            facts = self.seen(self.cases[case_id])
            self.cases[case_id] = indexed(self.cases[case_id], facts, self.policy)

    def keep(self, decision: Decision, facts: Facts) -> None:
        """Save a decision as storage does, and look at what it leaves behind."""
        for case in decision.cases:
            self.cases[case.id] = case
        for event in decision.events:
            self.events.setdefault(event.case_after.id, []).append(event)
        for posting in decision.postings:
            self.post(posting)
            if posting.fact == "CREDIT":
                part = CreditedPart(
                    posting_id=f"posting-{len(self.credits)}",
                    from_key=posting.from_key,
                    to_key=posting.to_key,
                    minor=posting.amount.minor,
                )
                self.credits[decision.case.id] = (*self.credits.get(decision.case.id, ()), part)
        refunded, reserved = decision.payment_refunded_delta_minor, decision.payment_reserved_delta_minor
        payment, contract, milestone, week = facts.payment, facts.contract, facts.milestone, facts.week
        payment = replace(
            payment,
            refunded_minor=payment.refunded_minor + refunded,
            reserved_minor=payment.reserved_minor + reserved,
        )
        if contract is not None:
            hidden = contract.reviews_hidden if decision.reviews_hidden is None else decision.reviews_hidden
            contract = replace(
                contract,
                refunded_minor=payment.refunded_minor,
                reserved_minor=payment.reserved_minor,
                reviews_hidden=hidden,
            )
        if milestone is not None and decision.milestone_status is not None:
            milestone = replace(milestone, status=decision.milestone_status)
        if week is not None and decision.week_released:
            week = replace(week, released=True)
        self.facts = replace(self.facts, payment=payment, contract=contract, milestone=milestone, week=week)
        changed = {case.id for case in decision.cases}
        self._look_again(*[it.case_id for it in decision.clocks if it.case_id and it.case_id not in changed])

    def post(self, posting: Posting) -> None:
        """Move money between accounts."""
        assert posting.amount.minor > 0
        assert posting.from_key != posting.to_key
        self.ledger[posting.from_key] -= posting.amount.minor
        self.ledger[posting.to_key] += posting.amount.minor
        self.overdrawn_by_support |= posting.may_overdraw

    def pass_days(self, days: int) -> None:
        """Let time pass, and what timers do at its end: hand-overs, and the week's release when undisputed."""
        self.at += timedelta(days=days)
        for case_id in list(self.cases):
            while (facts := self.seen(self.cases[case_id])) and (decision := run_out(facts, self.at, self.policy)):
                self.keep(decision, facts)
        week = self.facts.week
        disputed = any(one.kind is K.TIMESHEET and one.state in OPEN for one in self.cases.values())
        if week is None or week.released or disputed or self.at < CUT_OFF.end(week.ends_at, self.policy):
            return
        for posting in release_postings(self.facts, self.ledger[LEDGER["held"]]):
            self.post(posting)
        self.facts = replace(self.facts, week=replace(week, released=True))

    def change_rules(self, policy: Policy) -> None:
        """Put other rules in force, and do what a start under them does."""
        self.policy = policy
        for case_id in list(self.cases):
            facts = self.seen(self.cases[case_id])
            decision = deadline_moved(facts, self.at, policy)
            if decision is not None:
                self.keep(decision, facts)
            else:
                self.cases[case_id] = indexed(self.cases[case_id], facts, policy)

    def charge_back(self, minor: int) -> None:
        """Let banks want so much of the payment in all, as far as it was not refunded (D25)."""
        payment, contract = self.facts.payment, self.facts.contract
        wanted = max(min(minor, payment.paid_minor - payment.refunded_minor), self.lost_minor)
        if contract is not None:
            contract = replace(contract, charged_back_minor=wanted)
        self.facts = replace(self.facts, payment=replace(payment, charged_back_minor=wanted), contract=contract)
        self._look_again(*self.cases)

    def lose(self) -> None:
        """Let banks take what they want for good: what is held first, then the receiver's."""
        taken = self.facts.payment.charged_back_minor - self.lost_minor
        self.lost_minor += taken
        held = min(self.ledger[LEDGER["held"]], taken)
        self.bring(LEDGER["held"], -held)
        self.bring(LEDGER["platform" if self.facts.lead is not None else "expert"], held - taken)
        self.overdrawn_by_support = True  # a bank asks nobody

    def release_milestone(self) -> None:
        """Release the milestone to the expert, unless a case holds it."""
        milestone = self.facts.milestone
        held = any(one.state in OPEN for one in self.cases.values())
        if milestone is None or milestone.status is not MilestoneStatus.FUNDED or held:
            return
        for posting in release_postings(self.facts, self.ledger[LEDGER["held"]]):
            self.post(posting)
        self.facts = replace(self.facts, milestone=replace(milestone, status=MilestoneStatus.RELEASED))
        self._look_again(*self.cases)

    def settle(self) -> None:
        """Credit what waits for funds, as far as the money goes."""
        for case in list(self.cases.values()):
            if case.state is S.APPROVED:
                self.tries(Act(action=A.CREDIT, at=self.at), case)

    def check(self) -> None:
        """Assert everything that is always true."""
        payment, cases = self.facts.payment, list(self.cases.values())
        assert sum(self.ledger.values()) == 0
        credited = sum(one.credited_minor or 0 for one in cases if one.state is S.CREDITED and one.reversed_at is None)
        reserved = sum(one.approved_minor or 0 for one in cases if one.state is S.APPROVED)
        assert payment.refunded_minor == credited
        assert payment.reserved_minor == reserved
        assert credited + reserved <= payment.paid_minor
        assert sum(one.state in OPEN for one in cases) <= 1
        assert self.ledger[LEDGER["held"]] >= 0
        assert self.ledger[LEDGER["client"]] >= 0
        assert self.ledger[LEDGER["pro"]] >= 0
        assert self.ledger[LEDGER["expert"]] >= 0 or self.overdrawn_by_support
        for case in cases:
            self._check_case(case)

    def _check_case(self, case: Case) -> None:
        events = self.events[case.id]
        assert [event.sequence for event in events] == list(range(1, case.version + 1))
        assert sum(event.name == "CREDIT" for event in events) == (case.state is S.CREDITED)
        before = None
        for event in events:
            rows = [row for row in ROWS[case.kind] if (row.event, row.from_state) == (event.name, before)]
            assert event.from_state is before
            assert event.to_state in {row.to_state for row in rows}
            before = event.to_state
        assert before is case.state
        assert (case.settlement is SettlementStatus.AWAITING_FUNDS) == (case.state is S.APPROVED)
        if case.approved_minor is not None and case.requested_minor is not None:
            assert 0 < case.approved_minor <= case.requested_minor
        if case.state is S.CANCELLED or case.state is S.CREDITED:
            whose = {"NOBODY", "REQUESTER"} if case.approved_in_part else {"NOBODY"}  # the rest may go on (D19)
            assert case.whose_move.value in whose
            assert (case.deadline_at, case.respond_by) == (None, None)
