"""The indexes that the desk's figures are counted off: decisions and movements of money by when they were made.

It must not change what is stored.
"""

from __future__ import annotations

from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import BuildIndexes

# As queries/support.py and case_filters.py compare them.
_INDEXES = (
    "CREATE INDEX event_decisions ON refund_event (at) WHERE name IN ('APPROVE', 'CONFIRM', 'DECLINE', 'ISSUE')",
    "CREATE INDEX event_money ON refund_event (at) WHERE name IN ('CREDIT', 'REVERSE')",
    "CREATE INDEX case_goodwill ON refund_case (opened_at, id) WHERE goodwill",
)


class Migration(BaseMigration):
    """Build them."""

    dependencies = [("refundgql", "0015_versions")]  # noqa: RUF012  # Tortoise's own form

    operations = [BuildIndexes(sqlite=_INDEXES, postgres=_INDEXES)]  # noqa: RUF012
