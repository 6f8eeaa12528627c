"""The tables of the marketplace and its money, declared once for both databases; migrations and statements follow them.

What searches look at is kept beside it, folded (domain/texts.py): databases have no two rules for letters in common.
Instants are integer microseconds since the epoch in UTC, money is integer minor units beside a currency code, ids are
time-ordered uuids. It must not hold queries or behaviour.
The models' docstrings become comments in the database: no semicolons in them, at which Tortoise splits statements.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class Account(Model):
    """A person or the marketplace itself, `roles` is a sorted, comma-separated list."""

    id = fields.UUIDField(primary_key=True)
    external_ref = fields.CharField(max_length=200, unique=True)
    name = fields.CharField(max_length=200)
    roles = fields.CharField(max_length=100)
    opening_minor = fields.BigIntField(null=True)
    opening_currency = fields.CharField(max_length=3, null=True)
    created_at = fields.BigIntField()
    folded = fields.TextField(null=True)
    opening_at = fields.BigIntField(null=True)
    opening_leads_minor = fields.BigIntField(null=True)
    opening_leads_currency = fields.CharField(max_length=3, null=True)
    revision = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "account"


class Payment(Model):
    """What was paid once (a lead, a week, a milestone, another invoice): the unit that cases draw on and lock."""

    id = fields.UUIDField(primary_key=True)
    kind = fields.CharField(max_length=10)
    contract_id = fields.UUIDField(null=True)
    currency = fields.CharField(max_length=3)
    paid_minor = fields.BigIntField(db_default=0)
    refunded_minor = fields.BigIntField(db_default=0)
    reserved_minor = fields.BigIntField(db_default=0)
    charged_back_minor = fields.BigIntField(db_default=0)
    version = fields.IntField(db_default=0)

    class Meta:
        table = "payment"
        indexes = (Index(fields=("contract_id",), name="payment_contract"),)


class Lead(Model):
    """A lead that a professional bought, with its chat's last instant."""

    id = fields.UUIDField(primary_key=True)
    external_ref = fields.CharField(max_length=200, unique=True)
    payment_id = fields.UUIDField(unique=True)
    pro_id = fields.UUIDField()
    customer_id = fields.UUIDField()
    customer_name = fields.CharField(max_length=200)
    title = fields.CharField(max_length=500)
    category = fields.CharField(max_length=200)
    location = fields.CharField(max_length=500)
    price_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    charged_at = fields.BigIntField()
    last_message_at = fields.BigIntField(null=True)
    folded = fields.TextField(null=True)
    category_folded = fields.TextField(null=True)
    customer_folded = fields.TextField(null=True)
    revision = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "lead"
        indexes = (
            Index(fields=("pro_id", "charged_at", "id"), name="lead_pro"),
            Index(fields=("charged_at", "id"), name="lead_newest"),
            Index(fields=("customer_id",), name="lead_customer"),
        )


class Message(Model):
    """One chat message between a professional and a customer, deleted ones keep their row."""

    id = fields.UUIDField(primary_key=True)
    external_ref = fields.CharField(max_length=200, unique=True)
    lead_id = fields.UUIDField()
    author_id = fields.UUIDField()
    body = fields.TextField()
    sent_at = fields.BigIntField()
    deleted_at = fields.BigIntField(null=True)
    revision = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "message"
        indexes = (Index(fields=("lead_id", "sent_at", "id"), name="message_lead"),)


class Contract(Model):
    """An hourly or fixed-price contract between a client and an expert."""

    id = fields.UUIDField(primary_key=True)
    external_ref = fields.CharField(max_length=200, unique=True)
    kind = fields.CharField(max_length=12)
    client_id = fields.UUIDField()
    expert_id = fields.UUIDField()
    title = fields.CharField(max_length=500)
    status = fields.CharField(max_length=10)
    currency = fields.CharField(max_length=3)
    started_at = fields.BigIntField()
    ended_at = fields.BigIntField(null=True)
    reviews_hidden = fields.BooleanField(db_default=False)
    folded = fields.TextField(null=True)
    revision = fields.CharField(max_length=40, null=True)
    version = fields.IntField(db_default=0)

    class Meta:
        table = "contract"
        indexes = (
            Index(fields=("client_id", "started_at", "id"), name="contract_client"),
            Index(fields=("expert_id", "started_at", "id"), name="contract_expert"),
            Index(fields=("started_at", "id"), name="contract_newest"),
            Index(fields=("status", "started_at", "id"), name="contract_status"),
        )


