"""Evidence and the chat it is taken from: rows are written once and never changed (L16).

It must not decide who may add what; the content of a conversation is the JSON text whose hash is kept beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from refundgql.storage.database import Source, Transaction, Write


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One chat message as it reads now; `sent_at` in microseconds."""

    id: str
    author_id: str
    author_name: str
    body: str
    sent_at: int


async def list_chat(source: Source | Transaction, lead_id: str) -> list[ChatMessage]:
    """Return a lead's chat without deleted messages, oldest first."""
    rows = await source.fetch(
        "SELECT m.id, m.author_id, a.name, m.body, m.sent_at FROM message m JOIN account a ON a.id = m.author_id"
        " WHERE m.lead_id = ? AND m.deleted_at IS NULL ORDER BY m.sent_at, m.id",
        (lead_id,),
    )
    return [
        ChatMessage(
            id=str(row["id"]),
            author_id=str(row["author_id"]),
            author_name=row["name"],
            body=row["body"],
            sent_at=row["sent_at"],
        )
        for row in rows
    ]


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
    tx.later(
        Write(
            "INSERT INTO evidence (id, case_id, kind, added_at, added_by_id, sha256, content, file_name, content_type,"
            " size_bytes, storage_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                piece.id,
                piece.case_id,
                piece.kind.value,
                piece.added_at,
                piece.added_by_id,
                piece.sha256,
                piece.content,
                piece.file_name,
                piece.content_type,
                piece.size_bytes,
                piece.storage_key,
            ),
        )
    )
