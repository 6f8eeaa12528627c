"""Opening a case: requests, timesheet disputes, and refunds that an expert issues."""

import strawberry

from refundgql.api.acts.inputs import KEY, Input, optional, required
from refundgql.api.acts.payloads import RefundCasePayload, act
from refundgql.api.types.money import MoneyInput
from refundgql.commands import requests as commands
from refundgql.domain.vocabulary import IssueDecision, RefundReason, RefundReasonDetail

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


@strawberry.type
class RefundRequestMutations:
    request_lead_refund = act(
        commands.request_lead_refund,
        RequestLeadRefundInput,
        RefundCasePayload,
        argument="The request.",
        description="Ask for a lead's price back, as the professional, or as staff on their behalf (L15, D4).",
    )
    request_invoice_refund = act(
        commands.request_invoice_refund,
        RequestInvoiceRefundInput,
        RefundCasePayload,
        argument="The request.",
        description="Ask for money of a paid invoice back, as the client (C04, C15).",
    )
    request_escrow_refund = act(
        commands.request_escrow_refund,
        RequestEscrowRefundInput,
        RefundCasePayload,
        argument="The request.",
        description="Ask for money in escrow back, as the client (C30).",
    )
    open_timesheet_dispute = act(
        commands.open_timesheet_dispute,
        OpenTimesheetDisputeInput,
        RefundCasePayload,
        argument="The dispute.",
        description="Dispute the hours of the prior billing week, as the client, until its Friday 23:59 UTC (C25).",
    )
    issue_refund = act(
        commands.issue_refund,
        IssueRefundInput,
        RefundCasePayload,
        argument="What is issued.",
        description="Refund without being asked, as the expert (C12), or record that nothing is refunded (C13).",
    )