class BillingWeek(Model):
    """The hours of one week, Monday 00:00 to Monday 00:00 UTC, `hours` is a decimal text."""

    id = fields.UUIDField(primary_key=True)
    external_ref = fields.CharField(max_length=200, unique=True)
    contract_id = fields.UUIDField()
    payment_id = fields.UUIDField(unique=True)
    starts_at = fields.BigIntField()
    ends_at = fields.BigIntField()
    hours = fields.CharField(max_length=20)
    rate_minor = fields.BigIntField()
    amount_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    released_at = fields.BigIntField(null=True)
    folded = fields.TextField(null=True)
    revision = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "billing_week"
        unique_together = (("contract_id", "starts_at"),)


class Milestone(Model):
    """A fixed-price step whose money waits in escrow while it is FUNDED."""

    id = fields.UUIDField(primary_key=True)
    external_ref = fields.CharField(max_length=200, unique=True)
    contract_id = fields.UUIDField()
    payment_id = fields.UUIDField(unique=True)
    title = fields.CharField(max_length=500)
    amount_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    status = fields.CharField(max_length=10)
    funded_at = fields.BigIntField(null=True)
    released_at = fields.BigIntField(null=True)
    folded = fields.TextField(null=True)
    revision = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "milestone"
        indexes = (Index(fields=("contract_id", "id"), name="milestone_contract"),)


class Invoice(Model):
    """An invoice, one of a week or a milestone shares that one's payment."""

    id = fields.UUIDField(primary_key=True)
    external_ref = fields.CharField(max_length=200, unique=True)
    number = fields.CharField(max_length=100)
    contract_id = fields.UUIDField()
    payment_id = fields.UUIDField(unique=True)
    billing_week_id = fields.UUIDField(null=True, unique=True)
    milestone_id = fields.UUIDField(null=True, unique=True)
    amount_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    status = fields.CharField(max_length=10)
    issued_at = fields.BigIntField()
    paid_at = fields.BigIntField(null=True)
    folded = fields.TextField(null=True)
    revision = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "invoice"
        indexes = (Index(fields=("contract_id", "issued_at", "id"), name="invoice_contract"),)


class Review(Model):
    """One party's review of the other for a contract."""

    id = fields.UUIDField(primary_key=True)
    external_ref = fields.CharField(max_length=200, null=True, unique=True)
    contract_id = fields.UUIDField()
    author_id = fields.UUIDField()
    subject_id = fields.UUIDField()
    rating = fields.IntField()
    body = fields.TextField()
    posted_at = fields.BigIntField()
    edited_at = fields.BigIntField(null=True)
    edit_allowed = fields.BooleanField(db_default=False)
    revision = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "review"
        unique_together = (("contract_id", "author_id"),)


class LedgerAccount(Model):
    """The running balance of one ledger account, outside world and platform keep none, their rows would be hot."""

    key = fields.CharField(max_length=120, primary_key=True)
    kind = fields.CharField(max_length=20)
    owner_id = fields.UUIDField(null=True)
    purpose = fields.CharField(max_length=10, null=True)
    currency = fields.CharField(max_length=3)
    balance_minor = fields.BigIntField(db_default=0)
    may_be_negative = fields.BooleanField(db_default=False)
    booked_at = fields.BigIntField(db_default=0)

    class Meta:
        table = "ledger_account"
        indexes = (Index(fields=("owner_id",), name="ledger_account_owner"),)


