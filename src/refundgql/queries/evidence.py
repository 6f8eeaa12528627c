"""Evidence on cases, for a viewer.

It must not read files; their addresses are signed elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from refundgql.domain.viewers import Viewer
from refundgql.queries.messages import MessageRow
from refundgql.queries.of_cases import pages_of_cases, rows_by_id
from refundgql.queries.pages import MAXIMUM_ITEMS, Key, Order, Page
from refundgql.storage import visibility
from refundgql.storage.database import Source

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


COLUMNS = "x.id, x.kind, x.added_at, x.added_by_id, x.sha256, x.content, x.file_name, x.content_type, x.size_bytes"
OLDEST = Order("evidence", (Key("x.added_at", "int"), Key("x.id", "uuid")))


def _row(record: Any) -> EvidenceRow:
    return EvidenceRow(
        TYPES[record[1]],
        record[0],
        record[2],
        record[3],
        record[4],
        record[5],
        record[6],
        record[7],
        record[8],
    )


def frozen_messages(content: str | None) -> list[MessageRow]:
    """Return chat messages as they were when they were frozen (L16)."""
    return [
        MessageRow(one["id"], one["authorName"], one["body"], one["sentAt"]) for one in orjson.loads(content or "[]")
    ]


async def evidence_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the evidence of these ids that the viewer sees."""
    return await rows_by_id(source, "evidence", COLUMNS, _row, ids, visibility.evidence(viewer, "x"))


async def evidence_of_cases(
    source: Source, viewer: Viewer, case_ids: Sequence[str], wanted: Mapping[str, Any]
) -> list[list[EvidenceRow]]:
    """Return each case's evidence, oldest first, the first hundred."""
    visible, page = visibility.evidence(viewer, "x"), Page(MAXIMUM_ITEMS)
    pages = await pages_of_cases(source, "evidence", COLUMNS, _row, OLDEST, case_ids, visible, page, {"edges": {}})
    return [[edge.node for edge in page.edges] for page in pages]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that a viewer may fetch, and the key of its content in the evidence store."""

    file_name: str
    content_type: str
    size_bytes: int
    storage_key: str


async def find_file(source: Source, viewer: Viewer, evidence_id: str) -> StoredFile | None:
    """Return a file that the viewer sees now, or nothing."""
    condition, parameters = visibility.evidence(viewer, "x")
    row = await source.fetch_row(
        "SELECT x.file_name, x.content_type, x.size_bytes, x.storage_key FROM evidence x"
        f" WHERE x.id = ? AND x.kind = 'FILE' AND {condition}",
        (evidence_id, *parameters),
    )
    return None if row is None else StoredFile(*tuple(row))
