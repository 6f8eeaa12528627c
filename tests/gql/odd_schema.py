"""A schema with a field of every shape, for the rows of `odd_world`."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import strawberry
from odd_world import Code, Color, Pick, Row, Stamp, Window, fetch, read, serialize_code, serialize_stamp
from strawberry.schema.config import StrawberryConfig

from refundgql.gql.declare import Level, LevelInfo, leaf, level


@strawberry.type
class Coin:
    amount: int
    unit: Color | None
    name: str | None
    code: Code | None
    inner: "Coin | None"
    upper: str = leaf(lambda row: row.name.upper())
    same: "Coin | None" = leaf(lambda row: row)


@strawberry.interface
class Named:
    name: str
    code: Code | None
    stamp: Stamp


@strawberry.type
class Vase(Named):
    size: int | None
    color: Color
    near: "Thing | None"

    @level
    @staticmethod
    async def far(rows: list[Row], info: LevelInfo[Any]) -> Level["Thing"]:
        return await fetch(rows, "far")


@strawberry.type
class Thing(Named):
    id: strawberry.ID = leaf(lambda row: f"{row.TYPENAME}_{row.ident}")
    text: str
    text_or_null: str | None
    count: int
    count_or_null: int | None
    share: float
    flag: bool
    flag_or_null: bool | None
    color: Color
    color_or_null: Color | None
    stamp_or_null: Stamp | None
    texts: list[str]
    texts_or_null: list[str | None] | None
    grid: list[list[int] | None] | None
    colors: list[Color]
    stamps: list[Stamp | None]
    coin: Coin
    coin_or_null: Coin | None
    coins: list[Coin]
    coins_or_null: list[Coin | None] | None
    coin_grid: list[list[Coin]] | None
    near: "Thing"
    near_or_null: "Thing | None"
    nears: list["Thing"] | None
    named: Named
    named_or_null: Named | None
    nameds: list[Named | None]
    anything: "Annotated[Thing | Vase | Coin, strawberry.union('Anything')] | None"
    anythings: "list[Annotated[Thing | Vase | Coin, strawberry.union('Anything')]] | None"
    any_grid: "list[list[Annotated[Thing | Vase | Coin, strawberry.union('Anything')] | None]] | None"
    doubled: int | None = leaf(lambda row: row.count * 2)

    @level
    @staticmethod
    async def far(rows: list[Row], info: LevelInfo[Any], n: int = 3, label: str | None = None) -> Level["Thing"]:
        return await fetch(rows, "far")

    @level
    @staticmethod
    async def far_or_null(rows: list[Row], info: LevelInfo[Any]) -> Level["Thing | None"]:
        return await fetch(rows, "far_or_null")

    @level
    @staticmethod
    async def fars(
        rows: list[Row], info: LevelInfo[Any], first: int | None = None
    ) -> Level[list["Thing | None"] | None]:
        return await fetch(rows, "fars", first)

    @level
    @staticmethod
    async def fars_strict(rows: list[Row], info: LevelInfo[Any], window: Window | None = None) -> Level[list["Thing"]]:
        return await fetch(rows, "fars_strict", window.size if window else None)

    @level
    @staticmethod
    async def far_grid(rows: list[Row], info: LevelInfo[Any]) -> Level[list[list["Thing"] | None]]:
        return await fetch(rows, "far_grid")

    @level
    @staticmethod
    async def far_named(
        rows: list[Row], info: LevelInfo[Any], pick: Pick | None = None, picks: list[Pick] | None = None
    ) -> Level[Named | None]:
        chosen = [one.number or one.word or one.window for one in [pick, *(picks or ())] if one]
        info.context.calls[f"picks {chosen}"] += 1  # type: ignore[attr-defined]  # the context is the world
        return await fetch(rows, "far_named")

    @level
    @staticmethod
    async def far_nameds(rows: list[Row], info: LevelInfo[Any]) -> Level[list[Named]]:
        return await fetch(rows, "far_nameds")

    @level
    @staticmethod
    async def far_any(
        rows: list[Row], info: LevelInfo[Any]
    ) -> Level["Annotated[Thing | Vase | Coin, strawberry.union('Anything')]"]:
        return await fetch(rows, "far_any")

    @level
    @staticmethod
    async def far_anys(
        rows: list[Row], info: LevelInfo[Any]
    ) -> Level["list[Annotated[Thing | Vase | Coin, strawberry.union('Anything')] | None] | None"]:
        return await fetch(rows, "far_anys")

    @level
    @staticmethod
    async def far_count(rows: list[Row], info: LevelInfo[Any]) -> Level[int]:
        return await fetch(rows, "far_count")

    @level
    @staticmethod
    async def far_texts(rows: list[Row], info: LevelInfo[Any]) -> Level[list[str] | None]:
        return await fetch(rows, "far_texts")

    @level
    @staticmethod
    async def far_color(rows: list[Row], info: LevelInfo[Any], like: Color = Color.RED) -> Level[Color | None]:
        return await fetch(rows, "far_color")

    @level
    @staticmethod
    def quick(rows: list[Row], info: LevelInfo[Any]) -> Level["Thing | None"]:
        return read(rows, "quick")

    @level
    @staticmethod
    def quick_flag(rows: list[Row], info: LevelInfo[Any]) -> Level[bool]:
        return read(rows, "quick_flag")

    @strawberry.field
    def plain(self, info: strawberry.Info, add: int = 1) -> int | None:
        return self.world.value(self.ident, "plain", "i") + add  # type: ignore[attr-defined]  # self is a row

    @strawberry.field
    async def slow(self, info: strawberry.Info) -> "Thing":
        await asyncio.sleep(0)
        return self.world.value(self.ident, "slow", "T")  # type: ignore[attr-defined,no-any-return]  # self is a row

    @strawberry.field
    def path_text(self, info: strawberry.Info) -> str:
        return "/".join(map(str, info._raw_info.path.as_list()))

    @strawberry.field
    def slows(self) -> list["Vase"] | None:
        return self.world.value(self.ident, "slows", "[V")  # type: ignore[attr-defined,no-any-return]  # self is a row


def _thing(info: LevelInfo[Any], ident: str) -> Row:
    return Row(info.context, ident, "Thing")  # type: ignore[arg-type]  # the context is the world


@strawberry.type
class Query:
    @level
    @staticmethod
    async def thing(rows: list[None], info: LevelInfo[Any], ident: str = "q") -> Level[Thing | None]:
        return [_thing(info, ident)]

    @level
    @staticmethod
    async def things(rows: list[None], info: LevelInfo[Any], n: int = 4) -> Level[list[Thing | None] | None]:
        return [[_thing(info, f"r{i}") for i in range(n)]]

    @level
    @staticmethod
    async def strict(rows: list[None], info: LevelInfo[Any]) -> Level[list[Thing]]:
        return [[_thing(info, f"s{i}") for i in range(3)]]

    @level
    @staticmethod
    async def named(rows: list[None], info: LevelInfo[Any]) -> Level[list[Named | None]]:
        return [_thing(info, "root").world.items("root", "named", "[N", 3 << 40)]

    @strawberry.field
    def direct(self, info: strawberry.Info) -> Thing | None:
        return Row(info.context, "d", "Thing")  # type: ignore[return-value]  # rows travel

    @level
    @staticmethod
    def answer(rows: list[None], info: LevelInfo[Any]) -> Level[int | None]:
        return [42]


@strawberry.type
class Mutation:
    @level
    @staticmethod
    async def make(rows: list[None], info: LevelInfo[Any], ident: str) -> Level[Thing]:
        info.context.calls[f"make {ident}"] += 1  # type: ignore[attr-defined]  # the context is the world
        return await _one(info, ident, "far")

    @level
    @staticmethod
    async def try_it(rows: list[None], info: LevelInfo[Any], ident: str) -> Level[Thing | None]:
        info.context.calls[f"try {ident}"] += 1  # type: ignore[attr-defined]  # the context is the world
        return await _one(info, ident, "far_or_null")


async def _one(info: LevelInfo[Any], ident: str, name: str) -> list[Any]:
    await asyncio.sleep(0)
    return read([_thing(info, ident)], name)


async def ticks(info: strawberry.Info, n: int = 2) -> AsyncGenerator[Thing, None]:
    """Yield some rows."""
    for i in range(n):
        yield Row(info.context, f"tick{i}", "Thing")  # type: ignore[misc]  # rows travel


@strawberry.type
class Subscription:
    ticks: Thing = strawberry.subscription(resolver=ticks)


def build_schema() -> strawberry.Schema:
    """Build the schema; Strawberry's types are declared once."""
    return strawberry.Schema(
        Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Thing, Vase, Coin],
        config=StrawberryConfig(
            scalar_map={
                Stamp: strawberry.scalar(name="Stamp", serialize=serialize_stamp),
                Code: strawberry.scalar(name="Code", serialize=serialize_code),
            }
        ),
    )
