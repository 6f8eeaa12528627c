"""Chats between professionals and customers, one for each lead."""

from datetime import datetime

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.types.connections import Connection, paged
from refundgql.api.types.lazy import LazyLead
from refundgql.api.types.nodes import Node
from refundgql.api.types.relations import leads_of
from refundgql.gql.declare import Level, level
from refundgql.gql.rows import row
from refundgql.queries.leads import ConversationRow
from refundgql.queries.messages import MessageRow, list_messages
from refundgql.queries.pages import Page


@row(MessageRow)
@strawberry.type(description="One message of a chat.")
class Message(Node):
    external_ref: str = strawberry.field(description="The marketplace's own reference of the message.")
    author_name: str = strawberry.field(description="Who wrote it.")
    body: str = strawberry.field(description="What it says.")
    sent_at: datetime = strawberry.field(description="When it was sent.")


@strawberry.type(description="The chat about a lead. Seen by the professional and by staff.")
class Conversation(Node):
    @level(description="The lead it is about.")
    @staticmethod
    async def lead(rows: list[ConversationRow], info: LevelInfo) -> Level[LazyLead]:
        return await leads_of(info, [row.id for row in rows])

    last_message_at: datetime | None = strawberry.field(
        description="When the latest message was sent; none without one."
    )

    @paged(description="The messages, oldest first, without deleted ones.")
    @staticmethod
    async def messages(rows: list[ConversationRow], info: LevelInfo, page: Page) -> Level[Connection[Message]]:
        viewer = info.context.signed_in()
        ids = [row.id for row in rows]
        return await list_messages(info.context.app.database, viewer, ids, page, info.selection)
