"""Killed at any statement or around its commit, a command has happened whole or not at all, and its key tells which."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import killed_commands
import pytest
from command_world import START, World, usd
from contract_desk import ContractDesk
from killed_commands import AFTER_COMMIT, BEFORE_COMMIT, NEVER, Run
from marketplace import SERVICE, chargeback

from databases import DIALECTS, LIMITS, drop_database, new_database_url
from patience import PATIENCE_SECONDS
from refundgql.commands.arming import arm_deadlines
from refundgql.commands.assignments import AssignCase
from refundgql.commands.decisions import (
    ApproveRefund,
    CancelRefund,
    ConfirmDecision,
    ConsentToRefund,
    DeclineRefund,
    DisputeRefund,
    EscalateRefund,
    ReopenRefund,
    RequestInformation,
    ReturnDecision,
    ReverseRefund,
)
from refundgql.commands.evidence import AddConversationEvidence, AddStatement, add_statement
from refundgql.commands.evidence_changes import RedactEvidence, WithdrawEvidence
from refundgql.commands.messages import SendCaseMessage
from refundgql.commands.requests import (
    IssueRefund,
    OpenTimesheetDispute,
    RequestEscrowRefund,
    RequestInvoiceRefund,
    RequestLeadRefund,
    request_lead_refund,
)
from refundgql.commands.reviews import AllowReviewEdit, EditReview, PostReview, allow_review_edit, post_review
from refundgql.commands.withdrawals import RequestWithdrawal
from refundgql.domain.policy import Policy
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import IssueDecision, RefundReason, RefundReasonDetail, RestOfEscrow, Role, WhoseMove
from refundgql.storage.database import Database

Acting = tuple[Viewer | None, Any]
LIMIT_MINOR = 1_000
"""What support decides alone where decisions are signed (D23)."""
MOST_STATEMENTS = 60
"""No command has more statements; a run that never ends is a mistake of this test."""


@dataclass
class Scene:
    """A desk on which everything is ready for one act."""

    world: World
    desk: ContractDesk

    async def lead(self) -> tuple[Viewer, str, str]:
        """Return a professional with a lead and one message of its chat."""
        pro = await self.world.person("pro", Role.PRO)
        customer = await self.world.person("customer", Role.CUSTOMER)
        lead_id = await self.world.lead(pro, customer)
        return pro, lead_id, await self.world.say(lead_id, customer, "In Linz.")

    async def hourly(self) -> str:
        """Return a case on an hourly invoice."""
        return await self.desk.ask(await self.desk.paid_invoice(kind="HOURLY"), "60", send_to_payment_method=True)

    async def week(self) -> str:
        """Return a paid week."""
        contract_id = await self.world.contract(self.desk.client, self.desk.expert, kind="HOURLY")
        return (await self.world.week(contract_id))[0]


async def request_lead(it: Scene) -> Acting:
    """Ask for a lead's price, with a report on the customer and frozen chat."""
    pro, lead_id, message_id = await it.lead()
    reason, detail = RefundReason.TERMS_VIOLATION, RefundReasonDetail.MINOR
    return pro, RequestLeadRefund(
        lead_id=lead_id, reason=reason, reason_detail=detail, message_ids=(message_id,), idempotency_key="k"
    )


async def request_invoice(it: Scene) -> Acting:
    """Ask for an invoice's money."""
    invoice_id = await it.desk.paid_invoice()
    return it.desk.client, RequestInvoiceRefund(invoice_id=invoice_id, amount=usd("5"), idempotency_key="k")


async def request_escrow(it: Scene) -> Acting:
    """Ask for escrow."""
    milestone_id = await it.world.milestone(await it.world.contract(it.desk.client, it.desk.expert))
    return it.desk.client, RequestEscrowRefund(milestone_id=milestone_id, amount=usd("5"), idempotency_key="k")


async def open_timesheet(it: Scene) -> Acting:
    """Dispute a week while a request on it is open."""
    week_id = await it.week()
    await it.desk.ask(None, "5", billing_week_id=week_id)  # type: ignore[arg-type]
    return it.desk.client, OpenTimesheetDispute(
        billing_week_id=week_id, amount=usd("5"), explanation="No.", idempotency_key="k"
    )


