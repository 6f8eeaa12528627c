"""A plain Strawberry server on the project's tables, written as Strawberry's documentation shows it.

It must not be tuned: ORM instances, data loaders made anew for every request, parser and validation caches, nothing
else. It answers the benchmark's own documents. Run by uvicorn with BENCHMARK_DATABASE_URL.
"""

import os
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache
from tortoise import Tortoise
from tortoise.transactions import in_transaction

from refundgql.domain.vocabulary import RefundCaseKind, RefundCaseState, RefundReason
from refundgql.storage import case_tables, tables

T = TypeVar("T")
MODELS = {"refundgql": ["refundgql.storage.tables", "refundgql.storage.case_tables"]}
State = strawberry.enum(RefundCaseState)
Kind = strawberry.enum(RefundCaseKind)
Reason = strawberry.enum(RefundReason)


def _instant(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)


def _own_id(global_id: str) -> str:
    return global_id.partition("_")[2]


@strawberry.type
class Money:
    amount: str
    currency_code: str


def _money(minor: int, currency: str) -> Money:
    return Money(amount=f"{minor / 100:.2f}", currency_code=currency)


@strawberry.type
class Account:
    name: str
    external_ref: str

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(f"Account_{self.id}")


@strawberry.type
class Lead:
    title: str
    location: str | None

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(f"Lead_{self.id}")

    @strawberry.field
    def price(self) -> Money:
        return _money(self.price_minor, self.currency)

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        return isinstance(value, tables.Lead)


@strawberry.type
class Invoice:
    number: str
    status: str

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(f"Invoice_{self.id}")

    @strawberry.field
    def amount(self) -> Money:
        return _money(self.amount_minor, self.currency)

    @classmethod
    def is_type_of(cls, value: Any, _info: Any) -> bool:
        return isinstance(value, tables.Invoice)


@strawberry.type
class Event:
    sequence: int
    name: str
    from_state: State | None
    to_state: State
    note: str | None

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(f"RefundEvent_{self.id}")

    @strawberry.field
    def at(self) -> datetime:
        return _instant(self.at)


@strawberry.type
class Edge(Generic[T]):
    node: T


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Connection(Generic[T]):
    edges: list[Edge[T]]
    page_info: PageInfo


@strawberry.type
class Case:
    kind: Kind
    state: State
    reason: Reason | None
    version: int

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(f"RefundCase_{self.id}")

    @strawberry.field
    def number(self) -> str:
        return f"RC-{self.number:06d}"

    @strawberry.field
    def requested_amount(self) -> Money | None:
        return _money(self.requested_minor, self.currency)

    @strawberry.field
    def opened_at(self) -> datetime:
        return _instant(self.opened_at)

    @strawberry.field
    def updated_at(self) -> datetime:
        return _instant(self.updated_at)

    @strawberry.field
    async def requester(self, info: strawberry.Info) -> Account:
        return await info.context["accounts"].load(self.requester_id)

    @strawberry.field
    async def subject(self, info: strawberry.Info) -> Annotated[Lead | Invoice, strawberry.union("Subject")]:
        if self.lead_id is not None:
            return await info.context["leads"].load(self.lead_id)
        return await info.context["invoices"].load(self.invoice_id)

    @strawberry.field
    async def events(self, info: strawberry.Info, last: int) -> Connection[Event]:
        found = (await info.context["events"].load(self.id))[-last:]
        return Connection(
            edges=[Edge(node=one) for one in found], page_info=PageInfo(has_next_page=False, end_cursor=None)
        )


@strawberry.input
class CaseFilter:
    states: list[State] | None = None
    opened_before: datetime


@strawberry.type
class Query:
    @strawberry.field
    async def refund_case(self, id: strawberry.ID) -> Case | None:
        return await case_tables.RefundCase.get_or_none(id=_own_id(id))

    @strawberry.field
    async def refund_cases(self, filter: CaseFilter, first: int) -> Connection[Case]:
        cases = case_tables.RefundCase.filter(opened_at__lt=int(filter.opened_before.timestamp() * 1e6))
        if filter.states:
            cases = cases.filter(state__in=[state.value for state in filter.states])
        found = await cases.order_by("-opened_at", "-id").limit(first + 1)
        kept = found[:first]
        info = PageInfo(has_next_page=len(found) > first, end_cursor=str(kept[-1].id) if kept else None)
        return Connection(edges=[Edge(node=one) for one in kept], page_info=info)


@strawberry.input
class ApproveRefundInput:
    refund_case_id: strawberry.ID
    idempotency_key: str


@strawberry.type
class Refusal:
    code: str
    message: str


@strawberry.type
class Approved:
    refund_case: Case | None
    event: Event | None
    refusals: list[Refusal]


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def approve_refund(self, input: ApproveRefundInput) -> Approved:
        async with in_transaction() as tx:
            cases = case_tables.RefundCase.select_for_update().using_db(tx)
            case = await cases.get(id=_own_id(input.refund_case_id))
            if case.state != "REQUESTED":
                return Approved(refund_case=None, event=None, refusals=[Refusal(code="STATE", message="Not open.")])
            case.state, case.version, case.settlement = "CREDITED", case.version + 1, "SETTLED"
            case.approved_minor = case.credited_minor = case.requested_minor
            case.credited_at = case.updated_at
            await case.save(using_db=tx)
            event = await case_tables.RefundEvent.create(
                id=uuid.uuid4(), commit_order=0, case_id=case.id, sequence=case.version, name="APPROVE",
                at=case.updated_at, actor_role="SUPPORT", from_state="REQUESTED", to_state="CREDITED",
                amount_minor=case.requested_minor, currency=case.currency, facts="[]", snapshot="{}", using_db=tx,
            )  # fmt: skip
            await tables.Posting.create(
                id=uuid.uuid4(), at=case.updated_at, fact="CREDIT", from_key="platform_leads:USD",
                to_key="external:USD", amount_minor=case.requested_minor, currency=case.currency,
                description="Refund", case_id=case.id, payment_id=case.payment_id, using_db=tx,
            )  # fmt: skip
        return Approved(refund_case=case, event=event, refusals=[])


def _by_id(model: Any) -> DataLoader[Any, Any]:
    async def load(ids: list[Any]) -> list[Any]:
        found = {row.id: row for row in await model.filter(id__in=ids)}
        return [found.get(one) for one in ids]

    return DataLoader(load)


async def _events_of(ids: list[Any]) -> list[list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for event in await case_tables.RefundEvent.filter(case_id__in=ids).order_by("sequence"):
        found[event.case_id].append(event)
    return [found[one] for one in ids]


class Server(GraphQL):
    """The endpoint, with new loaders for every request."""

    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        return {
            "accounts": _by_id(tables.Account),
            "leads": _by_id(tables.Lead),
            "invoices": _by_id(tables.Invoice),
            "events": DataLoader(_events_of),
        }


@asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[None]:
    url = os.environ["BENCHMARK_DATABASE_URL"].replace("postgres://", "asyncpg://", 1)
    await Tortoise.init(db_url=url, modules=MODELS, _enable_global_fallback=True)
    yield
    await Tortoise.close_connections()


schema = strawberry.Schema(Query, Mutation, types=[Lead, Invoice], extensions=[ParserCache(), ValidationCache()])
app = Starlette(routes=[Route("/graphql", Server(schema))], lifespan=_lifespan)