class Posting(Model):
    """One movement of money, append-only. The balances after it are kept for people's histories.

    `at` is when what it books happened, `booked_at` when it was booked: of one balance it never goes back.
    """

    position = fields.BigIntField(primary_key=True, generated=True)
    id = fields.UUIDField(unique=True)
    at = fields.BigIntField()
    fact = fields.CharField(max_length=20)
    from_key = fields.CharField(max_length=120)
    to_key = fields.CharField(max_length=120)
    amount_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    description = fields.CharField(max_length=300)
    case_id = fields.UUIDField(null=True)
    payment_id = fields.UUIDField(null=True)
    withdrawal_id = fields.UUIDField(null=True)
    reverses_id = fields.UUIDField(null=True, unique=True)
    from_balance_after_minor = fields.BigIntField(null=True)
    to_balance_after_minor = fields.BigIntField(null=True)
    booked_at = fields.BigIntField(null=True)

    class Meta:
        table = "posting"
        indexes = (
            Index(fields=("case_id",), name="posting_case"),
            Index(fields=("payment_id",), name="posting_payment"),
        )


class AuditEntry(Model):
    """What was done to an account by whom, without `actor_id` by the command line."""

    id = fields.UUIDField(primary_key=True)
    at = fields.BigIntField()
    action = fields.CharField(max_length=30)
    account_id = fields.UUIDField()
    actor_id = fields.UUIDField(null=True)
    detail = fields.TextField()

    class Meta:
        table = "audit_entry"
        indexes = (Index(fields=("account_id", "at"), name="audit_entry_account"),)


class Erasing(Model):
    """The account that a transaction erases, there only while it does."""

    id = fields.UUIDField(primary_key=True)

    class Meta:
        table = "erasing"


class WriteProbe(Model):
    """One row that servers write to find out whether they can."""

    id = fields.IntField(primary_key=True)
    at = fields.BigIntField()

    class Meta:
        table = "write_probe"


class Withdrawal(Model):
    """Money on its way from a balance to a payment method, estimate days are ISO dates."""

    id = fields.UUIDField(primary_key=True)
    account_id = fields.UUIDField()
    refund_case_id = fields.UUIDField(null=True)
    currency = fields.CharField(max_length=3)
    amount_minor = fields.BigIntField()
    status = fields.CharField(max_length=10)
    requested_at = fields.BigIntField()
    updated_at = fields.BigIntField()
    estimated_from = fields.CharField(max_length=10)
    estimated_until = fields.CharField(max_length=10)
    failure_reason = fields.CharField(max_length=500, null=True)
    external_ref = fields.CharField(max_length=200, null=True)
    cancelled_at = fields.BigIntField(null=True)
    revision = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "withdrawal"
        indexes = (
            Index(fields=("account_id", "requested_at", "id"), name="withdrawal_account"),
            Index(fields=("status", "requested_at", "id"), name="withdrawal_status"),
            Index(fields=("requested_at", "id"), name="withdrawal_newest"),
        )


class PastRefund(Model):
    """A refund that was credited before the marketplace moved in, it has no case."""

    id = fields.UUIDField(primary_key=True)
    external_ref = fields.CharField(max_length=200, unique=True)
    payment_id = fields.UUIDField()
    currency = fields.CharField(max_length=3)
    amount_minor = fields.BigIntField()
    credited_at = fields.BigIntField()
    revision = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "past_refund"
        indexes = (Index(fields=("payment_id",), name="past_refund_payment"),)


class Chargeback(Model):
    """Money that a bank wants back, OPEN and LOST ones lower what can be refunded."""

    id = fields.UUIDField(primary_key=True)
    external_ref = fields.CharField(max_length=200, unique=True)
    payment_id = fields.UUIDField()
    currency = fields.CharField(max_length=3)
    amount_minor = fields.BigIntField()
    status = fields.CharField(max_length=10)
    opened_at = fields.BigIntField()
    updated_at = fields.BigIntField()
    revision = fields.CharField(max_length=40, null=True)

    class Meta:
        table = "chargeback"
        indexes = (Index(fields=("payment_id",), name="chargeback_payment"),)


class ToldChange(Model):
    """What the marketplace told of a payment's money beside its cases, and behind which event, append-only."""

    id = fields.UUIDField(primary_key=True)
    payment_id = fields.UUIDField()
    at = fields.BigIntField()
    after_position = fields.BigIntField()
    refunded_minor = fields.BigIntField()
    charged_back_minor = fields.BigIntField()

    class Meta:
        table = "told_change"
        indexes = (Index(fields=("payment_id",), name="told_change_payment"),)