async def issue(it: Scene) -> Acting:
    """Give all of escrow back."""
    milestone_id = await it.world.milestone(await it.world.contract(it.desk.client, it.desk.expert))
    return it.desk.expert, IssueRefund(milestone_id=milestone_id, decision=IssueDecision.FULL, idempotency_key="k")


async def approve(it: Scene) -> Acting:
    """Approve, credit and send on."""
    return it.desk.expert, ApproveRefund(refund_case_id=await it.hourly(), idempotency_key="k")


async def decline(it: Scene) -> Acting:
    """Decline."""
    return it.desk.expert, DeclineRefund(refund_case_id=await it.hourly(), message="No.", idempotency_key="k")


async def escalate(it: Scene) -> Acting:
    """Escalate a decline."""
    case_id = await it.hourly()
    await it.desk.decline(it.desk.expert, case_id)
    return it.desk.client, EscalateRefund(refund_case_id=case_id, explanation="Look.", idempotency_key="k")


async def dispute(it: Scene) -> Acting:
    """Dispute a request."""
    return it.desk.client, DisputeRefund(refund_case_id=await it.hourly(), explanation="Look.", idempotency_key="k")


async def consent(it: Scene) -> Acting:
    """Consent to a part."""
    case_id = await it.hourly()
    await it.desk.dispute(it.desk.client, case_id)
    return it.desk.expert, ConsentToRefund(refund_case_id=case_id, amount=usd("1"), idempotency_key="k")


async def cancel(it: Scene) -> Acting:
    """Cancel a request."""
    return it.desk.client, CancelRefund(refund_case_id=await it.hourly(), idempotency_key="k")


async def reverse(it: Scene) -> Acting:
    """Reverse a credit, which pays for another refund that waits."""
    case_id = await it.desk.ask(await it.desk.paid_invoice(), "60")
    await it.desk.approve(it.desk.expert, case_id)
    waits = await it.desk.ask(await it.desk.paid_invoice(), "50")
    own = f"balance:{it.desk.expert.account_id}:CONTRACTS:USD"
    await it.world.post("PAYMENT", own, "external:USD", await it.world.balance(it.desk.expert))
    await it.desk.approve(it.desk.expert, waits)
    return it.desk.ada, ReverseRefund(refund_case_id=case_id, reason="Twice.", idempotency_key="k")


async def statement(it: Scene) -> Acting:
    """Add a statement."""
    return it.desk.client, AddStatement(refund_case_id=await it.hourly(), text="So it was.", idempotency_key="k")


async def conversation(it: Scene) -> Acting:
    """Add chat messages."""
    pro, lead_id, message_id = await it.lead()
    detail = RefundReasonDetail.OTHER_CHANGE
    asked = RequestLeadRefund(
        lead_id=lead_id, reason=RefundReason.JOB_CHANGED, reason_detail=detail, idempotency_key="request"
    )
    case_id = (await request_lead_refund(it.world.uow, pro, asked)).case_id
    return pro, AddConversationEvidence(refund_case_id=case_id, message_ids=(message_id,), idempotency_key="k")


async def message(it: Scene) -> Acting:
    """Send a message."""
    return it.desk.client, SendCaseMessage(refund_case_id=await it.hourly(), body="When?", idempotency_key="k")


async def assign(it: Scene) -> Acting:
    """Assign a case."""
    case_id = await it.hourly()
    return it.desk.ivy, AssignCase(refund_case_id=case_id, assignee_id=it.desk.ada.account_id, idempotency_key="k")


async def _proposed(it: Scene) -> str:
    """Return a disputed case on which a decision waits for a second signature."""
    case_id = await it.hourly()
    await it.desk.dispute(it.desk.client, case_id)
    it.world.policy = replace(Policy(), decision_limit_minor={"USD": LIMIT_MINOR})
    await it.desk.approve(it.desk.ivy, case_id)
    return case_id


async def propose(it: Scene) -> Acting:
    """Approve more than one decides alone."""
    case_id = await it.hourly()
    await it.desk.dispute(it.desk.client, case_id)
    return it.desk.ivy, ApproveRefund(refund_case_id=case_id, idempotency_key="k")


async def confirm(it: Scene) -> Acting:
    """Sign a proposed approval: it is credited and sent on."""
    return it.desk.ada, ConfirmDecision(refund_case_id=await _proposed(it), idempotency_key="k")


async def give_back(it: Scene) -> Acting:
    """Return a proposed approval."""
    return it.desk.ada, ReturnDecision(refund_case_id=await _proposed(it), reason="Why?", idempotency_key="k")


