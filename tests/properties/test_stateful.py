"""Anything that anybody may try, in any order, followed by a second opinion that was written from the table."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from marketplace import chargeback
from refund_acts import BUTTONS, RefundActs
from refund_model import LIMIT_MINOR, OPEN
from refund_world import OUTSIDERS, PEOPLE, RefundWorld

from api_world import at, invoice, milestone, usd
from refundgql.commands.arming import arm_deadlines
from refundgql.commands.requests import RequestLeadRefund, request_lead_refund
from refundgql.commands.withdrawals import RequestWithdrawal, change_withdrawal, request_withdrawal
from refundgql.domain.calendar import from_micros
from refundgql.domain.decisions import Act
from refundgql.domain.vocabulary import (
    IssueDecision,
    RefundActionName,
    RefundCaseKind,
    RefundReason,
    RefundReasonDetail,
    WithdrawalStatus,
)

T = TypeVar("T")
LONG = int(os.environ.get("REFUNDGQL_PROPERTY_EXAMPLES", "30"))
NUMBERS = st.integers(0, 40)
ANYBODY = st.sampled_from([ref for ref in PEOPLE if ref != "market"])
MINOR = st.sampled_from([1, 101, 1_000, 2_501, 4_500, 6_000, 10_000])
HOURS = st.sampled_from([0, 1, 1, 12, 12, 60, 60, 24 * 5, 24 * 5, 24 * 8, 24 * 15, 24 * 31, 24 * 170])
LEADS = ["lead-1", "lead-2"]
WEEKS = ["week-old", "week-prior", "week-now"]
STEPS = ["step-1", "step-2", "step-3", "step-4"]
INVOICES = [
    *("inv-old", "inv-prior", "inv-29", "inv-179", "inv-364", "inv-step-1", "inv-step-4"),
    *("inv-small", "inv-back", "inv-forth", "inv-own"),
]
ASKED = [
    "lead-1",
    "inv-29",
    "inv-prior",
    "week-prior",
    "step-1",
    "step-2",
    "inv-step-4",
    "inv-small",
    "inv-forth",
    "inv-364",
]


CHANGES = {
    "lead_window_days": (1, 30, 60),
    "direct_window_days": (20, 180, 200),
    "support_window_days": (200, 365, 400),
    "respond_within_days": (1, 7, 30),
    "dispute_resolution_days": (1, 30, 60),
    "funds_wait_days": (1, 14, 40),
}
"""What the days of rules may become."""


class Refunds(RefundActs):
    """Random people doing random things at random times."""

    @initialize(
        refs=st.lists(st.sampled_from(ASKED), min_size=3, unique=True),
        minor=MINOR,
        hours=st.sampled_from([0, 60]),
        broke=st.booleans(),
        limited=st.booleans(),
    )
    def a_marketplace(self, refs: list[str], minor: int, hours: int, broke: bool, limited: bool) -> None:
        """Load people, leads, contracts and their money; some refunds are asked for, the expert may have spent all."""
        self.it = self.wait(RefundWorld.open(self.database))
        self.it.model.limited = limited
        if limited:
            self.it.world.policy = replace(self.it.world.policy, decision_limit_minor={"USD": LIMIT_MINOR})
        self.wait(arm_deadlines(self.it.world.uow))  # as every start does: rules are kept before anybody acts by them
        for ref in refs:
            if ref in LEADS:
                self.somebody_reports_a_lead("paula", own=True, ref=ref, late=False)
            elif ref in STEPS:
                self.somebody_asks_for_escrow("", own=True, ref=ref, minor=minor)
            elif ref in WEEKS:
                self.somebody_disputes_a_week("", own=True, ref=ref, minor=minor)
            else:
                self.somebody_asks_for_an_invoice("", own=True, ref=ref, minor=minor, send=minor == 1_000)
        self.it.move_clock(timedelta(hours=hours))
        if broke:
            self.the_expert_takes_the_money(left=0)

    # Time and the marketplace

    @rule(hours=HOURS, swept=st.sampled_from([True, True, False]))
    def time_passes(self, hours: int, swept: bool) -> None:
        """The clock moves on; mostly the sweeper is awake, sometimes it is not and catches up later."""
        self.it.move_clock(timedelta(hours=hours))
        if swept:
            self.wait(self.it.sweep())

    @rule()
    def the_sweeper_catches_up(self) -> None:
        """Due clocks are acted on, whenever that is."""
        self.wait(self.it.sweep())

    @rule(minutes=st.sampled_from([1, 4]))
    def another_process_is_behind(self, minutes: int) -> None:
        """The next acts are taken by a process whose clock is some minutes late."""
        self.it.be_behind(timedelta(minutes=minutes))

    @rule(name=st.sampled_from(sorted(CHANGES)), which=st.integers(0, 2))
    def the_rules_change(self, name: str, which: int) -> None:
        """Other days come into force, and the next start sets every deadline anew (D28)."""
        self.it.change_rules(**{name: CHANGES[name][which]})
        self.wait(self.it.sweep())

    @rule(who=st.sampled_from(["karl", "erik", "paula", "both"]))
    def roles_are_taken_away_and_given_back(self, who: str) -> None:
        """The marketplace changes what somebody is, whatever they are in the middle of."""
        it = self.it
        if it.viewers[who].account_id not in it.model.erased:
            self.wait(it.give_roles(who, [] if it.viewers[who].roles else PEOPLE[who]))

    @rule(who=st.sampled_from(["karl", "erik", "paula", "both", "carla"]))
    def somebody_is_forgotten(self, who: str) -> None:
        """Only without an open case and without money (D30)."""
        it, account = self.it, self.it.viewers[who].account_id
        mine = [case for case in it.model.cases.values() if case.state in OPEN and account in it.model.about(case)]
        rich = any(minor for (owner, _), minor in it.model.balances.items() if owner == account)
        rich = rich or any(
            one.held and one.contract and account in (one.contract.client, one.contract.expert)
            for one in it.model.payments.values()
        )
        moving = any(one in ("REQUESTED", "SENT") for one in it.model.withdrawals.values())
        refusals = self.wait(it.forget(who))
        if account in it.model.erased and not refusals:
            assert not mine
            assert not rich
        else:
            assert mine or rich or moving, refusals

    @rule(ref=st.sampled_from([*INVOICES, *STEPS]), minor=MINOR)
    def a_bank_wants_money(self, ref: str, minor: int) -> None:
        """A chargeback is told, as far as there is something to want (D25)."""
        it, payment = self.it, self.it.payment_of[ref]
        kind = "milestone" if ref in STEPS else "invoice"
        minor = min(minor, payment.paid - payment.refunded - payment.charged_back)
        if minor <= 0:
            return
        it.made += 1
        name = f"bank-{it.made}"
        it.wanted[name] = (ref, minor)
        it.model.charge_back(payment, minor, 0)
        record = chargeback(name, self.text(minor), **{kind: ref}, openedAt=at(it.now))
        assert self.wait(it.sync(record)) == ()

    @rule(which=NUMBERS, lost=st.booleans())
    def a_bank_decides(self, which: int, lost: bool) -> None:
        """What was wanted is taken for good, or may be refunded again."""
        it = self.it
        if not it.wanted:
            return
        name = sorted(it.wanted)[which % len(it.wanted)]
        ref, minor = it.wanted.pop(name)
        payment = it.payment_of[ref]
        it.model.charge_back(payment, 0 if lost else -minor, minor if lost else 0)
        opened = self.wait(it.world.rows("SELECT opened_at FROM chargeback WHERE external_ref = ?", name))
        kind = "milestone" if ref in STEPS else "invoice"
        given = {kind: ref, "openedAt": at(from_micros(opened[0]["opened_at"]))}
        assert self.wait(it.sync(chargeback(name, self.text(minor), "LOST" if lost else "WON", **given))) == ()

    @rule(which=st.sampled_from(["hourly", "fixed", "small", "forth", "week-now"]), from_balance=st.booleans())
    def an_invoice_is_paid(self, which: str, from_balance: bool) -> None:
        """A client pays, with what is on the balance where it helps."""
        it, more = self.it, {}
        of_contract = "hourly" if which == "week-now" else which
        client = it.viewers["karl"].account_id
        available = it.model.balances[client, "CONTRACTS"]
        if which == "week-now":
            payment = it.payment_of["week-now"]
            if payment.paid or payment.ends_at is None or it.now < payment.ends_at:
                return
            more = {"billingWeek": "week-now"}
        share = min(available, 2_000) if from_balance else 0
        if share > 0:
            more["fromBalance"] = usd(f"{share // 100}.{share % 100:02}")
            it.model.balances[client, "CONTRACTS"] -= share
        it.made += 1
        amount = "100.00" if which == "week-now" else "20.00"
        assert self.wait(it.sync(invoice(f"inv-new-{it.made}", of_contract, amount, it.now, **more))) == ()

    @rule(which=st.sampled_from(STEPS))
    def a_milestone_moves_on(self, which: str) -> None:
        """An unfunded milestone is funded, a funded one released unless a case on it is open (C30)."""
        it, payment = self.it, self.it.payment_of[which]
        amount = {"step-1": "50.00", "step-2": "60.00", "step-3": "40.00", "step-4": "45.00"}[which]
        if not payment.paid:
            assert self.wait(it.sync(milestone(which, "fixed", amount, fundedAt=at(it.now)))) == ()
            return
        if payment.released:
            return
        assert payment.paid_at is not None
        record = milestone(
            which,
            "fixed",
            amount,
            status="RELEASED",
            fundedAt=at(payment.paid_at),
            releasedAt=at(max(it.now, payment.paid_at)),
        )
        refusals = self.wait(it.sync(record))
        returned = payment.refunded == payment.paid
        assert bool(refusals) is (returned or bool(it.model.of_payment(payment, *OPEN)))

    @rule(who=ANYBODY, minor=MINOR)
    def somebody_withdraws(self, who: str, minor: int) -> None:
        """Money leaves a balance when it is there and nobody waits for it (D10, D13, L17)."""
        it, viewer = self.it, self.it.viewers[who]
        waiting = [
            case
            for case in it.model.cases.values()
            if case.state == "APPROVED" and case.payment.contract and case.payment.contract.expert == viewer.account_id
            if case.approved <= case.payment.paid - case.payment.refunded - it.taken(case.payment)
        ]
        there = it.model.balances[viewer.account_id, "CONTRACTS"] >= minor
        given = RequestWithdrawal(amount=self.usd(minor), idempotency_key=it.world.key())
        refusals = self.tries(lambda: request_withdrawal(it.world.uow, viewer, given))
        if {"CLIENT", "EXPERT"} & it.roles(who):
            assert bool(refusals) is (not there or bool(waiting)), refusals

    @rule(left=st.sampled_from([0, 500]))
    def the_expert_takes_the_money(self, left: int) -> None:
        """The expert's balance is withdrawn, so that approvals have to wait (D13)."""
        minor = self.it.model.balances[self.it.viewers["erik"].account_id, "CONTRACTS"] - left
        if minor > 0:
            self.somebody_withdraws("erik", minor)

    @rule(which=NUMBERS, status=st.sampled_from(WithdrawalStatus))
    def a_withdrawal_moves_on(self, which: int, status: WithdrawalStatus) -> None:
        """The marketplace reports a step, possible or not."""
        known = sorted(self.it.model.withdrawals)
        if known:
            one = known[which % len(known)]
            self.tries(lambda: self.it.world.uow.run(lambda unit: change_withdrawal(unit, one, status, "Card expired")))

    # Openings: the preview says what the command does

    @rule(who=ANYBODY, own=st.booleans(), ref=st.sampled_from(LEADS), late=st.booleans())
    def somebody_reports_a_lead(self, who: str, own: bool, ref: str, late: bool) -> None:
        """A lead's price is asked back, by its professional or by staff."""
        it = self.it
        viewer = it.viewers["paula" if own else who]
        given = RequestLeadRefund(
            lead_id=it.ids[ref],
            reason=RefundReason.NOT_HIRED if late else RefundReason.JOB_CHANGED,
            reason_detail=None if late else RefundReasonDetail.OTHER_CHANGE,
            on_behalf_reason=None if viewer.external_ref == "paula" else "They wrote.",
            idempotency_key=it.world.key(),
        )
        act = Act(
            action=RefundActionName.REQUEST,
            at=it.now,
            viewer=viewer,
            kind=RefundCaseKind.LEAD,
            reason=given.reason,
            reason_detail=given.reason_detail,
            on_behalf_reason=given.on_behalf_reason,
        )
        self.opens(act, ref, lambda: request_lead_refund(it.world.uow, viewer, given))

    @rule(
        who=ANYBODY,
        own=st.sampled_from([True, True, False]),
        ref=st.sampled_from(INVOICES),
        minor=MINOR,
        send=st.booleans(),
    )
    def somebody_asks_for_an_invoice(self, who: str, own: bool, ref: str, minor: int, send: bool) -> None:
        """An invoice's money is asked back."""
        act = self.act(RefundActionName.REQUEST, RefundCaseKind.INVOICE, ref, who if not own else "", minor)
        desk, amount = self.desk(act), self.text(minor)
        self.opens(act, ref, lambda: desk.ask(self.it.ids[ref], amount, send_to_payment_method=send))

    @rule(who=ANYBODY, own=st.sampled_from([True, True, False]), ref=st.sampled_from(STEPS), minor=MINOR)
    def somebody_asks_for_escrow(self, who: str, own: bool, ref: str, minor: int) -> None:
        """A milestone's money is asked back."""
        act = self.act(RefundActionName.REQUEST, RefundCaseKind.ESCROW, ref, who if not own else "", minor)
        desk, amount = self.desk(act), self.text(minor)
        self.opens(act, ref, lambda: desk.ask_escrow(self.it.ids[ref], amount))

    @rule(who=ANYBODY, own=st.sampled_from([True, True, False]), ref=st.sampled_from(WEEKS), minor=MINOR)
    def somebody_disputes_a_week(self, who: str, own: bool, ref: str, minor: int) -> None:
        """A week's hours are disputed."""
        act = self.act(
            RefundActionName.OPEN_TIMESHEET_DISPUTE, RefundCaseKind.TIMESHEET, ref, who if not own else "", minor
        )
        desk, amount = self.desk(act), self.text(minor)
        self.opens(act, ref, lambda: desk.dispute_week(self.it.ids[ref], amount))

    @rule(
        who=ANYBODY,
        own=st.sampled_from([True, True, False]),
        ref=st.sampled_from([*INVOICES, *STEPS, *WEEKS]),
        decision=st.sampled_from(IssueDecision),
        minor=MINOR,
    )
    def somebody_issues(self, who: str, own: bool, ref: str, decision: IssueDecision, minor: int) -> None:
        """A refund is issued without being asked for."""
        kind = RefundCaseKind.ESCROW if ref in STEPS else RefundCaseKind.INVOICE
        part = minor if decision is IssueDecision.PARTIAL else None
        act = self.act(RefundActionName.ISSUE, kind, ref, who if not own else "", part, decision)
        desk, field = self.desk(act), "invoice_id"
        field = "milestone_id" if ref in STEPS else "billing_week_id" if ref in WEEKS else field
        more: dict[str, Any] = {field: self.it.ids[ref]} | ({"amount": self.usd(minor)} if part else {})
        self.opens(act, ref, lambda: desk.issue(decision, act.viewer, **more))

    # Buttons: what is offered is done, what is not offered is refused for the reasons that were shown

    @rule(who=ANYBODY, which=NUMBERS, action=st.sampled_from(BUTTONS), minor=MINOR, whole=st.booleans())
    def somebody_presses_a_button(
        self, who: str, which: int, action: RefundActionName, minor: int, whole: bool
    ) -> None:
        """Anybody tries any act on any case."""
        cases = list(self.it.model.cases.values())
        if cases:
            self.press(who, cases[which % len(cases)], action, None if whole else minor)

    @rule(tries=st.lists(st.tuples(NUMBERS, NUMBERS, st.none() | MINOR), min_size=1, max_size=5))
    def open_buttons_are_pressed(self, tries: list[tuple[int, int, int | None]]) -> None:
        """Whatever is offered to anybody is tried, one after another."""
        for which, choice, minor in tries:
            live = [case for case in self.it.model.cases.values() if case.state != "CANCELLED"]
            if not live:
                return
            case = live[which % len(live)]
            offers = [
                (who, action)
                for who in PEOPLE
                if self.may_see(who, case)
                for action, refusals in self.shown(who, case).items()
                if not refusals or self.is_proposal(action, refusals)
            ]
            if offers:
                who, action = offers[choice % len(offers)]
                self.press(who, case, action, minor)

    @rule(which=NUMBERS, minor=st.none() | MINOR)
    def the_expert_agrees(self, which: int, minor: int | None) -> None:
        """A request is approved by whoever it was asked of, with money or without."""
        asked = [case for case in self.it.model.cases.values() if case.state == "REQUESTED"]
        if asked:
            case = asked[which % len(asked)]
            contract = case.payment.contract
            by_id = {viewer.account_id: ref for ref, viewer in self.it.viewers.items()}
            self.press("ivy" if contract is None else by_id[contract.expert], case, RefundActionName.APPROVE, minor)

    @rule(which=NUMBERS, who=st.sampled_from(["ivy", "ivy", "ada"]), approves=st.booleans(), minor=st.none() | MINOR)
    def support_decides(self, which: int, who: str, approves: bool, minor: int | None) -> None:
        """What waits for support is decided, or proposed where that takes a second signature (D23)."""
        waiting = [
            case
            for case in self.it.model.cases.values()
            if case.state in ("ESCALATED", "DISPUTED") or (case.kind, case.state) == ("LEAD", "REQUESTED")
        ]
        if waiting:
            action = RefundActionName.APPROVE if approves else RefundActionName.DECLINE
            self.press(who, waiting[which % len(waiting)], action, minor)

    @rule(which=NUMBERS, signs=st.booleans())
    def a_proposal_is_answered(self, which: int, signs: bool) -> None:
        """Another member of staff confirms or returns what is proposed (D23)."""
        proposed = [case for case in self.it.model.cases.values() if case.proposed_by is not None]
        if proposed:
            action = RefundActionName.CONFIRM if signs else RefundActionName.RETURN
            self.press("ada", proposed[which % len(proposed)], action, None)

    # What is always true

    @invariant()
    def the_money_is_where_the_model_says(self) -> None:
        """Balances, holds, reservations, sums and hidden reviews are the model's, and the ledger proves itself."""
        if not hasattr(self, "it"):
            return
        self.wait(self.check_money())

    @invariant()
    def everybody_sees_their_own(self) -> None:
        """An outsider sees nothing, and whoever's turn it is to look sees exactly their cases as they stand."""
        if not hasattr(self, "it") or not self.it.model.cases:
            return
        self.turn += 1
        gone = self.it.model.erased
        people = [ref for ref in PEOPLE if ref != "market" and self.it.viewers[ref].account_id not in gone]
        for who in {OUTSIDERS[self.turn % 2], people[self.turn % len(people)]}.intersection(people):
            self.wait(self.look(who))


