"""Announced files: kept when announced, used at most once, abandoned when they never came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from refundgql.domain.calendar import DAY_MICROS
from refundgql.domain.vocabulary import Audience
from refundgql.storage.database import Database, Source, Transaction, Write
from refundgql.storage.rows import insertion, read

ABANDONED_AFTER_MICROS = 3_600_000_000
"""After an address has expired an upload that began before may still be under way, but not for an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedFile:
    """One announced file; instants in microseconds."""

    id: str
    case_id: str
    account_id: str
    file_name: str
    content_type: str
    size_bytes: int
    sha256: str
    expires_at: int
    audience: Audience = Audience.EVERYONE
    used_at: int | None = None
    abandoned_at: int | None = None


# Files that were announced before there were audiences are for everybody.
_COLUMNS = (
    "id, case_id, account_id, file_name, content_type, size_bytes, sha256, expires_at, used_at, abandoned_at,"
    " COALESCE(audience, 'EVERYONE') AS audience"
)


def insert_upload(tx: Transaction, file: AnnouncedFile) -> None:
    """Keep what was announced; it is written with the rest of the transaction."""
    tx.later(Write(*insertion("evidence_upload", file)))


async def find_upload(source: Source, upload_id: str) -> AnnouncedFile | None:
    """Return an announced file, or nothing."""
    row = await source.fetch_row(f"SELECT {_COLUMNS} FROM evidence_upload WHERE id = ?", (upload_id,))
    return None if row is None else read(AnnouncedFile, row)


async def claim_upload(tx: Transaction, upload_id: str, at: int) -> bool:
    """Use an announcement up and tell whether it could still be used; `at` in microseconds."""
    changed = await tx.execute(
        "UPDATE evidence_upload SET used_at = ? WHERE id = ? AND used_at IS NULL AND abandoned_at IS NULL",
        (at, upload_id),
    )
    return changed == 1


async def abandon_uploads(database: Database, now: int, *, limit: int, kept_days: int = 30) -> Sequence[str]:
    """Give up announcements whose files never became evidence, and return ids of abandoned ones, at most `limit`.

    From then on nothing can use them, so their files may be removed; `forget_upload` follows when one was.
    """
    async with database.transaction() as tx:
        await tx.execute(
            "UPDATE evidence_upload SET abandoned_at = ? WHERE id IN (SELECT id FROM evidence_upload"
            " WHERE expires_at < ? AND used_at IS NULL AND abandoned_at IS NULL ORDER BY expires_at LIMIT ?)",
            (now, now - ABANDONED_AFTER_MICROS, limit),
        )
        await tx.execute(
            "DELETE FROM evidence_upload WHERE id IN (SELECT id FROM evidence_upload"
            " WHERE expires_at < ? AND used_at IS NOT NULL ORDER BY expires_at LIMIT ?)",
            (now - kept_days * DAY_MICROS, limit),
        )
        rows = await tx.fetch(
            "SELECT id FROM evidence_upload WHERE expires_at < ? AND abandoned_at IS NOT NULL ORDER BY expires_at"
            " LIMIT ?",
            (now - ABANDONED_AFTER_MICROS, limit),
        )
    return [str(row["id"]) for row in rows]


async def forget_upload(database: Database, upload_id: str) -> None:
    """Delete an abandoned announcement whose file is gone."""
    async with database.transaction() as tx:
        await tx.execute("DELETE FROM evidence_upload WHERE id = ? AND abandoned_at IS NOT NULL", (upload_id,))
