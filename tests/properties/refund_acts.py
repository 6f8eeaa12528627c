"""Act on the random marketplace: every act is compared with what was shown before it, and with the model after it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from command_world import usd as amount_of
from contract_desk import ContractDesk
from hypothesis.stateful import RuleBasedStateMachine
from refund_model import LIMIT_MINOR, Case
from refund_world import OUTSIDERS, RefundWorld

from databases import LIMITS, drop_database, new_database_url
from refundgql.domain.cases import available_actions, preview
from refundgql.domain.decisions import Act, Preview
from refundgql.domain.money import Money
from refundgql.domain.refusals import Refusal
from refundgql.domain.vocabulary import IssueDecision, RefundActionName, RefundCaseKind
from refundgql.queries.pages import Page
from refundgql.queries.simulations import examine
from refundgql.storage.database import Database
from refundgql.storage.facts import load_case_facts, load_payment_facts

T = TypeVar("T")
BUTTONS = [
    RefundActionName.APPROVE,
    RefundActionName.DECLINE,
    RefundActionName.ESCALATE,
    RefundActionName.DISPUTE,
    RefundActionName.CONSENT,
    RefundActionName.CANCEL,
    RefundActionName.REVERSE,
    RefundActionName.CONFIRM,
    RefundActionName.RETURN,
    RefundActionName.REOPEN,
]
_SEEN = """query($id: ID!) {
  refundCases(first: 100) { totalCount edges { node { id state version } } }
  refundCase(id: $id) { id events(first: 100) { totalCount } }
  viewer { transactions { totalCount } } contracts { totalCount } leads { totalCount }
}"""


def told(refusals: Sequence[Refusal]) -> list[tuple[str, str | None]]:
    """Return code and rule of refusals."""
    return sorted((one.code.value, one.rule or "") for one in refusals)


class RefundActs(RuleBasedStateMachine):
    """A fresh marketplace and the ways to act on it."""

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
        """Decide everything that happened again, and close."""
        try:
            if hasattr(self, "it"):
                self.wait(self.nothing_differs())
        finally:
            with suppress(AttributeError):
                self.wait(self.it.close())
            self.wait(self.database.close())
            self.loop.close()
            drop_database(self.url)
            self.folder.cleanup()

    async def nothing_differs(self) -> None:
        """Check that the simulator decides every case as it was decided, each act by the rules of its time."""
        policy, staff = self.it.world.policy, self.it.viewers["ivy"]
        told = await examine(self.database, staff, policy, {}, None, Page(100), self.it.now)
        assert (told.not_reproduced, [one.simulated for one in told.found]) == (0, [])
        assert told.examined == len(self.it.model.cases)

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
        whole = act.decision is IssueDecision.PARTIAL and act.amount == expected.maximum
        if whole and (expected.allowed or told(refusals) == [("INVALID_INPUT", "C12")]):
            assert told(refusals) == [
                ("INVALID_INPUT", "C12")
            ]  # a preview asks for an amount; all of it is called FULL
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
            RefundActionName.CONFIRM: lambda: desk.confirm(viewer, case.id),
            RefundActionName.RETURN: lambda: desk.give_back(viewer, case.id),
            RefundActionName.REOPEN: lambda: desk.reopen(viewer, case.id),
        }
        version = case.version
        refusals = self.tries(acts[action])
        if shown and self.is_proposal(action, shown):  # pressed all the same, it is proposed (D23)
            shown = ()
        if not self.may_see(who, case):
            assert told(refusals) == [("NOT_FOUND", "")]
        elif shown is None:
            assert {one.code.value for one in refusals} <= {"TRANSITION_NOT_ALLOWED", "FORBIDDEN"}
            assert refusals
        elif shown:
            # The button asks about the whole; a part may be within what somebody decides alone (D23).
            reasons = [one for one in shown if one.code.value != "LIMIT_EXCEEDED" or len(shown) == 1]
            assert set(told(reasons)) <= set(told(refusals)), (action, shown, refusals)
        elif action in (RefundActionName.APPROVE, RefundActionName.CONSENT):
            wanted = case.asked if minor is None else minor
            assert bool(refusals) is (wanted > most), (action, wanted, most, refusals)
            if action is RefundActionName.APPROVE and not refusals:
                proposes = self.is_limited(who, case) and wanted > LIMIT_MINOR
                assert (case.proposed_by is not None and case.version == version + 1) is proposes
        else:
            assert refusals == ()

    def is_limited(self, who: str, case: Case) -> bool:
        """Tell whether somebody decides as support, which signs larger decisions twice (D23)."""
        roles = self.it.roles(who)
        return self.it.model.limited and "SUPPORT" in roles and "ADMIN" not in roles

    def is_proposal(self, action: RefundActionName, shown: Sequence[Refusal]) -> bool:
        """Tell whether a decision is shown as one that somebody else has to sign, with nothing else in its way."""
        decides = action in (RefundActionName.APPROVE, RefundActionName.DECLINE)
        return decides and {one.code.value for one in shown} == {"LIMIT_EXCEEDED"}

    def may_see(self, who: str, case: Case) -> bool:
        """Tell whether the model shows a case to somebody."""
        return self.it.model.sees(self.it.viewers[who].account_id, self.it.roles(who), case)

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

    async def check_money(self) -> None:
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
            payment = case.payment
            taken = case.approved > payment.paid - payment.refunded - payment.charged_back
            assert taken or there < case.approved, "credited in the transaction that brings the funds"

    async def look(self, who: str) -> None:
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
