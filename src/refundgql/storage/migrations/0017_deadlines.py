"""What deadlines are worked out from, and what lists look for of them (D20, D21, D24, D28).

It must not work any out: the rules that are in force do, at the next start; until then rows say what they said.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import BuildIndexes

_NEVER = 2**62
# As queries/case_filters.py and case_orders.py compare them; a process of the version before leaves next_move out.
_INDEXES = (
    "CREATE INDEX case_queue_deadline ON refund_case ((COALESCE(next_move, whose_move)),"
    f" (COALESCE(deadline_at, {_NEVER})), opened_at, id)",
)


class Migration(BaseMigration):
    """Add the columns, the rules last armed, and the queue's index in the order of its targets."""

    dependencies = [("refundgql", "0016_metrics")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddField("RefundCase", "information_from", fields.CharField(null=True, max_length=20)),
        ops.AddField("RefundCase", "information_at", fields.BigIntField(null=True)),
        ops.AddField("RefundCase", "information_days", fields.IntField(null=True)),
        ops.AddField("RefundCase", "target_paused_micros", fields.BigIntField(db_default=0)),
        ops.AddField("RefundCase", "reminded", fields.BooleanField(db_default=False)),
        ops.AddField("RefundCase", "move_until", fields.BigIntField(null=True)),
        ops.AddField("RefundCase", "next_move", fields.CharField(null=True, max_length=20)),
        ops.CreateModel(
            name="ArmedRules",
            fields=[
                ("id", fields.IntField(primary_key=True, unique=True, db_index=True)),
                ("policy_version", fields.CharField(max_length=40)),
            ],
            options={
                "table": "armed_rules",
                "app": "refundgql",
                "pk_attr": "id",
                "table_description": "One row: the rules that clocks and the index of deadlines were last worked out"
                " by, see storage/clocks.py.",
            },
            bases=["Model"],
        ),
        BuildIndexes(sqlite=_INDEXES, postgres=_INDEXES),
    ]
