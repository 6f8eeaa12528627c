"""Whom events and evidence are for, and evidence that is withdrawn or redacted (D26, D29).

It must not change what was kept: events and evidence from before it are for everybody on their case.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration


class Migration(BaseMigration):
    """Add the columns."""

    dependencies = [("refundgql", "0012_follow_up_cases")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddField("RefundEvent", "audience", fields.CharField(max_length=30, null=True)),
        ops.AddField("Evidence", "audience", fields.CharField(max_length=30, db_default="EVERYONE")),
        ops.AddField("Evidence", "side", fields.CharField(max_length=20, null=True)),
        ops.AddField("Evidence", "withdrawn_at", fields.BigIntField(null=True)),
        ops.AddField("Evidence", "redacted_at", fields.BigIntField(null=True)),
        ops.AddField("Evidence", "redacted_by_id", fields.UUIDField(null=True)),
        ops.AddField("Evidence", "redaction_reason", fields.TextField(null=True)),
    ]
