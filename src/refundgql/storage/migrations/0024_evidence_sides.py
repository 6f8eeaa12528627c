"""Which event tells of a piece of evidence, and for whom an announced file is (D26).

It must not change what was kept.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import BuildIndexes

_REDACTED = (
    "CREATE INDEX evidence_redacted ON evidence (id) WHERE redacted_at IS NOT NULL AND storage_key IS NOT NULL",
)


class Migration(BaseMigration):
    """Add the columns, and the index by which files of redacted evidence are found."""

    dependencies = [("refundgql", "0023_persons")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddField("Evidence", "sequence", fields.IntField(null=True)),
        ops.AddField("EvidenceUpload", "audience", fields.CharField(max_length=30, null=True)),
        BuildIndexes(sqlite=_REDACTED, postgres=_REDACTED),
    ]
