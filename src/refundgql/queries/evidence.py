"""Evidence on cases, for a viewer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import orjson

from refundgql.domain.viewers import Viewer
from refundgql.queries.of_cases import pages_of_cases, rows_by_id
from refundgql.queries.pages import Key, Order, Page
from refundgql.storage import visibility
from refundgql.storage.database import Source
from refundgql.storage.evidence import IS_READABLE

TYPES = {"STATEMENT": "StatementEvidence", "CONVERSATION": "ConversationEvidence", "FILE": "FileEvidence"}


@dataclass(slots=True)
class EvidenceRow:
    """One piece of evidence; `content` is a statement's words or the JSON of frozen messages."""

    TYPENAME: str
    id: str
    added_at: int
    added_by_id: str
    sha256: str
    content: str | None
    file_name: str | None
    content_type: str | None
    size_bytes: int | None
    audience: str
    withdrawn_at: int | None
    redacted_at: int | None

    @property
    def is_gone(self) -> bool:
        """Tell whether nobody reads its content any more."""
        return self.withdrawn_at is not None or self.redacted_at is not None


@dataclass(slots=True)
class FrozenMessageRow:
    """A chat message as it was when it was frozen: an object of its own, whatever became of the message."""

    TYPENAME: ClassVar[str] = "FrozenMessage"
    id: str
    author_name: str
    body: str
    sent_at: int
    sha256: str


COLUMNS = (
    f"x.id, x.kind, x.added_at, x.added_by_id, x.sha256, CASE WHEN {IS_READABLE} THEN x.content END,"
    f" CASE WHEN {IS_READABLE} THEN x.file_name END, x.content_type, x.size_bytes, x.audience, x.withdrawn_at,"
    " x.redacted_at"
)
MOST_ITEMS = 300
"""A hundred of each side and of staff (D26): the list is always whole."""
OLDEST = Order("evidence", (Key("x.added_at", "int"), Key("x.id", "uuid")))


def _row(record: Any) -> EvidenceRow:
    return EvidenceRow(TYPES[record[1]], record[0], *tuple(record)[2:12])


def frozen_messages(row: EvidenceRow, size: int, after: str | None) -> list[FrozenMessageRow]:
    """Return chat messages as they were when they were frozen (L16), each with the hash of what it said (D26).

    So many, oldest first, from the start or after the one of this id; none after one that is not among them.
    """
    frozen = orjson.loads(row.content or "[]")
    ids = [str(UUID(bytes=hashlib.sha256(f"{row.id} {one['id']}".encode()).digest()[:16])) for one in frozen]
    start = 0 if after is None else ids.index(after) + 1 if after in ids else len(ids)
    return [
        FrozenMessageRow(
            ids[place], one["authorName"], one["body"], one["sentAt"], hashlib.sha256(orjson.dumps(one)).hexdigest()
        )
        for place, one in enumerate(frozen[start : start + size], start)
    ]


async def evidence_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the evidence of these ids that the viewer sees."""
    return await rows_by_id(source, "evidence", COLUMNS, _row, ids, visibility.evidence(viewer, "x"))


async def evidence_of_cases(
    source: Source, viewer: Viewer, case_ids: Sequence[str], wanted: Mapping[str, Any]
) -> list[list[EvidenceRow]]:
    """Return each case's evidence, oldest first, whole."""
    visible, page = visibility.evidence(viewer, "x"), Page(MOST_ITEMS)
    pages = await pages_of_cases(source, "evidence", COLUMNS, _row, OLDEST, case_ids, visible, page, {"edges": {}})
    return [[edge.node for edge in page.edges] for page in pages]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that a viewer may fetch, and the key of its content in the evidence store."""

    file_name: str
    content_type: str
    size_bytes: int
    storage_key: str
    is_gone: bool
    """Whether it was withdrawn or redacted."""


async def find_file(source: Source, viewer: Viewer, evidence_id: str) -> StoredFile | None:
    """Return a file that the viewer sees now, or nothing."""
    condition, parameters = visibility.evidence(viewer, "x")
    row = await source.fetch_row(
        "SELECT COALESCE(x.file_name, ''), x.content_type, x.size_bytes, COALESCE(x.storage_key, ''),"
        f" NOT ({IS_READABLE}) FROM evidence x WHERE x.id = ? AND x.kind = 'FILE' AND {condition}",
        (evidence_id, *parameters),
    )
    return None if row is None else StoredFile(*tuple(row))
