"""Evidence on cases, for a viewer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import ClassVar
from uuid import UUID

import orjson

from refundgql.domain.viewers import Viewer
from refundgql.queries.pages import Key, Order
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table
from refundgql.storage import visibility
from refundgql.storage.database import Source
from refundgql.storage.evidence import IS_READABLE

TYPES = {"STATEMENT": "StatementEvidence", "CONVERSATION": "ConversationEvidence", "FILE": "FileEvidence"}


@dataclass(slots=True)
class EvidenceRow:
    """One piece of evidence; `content` is a statement's words or the JSON of frozen messages."""

    id: str
    kind: str
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
    def TYPENAME(self) -> str:  # as every row names its GraphQL type
        """Return the name of its GraphQL type."""
        return TYPES[self.kind]

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


MOST_ITEMS = 300
"""A hundred of each side and of staff (D26): the list is always whole."""
EVIDENCE = Table(
    name="evidence",
    alias="x",
    shape=Shape(
        EvidenceRow,
        "",
        computed={name: f"CASE WHEN {IS_READABLE} THEN x.{name} END" for name in ("content", "file_name")},
        always=EvidenceRow.__slots__,
    ),
    order=Order("evidence", (Key("x.added_at", "int"), Key("x.id", "uuid"))),
    visible=visibility.evidence,
    parent="case_id",
)
"""Oldest first."""
evidence_by_id = EVIDENCE.by_id
evidence_of_cases = partial(EVIDENCE.lists, at_most=MOST_ITEMS)


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
