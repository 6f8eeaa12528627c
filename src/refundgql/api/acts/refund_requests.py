"""Opening a case: requests, timesheet disputes, and refunds that an expert issues."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import KEY, Input, command, optional, required
from refundgql.api.acts.payloads import PayloadRow, RefundCasePayload, run_command
from refundgql.api.context import LevelInfo
from refundgql.api.types.money import MoneyInput
from refundgql.commands import requests as commands
from refundgql.domain.vocabulary import IssueDecision, RefundReason, RefundReasonDetail
from refundgql.gql.declare import Level, level

SEND_ON = "Send the credit on to your payment method as soon as it is there (D10)."
EXPLANATION = "Your own words, at most 10,000 characters."


@strawberry.input(description="Asking for a lead's price back.")
class RequestLeadRefundInput(Input):
    lead_id: strawberry.ID = required("The lead.")
    reason: RefundReason = required("Why: JOB_CHANGED, TERMS_VIOLATION or OTHER (D17).")
    reason_detail: RefundReasonDetail | None = optional("What exactly; needed with JOB_CHANGED and TERMS_VIOLATION.")
    explanation: str | None = optional(EXPLANATION + " Needed with OTHER (L12).")
    message_ids: list[strawberry.ID] | None = optional(
        "Messages of the chat to point at; the chat is frozen whole (L16)."
    )
    on_behalf_reason: str | None = optional("For staff who file for a professional: why (D4).")
    idempotency_key: str = required(KEY)


@strawberry.input(description="Asking for money of a paid invoice back; give exactly one id.")
class RequestInvoiceRefundInput(Input):
    invoice_id: strawberry.ID | None = optional("The invoice.")
    billing_week_id: strawberry.ID | None = optional("The billing week, in the place of its invoice.")
    milestone_id: strawberry.ID | None = optional(
        "A released milestone, in the place of its invoice: not every milestone has one (C29)."
    )
    amount: MoneyInput = required("How much, at most what is left (C05, C14).")
    reason: RefundReason | None = optional("Why, if you want to say (D17).")
    explanation: str | None = optional(EXPLANATION)
    send_to_payment_method: bool | None = optional(SEND_ON)
    idempotency_key: str = required(KEY)


@strawberry.input(description="Asking for money in escrow back (C30).")
class RequestEscrowRefundInput(Input):
    milestone_id: strawberry.ID = required("The milestone.")
    amount: MoneyInput = required("How much, at most what is held.")
    reason: RefundReason | None = optional("Why, if you want to say (D17).")
    explanation: str | None = optional(EXPLANATION)
    send_to_payment_method: bool | None = optional(SEND_ON)
    idempotency_key: str = required(KEY)


@strawberry.input(description="Disputing the hours of the prior billing week (C25).")
class OpenTimesheetDisputeInput(Input):
    billing_week_id: strawberry.ID = required("The week.")
    amount: MoneyInput = required("How much of the week's money is in dispute.")
    explanation: str = required("Which hours, and what is wrong with them, at most 10,000 characters.")
    send_to_payment_method: bool | None = optional(SEND_ON)
    idempotency_key: str = required(KEY)


@strawberry.input(description="Refunding without being asked, as the expert (C12, C13); give exactly one id.")
class IssueRefundInput(Input):
    invoice_id: strawberry.ID | None = optional("The invoice.")
    milestone_id: strawberry.ID | None = optional("The milestone.")
    billing_week_id: strawberry.ID | None = optional("The billing week, in the place of its invoice.")
    decision: IssueDecision = required("All, part or none.")
    amount: MoneyInput | None = optional("How much; with PARTIAL only, below the maximum.")
    note: str | None = optional("A word for the client, at most 4,000 characters.")
    idempotency_key: str = required(KEY)


async def _open(info: LevelInfo, act: Callable[..., Awaitable[Any]], cls: type[Any], given: Input) -> list[PayloadRow]:
    typed = command(
        cls,
        given,
        lead_id="Lead",
        invoice_id="Invoice",
        billing_week_id="BillingWeek",
        milestone_id="Milestone",
        message_ids="Message",
    )
    return await run_command(info, lambda viewer: act(info.context.app.uow, viewer, typed))


@strawberry.type
class RefundRequestMutations:
    @level(description="Ask for a lead's price back, as the professional, or as staff on their behalf (L15, D4).")
    @staticmethod
    async def request_lead_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[RequestLeadRefundInput, strawberry.argument(description="The request.")],
    ) -> Level[RefundCasePayload]:
        return await _open(info, commands.request_lead_refund, commands.RequestLeadRefund, input)

    @level(description="Ask for money of a paid invoice back, as the client (C04, C15).")
    @staticmethod
    async def request_invoice_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[RequestInvoiceRefundInput, strawberry.argument(description="The request.")],
    ) -> Level[RefundCasePayload]:
        return await _open(info, commands.request_invoice_refund, commands.RequestInvoiceRefund, input)

    @level(description="Ask for money in escrow back, as the client (C30).")
    @staticmethod
    async def request_escrow_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[RequestEscrowRefundInput, strawberry.argument(description="The request.")],
    ) -> Level[RefundCasePayload]:
        return await _open(info, commands.request_escrow_refund, commands.RequestEscrowRefund, input)

    @level(description="Dispute the hours of the prior billing week, as the client, until its Friday 23:59 UTC (C25).")
    @staticmethod
    async def open_timesheet_dispute(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[OpenTimesheetDisputeInput, strawberry.argument(description="The dispute.")],
    ) -> Level[RefundCasePayload]:
        return await _open(info, commands.open_timesheet_dispute, commands.OpenTimesheetDispute, input)

    @level(description="Refund without being asked, as the expert (C12), or record that nothing is refunded (C13).")
    @staticmethod
    async def issue_refund(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[IssueRefundInput, strawberry.argument(description="What is issued.")],
    ) -> Level[RefundCasePayload]:
        return await _open(info, commands.issue_refund, commands.IssueRefund, input)
