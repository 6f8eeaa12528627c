"""A small schema and the engine that executes it, for tests of the roads to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import strawberry

from patience import until
from refundgql.gql.engine import GraphQLEngine
from refundgql.gql.errors import ApiError, ErrorCode
from refundgql.gql.limits import Limits
from toy_streams import LogFeed, Place, ToyLog, rows_feed
from wide_limits import patient


@dataclass
class Toy:
    """An engine, the log that its subscriptions follow, and what it was asked to do."""

    engine: GraphQLEngine
    log: ToyLog = field(default_factory=ToyLog)
    encoded: int = 0
    closed: int = 0
    begun: int = 0
    finished: int = 0
    may_finish: bool = False

    def context(self, viewer: Any, resume_after: str | None = None) -> Context:
        """Return the context of one operation."""
        return Context(viewer, self, resume_after)


@dataclass
class Context:
    """What the resolvers below see."""

    viewer: Any
    toy: Toy
    resume_after: str | None = None


Info = strawberry.Info[Context, Any]


@strawberry.type
class Thing:
    id: strawberry.ID
    name: str | None
    child: Thing | None

    @strawberry.field
    def things(self, first: int | None = None, last: int | None = None) -> ThingConnection | None:
        return None


@strawberry.type
class ThingEdge:
    cursor: str
    node: Thing


@strawberry.type
class ThingConnection:
    edges: list[ThingEdge]
    nodes: list[Thing]


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "world"

    @strawberry.field
    def me(self, info: Info) -> str | None:
        return info.context.viewer.external_ref if info.context.viewer else None

    @strawberry.field
    def roles(self, info: Info) -> str | None:
        return " ".join(sorted(info.context.viewer.roles)) if info.context.viewer else ""

    @strawberry.field
    def echo(
        self, text: str | None = None, count: int | None = None, ids: list[strawberry.ID] | None = None
    ) -> str | None:
        return text or str(count or 0)

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("the secret inside")

    @strawberry.field
    def away(self) -> str | None:
        raise ApiError("The database cannot be reached.", ErrorCode.SERVICE_UNAVAILABLE)

    @strawberry.field
    def begun(self, info: Info) -> int:
        return info.context.toy.begun

    @strawberry.field
    def page(self, first: int | None = None, last: int | None = None, after: str | None = None) -> ThingConnection:
        return ThingConnection(edges=[], nodes=[])

    @strawberry.field
    def node(self, id: strawberry.ID) -> Thing | None:
        return None

    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[Thing | None]:
        return []


@strawberry.type
class Mutation:
    @strawberry.mutation
    def act(self) -> str | None:
        return "done"

    @strawberry.mutation
    async def act_when_told(self, info: Info) -> str | None:
        toy = info.context.toy
        toy.begun += 1
        await until(lambda: toy.may_finish)  # told from another thread
        toy.finished += 1
        return "done"


@dataclass(slots=True)
class UpdateRow:
    """One row of a stream."""

    of: int
    cursor: str
    text: str | None = None
    resumed_after: str | None = None
    viewer: str | None = None


@strawberry.type
class Update:
    cursor: str
    text: str | None
    resumed_after: str | None
    viewer: str | None

    @strawberry.field
    def number(self, info: Info) -> int:
        info.context.toy.encoded += 1
        return self.of  # type: ignore[attr-defined, no-any-return]  # rows travel

    @strawberry.field
    def things(self, first: int | None = None) -> ThingConnection | None:
        return None


async def count_rows(
    context: Context, to: int, delay: float, after: str | None, size: int
) -> AsyncGenerator[UpdateRow, None]:
    """Yield numbers up to one."""
    viewer = context.viewer.external_ref if context.viewer else None
    try:
        for number in range(int(after or 0) + 1, to + 1):
            if delay:
                await asyncio.sleep(delay)
            yield UpdateRow(number, str(number), "x" * size, after, viewer)
    finally:
        context.toy.closed += 1


async def counts(
    info: Info, to: int, delay: float | None = None, after: str | None = None, size: int | None = None
) -> AsyncGenerator[Update, None]:
    """Count, each stream by itself."""
    context = info.context
    after = context.resume_after or after
    rows: Any = rows_feed(context, count_rows(context, to, delay or 0, after, size or 0), int(after or 0))
    return rows  # type: ignore[no-any-return]  # rows travel


async def breaking_rows() -> AsyncGenerator[UpdateRow, None]:
    """Yield one row and fail."""
    yield UpdateRow(1, "1")
    raise RuntimeError("the secret inside")


async def breaks(info: Info) -> AsyncGenerator[Update, None]:
    """Fail after one update."""
    rows: Any = rows_feed(info.context, breaking_rows())
    return rows  # type: ignore[no-any-return]  # rows travel


async def quiet_rows(context: Context) -> AsyncGenerator[UpdateRow, None]:
    """Yield nothing, for ever."""
    try:
        await asyncio.Event().wait()
        yield UpdateRow(0, "0")
    finally:
        context.toy.closed += 1


async def quiet(info: Info) -> AsyncGenerator[Update, None]:
    """Say nothing."""
    rows: Any = rows_feed(info.context, quiet_rows(info.context))
    return rows  # type: ignore[no-any-return]  # rows travel


async def refused(info: Info) -> AsyncGenerator[Update, None]:
    """Refuse to begin."""
    raise ApiError("Sign in first.", ErrorCode.UNAUTHENTICATED)


async def log(info: Info, after: str | None = None, tag: str | None = None) -> AsyncGenerator[Update, None]:
    """Follow the log that all streams share."""
    context = info.context
    after = context.resume_after or after
    start = None if after is None else Place(0, int(after.partition(".")[2]))
    feed: Any = LogFeed(
        context.toy.log.fanout,
        "log",
        start,
        lambda: context.toy.context(context.viewer),
        context.viewer.external_ref if context.viewer else None,
        lambda number, cursor: UpdateRow(number, cursor, tag),
    )
    return feed  # type: ignore[no-any-return]  # rows travel


@strawberry.type
class Subscription:
    counts: Update = strawberry.subscription(resolver=counts)
    quiet: Update = strawberry.subscription(resolver=quiet)
    refused: Update = strawberry.subscription(resolver=refused)
    breaks: Update = strawberry.subscription(resolver=breaks)
    log: Update = strawberry.subscription(resolver=log)


def toy_engine(limits: Limits | None = None) -> Toy:
    """Return an engine of its own, with the limits of documents."""
    schema = strawberry.Schema(Query, mutation=Mutation, subscription=Subscription)
    return Toy(GraphQLEngine(schema, limits=limits or patient()))


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in, as far as a toy needs to know."""

    external_ref: str
    roles: frozenset[str] = frozenset()

    @property
    def account_id(self) -> str:
        """Return what their requests are counted by."""
        return f"id of {self.external_ref}"
