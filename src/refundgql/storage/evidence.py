"""Evidence and the chat it is taken from: what is kept never changes, and is withdrawn or redacted whole (L16, D26)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Audience
from refundgql.storage import visibility
from refundgql.storage.database import Database, Source, Transaction, Write
from refundgql.storage.rows import insertion, read


class EvidenceKind(StrEnum):
    """The forms evidence comes in."""

    STATEMENT = "STATEMENT"
    CONVERSATION = "CONVERSATION"
    FILE = "FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvidence:
    """One piece of evidence to keep; `added_at` in microseconds, `content` empty for files."""

    id: str
    case_id: str
    kind: EvidenceKind
    added_at: int
    added_by_id: str
    sha256: str
    content: str | None = None
    file_name: str | None = None
    content_type: str | None = None
    size_bytes: int | None = None
    storage_key: str | None = None
    audience: Audience = Audience.EVERYONE
    side: str
    """Whose it is: REQUESTER, COUNTERPARTY or STAFF."""
    sequence: int
    """The number of the event that tells of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvidence:
    """What withdrawing and redacting look at; `is_decided` when a decision was made with it."""

    id: str
    case_id: str
    kind: EvidenceKind
    added_by_id: str
    sha256: str
    audience: Audience
    withdrawn: bool
    redacted: bool
    is_decided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One chat message as it reads now; `sent_at` in microseconds."""

    id: str
    author_id: str
    author_name: str
    body: str
    sent_at: int


async def list_chat(
    source: Source | Transaction, lead_id: str, *, chosen: Sequence[str], latest: int = 0
) -> list[ChatMessage]:
    """Return the chosen and the latest messages of a lead's chat, oldest first, without deleted ones."""
    rows = await source.fetch(
        "SELECT m.id, m.author_id, a.name AS author_name, m.body, m.sent_at FROM message m"
        " JOIN account a ON a.id = m.author_id WHERE m.lead_id = ? AND m.deleted_at IS NULL AND (m.id = ANY(?)"
        " OR m.id IN (SELECT l.id FROM message l WHERE l.lead_id = ? AND l.deleted_at IS NULL"
        " ORDER BY l.sent_at DESC, l.id DESC LIMIT ?)) ORDER BY m.sent_at, m.id",
        (lead_id, list(chosen), lead_id, latest),
    )
    return [read(ChatMessage, row) for row in rows]


def freeze_chat(messages: Sequence[ChatMessage]) -> tuple[str, str]:
    """Return what was said as a JSON text, and its SHA-256 in hexadecimal; the same words give the same text."""
    content = orjson.dumps(
        [
            {
                "id": message.id,
                "authorId": message.author_id,
                "authorName": message.author_name,
                "body": message.body,
                "sentAt": message.sent_at,
            }
            for message in messages
        ]
    )
    return content.decode(), hashlib.sha256(content).hexdigest()


def insert_evidence(tx: Transaction, piece: NewEvidence) -> None:
    """Keep a piece of evidence; it is written with the rest of the transaction."""
    tx.later(Write(*insertion("evidence", piece)))


IS_READABLE = "x.withdrawn_at IS NULL AND x.redacted_at IS NULL"
"""That an item was neither withdrawn nor redacted."""

# Of evidence from before sides were kept, whoever added it tells whose it is.
_SIDE = (
    "COALESCE(x.side, CASE WHEN x.added_by_id = c.requester_id THEN 'REQUESTER'"
    " WHEN x.added_by_id = c.counterparty_id THEN 'COUNTERPARTY' ELSE 'STAFF' END)"
)
_IS_DECIDED = (
    "EXISTS (SELECT 1 FROM refund_event d WHERE d.case_id = x.case_id AND d.name IN ('APPROVE', 'CONFIRM', 'DECLINE')"
    " AND (d.sequence > x.sequence OR (x.sequence IS NULL AND d.at >= x.added_at)))"
)


async def count_evidence(source: Source | Transaction, case_id: str, side: str) -> int:
    """Return how many items a side has added to a case, whatever became of them."""
    sql = f"SELECT COUNT(*) FROM evidence x JOIN refund_case c ON c.id = x.case_id WHERE x.case_id = ? AND {_SIDE} = ?"
    return int(await source.fetch_value(sql, (case_id, side)))


async def find_evidence(source: Source | Transaction, viewer: Viewer, evidence_id: str) -> KeptEvidence | None:
    """Return one item that the viewer sees, or nothing."""
    condition, parameters = visibility.evidence(viewer, "x")
    row = await source.fetch_row(
        "SELECT x.id, x.case_id, x.kind, x.added_by_id, x.sha256, x.audience, x.withdrawn_at IS NOT NULL AS withdrawn,"
        f" x.redacted_at IS NOT NULL AS redacted, {_IS_DECIDED} AS is_decided"
        f" FROM evidence x WHERE x.id = ? AND {condition}",
        (evidence_id, *parameters),
    )
    return None if row is None else read(KeptEvidence, row)


def withdraw_evidence_row(tx: Transaction, evidence_id: str, at: int) -> None:
    """Note that an item is withdrawn; its hash stays."""
    tx.later(Write("UPDATE evidence SET withdrawn_at = ? WHERE id = ?", (at, evidence_id)))


def redact_evidence_row(tx: Transaction, evidence_id: str, at: int, by_id: str, reason: str) -> None:
    """Take an item's content away for good; hash, who and when stay. Its file is discarded afterwards."""
    tx.later(
        Write(
            "UPDATE evidence SET content = NULL, file_name = NULL, redacted_at = ?, redacted_by_id = ?,"
            " redaction_reason = ? WHERE id = ?",
            (at, by_id, reason, evidence_id),
        )
    )


async def redacted_files(source: Source, *, limit: int) -> list[tuple[str, str]]:
    """Return ids and storage keys of redacted files that may still be in the evidence store."""
    rows = await source.fetch(
        "SELECT id, storage_key FROM evidence WHERE redacted_at IS NOT NULL AND storage_key IS NOT NULL LIMIT ?",
        (limit,),
    )
    return [(str(row["id"]), row["storage_key"]) for row in rows]


async def forget_file(database: Database, evidence_id: str) -> None:
    """Forget where a redacted file was: it is gone."""
    async with database.transaction() as tx:
        await tx.execute("UPDATE evidence SET storage_key = NULL WHERE id = ?", (evidence_id,))