async def reopen(it: Scene) -> Acting:
    """Mend a final decline of a week's dispute after its money was released."""
    case_id = await it.desk.dispute_week(await it.week(), "5")
    it.world.clock.at = datetime(2026, 3, 8, tzinfo=UTC)
    await it.desk.decline(it.desk.ivy, case_id)
    return it.desk.ada, ReopenRefund(refund_case_id=case_id, reason="Mistaken.", idempotency_key="k")


async def ask(it: Scene) -> Acting:
    """Ask the expert a question."""
    case_id = await it.hourly()
    await it.desk.dispute(it.desk.client, case_id)
    given = RequestInformation(
        refund_case_id=case_id, asked_party=WhoseMove.COUNTERPARTY, question="Which log?", idempotency_key="k"
    )
    return it.desk.ivy, given


async def let_the_rest_go(it: Scene) -> Acting:
    """Approve a part of escrow as support and release the rest with it."""
    milestone_id = await it.world.milestone(await it.world.contract(it.desk.client, it.desk.expert))
    case_id = await it.desk.ask_escrow(milestone_id, "50")
    await it.desk.dispute(it.desk.client, case_id)
    return it.desk.ivy, ApproveRefund(
        refund_case_id=case_id, amount=usd("20"), rest=RestOfEscrow.RELEASE, idempotency_key="k"
    )


async def _evidence(it: Scene) -> str:
    given = AddStatement(refund_case_id=await it.hourly(), text="So it was.")
    await add_statement(it.world.uow, it.desk.client, given)
    return str((await it.world.rows("SELECT id FROM evidence"))[0]["id"])


async def take_back(it: Scene) -> Acting:
    """Withdraw a statement."""
    return it.desk.client, WithdrawEvidence(evidence_id=await _evidence(it), idempotency_key="k")


async def redact(it: Scene) -> Acting:
    """Redact a statement."""
    return it.desk.ada, RedactEvidence(evidence_id=await _evidence(it), reason="A name.", idempotency_key="k")


async def charge_back(it: Scene) -> Acting:
    """Tell that a bank took what an approved refund waits for and more is asked of."""
    invoice_id = await it.desk.paid_invoice()
    await it.desk.ask(invoice_id, "60")
    (row,) = await it.world.rows("SELECT external_ref FROM invoice WHERE id = ?", invoice_id)
    return SERVICE, [chargeback("cb", "45", "LOST", invoice=row["external_ref"])]


async def _review(it: Scene) -> str:
    contract_id = await it.world.contract(it.desk.client, it.desk.expert)
    return (
        await post_review(it.world.uow, it.desk.client, PostReview(contract_id=contract_id, rating=1, body="Bad."))
    ).review_id


async def review(it: Scene) -> Acting:
    """Post a review."""
    contract_id = await it.world.contract(it.desk.client, it.desk.expert)
    return it.desk.client, PostReview(contract_id=contract_id, rating=1, body="Bad.", idempotency_key="k")


async def allow(it: Scene) -> Acting:
    """Allow an edit."""
    return it.desk.expert, AllowReviewEdit(review_id=await _review(it), idempotency_key="k")


async def edit(it: Scene) -> Acting:
    """Edit a review."""
    review_id = await _review(it)
    await allow_review_edit(it.world.uow, it.desk.expert, AllowReviewEdit(review_id=review_id))
    return it.desk.client, EditReview(review_id=review_id, rating=2, body="Better.", idempotency_key="k")


async def withdraw(it: Scene) -> Acting:
    """Withdraw money."""
    await it.world.fund(it.desk.client, 5_000)
    return it.desk.client, RequestWithdrawal(amount=usd("20"), idempotency_key="k")


async def release(it: Scene) -> Acting:
    """Sweep a week at its cut-off."""
    await it.week()
    it.world.clock.at = datetime(2026, 3, 7, tzinfo=UTC)
    return None, None


async def hand_over(it: Scene) -> Acting:
    """Sweep an unanswered request."""
    await it.hourly()
    it.world.clock.at = START + timedelta(days=8)
    return None, None


