"""What the people of a case say to each other."""

from datetime import datetime

import strawberry

from refundgql.api.acts.inputs import KEY, Input, optional, required
from refundgql.api.acts.payloads import CaseMessagePayload, act
from refundgql.api.context import LevelInfo
from refundgql.api.types.lazy import LazyAccount
from refundgql.api.types.nodes import Node
from refundgql.api.types.relations import accounts_of
from refundgql.commands import messages as commands
from refundgql.domain.vocabulary import Audience
from refundgql.gql.declare import Level, level
from refundgql.queries.case_messages import CaseMessageRow


@strawberry.type(description="A message on a case. Seen by its audience.")
class CaseMessage(Node):
    @level(description="Who wrote it.")
    @staticmethod
    async def author(rows: list[CaseMessageRow], info: LevelInfo) -> Level[LazyAccount]:
        return await accounts_of(info, [row.author_id for row in rows])

    audience: Audience = strawberry.field(description="Who reads it.")
    body: str = strawberry.field(description="What it says.")
    sent_at: datetime = strawberry.field(description="When it was sent.")


@strawberry.input(description="A message on a case.")
class SendCaseMessageInput(Input):
    refund_case_id: strawberry.ID = required("The case.")
    body: str = required("What to say, at most 10,000 characters.")
    audience: Audience | None = optional("Who is to read it; EVERYONE when left out. You must be in it yourself.")
    idempotency_key: str | None = optional(KEY)


@strawberry.type
class CaseMessageMutations:
    send_case_message = act(
        commands.send_case_message,
        SendCaseMessageInput,
        CaseMessagePayload,
        argument="The message.",
        description="Say something on a case.",
    )
