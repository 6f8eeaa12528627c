"""Bring databases that migrated before 0005 and 0006 were edited to the schema of all others.

It must not change what is stored: both edits were about an index.
"""

from __future__ import annotations

from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RebuildIndex

_QUEUE = (
    "CREATE INDEX webhook_delivery_queue ON webhook_delivery (endpoint_id, commit_order, position)"
    " WHERE state = 'PENDING'"
)
_CATEGORY = "CREATE INDEX lead_category ON lead (category COLLATE NOCASE, charged_at, id)"


class Migration(BaseMigration):
    """Rebuild the two indexes where they have their former definition."""

    dependencies = [("refundgql", "0008_booked")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        RebuildIndex("WHERE", sqlite=_QUEUE, postgres=_QUEUE),
        RebuildIndex("NOCASE", sqlite=_CATEGORY),
    ]
