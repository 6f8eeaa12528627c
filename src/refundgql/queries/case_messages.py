"""Messages on cases, for a viewer.

It must not show a message to anybody outside its audience.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from refundgql.domain.viewers import Viewer
from refundgql.queries.listing import wanted_nodes
from refundgql.queries.of_cases import pages_of_cases, rows_by_id
from refundgql.queries.pages import ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.storage import visibility
from refundgql.storage.database import Source


@dataclass(slots=True)
class CaseMessageRow:
    """A message on a case."""

    TYPENAME: ClassVar[str] = "CaseMessage"
    id: str
    author_id: str
    audience: str
    body: str
    sent_at: int


SHAPE = Shape(
    CaseMessageRow,
    ("id",),
    {"author": ("author_id",), "audience": ("audience",), "body": ("body",), "sent_at": ("sent_at",)},
)
OLDEST = Order("case-messages", (Key("x.sent_at", "int"), Key("x.id", "uuid")))


async def case_messages_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the messages of these ids that the viewer sees."""
    columns, visible = SHAPE.columns(wanted), visibility.case_messages(viewer, "x")
    return await rows_by_id(source, "case_message", SHAPE.select(columns, "x"), SHAPE.maker(columns), ids, visible)


async def list_case_messages(
    source: Source, viewer: Viewer, case_ids: Sequence[str], page: Page, wanted: Mapping[str, Any]
) -> list[ConnectionRow]:
    """Return the same page of each case's messages, oldest first."""
    columns, visible = SHAPE.columns(wanted_nodes(wanted)), visibility.case_messages(viewer, "x")
    select, make = SHAPE.select(columns, "x"), SHAPE.maker(columns)
    return await pages_of_cases(source, "case_message", select, make, OLDEST, case_ids, visible, page, wanted)
