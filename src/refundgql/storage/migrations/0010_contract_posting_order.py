"""Drop the indexes by which the version before 0008 read histories, and the one that filling needed."""

from __future__ import annotations

from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import DropIndexes


class _Forget(ops.RemoveIndex):
    """Take an index out of Tortoise's own picture alone."""

    async def database_forward(self, *_: object) -> None:
        """Leave the database to DropIndexes."""


class Migration(BaseMigration):
    """Drop them."""

    dependencies = [("refundgql", "0009_same_indexes")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        _Forget("Posting", name="posting_from_newest"),
        _Forget("Posting", name="posting_to_newest"),
        DropIndexes("posting_from_newest", "posting_to_newest", "posting_unbooked"),
    ]
