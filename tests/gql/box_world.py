"""A small schema of boxes in boxes, and short ways to prepare and execute against it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import strawberry
from graphql import GraphQLError
from strawberry.extensions.field_extension import FieldExtension
from strawberry.permission import BasePermission

from refundgql.gql.declare import Level, LevelInfo, leaf, level
from refundgql.gql.documents import Prepared, RequestErrors
from refundgql.gql.engine import GraphQLEngine
from refundgql.gql.errors import ApiError, ErrorCode
from refundgql.gql.responses import Translate
from toy_streams import rows_feed
from wide_limits import WIDE

EXECUTORS = {"graphql-core": 10**9, "compiled": 0}


@dataclass(slots=True)
class BoxRow:
    """A box of boxes."""

    id: str
    size: int
    TYPENAME: ClassVar[str] = "Box"


class Log:
    """The context of these tests: notes what resolvers did."""

    def __init__(self) -> None:
        self.notes: list[Any] = []


SHARED_FAULT = RuntimeError("the database said something secret")


@strawberry.interface
class Node:
    id: strawberry.ID = leaf(lambda row: f"{row.TYPENAME}_{row.id}")


@strawberry.input
class Wish:
    size: int = 1
    name: str | None = None


class OnlySmall(BasePermission):
    """Lets only rows of size 0 through."""

    error_class = staticmethod(lambda *_, **__: ApiError("Too big.", ErrorCode.FORBIDDEN))  # type: ignore[assignment]

    async def has_permission(self, source: Any, info: strawberry.Info, **kwargs: Any) -> bool:
        await asyncio.sleep(0)
        return bool(source.size == 0)


class Shout(FieldExtension):
    """Makes text loud."""

    def resolve(self, next_: Any, source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        return next_(source, info, **kwargs).upper()


@strawberry.type
class Box(Node):
    size: int
    label: str | None

    @level
    @staticmethod
    async def inside(
        rows: list[BoxRow], info: LevelInfo[Any], first: int | None = None, wish: Wish | None = None
    ) -> Level[list["Box"]]:
        info.context.notes.append((len(rows), first, wish, sorted(info.selection)))  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        return [[BoxRow(f"{row.id}{i}", i) for i in range(first or 2)] for row in rows]

    @level
    @staticmethod
    async def grid(rows: list[BoxRow], info: LevelInfo[Any]) -> Level[list[list["Box"]]]:
        return [[[BoxRow(row.id, i + 1) for i in range(row.size)] for _ in range(row.size)] for row in rows]

    @level
    @staticmethod
    async def note_rows(rows: list[BoxRow], info: LevelInfo[Any]) -> Level[int]:
        info.context.notes.append(len(rows))  # type: ignore[attr-defined]  # the context is a log
        return [row.size for row in rows]

    @level
    @staticmethod
    async def secret(rows: list[BoxRow], info: LevelInfo[Any]) -> Level[int | None]:
        raise SHARED_FAULT

    @level
    @staticmethod
    async def forbidden(rows: list[BoxRow], info: LevelInfo[Any]) -> Level[int | None]:
        return [ApiError("Not yours.", ErrorCode.FORBIDDEN, {"box": row.id}) for row in rows]

    @level
    @staticmethod
    async def short(rows: list[BoxRow], info: LevelInfo[Any]) -> Level[int | None]:
        return [1]

    @strawberry.field(permission_classes=[OnlySmall])
    def guarded(self) -> int | None:
        return self.size

    @strawberry.field(extensions=[Shout()])
    def shouted(self) -> str:
        return f"box {self.size}"

    @level
    @staticmethod
    async def waits(rows: list[BoxRow], info: LevelInfo[Any]) -> Level[int]:
        return await visit(info, "waits", rows)

    @level
    @staticmethod
    async def waits_too(rows: list[BoxRow], info: LevelInfo[Any]) -> Level[int]:
        return await visit(info, "waits_too", rows)


async def visit(info: LevelInfo[Any], name: str, rows: list[BoxRow]) -> list[int]:
    """Note when a level begins and ends."""
    info.context.notes.append(f"{name} begins")  # type: ignore[attr-defined]  # the context is a log
    await asyncio.sleep(0.001)
    info.context.notes.append(f"{name} ends")  # type: ignore[attr-defined]  # the context is a log
    return [row.size for row in rows]


@strawberry.type
class Checking:
    """A type with a check of its own, which only graphql-core asks."""

    size: int

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return isinstance(obj, BoxRow) and obj.size < 2


@strawberry.type
class Crate(Node):
    lid: str


@strawberry.type
class Query:
    @level
    @staticmethod
    async def boxes(rows: list[None], info: LevelInfo[Any], n: int = 3) -> Level[list[Box]]:
        return [[BoxRow(str(i), i) for i in range(n)]]

    @level
    @staticmethod
    async def node(rows: list[None], info: LevelInfo[Any]) -> Level[Node | None]:
        getattr(info.context, "look", lambda _: None)(info.selection)
        return [BoxRow("n", 7)]

    @level
    @staticmethod
    async def checking(rows: list[None], info: LevelInfo[Any], size: int) -> Level[Checking | None]:
        return [BoxRow("c", size)]

    @level
    @staticmethod
    async def echo(rows: list[None], info: LevelInfo[Any], text: str) -> Level[str]:
        return [text]

    @level
    @staticmethod
    async def sleep(rows: list[None], info: LevelInfo[Any]) -> Level[int | None]:
        await asyncio.sleep(30)
        return [1]

    @strawberry.field
    async def own_fault(self) -> int | None:
        raise KeyError("password")

    @strawberry.field
    async def library_fault(self) -> int | None:
        raise GraphQLError("the password of a library")


@strawberry.type
class Mutation:
    @level
    @staticmethod
    async def add(rows: list[None], info: LevelInfo[Any], name: str, fail: bool = False) -> Level[Box]:
        info.context.notes.append(f"{name} begins")  # type: ignore[attr-defined]  # the context is a log
        await asyncio.sleep(0.001)
        info.context.notes.append(f"{name} ends")  # type: ignore[attr-defined]  # the context is a log
        return [ApiError("No.", "FORBIDDEN") if fail else BoxRow(name, 1)]


async def tick_rows(log: Log, n: int, fail: bool) -> AsyncGenerator[BoxRow, None]:
    """Yield rows, fail at the end if told so."""
    try:
        for i in range(n):
            yield BoxRow(str(i), i)
        if fail:
            raise ApiError("Gone.", "UNAUTHENTICATED")
    finally:
        log.notes.append("closed")


async def ticks(info: strawberry.Info, n: int = 2, fail: bool = False) -> AsyncGenerator[Box, None]:
    """Give a stream of rows of its own."""
    feed: AsyncGenerator[Box, None] = rows_feed(info.context, tick_rows(info.context, n, fail))
    return feed


async def guarded(info: strawberry.Info) -> AsyncGenerator[Box, None]:
    """Refuse before the stream begins."""
    raise ApiError("Who are you?", ErrorCode.UNAUTHENTICATED)


@strawberry.type
class Subscription:
    ticks: Box = strawberry.subscription(resolver=ticks)
    guarded: Box = strawberry.subscription(resolver=guarded)


def build_schema() -> strawberry.Schema:
    """Build the schema of these tests."""
    return strawberry.Schema(Query, mutation=Mutation, subscription=Subscription, types=[Box, Crate])


def make_engine(
    *, compile_after: int = 1, translate: Translate | None = None, introspection: bool = True, **limits: Any
) -> GraphQLEngine:
    """Make an engine of its own, whose limits are out of the way but for those that are given."""
    engine = GraphQLEngine(
        build_schema(), limits=replace(WIDE, **limits), translate=translate, introspection=introspection
    )
    engine.plans.compile_after = compile_after
    return engine


def ready(engine: GraphQLEngine, query: str, name: str | None = None) -> Prepared:
    """Prepare a document that must be fine."""
    prepared = engine.prepare(query, name)
    assert isinstance(prepared, Prepared), prepared
    return prepared


def refused(engine: GraphQLEngine, query: str, name: str | None = None) -> list[dict[str, Any]]:
    """Prepare a document that must not be."""
    prepared = engine.prepare(query, name)
    assert isinstance(prepared, RequestErrors)
    assert prepared.response() == {"errors": prepared.errors}
    return prepared.errors


async def run(engine: GraphQLEngine, query: str, variables: dict[str, Any] | None = None, log: Any = None) -> Any:
    """Prepare and execute."""
    return await engine.execute(ready(engine, query), variables, log or Log())


def codes(errors: list[dict[str, Any]]) -> list[str]:
    """List the codes of errors."""
    return [error["extensions"]["code"] for error in errors]
