"""Names of the types that concepts mention across files; strawberry resolves them when the schema is built.

It must not import the concepts themselves while they are being defined.
"""

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from refundgql.api.accounts import Account
    from refundgql.api.billing_weeks import BillingWeek
    from refundgql.api.case_messages import CaseMessage
    from refundgql.api.contracts import Contract
    from refundgql.api.conversations import Conversation, Message
    from refundgql.api.evidence import Evidence
    from refundgql.api.invoices import Invoice
    from refundgql.api.leads import Lead
    from refundgql.api.milestones import Milestone
    from refundgql.api.refund_cases import RefundCase
    from refundgql.api.refund_events import RefundEvent
    from refundgql.api.reviews import Review
    from refundgql.api.transactions import Transaction
    from refundgql.api.webhooks import WebhookDelivery, WebhookEndpoint
    from refundgql.api.withdrawals import Withdrawal

LazyAccount = Annotated["Account", strawberry.lazy("refundgql.api.accounts")]
LazyBillingWeek = Annotated["BillingWeek", strawberry.lazy("refundgql.api.billing_weeks")]
LazyCaseMessage = Annotated["CaseMessage", strawberry.lazy("refundgql.api.case_messages")]
LazyContract = Annotated["Contract", strawberry.lazy("refundgql.api.contracts")]
LazyConversation = Annotated["Conversation", strawberry.lazy("refundgql.api.conversations")]
LazyEvidence = Annotated["Evidence", strawberry.lazy("refundgql.api.evidence")]
LazyInvoice = Annotated["Invoice", strawberry.lazy("refundgql.api.invoices")]
LazyLead = Annotated["Lead", strawberry.lazy("refundgql.api.leads")]
LazyMessage = Annotated["Message", strawberry.lazy("refundgql.api.conversations")]
LazyMilestone = Annotated["Milestone", strawberry.lazy("refundgql.api.milestones")]
LazyRefundCase = Annotated["RefundCase", strawberry.lazy("refundgql.api.refund_cases")]
LazyRefundEvent = Annotated["RefundEvent", strawberry.lazy("refundgql.api.refund_events")]
LazyReview = Annotated["Review", strawberry.lazy("refundgql.api.reviews")]
LazyTransaction = Annotated["Transaction", strawberry.lazy("refundgql.api.transactions")]
LazyWebhookDelivery = Annotated["WebhookDelivery", strawberry.lazy("refundgql.api.webhooks")]
LazyWebhookEndpoint = Annotated["WebhookEndpoint", strawberry.lazy("refundgql.api.webhooks")]
LazyWithdrawal = Annotated["Withdrawal", strawberry.lazy("refundgql.api.withdrawals")]
