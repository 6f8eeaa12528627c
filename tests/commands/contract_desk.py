"""The people around contracts, and short ways to act on their refunds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from command_world import START, World, usd

from refundgql.commands.decisions import (
    ApproveRefund,
    CancelRefund,
    ConfirmDecision,
    ConsentToRefund,
    DeclineRefund,
    DisputeRefund,
    EscalateRefund,
    ReopenRefund,
    ReturnDecision,
    ReverseRefund,
    approve_refund,
    cancel_refund,
    confirm_decision,
    consent_to_refund,
    decline_refund,
    dispute_refund,
    escalate_refund,
    reopen_refund,
    return_decision,
    reverse_refund,
)
from refundgql.commands.requests import (
    IssueRefund,
    OpenTimesheetDispute,
    RequestEscrowRefund,
    RequestInvoiceRefund,
    issue_refund,
    open_timesheet_dispute,
    request_escrow_refund,
    request_invoice_refund,
)
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import IssueDecision, Role


@dataclass
class ContractDesk:
    """A client, an expert, staff, and somebody who has nothing to do with any of it."""

    world: World
    client: Viewer
    expert: Viewer
    ivy: Viewer
    ada: Viewer
    stranger: Viewer

    @classmethod
    async def open(cls, world: World, suffix: str = "") -> ContractDesk:
        """Add the people, whose names may have an end that others have not."""
        return cls(
            world,
            await world.person(f"client{suffix}", Role.CLIENT),
            await world.person(f"expert{suffix}", Role.EXPERT),
            await world.person(f"ivy{suffix}", Role.SUPPORT),
            await world.person(f"ada{suffix}", Role.ADMIN),
            await world.person(f"stranger{suffix}", Role.CLIENT, Role.EXPERT),
        )

    async def paid_invoice(
        self, minor: int = 10_000, *, kind: str = "FIXED_PRICE", paid_at: datetime | None = None
    ) -> str:
        """Add a contract with one invoice that was paid to the expert."""
        contract_id = await self.world.contract(self.client, self.expert, kind=kind)
        return await self.world.invoice(contract_id, self.expert, minor=minor, paid_at=paid_at or START.replace(day=1))

    async def ask(self, invoice_id: str, amount: str, **given: object) -> str:
        """Ask for money of an invoice back and return the case."""
        good = RequestInvoiceRefund(invoice_id=invoice_id, amount=usd(amount), idempotency_key=self.world.key())
        return (
            await request_invoice_refund(self.world.uow, self.client, replace(good, **given))  # type: ignore[arg-type]
        ).case_id

    async def ask_escrow(self, milestone_id: str, amount: str, **given: object) -> str:
        """Ask for escrow back and return the case."""
        good = RequestEscrowRefund(milestone_id=milestone_id, amount=usd(amount), idempotency_key=self.world.key())
        return (
            await request_escrow_refund(self.world.uow, self.client, replace(good, **given))  # type: ignore[arg-type]
        ).case_id

    async def dispute_week(self, week_id: str, amount: str, viewer: Viewer | None = None, **given: object) -> str:
        """Dispute a week's hours and return the case."""
        good = OpenTimesheetDispute(
            billing_week_id=week_id, amount=usd(amount), explanation="Not worked.", idempotency_key=self.world.key()
        )
        return (
            await open_timesheet_dispute(self.world.uow, viewer or self.client, replace(good, **given))  # type: ignore[arg-type]
        ).case_id

    async def issue(self, decision: IssueDecision, viewer: Viewer | None = None, **given: object) -> str:
        """Issue a refund as the expert and return the case."""
        good = IssueRefund(decision=decision, idempotency_key=self.world.key())
        return (await issue_refund(self.world.uow, viewer or self.expert, replace(good, **given))).case_id  # type: ignore[arg-type]

    async def approve(self, viewer: Viewer, case_id: str, amount: str | None = None, **given: object) -> None:
        """Approve a case."""
        good = ApproveRefund(
            refund_case_id=case_id,
            amount=None if amount is None else usd(amount),
            idempotency_key=self.world.key(),
        )
        await approve_refund(self.world.uow, viewer, replace(good, **given))  # type: ignore[arg-type]

    async def decline(self, viewer: Viewer, case_id: str) -> None:
        """Decline a case."""
        given = DeclineRefund(refund_case_id=case_id, message="Work was done.", idempotency_key=self.world.key())
        await decline_refund(self.world.uow, viewer, given)

    async def escalate(self, viewer: Viewer, case_id: str) -> None:
        """Bring a case to support."""
        given = EscalateRefund(refund_case_id=case_id, explanation="Please look.", idempotency_key=self.world.key())
        await escalate_refund(self.world.uow, viewer, given)

    async def dispute(self, viewer: Viewer, case_id: str) -> None:
        """Bring a case to dispute resolution."""
        given = DisputeRefund(refund_case_id=case_id, explanation="Please decide.", idempotency_key=self.world.key())
        await dispute_refund(self.world.uow, viewer, given)

    async def consent(self, viewer: Viewer, case_id: str, amount: str) -> None:
        """Consent to an amount."""
        given = ConsentToRefund(refund_case_id=case_id, amount=usd(amount), idempotency_key=self.world.key())
        await consent_to_refund(self.world.uow, viewer, given)

    async def cancel(self, viewer: Viewer, case_id: str) -> None:
        """Take a request back."""
        given = CancelRefund(refund_case_id=case_id, idempotency_key=self.world.key())
        await cancel_refund(self.world.uow, viewer, given)

    async def reverse(self, viewer: Viewer, case_id: str) -> None:
        """Reverse a credited refund."""
        given = ReverseRefund(refund_case_id=case_id, reason="Sent twice.", idempotency_key=self.world.key())
        await reverse_refund(self.world.uow, viewer, given)

    async def confirm(self, viewer: Viewer, case_id: str) -> None:
        """Sign a proposed decision."""
        given = ConfirmDecision(refund_case_id=case_id, idempotency_key=self.world.key())
        await confirm_decision(self.world.uow, viewer, given)

    async def give_back(self, viewer: Viewer, case_id: str) -> None:
        """Return a proposed decision."""
        given = ReturnDecision(refund_case_id=case_id, reason="Read the log.", idempotency_key=self.world.key())
        await return_decision(self.world.uow, viewer, given)

    async def reopen(self, viewer: Viewer, case_id: str) -> None:
        """Have a final decline decided anew."""
        given = ReopenRefund(refund_case_id=case_id, reason="Look again.", idempotency_key=self.world.key())
        await reopen_refund(self.world.uow, viewer, given)
