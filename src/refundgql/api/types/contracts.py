"""Contracts between clients and experts."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import Input, check_filter, optional
from refundgql.api.context import LevelInfo
from refundgql.api.types.connections import Connection, Followed, paged
from refundgql.api.types.ids import uuid_of
from refundgql.api.types.lazy import LazyAccount, LazyBillingWeek, LazyInvoice, LazyMilestone, LazyReview
from refundgql.api.types.money import Money, money
from refundgql.api.types.nodes import Node
from refundgql.api.types.relations import accounts_of, contracts_of
from refundgql.domain.calendar import from_micros
from refundgql.domain.deadlines import REVIEW_WINDOW
from refundgql.domain.vocabulary import ContractKind, ContractStatus
from refundgql.gql.declare import Level, leaf, level
from refundgql.queries import contracts as queries
from refundgql.queries.contracts import ContractRow
from refundgql.queries.invoices import list_invoices
from refundgql.queries.milestones import milestones_of_contracts
from refundgql.queries.pages import Page
from refundgql.queries.reviews import reviews_of_contracts
from refundgql.queries.weeks import list_weeks


@strawberry.type(description="A contract. Seen by its client, its expert and staff.")
class Contract(Node):
    external_ref: str = strawberry.field(description="The marketplace's own reference.")
    title: str = strawberry.field(description="What is worked on.")
    kind: ContractKind = strawberry.field(description="How it is billed.")
    status: ContractStatus = strawberry.field(description="Whether work goes on.")

    @level(description="Who pays.")
    @staticmethod
    async def client(rows: list[ContractRow], info: LevelInfo) -> Level[LazyAccount]:
        return await accounts_of(info, [row.client_id for row in rows])

    @level(description="Who works.")
    @staticmethod
    async def expert(rows: list[ContractRow], info: LevelInfo) -> Level[LazyAccount]:
        return await accounts_of(info, [row.expert_id for row in rows])

    started_at: datetime = strawberry.field(description="When it began.")
    ended_at: datetime | None = strawberry.field(description="When it ended; none while it is open.")
    paid_total: Money = leaf(
        lambda row: money(row.totals.paid_minor, row.currency),
        description="Paid invoices, and funded milestones that have no invoice (C21).",
    )
    refunded_total: Money = leaf(
        lambda row: money(row.totals.refunded_minor, row.currency),
        description="Credits of all kinds, less reversals.",
    )
    refundable: Money = leaf(
        lambda row: money(row.totals.refundable_minor, row.currency),
        description="What is left: paid, less refunded, less approved and not yet credited (D9).",
    )

    @paged(description="The invoices, newest first.")
    @staticmethod
    async def invoices(rows: list[ContractRow], info: LevelInfo, page: Page) -> Level[Connection[LazyInvoice]]:
        viewer = info.context.signed_in()
        ids = [row.id for row in rows]
        return await list_invoices(info.context.app.database, viewer, ids, page, info.selection)

    @level(description="The milestones in the order they were made, the first 100; empty for hourly contracts.")
    @staticmethod
    async def milestones(rows: list[ContractRow], info: LevelInfo) -> Level[list[LazyMilestone]]:
        viewer = info.context.signed_in()
        ids = [row.id for row in rows]
        return await milestones_of_contracts(info.context.app.database, viewer, ids, info.selection)

    @paged(description="The billing weeks, newest first; empty for fixed-price contracts.")
    @staticmethod
    async def billing_weeks(rows: list[ContractRow], info: LevelInfo, page: Page) -> Level[Connection[LazyBillingWeek]]:
        viewer = info.context.signed_in()
        ids = [row.id for row in rows]
        return await list_weeks(info.context.app.database, viewer, ids, page, info.selection)

    @level(description="The parties' reviews of each other, oldest first; at most one of each.")
    @staticmethod
    async def reviews(rows: list[ContractRow], info: LevelInfo) -> Level[list[LazyReview]]:
        viewer = info.context.signed_in()
        ids = [row.id for row in rows]
        return await reviews_of_contracts(info.context.app.database, viewer, ids, info.selection)

    @level(description="Until when reviews can be posted, exclusive (C22); none while the contract is open.")
    @staticmethod
    def review_deadline(rows: list[ContractRow], info: LevelInfo) -> list[datetime | None]:
        policy = info.context.app.policy
        return [None if row.ended_at is None else REVIEW_WINDOW.end(from_micros(row.ended_at), policy) for row in rows]


@strawberry.input(description="Narrows contracts; everything given must hold.")
class ContractFilter(Input):
    external_refs: list[str] | None = optional("The contract has one of these references; at most 100.")
    kind: ContractKind | None = optional("How it is billed.")
    status: ContractStatus | None = optional("Whether work goes on.")
    has_open_case: bool | None = optional("Whether any of its payments has an undecided or uncredited refund case.")


@strawberry.type(description="One page of a list of contracts.")
class ContractConnection(Followed, Connection[Contract]):
    pass


ContractFilterArgument = Annotated[
    ContractFilter | None, strawberry.argument(description="Only what fits; everything when left out.")
]


@strawberry.type
class ContractQueries:
    @level(description="A contract by its id; none when there is none that you can see.")
    @staticmethod
    async def contract(
        rows: list[Any],
        info: LevelInfo,
        id: Annotated[strawberry.ID, strawberry.argument(description="The contract's id.")],
    ) -> Level[Contract | None]:
        info.context.signed_in()
        return await contracts_of(info, [uuid_of("Contract", id)])

    @paged(description="The contracts you pay or work on, latest started first; all contracts for staff.")
    @staticmethod
    async def contracts(
        rows: list[Any], info: LevelInfo, page: Page, filter: ContractFilterArgument = None
    ) -> Level[ContractConnection]:
        viewer = info.context.signed_in()
        check_filter(filter)
        return [await queries.list_contracts(info.context.app.database, viewer, filter, page, info.selection)]
