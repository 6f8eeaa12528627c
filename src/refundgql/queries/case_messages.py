"""Messages on cases, for a viewer.

It must not show a message to anybody outside its audience.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refundgql.queries.pages import Key, Order
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table
from refundgql.storage import visibility


@dataclass(slots=True)
class CaseMessageRow:
    """A message on a case."""

    TYPENAME: ClassVar[str] = "CaseMessage"
    id: str
    author_id: str
    audience: str
    body: str
    sent_at: int


CASE_MESSAGES = Table(
    name="case_message",
    alias="x",
    shape=Shape(CaseMessageRow, "audience body sent_at", {"author": ("author_id",)}),
    order=Order("case-messages", (Key("x.sent_at", "int"), Key("x.id", "uuid"))),
    visible=visibility.case_messages,
    parent="case_id",
)
"""Oldest first."""
case_messages_by_id = CASE_MESSAGES.by_id
list_case_messages = CASE_MESSAGES.pages
