"""What erasing a person needs (D30): a history whose texts may become nothing, and a record of acts on accounts.

It must not let anything else of the history change: only inside a transaction that erases, which alone sees its own row
of `erasing`, and only a note into nothing.
"""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RunFor

_KEPT = (
    "position",
    "commit_order",
    "id",
    "case_id",
    "sequence",
    "name",
    "at",
    "actor_id",
    "actor_role",
    "from_state",
    "to_state",
    "amount_minor",
    "currency",
    "rule",
    "facts",
    "snapshot",
)
_TEXTS = ("note", "internal_note")

_SQLITE = (
    "DROP TRIGGER refund_event_never_updated",
    "CREATE TRIGGER refund_event_never_updated BEFORE UPDATE ON refund_event"
    " WHEN NOT (EXISTS (SELECT 1 FROM erasing)"
    + "".join(f" AND NEW.{column} IS OLD.{column}" for column in _KEPT)
    + "".join(f" AND (NEW.{column} IS NULL OR NEW.{column} IS OLD.{column})" for column in _TEXTS)
    + ") BEGIN SELECT RAISE(ABORT, 'refund_event_append_only'); END",
)

_POSTGRES = (
    """
    CREATE OR REPLACE FUNCTION refund_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'refund_event' AND EXISTS (SELECT 1 FROM erasing) THEN
        RETURN NULL;
      END IF;
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
    END $$
    """,
    """
    CREATE FUNCTION refund_event_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF to_jsonb(NEW) - 'note' - 'internal_note' IS DISTINCT FROM to_jsonb(OLD) - 'note' - 'internal_note'
        OR NEW.note IS DISTINCT FROM OLD.note AND NEW.note IS NOT NULL
        OR NEW.internal_note IS DISTINCT FROM OLD.internal_note AND NEW.internal_note IS NOT NULL THEN
        RAISE EXCEPTION 'refund_event is append-only'
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'refund_event_append_only';
      END IF;
      RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER refund_event_keeps BEFORE UPDATE ON refund_event"
    " FOR EACH ROW EXECUTE FUNCTION refund_event_keeps()",
)


class Migration(BaseMigration):
    """Add the two tables, and let a history's notes be erased."""

    dependencies = [("refundgql", "0018_write_probe")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("at", fields.BigIntField()),
                ("action", fields.CharField(max_length=30)),
                ("account_id", fields.UUIDField()),
                ("actor_id", fields.UUIDField(null=True)),
                ("detail", fields.TextField()),
            ],
            options={
                "table": "audit_entry",
                "app": "refundgql",
                "indexes": [Index(fields=["account_id", "at"], name="audit_entry_account")],
                "pk_attr": "id",
                "table_description": "What was done to an account by whom, without `actor_id` by the command line.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Erasing",
            fields=[("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True))],
            options={
                "table": "erasing",
                "app": "refundgql",
                "pk_attr": "id",
                "table_description": "The account that a transaction erases, there only while it does.",
            },
            bases=["Model"],
        ),
        RunFor(sqlite=_SQLITE, postgres=_POSTGRES),
    ]
