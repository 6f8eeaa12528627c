"""The history of a case: one event for everything that happened, numbered without gaps."""

from datetime import datetime

import orjson
import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.languages import said
from refundgql.api.types.lazy import LazyAccount
from refundgql.api.types.money import Money, money
from refundgql.api.types.nodes import Node
from refundgql.api.types.relations import accounts_of
from refundgql.api.types.wording import Wording, wording
from refundgql.domain.kept_texts import read_noted
from refundgql.domain.sentences import Sentence
from refundgql.domain.vocabulary import ActorRole, RefundCaseState, RefundEventName
from refundgql.gql.declare import Level, leaf, level
from refundgql.gql.rows import row
from refundgql.queries.events import EventRow, FactRow


@row(FactRow)
@strawberry.type(description="One thing that the rules looked at when the event happened.")
class Fact:
    name: str = strawberry.field(description="What was looked at.")
    value: str = strawberry.field(description="What it was then.")


def _facts(row: EventRow) -> list[FactRow]:
    return [FactRow(name, value) for name, value in orjson.loads(row.facts)] if row.facts else []


def _noted(row: EventRow) -> Sentence | None:
    """Return what the desk noted by itself."""
    return read_noted(row.note) if row.note is not None and row.actor_role == ActorRole.SYSTEM else None


@strawberry.type(description="One thing that happened to a case. Everybody who sees the case sees all of its events.")
class RefundEvent(Node):
    sequence: int = strawberry.field(description="One, two, three … for each case, without gaps.")
    name: RefundEventName = strawberry.field(description="What happened.")
    at: datetime = strawberry.field(description="When it happened. Order is by sequence, never by this.")

    @level(
        description="Who did it; none when the system did, and for parties none of what is the desk's own affair (D29)."
    )
    @staticmethod
    async def actor(rows: list[EventRow], info: LevelInfo) -> Level[LazyAccount | None]:
        return await accounts_of(info, [row.actor_id for row in rows])

    actor_role: ActorRole = strawberry.field(description="As what they did it.")
    from_state: RefundCaseState | None = strawberry.field(description="The state before; none when the case began.")
    to_state: RefundCaseState = strawberry.field(description="The state after it.")
    amount: Money | None = leaf(
        lambda row: money(row.amount_minor, row.currency),
        description="The amount it was about: requested, approved, consented, credited or reversed.",
    )
    note: str | None = leaf(
        lambda row: row.note if (noted := _noted(row)) is None else said(noted),
        description="What was said with it; none when nothing was, or when it is for staff only.",
    )
    wording: Wording | None = leaf(
        lambda row: None if (noted := _noted(row)) is None else wording(noted),
        description="The code and the parameters of what the desk noted by itself; none for what people wrote.",
    )
    internal_note: str | None = strawberry.field(description="What staff noted for each other; none for others.")
    rule: str | None = strawberry.field(description="The rule that it follows, such as D7, where one number says it.")
    facts: list[Fact] = leaf(
        _facts, description="What the rules looked at, for staff; empty for others, since it tells of balances."
    )
