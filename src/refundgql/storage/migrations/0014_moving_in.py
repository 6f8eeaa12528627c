"""What a marketplace needs to bring its past along: revisions, openings, payouts and refunds of the past, chargebacks.

It must not change what is stored: everything is added, and may be missing.
"""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import BuildIndexes

_REVISED = ("Account", "Lead", "Message", "Contract", "BillingWeek", "Milestone", "Invoice", "Review", "Withdrawal")

_OWN_REFERENCE = (
    "CREATE UNIQUE INDEX withdrawal_external_ref ON withdrawal (external_ref) WHERE external_ref IS NOT NULL",
)


class Migration(BaseMigration):
    """Add the columns and the two tables."""

    dependencies = [("refundgql", "0013_audiences")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        *(ops.AddField(model, "revision", fields.CharField(max_length=40, null=True)) for model in _REVISED),
        ops.AddField("Account", "opening_at", fields.BigIntField(null=True)),
        ops.AddField("Account", "opening_leads_minor", fields.BigIntField(null=True)),
        ops.AddField("Account", "opening_leads_currency", fields.CharField(max_length=3, null=True)),
        ops.AddField("Payment", "charged_back_minor", fields.BigIntField(db_default=0)),
        ops.AddField("Withdrawal", "external_ref", fields.CharField(max_length=200, null=True)),
        ops.AddField("Withdrawal", "cancelled_at", fields.BigIntField(null=True)),
        BuildIndexes(sqlite=_OWN_REFERENCE, postgres=_OWN_REFERENCE),
        ops.CreateModel(
            name="PastRefund",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("external_ref", fields.CharField(unique=True, max_length=200)),
                ("payment_id", fields.UUIDField()),
                ("currency", fields.CharField(max_length=3)),
                ("amount_minor", fields.BigIntField()),
                ("credited_at", fields.BigIntField()),
                ("revision", fields.CharField(null=True, max_length=40)),
            ],
            options={
                "table": "past_refund",
                "app": "refundgql",
                "indexes": [Index(fields=["payment_id"], name="past_refund_payment")],
                "pk_attr": "id",
                "table_description": "A refund that was credited before the marketplace moved in, it has no case.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Chargeback",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("external_ref", fields.CharField(unique=True, max_length=200)),
                ("payment_id", fields.UUIDField()),
                ("currency", fields.CharField(max_length=3)),
                ("amount_minor", fields.BigIntField()),
                ("status", fields.CharField(max_length=10)),
                ("opened_at", fields.BigIntField()),
                ("updated_at", fields.BigIntField()),
                ("revision", fields.CharField(null=True, max_length=40)),
            ],
            options={
                "table": "chargeback",
                "app": "refundgql",
                "indexes": [Index(fields=["payment_id"], name="chargeback_payment")],
                "pk_attr": "id",
                "table_description": "Money that a bank wants back, OPEN and LOST ones lower what can be refunded.",
            },
            bases=["Model"],
        ),
    ]
