"""One row that servers write to find out whether anything can be written.

It must not hold anything: nobody reads it.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RunFor

_ROW = ("INSERT INTO write_probe (id, at) VALUES (1, 0)",)


class Migration(BaseMigration):
    """Add the table with its row."""

    dependencies = [("refundgql", "0021_contract_lead_category")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.CreateModel(
            name="WriteProbe",
            fields=[
                ("id", fields.IntField(primary_key=True, unique=True, db_index=True)),
                ("at", fields.BigIntField()),
            ],
            options={
                "table": "write_probe",
                "app": "refundgql",
                "pk_attr": "id",
                "table_description": "One row that servers write to find out whether they can.",
            },
            bases=["Model"],
        ),
        RunFor(sqlite=_ROW, postgres=_ROW),
    ]
