"""Messages of chats, for a viewer.

It must not show deleted messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refundgql.queries.pages import Key, Order
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table
from refundgql.storage import visibility


@dataclass(slots=True)
class MessageRow:
    """A message of a chat, as it reads now."""

    TYPENAME: ClassVar[str] = "Message"
    id: str
    external_ref: str
    author_name: str
    body: str
    sent_at: int


MESSAGES = Table(
    name="message",
    alias="m",
    shape=Shape(
        MessageRow,
        "external_ref author_name body sent_at",
        computed={"author_name": "(SELECT a.name FROM account a WHERE a.id = m.author_id)"},
    ),
    order=Order("messages", (Key("m.sent_at", "int"), Key("m.id", "uuid"))),
    visible=visibility.messages,
    parent="lead_id",
    there=[("m.deleted_at IS NULL", ())],
)
"""Oldest first."""
messages_by_id = MESSAGES.by_id
list_messages = MESSAGES.pages
