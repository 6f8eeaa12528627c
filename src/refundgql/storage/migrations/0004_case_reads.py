"""How far each person has read each case.

It must not hold what happened: that is the case's history.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration


class Migration(BaseMigration):
    """Add the table of what was read."""

    dependencies = [("refundgql", "0003_evidence_uploads")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.CreateModel(
            name="CaseRead",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("account_id", fields.UUIDField()),
                ("case_id", fields.UUIDField()),
                ("sequence", fields.IntField()),
            ],
            options={
                "table": "case_read",
                "app": "refundgql",
                "unique_together": (("account_id", "case_id"),),
                "pk_attr": "id",
                "table_description": "How far somebody has read a case, as the sequence of an event.",
            },
            bases=["Model"],
        ),
    ]
