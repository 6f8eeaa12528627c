"""How long what only repeats, logs and conveniences need is kept, and what deletes it afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from refundgql.domain.calendar import DAY_MICROS
from refundgql.storage.database import Database
from refundgql.storage.idempotency import purge_results


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Days that things are kept."""

    idempotency_days: int = 30
    delivery_days: int = 30
    upload_days: int = 30
    read_mark_days: int = 0
    """Zero keeps them for ever: a case whose mark has gone counts as unread."""


async def purge(database: Database, now_micros: int, retention: Retention) -> None:
    """Delete idempotency keys and marks of reading that are older than they need be."""
    await purge_results(database, now_micros, kept_days=retention.idempotency_days)
    if retention.read_mark_days:
        await _purge_read_marks(database, now_micros - retention.read_mark_days * DAY_MICROS)


async def _purge_read_marks(database: Database, before: int, *, batch: int = 1_000) -> None:
    """Delete the marks of decided cases that nothing has happened to since an instant."""
    await database.delete_all(
        "DELETE FROM case_read WHERE id IN (SELECT r.id FROM case_read r JOIN refund_case c ON c.id = r.case_id"
        " WHERE c.updated_at < ? AND c.state IN ('CREDITED', 'DECLINED', 'CANCELLED') LIMIT ?)",
        before,
        batch,
    )
