"""Drop the indexes by which the version before 0017 read its queue and what was late."""

from __future__ import annotations

from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import DropIndexes


class Migration(BaseMigration):
    """Drop them."""

    dependencies = [("refundgql", "0017_deadlines")]  # noqa: RUF012  # Tortoise's own form

    operations = [DropIndexes("case_queue_order", "case_overdue")]  # noqa: RUF012
