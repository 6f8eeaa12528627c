"""The tables of refund cases: what stands, what happened, what was said, and what is timed or remembered."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class RefundCase(Model):
    """A refund case as it stands, its history is in refund_event."""

    number = fields.BigIntField(primary_key=True, generated=True)
    id = fields.UUIDField(unique=True)
    kind = fields.CharField(max_length=10)
    state = fields.CharField(max_length=10)
    route = fields.CharField(max_length=10)
    opened_by = fields.CharField(max_length=30)
    payment_id = fields.UUIDField()
    lead_id = fields.UUIDField(null=True)
    contract_id = fields.UUIDField(null=True)
    invoice_id = fields.UUIDField(null=True)
    milestone_id = fields.UUIDField(null=True)
    billing_week_id = fields.UUIDField(null=True)
    requester_id = fields.UUIDField()
    counterparty_id = fields.UUIDField(null=True)
    filed_by_id = fields.UUIDField()
    goodwill = fields.BooleanField(db_default=False)
    reason = fields.CharField(max_length=20, null=True)
    reason_detail = fields.CharField(max_length=30, null=True)
    explanation = fields.TextField(null=True)
    on_behalf_reason = fields.TextField(null=True)
    send_to_payment_method = fields.BooleanField(db_default=False)
    currency = fields.CharField(max_length=3)
    requested_minor = fields.BigIntField(null=True)
    approved_minor = fields.BigIntField(null=True)
    consented_minor = fields.BigIntField(null=True)
    credited_minor = fields.BigIntField(null=True)
    settlement = fields.CharField(max_length=20)
    opened_at = fields.BigIntField()
    updated_at = fields.BigIntField()
    decided_at = fields.BigIntField(null=True)
    decided_by_id = fields.UUIDField(null=True)
    first_decided_by_id = fields.UUIDField(null=True)
    first_proposed_by_id = fields.UUIDField(null=True)
    approved_at = fields.BigIntField(null=True)
    declined_at = fields.BigIntField(null=True)
    escalated_at = fields.BigIntField(null=True)
    credited_at = fields.BigIntField(null=True)
    reversed_at = fields.BigIntField(null=True)
    respond_by = fields.BigIntField(null=True)
    deadline_at = fields.BigIntField(null=True)
    information_from = fields.CharField(max_length=20, null=True)
    information_at = fields.BigIntField(null=True)
    information_days = fields.IntField(null=True)
    target_paused_micros = fields.BigIntField(db_default=0)
    overdue = fields.BooleanField(db_default=False)
    reminded = fields.BooleanField(db_default=False)
    asks_support = fields.BooleanField(db_default=False)
    whose_move = fields.CharField(max_length=20)
    move_until = fields.BigIntField(null=True)
    next_move = fields.CharField(max_length=20, null=True)
    final_decision = fields.BooleanField(db_default=False)
    support_decided = fields.BooleanField(db_default=False)
    second_look_used = fields.BooleanField(db_default=False)
    assignee_id = fields.UUIDField(null=True)
    withdrawal_id = fields.UUIDField(null=True)
    continues_id = fields.UUIDField(null=True)
    continued_by_id = fields.UUIDField(null=True)
    reopened_at = fields.BigIntField(null=True)
    proposed_decision = fields.CharField(max_length=10, null=True)
    proposed_minor = fields.BigIntField(null=True)
    proposed_rest = fields.CharField(max_length=10, null=True)
    proposed_text = fields.TextField(null=True)
    proposed_internal_note = fields.TextField(null=True)
    proposed_by_id = fields.UUIDField(null=True)
    proposed_at = fields.BigIntField(null=True)
    version = fields.IntField(db_default=0)
    policy_version = fields.CharField(max_length=40)

    class Meta:
        table = "refund_case"
        indexes = (
            Index(fields=("opened_at", "id"), name="case_newest"),
            Index(fields=("state", "opened_at", "id"), name="case_state"),
            Index(fields=("updated_at", "id"), name="case_changed"),
            Index(fields=("requester_id", "opened_at", "id"), name="case_requester"),
            Index(fields=("counterparty_id", "opened_at", "id"), name="case_counterparty"),
            Index(fields=("payment_id", "opened_at"), name="case_payment"),
            Index(fields=("contract_id",), name="case_contract"),
            Index(fields=("kind", "opened_at", "id"), name="case_kind"),
            Index(fields=("whose_move", "opened_at", "id"), name="case_move"),
        )


class RefundEvent(Model):
    """One line of a case's history, append-only. `snapshot` holds what filters look at, as the case stood after it.

    `audience` is whom it is about, everybody where there is none.

    `commit_order` and `position` order the stream across cases, see storage/events.py.
    """

    position = fields.BigIntField(primary_key=True, generated=True)
    commit_order = fields.BigIntField(db_default=0)
    id = fields.UUIDField(unique=True)
    case_id = fields.UUIDField()
    sequence = fields.IntField()
    name = fields.CharField(max_length=30)
    at = fields.BigIntField()
    actor_id = fields.UUIDField(null=True)
    actor_role = fields.CharField(max_length=10)
    from_state = fields.CharField(max_length=10, null=True)
    to_state = fields.CharField(max_length=10)
    amount_minor = fields.BigIntField(null=True)
    currency = fields.CharField(max_length=3)
    note = fields.TextField(null=True)
    internal_note = fields.TextField(null=True)
    rule = fields.CharField(max_length=10, null=True)
    facts = fields.TextField()
    snapshot = fields.TextField()
    audience = fields.CharField(max_length=30, null=True)

    class Meta:
        table = "refund_event"
        unique_together = (("case_id", "sequence"),)
        indexes = (Index(fields=("commit_order", "position"), name="event_stream"),)


class Evidence(Model):
    """A statement, frozen chat messages (`content` is their JSON) or a file, with the hash of what it says.

    `side` is whose it is: the requester's, the counterparty's or staff's. What was redacted has no content any more.
    """

    id = fields.UUIDField(primary_key=True)
    case_id = fields.UUIDField()
    kind = fields.CharField(max_length=20)
    added_at = fields.BigIntField()
    added_by_id = fields.UUIDField()
    sha256 = fields.CharField(max_length=64)
    content = fields.TextField(null=True)
    file_name = fields.CharField(max_length=300, null=True)
    content_type = fields.CharField(max_length=100, null=True)
    size_bytes = fields.BigIntField(null=True)
    storage_key = fields.CharField(max_length=200, null=True)
    audience = fields.CharField(max_length=30, db_default="EVERYONE")
    side = fields.CharField(max_length=20, null=True)
    withdrawn_at = fields.BigIntField(null=True)
    redacted_at = fields.BigIntField(null=True)
    redacted_by_id = fields.UUIDField(null=True)
    redaction_reason = fields.TextField(null=True)
    sequence = fields.IntField(null=True)

    class Meta:
        table = "evidence"
        indexes = (Index(fields=("case_id", "id"), name="evidence_case"),)


class CaseMessage(Model):
    """What somebody said on a case, and to whom."""

    id = fields.UUIDField(primary_key=True)
    case_id = fields.UUIDField()
    author_id = fields.UUIDField()
    audience = fields.CharField(max_length=30)
    body = fields.TextField()
    sent_at = fields.BigIntField()

    class Meta:
        table = "case_message"
        indexes = (Index(fields=("case_id", "sent_at", "id"), name="case_message_case"),)


class CustomerReport(Model):
    """A report on a customer, filed with a case about the terms (L10)."""

    id = fields.UUIDField(primary_key=True)
    customer_id = fields.UUIDField()
    case_id = fields.UUIDField(unique=True)
    detail = fields.CharField(max_length=30, null=True)
    at = fields.BigIntField()

    class Meta:
        table = "customer_report"
        indexes = (Index(fields=("customer_id",), name="customer_report_customer"),)


class Clock(Model):
    """A timer, the sweeper acts on it once, at or after `due_at`."""

    id = fields.UUIDField(primary_key=True)
    case_id = fields.UUIDField(null=True)
    billing_week_id = fields.UUIDField(null=True)
    name = fields.CharField(max_length=30)
    due_at = fields.BigIntField()

    class Meta:
        table = "clock"
        indexes = (
            Index(fields=("due_at", "id"), name="clock_due"),
            Index(fields=("case_id",), name="clock_case"),
            Index(fields=("billing_week_id",), name="clock_week"),
        )


class ArmedRules(Model):
    """One row: the rules that clocks and the index of deadlines were last worked out by, see storage/clocks.py."""

    id = fields.IntField(primary_key=True)
    policy_version = fields.CharField(max_length=40)

    class Meta:
        table = "armed_rules"


class KnownPolicy(Model):
    """A policy that a process has started with, `settings` is a JSON object of texts."""

    version = fields.CharField(max_length=40, primary_key=True)
    settings = fields.TextField()
    first_seen_at = fields.BigIntField()

    class Meta:
        table = "known_policy"


class IdempotentResult(Model):
    """What an idempotency key did: the input's hash and the ids of what it made, per account."""

    id = fields.BigIntField(primary_key=True, generated=True)
    account_id = fields.UUIDField()
    key = fields.CharField(max_length=200)
    operation = fields.CharField(max_length=40)
    input_sha256 = fields.CharField(max_length=64)
    result = fields.TextField()
    created_at = fields.BigIntField()

    class Meta:
        table = "idempotent_result"
        unique_together = (("account_id", "key"),)
        indexes = (Index(fields=("created_at",), name="idempotent_result_age"),)


