"""The optimistic lock of payments and contracts: a version that every change raises.

It must not decide anything. A decision that was made without a lock is written only where the versions are those it
read. SQLite compares none: one transaction writes at a time there.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RunFor

_RAISE = """
CREATE FUNCTION refund_raise_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := OLD.version + 1;
  RETURN NEW;
END $$
"""
# What a statement of several writes calls when one of them found another version than it compares.
_LOST_RACE = """
CREATE FUNCTION refund_lost_race() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a row changed while a decision was made' USING ERRCODE = 'serialization_failure';
END $$
"""
# Only for who does not raise it: synchronised records, and processes of the version before.
_RAISED = tuple(
    f"CREATE TRIGGER {table}_version BEFORE UPDATE ON {table} FOR EACH ROW"
    " WHEN (NEW.version = OLD.version) EXECUTE FUNCTION refund_raise_version()"
    for table in ("payment", "contract")
)


class Migration(BaseMigration):
    """Add the versions."""

    dependencies = [("refundgql", "0014_moving_in")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddField("Payment", "version", fields.IntField(db_default=0)),
        ops.AddField("Contract", "version", fields.IntField(db_default=0)),
        RunFor(postgres=(_RAISE, *_RAISED, _LOST_RACE)),
    ]