QUICK = {"request_lead_refund": request_lead, "approve_refund": approve, "reverse_refund": reverse}
OTHERS = {
    "request_invoice_refund": request_invoice,
    "request_escrow_refund": request_escrow,
    "open_timesheet_dispute": open_timesheet,
    "issue_refund": issue,
    "decline_refund": decline,
    "escalate_refund": escalate,
    "dispute_refund": dispute,
    "consent_to_refund": consent,
    "cancel_refund": cancel,
    "add_statement": statement,
    "add_conversation_evidence": conversation,
    "send_case_message": message,
    "assign_case": assign,
    "post_review": review,
    "allow_review_edit": allow,
    "edit_review": edit,
    "request_withdrawal": withdraw,
    "approve_refund, proposed": propose,
    "approve_refund, the rest released": let_the_rest_go,
    "confirm_decision": confirm,
    "return_decision": give_back,
    "reopen_refund": reopen,
    "request_information": ask,
    "withdraw_evidence": take_back,
    "redact_evidence": redact,
    "sync_records": charge_back,
    "sweep a week": release,
    "sweep a request": hand_over,
}
PREPARED: list[Any] = [
    *[pytest.param(name, make, id=name) for name, make in QUICK.items()],
    *[pytest.param(name, make, id=name, marks=pytest.mark.slow) for name, make in OTHERS.items()],
]


@pytest.fixture(scope="module", autouse=True)
def _warm_forks() -> None:
    """Start the server that processes are forked from, with everything imported: a process then starts at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        _FORKS.set_forkserver_preload(["killed_commands"])
        forkserver.ensure_running()


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("name", "prepare"), PREPARED)
def test_a_killed_command_has_happened_whole_or_not_at_all(
    name: str, prepare: Callable[[Scene], Awaitable[Acting]], dialect: str, tmp_path: Path
) -> None:
    """Killed at each of its statements in turn nothing is there; after the commit all is, and the key replays it."""
    url = new_database_url(dialect, tmp_path)

    async def open_and(do: Callable[[World], Awaitable[Any]]) -> Any:
        database = await Database.open(url, LIMITS)
        try:
            return await do(World(database))
        finally:
            await database.close()

    async def set_up(world: World) -> tuple[Acting, datetime]:
        acting = await prepare(Scene(world, await ContractDesk.open(world)))
        await arm_deadlines(world.uow)  # as a start does, in transactions of its own before the first act
        return acting, world.clock.at

    (viewer, given), at = asyncio.run(open_and(set_up))

    def dump() -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = asyncio.run(open_and(World.dump))
        return found

    def dies(when: int) -> bool:
        process = _FORKS.Process(target=killed_commands.run, args=(Run(url, at, name, viewer, given, when, limit),))
        process.start()
        process.join(PATIENCE_SECONDS)
        assert process.exitcode in (0, -9)
        return process.exitcode == -9

    limit = LIMIT_MINOR if prepare in (propose, confirm, give_back) else None
    before = dump()
    statements = 0
    for number in range(1, MOST_STATEMENTS):
        if dump_after_commit := not dies(number):
            break
        statements = number
        assert dump() == before
    assert dump_after_commit
    assert statements >= 2  # the facts, the write
    done = dump()
    assert done != before
    assert not dies(NEVER)  # the repeat finds what was done
    assert dump() == done
    drop_database(url)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("when", "happened"), [(BEFORE_COMMIT, False), (AFTER_COMMIT, True)])
def test_a_commit_is_the_instant_it_happens(when: int, happened: bool, dialect: str, tmp_path: Path) -> None:
    """Killed right before the commit nothing is there, right after it everything; the repeat does it or finds it."""
    url = new_database_url(dialect, tmp_path)

    async def open_and(do: Callable[[World], Awaitable[Any]]) -> Any:
        database = await Database.open(url, LIMITS)
        try:
            return await do(World(database))
        finally:
            await database.close()

    async def set_up(world: World) -> Acting:
        return await approve(Scene(world, await ContractDesk.open(world)))

    viewer, given = asyncio.run(open_and(set_up))
    before = asyncio.run(open_and(World.dump))
    for dying in (when, NEVER):
        process = _FORKS.Process(
            target=killed_commands.run, args=(Run(url, START, "approve_refund", viewer, given, dying),)
        )
        process.start()
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == (0 if dying == NEVER else -9)
        after = asyncio.run(open_and(World.dump))
        assert (after != before) is (happened or dying == NEVER)
    assert [row["state"] for row in after["refund_case"]] == ["CREDITED"]
    drop_database(url)


_FORKS = multiprocessing.get_context("forkserver")
