"""What ties a follow-up case to the case whose rest it asks for (D19).

It must not change any case that is there.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import BuildIndexes

_ONE_EACH = ("CREATE UNIQUE INDEX one_follow_up_per_case ON refund_case (continues_id) WHERE continues_id IS NOT NULL",)


class Migration(BaseMigration):
    """Add both ends of the tie; a case is continued once."""

    dependencies = [("refundgql", "0011_folded")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddField("RefundCase", "continues_id", fields.UUIDField(null=True)),
        ops.AddField("RefundCase", "continued_by_id", fields.UUIDField(null=True)),
        BuildIndexes(sqlite=_ONE_EACH, postgres=_ONE_EACH),
    ]
