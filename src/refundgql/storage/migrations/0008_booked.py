"""When a posting was booked, apart from when what it books happened: histories are in the order of booking (C20).

It must not change a posting otherwise. Of postings from before it nobody kept the instant: the latest instant that had
been booked until then is as near as the ledger itself says, and never goes back. A process of the version before leaves
the instant out, and its postings are read as booked when they happened.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import BuildIndexes, FillInBatches

_FILL = (
    "UPDATE posting SET booked_at = b.booked FROM"
    " (WITH n AS (SELECT position, at FROM posting WHERE booked_at IS NULL ORDER BY position LIMIT 2000)"
    " SELECT n.position, {greatest}(max(n.at) OVER (ORDER BY n.position), COALESCE((SELECT d.booked_at FROM posting d"
    " WHERE d.position < (SELECT min(position) FROM n) AND d.booked_at IS NOT NULL"
    " ORDER BY d.position DESC LIMIT 1), 0)) AS booked FROM n) AS b"
    " WHERE b.position = posting.position"
)
_FILL_BALANCES = (
    "UPDATE ledger_account SET booked_at = (SELECT max(COALESCE(p.booked_at, p.at)) FROM posting p"
    " WHERE p.from_key = ledger_account.key OR p.to_key = ledger_account.key)"
    " WHERE key IN (SELECT key FROM ledger_account WHERE booked_at = 0 AND EXISTS (SELECT 1 FROM posting p"
    " WHERE p.from_key = ledger_account.key OR p.to_key = ledger_account.key) ORDER BY key LIMIT 100{lock})"
)
# As queries/transactions.py compares them, and one that finds what is to be filled.
_INDEXES = (
    *(
        f"CREATE INDEX posting_{side}_booked ON posting ({side}_key, (COALESCE(booked_at, at)), position)"
        for side in ("from", "to")
    ),
    "CREATE INDEX posting_unbooked ON posting (position) WHERE booked_at IS NULL",
)
# For as long as a batch takes, and nobody else's transaction can use it: the table is locked meanwhile.
_LET = {
    "sqlite": ("DROP TRIGGER posting_never_updated",),
    "postgres": ("ALTER TABLE posting DISABLE TRIGGER posting_append_only",),
}
_REFUSE_AGAIN = {
    "sqlite": (
        "CREATE TRIGGER posting_never_updated BEFORE UPDATE ON posting"
        " BEGIN SELECT RAISE(ABORT, 'posting_append_only'); END",
    ),
    "postgres": ("ALTER TABLE posting ENABLE TRIGGER posting_append_only",),
}


class Migration(BaseMigration):
    """Add the instant to postings and to balances, and the indexes that histories are read off."""

    dependencies = [("refundgql", "0007_guarded_writes")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddField("Posting", "booked_at", fields.BigIntField(null=True)),
        ops.AddField("LedgerAccount", "booked_at", fields.BigIntField(db_default=0)),
        BuildIndexes(sqlite=_INDEXES, postgres=_INDEXES),
        FillInBatches(
            sqlite=_FILL.format(greatest="max"),
            postgres=_FILL.format(greatest="greatest"),
            before=_LET,
            after=_REFUSE_AGAIN,
        ),
        FillInBatches(sqlite=_FILL_BALANCES.format(lock=""), postgres=_FILL_BALANCES.format(lock=" FOR UPDATE")),
    ]
