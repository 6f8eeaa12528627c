"""A proposed decision that waits for a second signature (D23), and when a final decline was reopened (D22).

It must not change any case that is there.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import BuildIndexes

_PROPOSED = ("CREATE INDEX case_proposed ON refund_case (proposed_at, id) WHERE proposed_decision IS NOT NULL",)


class Migration(BaseMigration):
    """Add the columns, and what finds the proposals."""

    dependencies = [("refundgql", "0019_notices")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddField("RefundCase", "reopened_at", fields.BigIntField(null=True)),
        ops.AddField("RefundCase", "proposed_decision", fields.CharField(max_length=10, null=True)),
        ops.AddField("RefundCase", "proposed_minor", fields.BigIntField(null=True)),
        ops.AddField("RefundCase", "proposed_rest", fields.CharField(max_length=10, null=True)),
        ops.AddField("RefundCase", "proposed_text", fields.TextField(null=True)),
        ops.AddField("RefundCase", "proposed_internal_note", fields.TextField(null=True)),
        ops.AddField("RefundCase", "proposed_by_id", fields.UUIDField(null=True)),
        ops.AddField("RefundCase", "proposed_at", fields.BigIntField(null=True)),
        BuildIndexes(sqlite=_PROPOSED, postgres=_PROPOSED),
    ]
