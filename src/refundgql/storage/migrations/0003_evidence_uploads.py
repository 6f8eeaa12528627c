"""Files that are on their way to become evidence.

It must not hold the files themselves: they are in the evidence store.
"""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration


class Migration(BaseMigration):
    """Add the table of announced files."""

    dependencies = [("refundgql", "0002_rules")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.CreateModel(
            name="EvidenceUpload",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("case_id", fields.UUIDField()),
                ("account_id", fields.UUIDField()),
                ("file_name", fields.CharField(max_length=300)),
                ("content_type", fields.CharField(max_length=100)),
                ("size_bytes", fields.BigIntField()),
                ("sha256", fields.CharField(max_length=64)),
                ("expires_at", fields.BigIntField()),
                ("used_at", fields.BigIntField(null=True)),
                ("abandoned_at", fields.BigIntField(null=True)),
            ],
            options={
                "table": "evidence_upload",
                "app": "refundgql",
                "indexes": [Index(fields=["expires_at"], name="evidence_upload_expiry")],
                "pk_attr": "id",
                "table_description": (
                    "A file that was announced, it becomes evidence once or is abandoned, its id is in the key of the"
                    " stored file."
                ),
            },
            bases=["Model"],
        ),
    ]
