"""The policies that have been in force, so that old versions stay readable.

It must not guess what was in force before: versions are kept from the first start on.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration


class Migration(BaseMigration):
    """Add the table."""

    dependencies = [("refundgql", "0024_evidence_sides")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.CreateModel(
            name="KnownPolicy",
            fields=[
                ("version", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=40)),
                ("settings", fields.TextField(unique=False)),
                ("first_seen_at", fields.BigIntField()),
            ],
            options={
                "table": "known_policy",
                "app": "refundgql",
                "pk_attr": "version",
                "table_description": "A policy that a process has started with, `settings` is a JSON object of texts.",
            },
            bases=["Model"],
        ),
    ]
