"""The tables of webhooks: where events are sent, what became of each, and every attempt."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class WebhookEndpoint(Model):
    """Where events are sent, the queue's place in the event log, when it is tried next, and who is sending to it.

    `event_names` and `kinds` are sorted, comma-separated lists, empty for all. `stopped` says why nothing is sent.
    `leased_until` is the database's own time.
    """

    id = fields.UUIDField(primary_key=True)
    url = fields.CharField(max_length=2_000)
    description = fields.CharField(max_length=200, null=True)
    event_names = fields.CharField(max_length=500, db_default="")
    kinds = fields.CharField(max_length=100, db_default="")
    secret = fields.CharField(max_length=100)
    former_secret = fields.CharField(max_length=100, null=True)
    former_secret_until = fields.BigIntField(null=True)
    stopped = fields.CharField(max_length=20, null=True)
    created_at = fields.BigIntField()
    deleted_at = fields.BigIntField(null=True)
    commit_order = fields.BigIntField()
    position = fields.BigIntField()
    failures = fields.IntField(db_default=0)
    failing_since = fields.BigIntField(null=True)
    next_attempt_at = fields.BigIntField(db_default=0)
    lease_owner = fields.CharField(max_length=40, null=True)
    leased_until = fields.BigIntField(db_default=0)

    class Meta:
        table = "webhook_endpoint"
        indexes = (Index(fields=("created_at", "id"), name="webhook_endpoint_newest"),)


class WebhookDelivery(Model):
    """One event on its way to one endpoint, PENDING ones at or before the endpoint's place are its queue.

    Queues have an index of their own, of PENDING rows alone, see the migration.
    """

    id = fields.UUIDField(primary_key=True)
    endpoint_id = fields.UUIDField()
    event_id = fields.UUIDField()
    case_id = fields.UUIDField()
    commit_order = fields.BigIntField()
    position = fields.BigIntField()
    state = fields.CharField(max_length=10)
    queued_at = fields.BigIntField()
    settled_at = fields.BigIntField(null=True)

    class Meta:
        table = "webhook_delivery"
        indexes = (
            Index(fields=("endpoint_id", "commit_order", "position"), name="webhook_delivery_newest"),
            Index(fields=("settled_at",), name="webhook_delivery_age"),
        )


class WebhookAttempt(Model):
    """One attempt at a delivery, append-only, without `status` there was no answer and `error` says why."""

    id = fields.BigIntField(primary_key=True, generated=True)
    delivery_id = fields.UUIDField()
    at = fields.BigIntField()
    status = fields.IntField(null=True)
    error = fields.CharField(max_length=200, null=True)
    duration_ms = fields.IntField()

    class Meta:
        table = "webhook_attempt"
        indexes = (Index(fields=("delivery_id", "id"), name="webhook_attempt_delivery"),)


class Notice(Model):
    """Something that webhooks tell beside the events of cases, append-only, in one stream with them."""

    position = fields.BigIntField(primary_key=True)
    commit_order = fields.BigIntField(db_default=0)
    id = fields.UUIDField(unique=True)
    name = fields.CharField(max_length=30)
    at = fields.BigIntField()
    account_id = fields.UUIDField(null=True)
    withdrawal_id = fields.UUIDField(null=True)
    contract_id = fields.UUIDField(null=True)
    case_id = fields.UUIDField(null=True)

    class Meta:
        table = "notice"
        indexes = (Index(fields=("commit_order", "position"), name="notice_stream"),)
