"""Names of the types that concepts mention across files; strawberry resolves them when the schema is built."""

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from refundgql.api.types.accounts import Account
    from refundgql.api.types.billing_weeks import BillingWeek
    from refundgql.api.types.case_messages import CaseMessage
    from refundgql.api.types.contracts import Contract, ContractConnection
    from refundgql.api.types.conversations import Conversation, Message
    from refundgql.api.types.evidence import Evidence
    from refundgql.api.types.invoices import Invoice
    from refundgql.api.types.leads import Lead, LeadConnection
    from refundgql.api.types.milestones import Milestone
    from refundgql.api.types.refund_cases import RefundCase, RefundCaseConnection
    from refundgql.api.types.refund_events import RefundEvent
    from refundgql.api.types.reviews import Review
    from refundgql.api.types.transactions import Transaction
    from refundgql.api.types.webhooks import WebhookDelivery, WebhookEndpoint
    from refundgql.api.types.withdrawals import Withdrawal, WithdrawalConnection

LazyAccount = Annotated["Account", strawberry.lazy("refundgql.api.types.accounts")]
LazyBillingWeek = Annotated["BillingWeek", strawberry.lazy("refundgql.api.types.billing_weeks")]
LazyCaseMessage = Annotated["CaseMessage", strawberry.lazy("refundgql.api.types.case_messages")]
LazyContract = Annotated["Contract", strawberry.lazy("refundgql.api.types.contracts")]
LazyContractConnection = Annotated["ContractConnection", strawberry.lazy("refundgql.api.types.contracts")]
LazyConversation = Annotated["Conversation", strawberry.lazy("refundgql.api.types.conversations")]
LazyEvidence = Annotated["Evidence", strawberry.lazy("refundgql.api.types.evidence")]
LazyInvoice = Annotated["Invoice", strawberry.lazy("refundgql.api.types.invoices")]
LazyLead = Annotated["Lead", strawberry.lazy("refundgql.api.types.leads")]
LazyLeadConnection = Annotated["LeadConnection", strawberry.lazy("refundgql.api.types.leads")]
LazyMessage = Annotated["Message", strawberry.lazy("refundgql.api.types.conversations")]
LazyMilestone = Annotated["Milestone", strawberry.lazy("refundgql.api.types.milestones")]
LazyRefundCase = Annotated["RefundCase", strawberry.lazy("refundgql.api.types.refund_cases")]
LazyRefundCaseConnection = Annotated["RefundCaseConnection", strawberry.lazy("refundgql.api.types.refund_cases")]
LazyRefundEvent = Annotated["RefundEvent", strawberry.lazy("refundgql.api.types.refund_events")]
LazyReview = Annotated["Review", strawberry.lazy("refundgql.api.types.reviews")]
LazyTransaction = Annotated["Transaction", strawberry.lazy("refundgql.api.types.transactions")]
LazyWebhookDelivery = Annotated["WebhookDelivery", strawberry.lazy("refundgql.api.types.webhooks")]
LazyWebhookEndpoint = Annotated["WebhookEndpoint", strawberry.lazy("refundgql.api.types.webhooks")]
LazyWithdrawal = Annotated["Withdrawal", strawberry.lazy("refundgql.api.types.withdrawals")]
LazyWithdrawalConnection = Annotated["WithdrawalConnection", strawberry.lazy("refundgql.api.types.withdrawals")]
