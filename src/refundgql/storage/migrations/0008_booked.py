"""When a posting was booked, apart from when what it books happened: histories are in the order of booking (C20).

It must not change a posting otherwise. Of postings from before it nobody kept the instant: the latest instant that had
been booked until then is as near as the ledger itself says, and never goes back.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RunFor

_FILL = (
    "UPDATE posting SET booked_at = b.booked FROM"
    " (SELECT position, max(at) OVER (ORDER BY position) AS booked FROM posting) AS b"
    " WHERE b.position = posting.position"
)
_FILL_BALANCES = (
    "UPDATE ledger_account SET booked_at = coalesce((SELECT max(p.booked_at) FROM posting p"
    " WHERE p.from_key = ledger_account.key OR p.to_key = ledger_account.key), 0)"
)
# As queries/transactions.py compares them; a process of the version before leaves the instant out.
_INDEXES = tuple(
    f"CREATE INDEX posting_{side}_booked ON posting ({side}_key, (COALESCE(booked_at, at)), position)"
    for side in ("from", "to")
)


class Migration(BaseMigration):
    """Add the instant to postings and to balances, and the indexes that histories are read off."""

    dependencies = [("refundgql", "0007_guarded_writes")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddField("Posting", "booked_at", fields.BigIntField(null=True)),
        ops.AddField("LedgerAccount", "booked_at", fields.BigIntField(db_default=0)),
        RunFor(
            sqlite=(
                "DROP TRIGGER posting_never_updated",
                _FILL,
                "CREATE TRIGGER posting_never_updated BEFORE UPDATE ON posting"
                " BEGIN SELECT RAISE(ABORT, 'posting_append_only'); END",
                _FILL_BALANCES,
                *_INDEXES,
            ),
            postgres=(
                "ALTER TABLE posting DISABLE TRIGGER posting_append_only",
                _FILL,
                "ALTER TABLE posting ENABLE TRIGGER posting_append_only",
                _FILL_BALANCES,
                *_INDEXES,
            ),
        ),
        ops.RemoveIndex("Posting", name="posting_from_newest"),
        ops.RemoveIndex("Posting", name="posting_to_newest"),
    ]
