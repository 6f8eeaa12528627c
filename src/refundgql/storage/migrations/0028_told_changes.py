"""What the marketplace told of payments beside cases, in the order of the stream, so that past acts are judged by it.

It must not change what is there: refunds of the past and chargebacks that are known are put where they can have been.
"""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RunFor


def _known(table: str, at: str, refunded: str, charged_back: str) -> str:
    return (
        f"SELECT x.id, x.payment_id, x.{at}, coalesce((SELECT max(e.position) FROM refund_case c"
        f" JOIN refund_event e ON e.case_id = c.id WHERE c.payment_id = x.payment_id AND e.at < x.{at}), 0),"
        f" {refunded}, {charged_back} FROM {table} x"
    )


_KNOWN = (
    "INSERT INTO told_change (id, payment_id, at, after_position, refunded_minor, charged_back_minor)"
    f" {_known('past_refund', 'credited_at', 'x.amount_minor', '0')}"
    f" UNION ALL {_known('chargeback', 'opened_at', '0', 'x.amount_minor')} WHERE x.status <> 'WON'"
)
_SQLITE_TRIGGERS = tuple(
    f"CREATE TRIGGER told_change_never_{verb.lower()}d BEFORE {verb} ON told_change"
    " BEGIN SELECT RAISE(ABORT, 'told_change_append_only'); END"
    for verb in ("UPDATE", "DELETE")
)
_POSTGRES_TRIGGER = (
    "CREATE TRIGGER told_change_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON told_change"
    " FOR EACH STATEMENT EXECUTE FUNCTION refund_append_only()"
)


class Migration(BaseMigration):
    """Add the table, and what is known."""

    dependencies = [("refundgql", "0027_event_order")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.CreateModel(
            name="ToldChange",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("payment_id", fields.UUIDField()),
                ("at", fields.BigIntField()),
                ("after_position", fields.BigIntField()),
                ("refunded_minor", fields.BigIntField()),
                ("charged_back_minor", fields.BigIntField()),
            ],
            options={
                "table": "told_change",
                "app": "refundgql",
                "indexes": [Index(fields=["payment_id"], name="told_change_payment")],
                "pk_attr": "id",
                "table_description": "What the marketplace told of a payment's money beside its cases, and behind which"
                " event, append-only.",
            },
            bases=["Model"],
        ),
        RunFor(sqlite=(_KNOWN, *_SQLITE_TRIGGERS), postgres=(_KNOWN, _POSTGRES_TRIGGER)),
    ]
