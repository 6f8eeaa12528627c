"""How far people have read cases."""

from __future__ import annotations

from refundgql.storage.database import Transaction, Write


def mark_read(tx: Transaction, account_id: str, case_id: str, sequence: int) -> None:
    """Remember that somebody has read a case up to an event; never less than they had read before."""
    statement = (
        "INSERT INTO case_read (account_id, case_id, sequence) VALUES (?, ?, ?) ON CONFLICT (account_id, case_id)"
        " DO UPDATE SET sequence = CASE WHEN excluded.sequence > case_read.sequence THEN excluded.sequence"
        " ELSE case_read.sequence END"
    )
    tx.later(Write(statement, (account_id, case_id, sequence)))
