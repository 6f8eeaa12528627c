"""Messages of chats, for a viewer.

It must not show deleted messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from refundgql.domain.viewers import Viewer
from refundgql.queries.listing import Listing, fetch_pages, wanted_nodes
from refundgql.queries.pages import ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.storage import visibility
from refundgql.storage.database import Source


@dataclass(slots=True)
class MessageRow:
    """A message of a chat, as it reads now."""

    TYPENAME: ClassVar[str] = "Message"
    id: str
    external_ref: str
    author_name: str
    body: str
    sent_at: int


AUTHOR_NAME = "(SELECT a.name FROM account a WHERE a.id = m.author_id)"
SHAPE = Shape(
    MessageRow,
    ("id",),
    {"external_ref": ("external_ref",), "author_name": ("author_name",), "body": ("body",), "sent_at": ("sent_at",)},
    computed={"author_name": AUTHOR_NAME},
)
OLDEST = Order("messages", (Key("m.sent_at", "int"), Key("m.id", "uuid")))
_THERE = ("m.deleted_at IS NULL", ())


async def messages_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the messages of these ids that the viewer sees."""
    columns = SHAPE.columns(wanted)
    make, (condition, parameters) = SHAPE.maker(columns), visibility.messages(viewer, "m")
    rows = await source.fetch(
        f"SELECT {SHAPE.select(columns, 'm')} FROM message m"
        f" WHERE m.id = ANY(?) AND m.deleted_at IS NULL AND {condition}",
        (list(ids), *parameters),
    )
    return {row[0]: make(row) for row in rows}


async def list_messages(
    source: Source, viewer: Viewer, lead_ids: Sequence[str], page: Page, wanted: Mapping[str, Any]
) -> list[ConnectionRow]:
    """Return the same page of each lead's chat, oldest first."""
    columns = SHAPE.columns(wanted_nodes(wanted))
    listing = Listing(
        columns=SHAPE.select(columns, "m"),
        relation="message m",
        order=OLDEST,
        make=SHAPE.maker(columns),
        conditions=[_THERE, visibility.messages(viewer, "m")],
    )
    found = await fetch_pages(source, listing, page, wanted, "m.lead_id", list(dict.fromkeys(lead_ids)))
    return [found[one] for one in lead_ids]
