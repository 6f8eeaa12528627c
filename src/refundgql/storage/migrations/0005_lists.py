"""Indexes that lists, filters and figures are read off, however many cases, leads and postings there are.

It must not change what is stored. Each index is written as the statement that needs it compares: see
queries/case_orders.py, case_filters.py, leads.py, transactions.py and support.py.
"""

from __future__ import annotations

from iso4217 import Currency
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RunFor

_NEVER = 2**62
_ISSUED_TO = "(CASE WHEN opened_by = 'ISSUE' THEN counterparty_id ELSE requester_id END)"


def _major_units() -> str:
    """Return a case's amount in major units, as the order by amount compares it."""
    scales: dict[int, list[str]] = {}
    for currency in Currency:
        if currency.exponent not in (2, None):
            scales.setdefault(currency.exponent, []).append(currency.code)
    cases = " ".join(
        f"WHEN currency IN ({', '.join(repr(code) for code in sorted(codes))}) THEN {10**exponent}"
        for exponent, codes in sorted(scales.items())
    )
    amount = "COALESCE(requested_minor, approved_minor, 0)"
    return f"(CAST({amount} AS DOUBLE PRECISION) / CASE {cases} ELSE 100 END)"


_INDEXES = (
    # Databases that were migrated before it stood in 0002 lack it.
    "CREATE INDEX IF NOT EXISTS case_queue_order ON refund_case (whose_move, (CASE WHEN overdue THEN 0 ELSE 1 END),"
    f" (COALESCE(deadline_at, {_NEVER})), opened_at, id)",
    f"CREATE INDEX case_deadline ON refund_case ((COALESCE(deadline_at, {_NEVER})), opened_at, id)",
    f"CREATE INDEX case_largest ON refund_case ({_major_units()} DESC, currency, id)",
    "CREATE INDEX case_amount ON refund_case (currency, (COALESCE(requested_minor, approved_minor)))",
    "CREATE INDEX case_reason ON refund_case (reason, opened_at, id) WHERE reason IS NOT NULL",
    "CREATE INDEX case_overdue ON refund_case (opened_at, id) WHERE overdue",
    "CREATE INDEX case_assigned ON refund_case (assignee_id, opened_at, id) WHERE assignee_id IS NOT NULL",
    "CREATE INDEX case_filed_for ON refund_case (filed_by_id) WHERE filed_by_id <> requester_id",
    "CREATE INDEX case_decided ON refund_case (decided_at) WHERE decided_at IS NOT NULL",
    "CREATE INDEX case_credited ON refund_case (credited_at) WHERE credited_at IS NOT NULL",
    f"CREATE INDEX case_history ON refund_case ({_ISSUED_TO}, opened_at, id) WHERE state <> 'CREDITED'",
    "CREATE INDEX lead_chats ON lead ((COALESCE(last_message_at, charged_at)), id)",
)

# Readers of SQLite know the lower case of every letter, its writers that of ASCII alone: what differs between
# connections must not be in an index, so the collation is, which is SQLite's own everywhere.
_SQLITE_CATEGORY = ("CREATE INDEX lead_category ON lead (category COLLATE NOCASE, charged_at, id)",)
_POSTGRES_CATEGORY = ("CREATE INDEX lead_category ON lead ((LOWER(category)), charged_at, id)",)


class Migration(BaseMigration):
    """Add the indexes, and drop those that are the beginning of another one."""

    dependencies = [("refundgql", "0004_case_reads")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddIndex("RefundCase", Index(fields=["kind", "opened_at", "id"], name="case_kind")),
        ops.AddIndex("RefundCase", Index(fields=["whose_move", "opened_at", "id"], name="case_move")),
        ops.AddIndex("Contract", Index(fields=["status", "started_at", "id"], name="contract_status")),
        ops.AddIndex("Withdrawal", Index(fields=["requested_at", "id"], name="withdrawal_newest")),
        ops.AddIndex("Posting", Index(fields=["from_key", "at", "id"], name="posting_from_newest")),
        ops.AddIndex("Posting", Index(fields=["to_key", "at", "id"], name="posting_to_newest")),
        RunFor(sqlite=_INDEXES, postgres=_INDEXES),
        RunFor(sqlite=_SQLITE_CATEGORY, postgres=_POSTGRES_CATEGORY),
        ops.RemoveIndex("Posting", name="posting_from"),
        ops.RemoveIndex("Posting", name="posting_to"),
        ops.RemoveIndex("RefundCase", name="case_queue"),
        ops.RemoveIndex("RefundCase", name="case_assignee"),
    ]