class StreamEpoch(Model):
    """One row: what is added to a transaction id so that commit orders only ever grow, see storage/events.py."""

    id = fields.IntField(primary_key=True)
    added = fields.BigIntField(db_default=0)

    class Meta:
        table = "stream_epoch"


class EvidenceUpload(Model):
    """A file that was announced, it becomes evidence once or is abandoned, its id is in the key of the stored file."""

    id = fields.UUIDField(primary_key=True)
    case_id = fields.UUIDField()
    account_id = fields.UUIDField()
    file_name = fields.CharField(max_length=300)
    content_type = fields.CharField(max_length=100)
    size_bytes = fields.BigIntField()
    sha256 = fields.CharField(max_length=64)
    expires_at = fields.BigIntField()
    used_at = fields.BigIntField(null=True)
    abandoned_at = fields.BigIntField(null=True)
    audience = fields.CharField(max_length=30, null=True)

    class Meta:
        table = "evidence_upload"
        indexes = (Index(fields=("expires_at",), name="evidence_upload_expiry"),)


class CaseRead(Model):
    """How far somebody has read a case, as the sequence of an event."""

    id = fields.BigIntField(primary_key=True, generated=True)
    account_id = fields.UUIDField()
    case_id = fields.UUIDField()
    sequence = fields.IntField()

    class Meta:
        table = "case_read"
        unique_together = (("account_id", "case_id"),)
