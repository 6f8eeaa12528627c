"""Leads: what professionals buy, with the refund action of each (L01, L05)."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import Input, check_filter, optional
from refundgql.api.context import LevelInfo
from refundgql.api.types.availability import subject_actions
from refundgql.api.types.connections import Connection, Followed, paged
from refundgql.api.types.ids import uuid_of
from refundgql.api.types.lazy import LazyAccount, LazyConversation, LazyRefundCase
from refundgql.api.types.money import Money, money
from refundgql.api.types.nodes import Node
from refundgql.api.types.refusals import ActionAvailability
from refundgql.api.types.relations import accounts_of, cases_of, leads_of
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundActionName, RefundCaseKind, RefundCaseState
from refundgql.gql.declare import Level, leaf, level
from refundgql.gql.rows import row
from refundgql.queries import leads as queries
from refundgql.queries.leads import CustomerRow, LeadRow
from refundgql.queries.pages import Page


@row(CustomerRow)
@strawberry.type(description="What is known of the person behind a lead.")
class CustomerSummary:
    name: str = strawberry.field(description="The customer's name.")
    terms_reports: int | None = strawberry.field(
        description="How many leads this customer was reported on for breaking the terms, without cases that were "
        "declined or cancelled (L10); for staff, none for others."
    )
    terms_reports_credited: int | None = strawberry.field(
        description="On how many of those leads the report was followed by a credit (L10); for staff, none for others."
    )


@strawberry.type(description="A lead that a professional bought. Seen by that professional and by staff.")
class Lead(Node):
    external_ref: str = strawberry.field(description="The marketplace's own reference.")
    title: str = strawberry.field(description="What the job is.")
    category: str = strawberry.field(description="The kind of work.")
    location: str = strawberry.field(description="Where the job is.")
    price: Money = leaf(lambda row: money(row.price_minor, row.currency), description="What the lead cost.")
    charged_at: datetime = strawberry.field(description="When it was charged; the 30 days of L15 count from here.")
    customer_name: str = strawberry.field(description="The customer's name.")

    @level(description="The customer, with what staff should know.")
    @staticmethod
    async def customer(rows: list[LeadRow], info: LevelInfo) -> Level[CustomerSummary]:
        viewer = info.context.signed_in()
        return await queries.customer_summaries(info.context.app.database, viewer, rows, info.selection)

    @level(description="The professional who bought it.")
    @staticmethod
    async def pro(rows: list[LeadRow], info: LevelInfo) -> Level[LazyAccount]:
        return await accounts_of(info, [row.pro_id for row in rows])

    @level(description="The chat with the customer.")
    @staticmethod
    async def conversation(rows: list[LeadRow], info: LevelInfo) -> Level[LazyConversation]:
        viewer = info.context.signed_in()
        ids = [row.id for row in rows]
        found = await queries.conversations_by_id(info.context.app.database, viewer, ids, info.selection)
        return [found.get(one) for one in ids]

    @level(description="The lead's latest refund case, if there was one (D6).")
    @staticmethod
    async def refund_case(rows: list[LeadRow], info: LevelInfo) -> Level[LazyRefundCase | None]:
        return await cases_of(info, [row.refund_case_id for row in rows])

    @level(
        personal=True,
        description="Whether you can ask for the price back now; always shown, with the reasons when not (L01).",
    )
    @staticmethod
    async def refund_action(rows: list[LeadRow], info: LevelInfo) -> Level[ActionAvailability]:
        payments = [row.payment_id for row in rows]
        return await subject_actions(info, RefundActionName.REQUEST, payments, RefundCaseKind.LEAD)


@strawberry.type(description="One page of a list of leads.")
class LeadConnection(Followed, Connection[Lead]):
    pass


@strawberry.type(description="One page of a list of chats.")
class ConversationConnection(Followed, Connection[LazyConversation]):
    pass


@strawberry.input(description="Narrows leads, or the chats about them; everything given must hold.")
class LeadFilter(Input):
    customer_name: str | None = optional("Part of the customer's name, in any case of letters.")
    category: str | None = optional("The kind of work, in any case of letters.")
    has_open_case: bool | None = optional("Whether the lead has an undecided or uncredited refund case.")
    case_states: list[RefundCaseState] | None = optional("The state of the lead's latest refund case is one of these.")
    external_refs: list[str] | None = optional("The lead has one of these references; at most 100.")
    charged_after: datetime | None = optional("Charged at this instant or later.")
    charged_before: datetime | None = optional("Charged before this instant.")


LeadFilterArgument = Annotated[
    LeadFilter | None, strawberry.argument(description="Only what fits; everything when left out.")
]


@strawberry.type
class LeadQueries:
    @level(description="A lead by its id; none when there is none that you can see.")
    @staticmethod
    async def lead(
        rows: list[Any],
        info: LevelInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="The lead's id.")],
    ) -> Level[Lead | None]:
        info.context.signed_in()
        return await leads_of(info, [uuid_of("Lead", id)])

    @paged(description="The leads you bought, newest first; all leads for staff.")
    @staticmethod
    async def leads(
        rows: list[Any], info: LevelInfo, page: Page, filter: LeadFilterArgument = None
    ) -> Level[LeadConnection]:
        viewer = _asked(info, filter)
        return [await queries.list_leads(info.context.app.database, viewer, filter, page, info.selection)]

    @paged(description="Your chats with customers, the latest message first; all chats for staff (L05, L06).")
    @staticmethod
    async def conversations(
        rows: list[Any], info: LevelInfo, page: Page, filter: LeadFilterArgument = None
    ) -> Level[ConversationConnection]:
        viewer = _asked(info, filter)
        return [await queries.list_conversations(info.context.app.database, viewer, filter, page, info.selection)]


def _asked(info: LevelInfo, given: LeadFilter | None) -> Viewer:
    """Return who asks. Refuses: UNAUTHENTICATED; BAD_USER_INPUT for a filter that cannot be."""
    viewer = info.context.signed_in()
    check_filter(given)
    return viewer
