"""Anything that anybody may try, in any order, followed by a second opinion that was written from the table."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from command_world import usd as amount_of
from contract_desk import ContractDesk
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from refund_model import OPEN, Case
from refund_world import OUTSIDERS, PEOPLE, RefundWorld

from api_world import at, invoice, milestone, usd
from databases import LIMITS, drop_database, new_database_url
from refundgql.commands.requests import RequestLeadRefund, request_lead_refund
from refundgql.commands.withdrawals import RequestWithdrawal, change_withdrawal, request_withdrawal
from refundgql.domain.cases import available_actions, preview
from refundgql.domain.decisions import Act, Preview
from refundgql.domain.money import Money
from refundgql.domain.refusals import Refusal
from refundgql.domain.vocabulary import (
    IssueDecision,
    RefundActionName,
    RefundCaseKind,
    RefundReason,
    RefundReasonDetail,
    WithdrawalStatus,
)
from refundgql.storage.database import Database
from refundgql.storage.facts import load_case_facts, load_payment_facts

T = TypeVar("T")
LONG = int(os.environ.get("REFUNDGQL_PROPERTY_EXAMPLES", "150"))
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
BUTTONS = [
    RefundActionName.APPROVE,
    RefundActionName.DECLINE,
    RefundActionName.ESCALATE,
    RefundActionName.DISPUTE,
    RefundActionName.CONSENT,
    RefundActionName.CANCEL,
    RefundActionName.REVERSE,
]
_SEEN = """query($id: ID!) {
  refundCases(first: 100) { totalCount edges { node { id state version } } }
  refundCase(id: $id) { id events(first: 100) { totalCount } }
  viewer { transactions { totalCount } } contracts { totalCount } leads { totalCount }
}"""


def told(refusals: Sequence[Refusal]) -> list[tuple[str, str | None]]:
    """Return code and rule of refusals."""
    return sorted((one.code.value, one.rule or "") for one in refusals)


class Refunds(RuleBasedStateMachine):
    """Random people doing random things at random times."""

    dialect: ClassVar[str] = "sqlite"

    def __init__(self) -> None:
        """Open a fresh database."""
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.url = new_database_url(self.dialect, Path(self.folder.name))
        self.database = self.wait(Database.open(self.url, LIMITS))
        self.it: RefundWorld
        self.turn = 0

    def wait(self, act: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""
        return self.loop.run_until_complete(act)

    def teardown(self) -> None:
        """Close everything."""
        with suppress(AttributeError):
            self.wait(self.it.close())
        self.wait(self.database.close())
        self.loop.close()
        drop_database(self.url)
        self.folder.cleanup()

    @initialize(
        refs=st.lists(st.sampled_from(ASKED), min_size=3, unique=True),
        minor=MINOR,
        hours=st.sampled_from([0, 60]),
        broke=st.booleans(),
    )
    def a_marketplace(self, refs: list[str], minor: int, hours: int, broke: bool) -> None:
        """Load people, leads, contracts and their money; some refunds are asked for, the expert may have spent all."""
        self.it = self.wait(RefundWorld.open(self.database))
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
            which, "fixed", amount, status="RELEASED", fundedAt=at(payment.paid_at), releasedAt=at(it.now)
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
        ]
        there = it.model.balances[viewer.account_id, "CONTRACTS"] >= minor
        given = RequestWithdrawal(amount=self.usd(minor), idempotency_key=it.world.key())
        refusals = self.tries(lambda: request_withdrawal(it.world.uow, viewer, given))
        if {"CLIENT", "EXPERT"} & set(PEOPLE[who]):
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

    def act(
        self,
        action: RefundActionName,
        kind: RefundCaseKind,
        ref: str,
        who: str,
        minor: int | None,
        decision: IssueDecision | None = None,
    ) -> Act:
        """Return an opening act, by the party whose act it is unless somebody is named."""
        contract = self.it.payment_of[ref].contract
        assert contract is not None
        owner = contract.expert if action is RefundActionName.ISSUE else contract.client
        by_id = {viewer.account_id: viewer for viewer in self.it.viewers.values()}
        return Act(
            action=action,
            at=self.it.now,
            viewer=self.it.viewers[who] if who else by_id[owner],
            kind=kind,
            amount=None if minor is None else Money(minor, "USD"),
            text="Because.",
            decision=decision,
        )

    def opens(self, act: Act, ref: str, do: Callable[[], Awaitable[Any]]) -> None:
        """Try to open a case and compare what comes of it with the preview."""
        it, payment = self.it, self.it.payment_of[ref]
        facts = self.wait(load_payment_facts(it.world.database, [payment.id]))[payment.id]
        expected: Preview = preview(act, facts, it.world.policy)
        known = set(it.model.cases)
        refusals = self.tries(do)
        if refusals and refusals[0].code.value == "NOT_FOUND":
            assert act.viewer is not None
            assert not self.may_see_payment(act.viewer.external_ref, ref)
            return
        if act.decision is IssueDecision.PARTIAL and expected.allowed and act.amount == expected.maximum:
            assert told(refusals) == [("INVALID_INPUT", "C12")]  # allowed, but called FULL
            return
        assert expected.allowed is (not refusals), (expected.blockers, refusals)
        assert told(expected.blockers) == told(refusals)
        if refusals:
            return
        (new,) = set(it.model.cases) - known
        case = it.model.cases[new]
        row = self.wait(it.world.case(new))
        assert row["route"] == (expected.route.value if expected.route else None)
        if case.state == "CREDITED":
            credits = self.wait(
                it.world.rows("SELECT from_key, to_key, amount_minor FROM posting WHERE case_id = ?", new)
            )
            assert [tuple(one.values()) for one in credits][: len(expected.postings)] == [
                (one.from_key, one.to_key, one.amount.minor) for one in expected.postings
            ]

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
                if not refusals
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

    def shown(self, who: str, case: Case) -> dict[RefundActionName, tuple[Refusal, ...]]:
        """Return a case's buttons as somebody sees them, each with what stands in its way."""
        it = self.it
        facts = self.wait(load_case_facts(it.world.database, [case.id]))[case.id]
        answers = available_actions(facts, it.viewers[who], it.now, it.world.policy)
        return {one.name: one.blockers for one in answers if one.name in BUTTONS}

    def press(self, who: str, case: Case, action: RefundActionName, minor: int | None) -> None:
        """Do what a button says and compare the answer with what was shown, and amounts with the model's cap."""
        it, viewer = self.it, self.it.viewers[who]
        desk = self.desk(None)
        shown = self.shown(who, case).get(action)
        minor = case.asked if minor is None and action is RefundActionName.CONSENT else minor
        amount = None if minor is None else self.text(minor)
        most = it.model.approvable(case)
        if action is RefundActionName.CONSENT:
            most = min(case.asked, it.model.left(case.payment))
        acts: dict[RefundActionName, Callable[[], Awaitable[None]]] = {
            RefundActionName.APPROVE: lambda: desk.approve(viewer, case.id, amount),
            RefundActionName.DECLINE: lambda: desk.decline(viewer, case.id),
            RefundActionName.ESCALATE: lambda: desk.escalate(viewer, case.id),
            RefundActionName.DISPUTE: lambda: desk.dispute(viewer, case.id),
            RefundActionName.CONSENT: lambda: desk.consent(viewer, case.id, amount or "0.01"),
            RefundActionName.CANCEL: lambda: desk.cancel(viewer, case.id),
            RefundActionName.REVERSE: lambda: desk.reverse(viewer, case.id),
        }
        refusals = self.tries(acts[action])
        if not self.may_see(who, case):
            assert told(refusals) == [("NOT_FOUND", "")]
        elif shown is None:
            assert {one.code.value for one in refusals} <= {"TRANSITION_NOT_ALLOWED", "FORBIDDEN"}
            assert refusals
        elif shown:
            assert set(told(shown)) <= set(told(refusals)), (action, shown, refusals)
        elif action in (RefundActionName.APPROVE, RefundActionName.CONSENT):
            wanted = case.asked if minor is None else minor
            assert bool(refusals) is (wanted > most), (action, wanted, most, refusals)
        else:
            assert refusals == ()

    def may_see(self, who: str, case: Case) -> bool:
        """Tell whether the model shows a case to somebody."""
        return self.it.model.sees(self.it.viewers[who].account_id, set(PEOPLE[who]), case)

    def may_see_payment(self, who: str, ref: str) -> bool:
        """Tell whether the model shows a payment to somebody, as it would a case on it."""
        case = Case("", "", self.it.payment_of[ref], "", None, "", self.it.now, False)
        return self.may_see(who, case)

    def tries(self, act: Callable[[], Awaitable[Any]]) -> tuple[Refusal, ...]:
        """Try an act and return why it was refused."""
        return self.wait(self.it.tries(act))

    def desk(self, act: Act | None) -> ContractDesk:
        """Return short ways to act, as somebody."""
        viewer = act.viewer if act is not None else None
        someone = viewer or self.it.viewers["karl"]
        return ContractDesk(self.it.world, someone, someone, someone, someone, someone)

    def text(self, minor: int) -> str:
        """Return an amount as it is written."""
        return f"{minor // 100}.{minor % 100:02}"

    def usd(self, minor: int) -> Any:
        """Return an amount as commands take it."""
        return amount_of(self.text(minor))

    # What is always true

    @invariant()
    def the_money_is_where_the_model_says(self) -> None:
        """Balances, holds, reservations, sums and hidden reviews are the model's, and the ledger proves itself."""
        if not hasattr(self, "it"):
            return
        self.wait(self._check_money())

    async def _check_money(self) -> None:
        it, model = self.it, self.it.model
        await it.world.check_ledger()
        assert await it.balances() == {key: minor for key, minor in model.balances.items() if minor}
        assert await it.held() == {one.id: one.held for one in model.payments.values() if one.held}
        for row in await it.world.rows("SELECT id, paid_minor, refunded_minor, reserved_minor FROM payment"):
            payment = model.payments[row["id"]]
            found = (row["paid_minor"], row["refunded_minor"], row["reserved_minor"])
            assert found == (payment.paid, payment.refunded, model.reserved(payment))
            assert payment.refunded + model.reserved(payment) <= payment.paid
        for row in await it.world.rows("SELECT id, reviews_hidden FROM contract"):
            assert bool(row["reviews_hidden"]) is model.hides_reviews(model.contracts[row["id"]])
        for (account, _), minor in model.balances.items():
            assert minor >= 0 or account in model.overdrawn_by_support
        self._check_waiting()

    def _check_waiting(self) -> None:
        """What waits longest for an expert's money cannot be covered by it (D13)."""
        first: dict[str, Case] = {}
        for case in sorted(self.it.model.cases.values(), key=lambda one: one.approved_at or one.opened_at):
            if case.state == "APPROVED" and case.payment.contract is not None:
                first.setdefault(case.payment.contract.expert, case)
        for expert, case in first.items():
            there = max(self.it.model.balances[expert, "CONTRACTS"], 0) + case.payment.held
            assert there < case.approved, "credited in the transaction that brings the funds"

    @invariant()
    def everybody_sees_their_own(self) -> None:
        """An outsider sees nothing, and whoever's turn it is to look sees exactly their cases as they stand."""
        if not hasattr(self, "it") or not self.it.model.cases:
            return
        self.turn += 1
        people = [ref for ref in PEOPLE if ref != "market"]
        for who in (OUTSIDERS[self.turn % 2], people[self.turn % len(people)]):
            self.wait(self._look(who))

    async def _look(self, who: str) -> None:
        it = self.it
        last = list(it.model.cases.values())[-1]
        seen = await it.desk.run(who, _SEEN, id=f"RefundCase_{last.id}")
        mine = {
            f"RefundCase_{case.id}": (case.state, case.version)
            for case in it.model.cases.values()
            if self.may_see(who, case)
        }
        nodes = [edge["node"] for edge in seen["refundCases"]["edges"]]
        assert {node["id"]: (node["state"], node["version"]) for node in nodes} == mine
        assert seen["refundCases"]["totalCount"] == len(mine)
        assert (seen["refundCase"] is not None) is self.may_see(who, last)
        if seen["refundCase"] is not None:
            assert seen["refundCase"]["events"]["totalCount"] == last.version
        if who in OUTSIDERS:
            assert seen["contracts"]["totalCount"] == seen["leads"]["totalCount"] == 0
            assert seen["viewer"]["transactions"]["totalCount"] == 0


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
_LONG = settings(QUICK, max_examples=LONG, stateful_step_count=60, derandomize=False, print_blob=True)


def test_refunds_follow_the_model() -> None:
    """A few hundred acts, the same every time."""
    run_state_machine_as_test(Refunds, settings=QUICK)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_refunds_follow_the_model() -> None:
    """Thousands of acts, others every time; REFUNDGQL_PROPERTY_EXAMPLES says how many runs."""
    run_state_machine_as_test(Refunds, settings=_LONG)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_refunds_follow_the_model_on_postgres() -> None:
    """The same promises on PostgreSQL."""
    long = settings(_LONG, max_examples=max(LONG // 15, 2), stateful_step_count=40, phases=[Phase.generate])
    run_state_machine_as_test(RefundsOnPostgres, settings=long)
