"""What webhooks tell beside the events of cases: withdrawals on their way, reviews hidden and shown.

It must not hold what the rows say already: a notice names what changed, and how it stood then.
"""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration


class Migration(BaseMigration):
    """Add the table."""

    dependencies = [("refundgql", "0018_contract_queue_order")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.CreateModel(
            name="Notice",
            fields=[
                ("position", fields.BigIntField(primary_key=True, unique=True, db_index=True)),
                ("commit_order", fields.BigIntField(db_default=0)),
                ("id", fields.UUIDField(unique=True, default=uuid4)),
                ("name", fields.CharField(max_length=30)),
                ("at", fields.BigIntField()),
                ("account_id", fields.UUIDField(null=True)),
                ("withdrawal_id", fields.UUIDField(null=True)),
                ("contract_id", fields.UUIDField(null=True)),
                ("case_id", fields.UUIDField(null=True)),
            ],
            options={
                "table": "notice",
                "app": "refundgql",
                "indexes": [Index(fields=["commit_order", "position"], name="notice_stream")],
                "pk_attr": "position",
                "table_description": (
                    "Something that webhooks tell beside the events of cases, append-only, in one stream with them."
                ),
            },
            bases=["Model"],
        ),
    ]