class RefundsOnPostgres(Refunds):
    """The same on PostgreSQL."""

    dialect = "postgres"


QUICK = settings(
    max_examples=12,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
_LONG = settings(QUICK, max_examples=LONG, stateful_step_count=60, derandomize=settings().derandomize, print_blob=True)


def test_refunds_follow_the_model() -> None:
    """A few hundred acts, the same every time."""
    run_state_machine_as_test(Refunds, settings=QUICK)


def test_a_refund_that_waits_for_money_follows_the_model() -> None:
    """What random acts seldom meet: an expert without money agrees, waits, and is credited when money comes (D13)."""
    refunds = Refunds()
    try:
        refunds.a_marketplace(refs=["inv-29", "inv-small"], minor=1_000, hours=0, broke=True, limited=False)
        refunds.the_expert_agrees(which=0, minor=None)
        refunds.the_expert_agrees(which=0, minor=None)
        waiting = [case.state for case in refunds.it.model.cases.values()]
        refunds.the_money_is_where_the_model_says()
        refunds.an_invoice_is_paid("small", from_balance=False)
        refunds.the_money_is_where_the_model_says()
        assert waiting == ["APPROVED", "APPROVED"]
        assert [case.state for case in refunds.it.model.cases.values()] == ["CREDITED", "CREDITED"]
    finally:
        refunds.teardown()


def test_a_decision_that_is_signed_twice_and_one_that_is_mended_follow_the_model() -> None:
    """What random acts seldom meet: proposed, returned, proposed again, confirmed, reopened, approved (D22, D23)."""
    refunds = Refunds()
    try:
        refunds.a_marketplace(refs=["week-prior", "step-1"], minor=2_501, hours=0, broke=False, limited=True)
        week, escrow = refunds.it.model.cases.values()
        act = RefundActionName
        for who, case, action in (
            ("ivy", week, act.DECLINE),
            ("ivy", week, act.CONFIRM),
            ("ada", week, act.RETURN),
            ("ivy", week, act.DECLINE),
            ("ada", week, act.CONFIRM),
            ("ada", week, act.REOPEN),
        ):
            refunds.press(who, case, action, None)
            refunds.the_money_is_where_the_model_says()
        assert week.state == "DECLINED", "whoever decided does not reopen"
        refunds.time_passes(hours=60, swept=True)
        refunds.press("lou", week, act.REOPEN, None)
        refunds.press("ivy", week, act.APPROVE, 1_000)
        refunds.press("karl", escrow, act.DISPUTE, None)
        refunds.press("ivy", escrow, act.APPROVE, 2_000)
        refunds.press("karl", escrow, act.CANCEL, None)
        refunds.the_money_is_where_the_model_says()
        assert (week.state, week.credited, week.payment.released) == ("CREDITED", 1_000, True)
        assert (escrow.state, escrow.proposed_by) == ("CANCELLED", None)
    finally:
        refunds.teardown()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_refunds_follow_the_model() -> None:
    """Thousands of acts, by hand others every time; REFUNDGQL_PROPERTY_EXAMPLES says how many runs."""
    run_state_machine_as_test(Refunds, settings=_LONG)


@pytest.mark.slow
def test_refunds_follow_the_model_on_postgres() -> None:
    """The same promises on PostgreSQL."""
    long = settings(_LONG, max_examples=max(LONG // 15, 2), stateful_step_count=40, phases=[Phase.generate])
    run_state_machine_as_test(RefundsOnPostgres, settings=long)
