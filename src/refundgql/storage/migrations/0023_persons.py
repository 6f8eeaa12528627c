"""What erasing a person needs (D30): a history whose texts may become nothing, and a record of acts on accounts.

It must not let anything else of the history and the ledger change: only inside a transaction that erases, which alone
sees its own row of `erasing`, only a note into nothing, and only a description into the word for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RunFor

_EVENT = [
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
]
_POSTING = [
    "position",
    "id",
    "at",
    "fact",
    "from_key",
    "to_key",
    "amount_minor",
    "currency",
    "case_id",
    "payment_id",
    "withdrawal_id",
    "reverses_id",
    "from_balance_after_minor",
    "to_balance_after_minor",
    "booked_at",
]


def _sqlite(table: str, kept: Sequence[str], may_become: str) -> tuple[str, str]:
    same = " AND ".join(f"NEW.{column} IS OLD.{column}" for column in kept)
    return (
        f"DROP TRIGGER {table}_never_updated",
        f"CREATE TRIGGER {table}_never_updated BEFORE UPDATE ON {table}"
        f" WHEN NOT (EXISTS (SELECT 1 FROM erasing) AND {same} AND {may_become})"
        f" BEGIN SELECT RAISE(ABORT, '{table}_append_only'); END",
    )


def _postgres(table: str, kept: Sequence[str], may_become: str) -> tuple[str, str]:
    same = " AND ".join(f"NEW.{column} IS NOT DISTINCT FROM OLD.{column}" for column in kept)
    return (
        f"""
        CREATE FUNCTION {table}_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NOT ({same} AND {may_become}) THEN
            RAISE EXCEPTION '{table} is append-only'
              USING ERRCODE = 'restrict_violation', CONSTRAINT = '{table}_append_only';
          END IF;
          RETURN NEW;
        END $$
        """,
        f"CREATE TRIGGER {table}_keeps BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_keeps()",
    )


def _nothing(same: str) -> str:
    return " AND ".join(f"(NEW.{one} IS NULL OR NEW.{one} {same} OLD.{one})" for one in ("note", "internal_note"))


_ERASED = "NEW.description = '[erased]'"
_APPEND_ONLY = """
CREATE OR REPLACE FUNCTION refund_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND EXISTS (SELECT 1 FROM erasing) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
END $$
"""


class Migration(BaseMigration):
    """Add the two tables, and let a history's notes be erased."""

    dependencies = [("refundgql", "0022_write_probe")]  # noqa: RUF012  # Tortoise's own form

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
        RunFor(
            sqlite=(*_sqlite("refund_event", _EVENT, _nothing("IS")), *_sqlite("posting", _POSTING, _ERASED)),
            postgres=(
                _APPEND_ONLY,
                *_postgres("refund_event", _EVENT, _nothing("IS NOT DISTINCT FROM")),
                *_postgres("posting", _POSTING, _ERASED),
            ),
        ),
    ]
