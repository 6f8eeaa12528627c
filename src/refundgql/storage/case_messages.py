"""Messages on a case."""

from __future__ import annotations

from refundgql.domain.vocabulary import Audience
from refundgql.storage.database import Transaction, Write


def insert_case_message(
    tx: Transaction, *, message_id: str, case_id: str, author_id: str, audience: Audience, body: str, sent_at: int
) -> None:
    """Keep one message, sent at an instant in microseconds; it is written with the rest of the transaction."""
    tx.later(
        Write(
            "INSERT INTO case_message (id, case_id, author_id, audience, body, sent_at) VALUES (?, ?, ?, ?, ?, ?)",
            (message_id, case_id, author_id, audience.value, body, sent_at),
        )
    )
