"""Drop the index by which the version before 0011 found the leads of a category."""

from __future__ import annotations

from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import DropIndexes


class Migration(BaseMigration):
    """Drop it."""

    dependencies = [("refundgql", "0020_proposals")]  # noqa: RUF012  # Tortoise's own form

    operations = [DropIndexes("lead_category")]  # noqa: RUF012
