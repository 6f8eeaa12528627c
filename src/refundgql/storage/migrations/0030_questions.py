"""Whether a party has written to support on a case, and the queue's order with such cases in it.

It must not change any case that is there: who has written before was seen where the case was.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import BuildIndexes

# As queries/case_filters.py and case_orders.py compare them.
_NEVER = 2**62
_QUEUE = (
    "CREATE INDEX case_queue ON refund_case"
    " ((CASE WHEN asks_support THEN 'SUPPORT' ELSE COALESCE(next_move, whose_move) END),"
    f" (COALESCE(deadline_at, {_NEVER})), opened_at, id)",
)


class Migration(BaseMigration):
    """Add the column and the index."""

    dependencies = [("refundgql", "0029_last_lines")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddField("RefundCase", "asks_support", fields.BooleanField(db_default=False)),
        BuildIndexes(sqlite=_QUEUE, postgres=_QUEUE),
    ]
