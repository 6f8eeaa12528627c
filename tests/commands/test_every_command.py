"""Any acts of anybody in any order, while clocks move both ways: the ledger stays sound and buttons tell the truth."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from command_world import START, World, usd
from contract_desk import ContractDesk
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from databases import LIMITS, new_database_url
from refundgql.commands.decisions import ApproveRefund, approve_refund
from refundgql.commands.requests import RequestLeadRefund, request_lead_refund
from refundgql.commands.sweep import sweep_due
from refundgql.commands.unit_of_work import Unit
from refundgql.commands.withdrawals import RequestWithdrawal, change_withdrawal, request_withdrawal
from refundgql.domain.cases import available_actions
from refundgql.domain.refusals import Refused
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    IssueDecision,
    RefundActionName,
    RefundReason,
    RefundReasonDetail,
    Role,
    WithdrawalStatus,
)
from refundgql.storage.database import Database
from refundgql.storage.facts import load_case_facts
from refundgql.storage.visibility import sees_case

T = TypeVar("T")
NUMBERS = st.integers(0, 30)
PARTS = st.sampled_from(["requester", "counterparty", "support", "admin", "anybody"])
ASKING = st.sampled_from(["owner", "owner", "owner", "anybody"])
AMOUNTS = st.sampled_from(["0.01", "3.00", "10.00", "24.99", "60.00", "100.00", "400.00"])
BUTTONS = [
    RefundActionName.APPROVE,
    RefundActionName.DECLINE,
    RefundActionName.ESCALATE,
    RefundActionName.DISPUTE,
    RefundActionName.CONSENT,
    RefundActionName.CANCEL,
    RefundActionName.REVERSE,
]
DECISIONS = st.sampled_from([IssueDecision.NONE, *[IssueDecision.PARTIAL] * 4, IssueDecision.FULL])
SPANS = st.sampled_from([1, 5, 24, 49, 24 * 3, 24 * 8, 24 * 15, -24 * 3, 24 * 31])


class Desks(RuleBasedStateMachine):
    """A marketplace in which everything may happen; the model is the promise that holds whatever does."""

    def __init__(self) -> None:
        """Open a fresh database."""
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        url = new_database_url("sqlite", Path(self.folder.name))
        self.world = World(self.wait(Database.open(url, LIMITS)))

    def wait(self, act: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""
        return self.loop.run_until_complete(act)

    def teardown(self) -> None:
        """Prove the ledger once more and close."""
        self.wait(self.world.check_ledger())
        self.wait(self.world.database.close())
        self.loop.close()
        self.folder.cleanup()

    @initialize()
    def people_and_payments(self) -> None:
        """Add people, leads, invoices, weeks and milestones."""
        self.wait(self._set_up())

    async def _set_up(self) -> None:
        world = self.world
        self.desk = await ContractDesk.open(world)
        pro, customer = await world.person("pro", Role.PRO), await world.person("customer", Role.CUSTOMER)
        both = await world.person("both", Role.CLIENT, Role.EXPERT)
        back = ContractDesk(world, both, self.desk.expert, self.desk.ivy, self.desk.ada, self.desk.stranger)
        self.pro, self.both = pro, both
        self.people = [self.desk.client, self.desk.expert, self.desk.ivy, self.desk.ada, pro, both, self.desk.stranger]
        self.leads = [await world.lead(pro, customer, ref=f"lead-{number}") for number in range(2)]
        self.invoices = [
            await self.desk.paid_invoice(),
            await self.desk.paid_invoice(40_000, kind="HOURLY"),
            await back.paid_invoice(),
            await self.desk.paid_invoice(paid_at=START - timedelta(days=179)),
        ]
        hourly = await world.contract(self.desk.client, self.desk.expert, kind="HOURLY")
        self.weeks = [(await world.week(hourly))[0]]
        self.milestones = [await world.milestone(await world.contract(self.desk.client, self.desk.expert))]

    def tries(self, act: Callable[[], Awaitable[Any]]) -> bool:
        """Try an act and tell whether it was done; a refused one has changed nothing, and nothing else goes wrong."""

        async def tried() -> bool:
            before = await self.world.dump()
            try:
                await act()
            except Refused:
                assert await self.world.dump() == before
                return False
            return True

        return self.wait(tried())

    def case(self, number: int) -> str | None:
        """Return some case."""
        rows = self.wait(self.world.rows("SELECT id FROM refund_case ORDER BY number"))
        return rows[number % len(rows)]["id"] if rows else None

    def person(self, number: int) -> Viewer:
        """Return somebody."""
        return self.people[number % len(self.people)]

    def part(self, name: str, case_id: str, number: int) -> Viewer:
        """Return who plays a part in a case, or anybody."""
        case = self.wait(self.world.case(case_id))
        by_id = {person.account_id: person for person in self.people}
        known = {"support": self.desk.ivy, "admin": self.desk.ada}
        for side in ("requester", "counterparty"):
            known[side] = by_id.get(case[f"{side}_id"], self.desk.stranger)
        return known.get(name) or self.person(number)

    @rule(hours=SPANS)
    def time_passes(self, hours: int) -> None:
        """The clock moves, sometimes back."""
        self.world.clock.at += timedelta(hours=hours)

    @rule()
    def clocks_run_out(self) -> None:
        """Due clocks are acted on, and a second sweep finds nothing."""
        self.wait(sweep_due(self.world.uow))
        assert self.wait(sweep_due(self.world.uow)) == 0

    @rule(asks=ASKING, who=NUMBERS, which=NUMBERS, behalf=st.booleans())
    def somebody_reports_a_lead(self, asks: str, who: int, which: int, behalf: bool) -> None:
        """A lead's price is asked back."""
        viewer = self.pro if asks == "owner" else self.person(who)
        given = RequestLeadRefund(
            lead_id=self.leads[which % 2],
            reason=RefundReason.JOB_CHANGED if which % 3 else RefundReason.TERMS_VIOLATION,
            reason_detail=RefundReasonDetail.OTHER_CHANGE if which % 3 else RefundReasonDetail.MINOR,
            on_behalf_reason="They wrote." if behalf and viewer is not self.pro else None,
            idempotency_key=self.world.key(),
        )
        self.tries(lambda: request_lead_refund(self.world.uow, viewer, given))

    @rule(asks=ASKING, who=NUMBERS, which=NUMBERS, amount=AMOUNTS, send=st.booleans())
    def somebody_asks_for_an_invoice(self, asks: str, who: int, which: int, amount: str, send: bool) -> None:
        """An invoice's money is asked back, by its client or somebody else."""
        invoice_id = self.invoices[which % len(self.invoices)]
        owner = self.both if invoice_id == self.invoices[2] else self.desk.client
        desk = replace(self.desk, client=owner if asks == "owner" else self.person(who))
        self.tries(lambda: desk.ask(invoice_id, amount, send_to_payment_method=send))

    @rule(which=NUMBERS, amount=AMOUNTS)
    def the_client_asks_for_held_money(self, which: int, amount: str) -> None:
        """Escrow or a week's hours are asked back."""
        if which % 3 == 0:
            self.tries(lambda: self.desk.ask_escrow(self.milestones[0], amount))
        elif which % 3 == 1:
            self.tries(lambda: self.desk.dispute_week(self.weeks[0], amount))
        else:
            self.tries(lambda: self.desk.ask(None, amount, billing_week_id=self.weeks[0]))  # type: ignore[arg-type]

    @rule(asks=ASKING, who=NUMBERS, which=NUMBERS, decision=DECISIONS, amount=AMOUNTS)
    def somebody_issues(self, asks: str, who: int, which: int, decision: IssueDecision, amount: str) -> None:
        """A refund is issued without being asked for."""
        viewer = self.desk.expert if asks == "owner" else self.person(who)
        ids: dict[str, Any] = [
            {"invoice_id": self.invoices[which % len(self.invoices)]},
            {"milestone_id": self.milestones[0]},
            {"billing_week_id": self.weeks[0]},
        ][which % 3]
        part = {"amount": usd(amount)} if decision is IssueDecision.PARTIAL else {}
        self.tries(lambda: self.desk.issue(decision, viewer, **ids, **part))

    @rule(part=PARTS, who=NUMBERS, which=NUMBERS, amount=st.none() | AMOUNTS)
    def somebody_approves(self, part: str, who: int, which: int, amount: str | None) -> None:
        """A case is approved, all or part; its key then replays and changes nothing."""
        if (case_id := self.case(which)) is None:
            return
        viewer = self.part(part, case_id, who)
        given = ApproveRefund(
            refund_case_id=case_id,
            amount=None if amount is None else usd(amount),
            idempotency_key=self.world.key(),
        )
        if self.tries(lambda: approve_refund(self.world.uow, viewer, given)):
            before = self.wait(self.world.dump())
            assert self.wait(approve_refund(self.world.uow, viewer, given)).replayed
            assert self.wait(self.world.dump()) == before

    @rule(part=PARTS, who=NUMBERS, which=NUMBERS, amount=AMOUNTS)
    def somebody_consents(self, part: str, who: int, which: int, amount: str) -> None:
        """An expert consents to an amount."""
        if (case_id := self.case(which)) is not None:
            viewer = self.part(part, case_id, who)
            self.tries(lambda: self.desk.consent(viewer, case_id, amount))

    @rule(part=PARTS, who=NUMBERS, which=NUMBERS, action=st.sampled_from(BUTTONS))
    def a_button_does_what_it_says(self, part: str, who: int, which: int, action: RefundActionName) -> None:
        """An act that the case offers is done when it is tried, and one that it does not offer is refused."""
        if (case_id := self.case(which)) is None:
            return
        viewer = self.part(part, case_id, who)
        offered = action in self.offered(viewer, case_id)
        assert self.tries(lambda: self.press(action, viewer, case_id)) is offered

    @rule(which=NUMBERS, choice=NUMBERS)
    def somebody_does_what_is_offered(self, which: int, choice: int) -> None:
        """Whatever anybody is offered on a case is done when it is tried."""
        if (case_id := self.case(which)) is None:
            return
        open_to = [(viewer, action) for viewer in self.people for action in self.offered(viewer, case_id)]
        if open_to:
            viewer, action = open_to[choice % len(open_to)]
            assert self.tries(lambda: self.press(action, viewer, case_id))

    def offered(self, viewer: Viewer, case_id: str) -> list[RefundActionName]:
        """Return the buttons of a case that are open to somebody."""
        facts = self.wait(load_case_facts(self.world.database, [case_id]))[case_id]
        if facts.case is None or not sees_case(viewer, facts.case):
            return []
        answers = available_actions(facts, viewer, self.world.clock.at, self.world.policy)
        return [it.name for it in answers if it.enabled and it.name in BUTTONS]

    async def press(self, action: RefundActionName, viewer: Viewer, case_id: str) -> None:
        """Do what a button says, with input that is good whenever the act is open."""
        desk = self.desk
        acts: dict[RefundActionName, Callable[[], Awaitable[None]]] = {
            RefundActionName.APPROVE: lambda: desk.approve(viewer, case_id, "0.01"),
            RefundActionName.DECLINE: lambda: desk.decline(viewer, case_id),
            RefundActionName.ESCALATE: lambda: desk.escalate(viewer, case_id),
            RefundActionName.DISPUTE: lambda: desk.dispute(viewer, case_id),
            RefundActionName.CONSENT: lambda: desk.consent(viewer, case_id, "0.01"),
            RefundActionName.CANCEL: lambda: desk.cancel(viewer, case_id),
            RefundActionName.REVERSE: lambda: desk.reverse(viewer, case_id),
        }
        await acts[action]()

    @rule(who=NUMBERS, amount=AMOUNTS)
    def somebody_withdraws(self, who: int, amount: str) -> None:
        """Money leaves a balance, or is refused."""
        given = RequestWithdrawal(amount=usd(amount), idempotency_key=self.world.key())
        self.tries(lambda: request_withdrawal(self.world.uow, self.person(who), given))

    @rule(left=st.sampled_from([0, 1, 500]))
    def the_expert_takes_the_money(self, left: int) -> None:
        """Almost all of the expert's balance is withdrawn, so that approvals have to wait."""
        minor = self.wait(self.world.balance(self.desk.expert)) - left
        if minor > 0:
            given = RequestWithdrawal(amount=usd(f"{minor // 100}.{minor % 100:02}"), idempotency_key=self.world.key())
            self.tries(lambda: request_withdrawal(self.world.uow, self.desk.expert, given))

    @rule(which=NUMBERS, status=st.sampled_from(WithdrawalStatus))
    def a_withdrawal_moves_on(self, which: int, status: WithdrawalStatus) -> None:
        """The marketplace reports a step, possible or not."""
        rows = self.wait(self.world.rows("SELECT id FROM withdrawal ORDER BY id"))
        if not rows:
            return

        async def work(unit: Unit) -> bool:
            return await change_withdrawal(unit, rows[which % len(rows)]["id"], status, "Card expired")

        self.tries(lambda: self.world.uow.run(work))

    @invariant()
    def the_ledger_is_sound(self) -> None:
        """Whatever happened, everything that is always true of money, cases and events is true."""
        with contextlib.suppress(AttributeError):  # before the first act nobody is there
            self.wait(self.world.check_ledger())


Desks.TestCase.settings = settings(
    max_examples=20, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestAnyActsInAnyOrder = pytest.mark.slow(Desks.TestCase)
