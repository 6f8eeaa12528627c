"""Webhooks: endpoints, deliveries and attempts.

It must not hold what is sent: that is made of the event log.
"""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RunFor

# A queue is short and its log is long: without an index of its own its front is looked for among all that was sent.
_QUEUE = (
    "CREATE INDEX webhook_delivery_queue ON webhook_delivery (endpoint_id, commit_order, position)"
    " WHERE state = 'PENDING'",
)


class Migration(BaseMigration):
    """Add the three tables."""

    dependencies = [("refundgql", "0005_lists")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.CreateModel(
            name="WebhookAttempt",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("delivery_id", fields.UUIDField()),
                ("at", fields.BigIntField()),
                ("status", fields.IntField(null=True)),
                ("error", fields.CharField(null=True, max_length=200)),
                ("duration_ms", fields.IntField()),
            ],
            options={
                "table": "webhook_attempt",
                "app": "refundgql",
                "indexes": [Index(fields=["delivery_id", "id"], name="webhook_attempt_delivery")],
                "pk_attr": "id",
                "table_description": (
                    "One attempt at a delivery, append-only, without `status` there was no answer and `error` says why."
                ),
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("endpoint_id", fields.UUIDField()),
                ("event_id", fields.UUIDField()),
                ("case_id", fields.UUIDField()),
                ("commit_order", fields.BigIntField()),
                ("position", fields.BigIntField()),
                ("state", fields.CharField(max_length=10)),
                ("queued_at", fields.BigIntField()),
                ("settled_at", fields.BigIntField(null=True)),
            ],
            options={
                "table": "webhook_delivery",
                "app": "refundgql",
                "indexes": [
                    Index(fields=["endpoint_id", "commit_order", "position"], name="webhook_delivery_newest"),
                    Index(fields=["settled_at"], name="webhook_delivery_age"),
                ],
                "pk_attr": "id",
                "table_description": (
                    "One event on its way to one endpoint, PENDING ones at or before the endpoint's place are its"
                    " queue."
                ),
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("url", fields.CharField(max_length=2000)),
                ("description", fields.CharField(null=True, max_length=200)),
                ("event_names", fields.CharField(db_default="", max_length=500)),
                ("kinds", fields.CharField(db_default="", max_length=100)),
                ("secret", fields.CharField(max_length=100)),
                ("former_secret", fields.CharField(null=True, max_length=100)),
                ("former_secret_until", fields.BigIntField(null=True)),
                ("stopped", fields.CharField(null=True, max_length=20)),
                ("created_at", fields.BigIntField()),
                ("deleted_at", fields.BigIntField(null=True)),
                ("commit_order", fields.BigIntField()),
                ("position", fields.BigIntField()),
                ("failures", fields.IntField(db_default=0)),
                ("failing_since", fields.BigIntField(null=True)),
                ("next_attempt_at", fields.BigIntField(db_default=0)),
                ("lease_owner", fields.CharField(null=True, max_length=40)),
                ("leased_until", fields.BigIntField(db_default=0)),
            ],
            options={
                "table": "webhook_endpoint",
                "app": "refundgql",
                "indexes": [Index(fields=["created_at", "id"], name="webhook_endpoint_newest")],
                "pk_attr": "id",
                "table_description": (
                    "Where events are sent, the queue's place in the event log, when it is tried next, and who is"
                    " sending to it."
                ),
            },
            bases=["Model"],
        ),
        RunFor(sqlite=_QUEUE, postgres=_QUEUE),
    ]
