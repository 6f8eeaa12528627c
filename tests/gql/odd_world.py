"""Worlds of rows in which anything may be null, wrong or an exception, and the scalars they hold.

It must give the same value for the same row and field every time, so that two executors can be compared.
"""

import asyncio
import enum
import hashlib
import struct
from collections import Counter
from typing import Any, NewType

import strawberry
from graphql import GraphQLError

from refundgql.gql.declare import passes
from refundgql.gql.errors import ApiError

Stamp = NewType("Stamp", int)
Code = NewType("Code", str)


def serialize_stamp(value: Any) -> str:
    """Show an instant; negative ones are refused, zero has no text."""
    if not isinstance(value, int) or value < 0:
        raise GraphQLError(f"Stamp cannot represent {value!r}")
    return f"t{value}" if value else None  # type: ignore[return-value]  # a serializer that breaks its promise


@passes(str)
def serialize_code(value: Any) -> str:
    """Pass text on, refuse the rest."""
    if isinstance(value, str):
        return value
    raise TypeError(f"no code: {value!r}")


@strawberry.enum
class Color(enum.StrEnum):
    RED = "RED"
    GREEN = "GREEN"
    BLUE = "BLUE"


@strawberry.input
class Window:
    size: int = 2
    color: Color | None = None


@strawberry.input(one_of=True)
class Pick:
    number: int | None = strawberry.UNSET
    word: str | None = strawberry.UNSET
    window: Window | None = strawberry.UNSET


class World:
    """All rows of one seed; `odds` is the share of values that are not as they should be."""

    def __init__(self, seed: int, odds: float) -> None:
        self.seed = seed
        self.odds = odds
        self.calls: Counter[str] = Counter()
        self.forced: dict[str, Any] = {}
        """Values of attributes by name, whatever row they are of; an exception class is raised."""

    def number(self, ident: str, name: str, salt: str = "") -> int:
        """Give the number that decides about a value."""
        digest = hashlib.blake2b(f"{self.seed}/{ident}/{name}/{salt}".encode(), digest_size=8).digest()
        return int(struct.unpack(">Q", digest)[0])

    def value(self, ident: str, name: str, shape: str) -> Any:
        """Give the value of a row's field, or raise instead."""
        if name in self.forced:
            forced = self.forced[name]
            if isinstance(forced, type):
                raise forced(f"raised {ident}.{name}")
            return forced
        number = self.number(ident, name)
        if (number >> 8) % 100_000 < self.odds * 100_000:
            return self.odd(ident, name, shape, number)
        return self.good(ident, name, shape, number)

    def odd(self, ident: str, name: str, shape: str, number: int) -> Any:
        """Give something that does not belong there."""
        kind = number % 11
        where = f"{ident}.{name}"
        if kind == 0:
            raise ValueError(f"raised {where}")
        if kind == 1:
            return ApiError(f"returned {where}", "FORBIDDEN")
        if kind == 2:
            return GraphQLError(f"graphql {where}")
        if kind == 3:
            return 2**40
        if kind == 4:
            return [] if shape[0] != "[" else "text"
        if kind == 5:
            return tuple(self.items(ident, name, shape, number)) if shape[0] == "[" else -7
        if kind == 6:
            return {"a": 1}
        if kind == 7:
            return [True, float("inf"), float("nan"), 3.0, "7", "", b"x"][number // 11 % 7]
        return None

    def items(self, ident: str, name: str, shape: str, number: int) -> list[Any]:
        """Give the items of a list, each of them with its own odds."""
        return [self.value(f"{ident}{i}", name, shape[1:]) for i in range((number >> 40) % 4)]

    def good(self, ident: str, name: str, shape: str, number: int) -> Any:
        """Give a value of a shape: one letter for a kind, `[` before it for each list."""
        kind = shape[0]
        if kind == "[":
            return self.items(ident, name, shape, number)
        if kind == "s":
            return f"{name}:{ident}"
        if kind == "i":
            return number % 1000 - 500
        if kind == "f":
            return (number % 1000) / 8
        if kind == "b":
            return bool(number % 2)
        if kind == "c":
            color = list(Color)[number % 3]
            return color if number % 5 == 0 else color.value
        if kind == "t":
            return number % 100
        child = f"{ident}-{number % 97}"
        type_name = {"T": "Thing", "V": "Vase", "M": "Coin"}.get(kind) or ["Thing", "Vase", "Coin"][
            number % (2 if kind == "N" else 3)
        ]
        return (OtherRow if number % 3 == 0 else Row)(self, child, type_name)


class Row:
    """A row whose every attribute exists; its class variable would be TYPENAME in real read models."""

    __slots__ = ("TYPENAME", "ident", "world")

    def __init__(self, world: World, ident: str, typename: str) -> None:
        self.world = world
        self.ident = ident
        self.TYPENAME: Any = typename
        if ident and world.number(ident, "TYPENAME") % 100_000 < world.odds * 20_000:
            self.TYPENAME = ["Nowhere", "Query", "Named", None, 7][world.number(ident, "TYPE") % 5]

    def __getattr__(self, name: str) -> Any:
        if name not in SHAPES:
            raise AttributeError(name)
        return self.world.value(self.ident, name, SHAPES[name])

    def __repr__(self) -> str:
        return f"<{self.ident}>"


class OtherRow(Row):
    """The same under another class: one level may hold rows of several."""

    __slots__ = ()


SHAPES = {
    "name": "s", "text": "s", "text_or_null": "s", "count": "i", "count_or_null": "i", "share": "f", "flag": "b",
    "flag_or_null": "b", "color": "c", "color_or_null": "c", "stamp": "t", "stamp_or_null": "t", "code": "s",
    "texts": "[s", "texts_or_null": "[s", "grid": "[[i", "colors": "[c", "stamps": "[t", "coin": "M",
    "coin_or_null": "M", "coins": "[M", "coins_or_null": "[M", "coin_grid": "[[M", "amount": "i", "unit": "c",
    "inner": "M", "near": "T", "near_or_null": "T", "nears": "[T", "named": "N", "named_or_null": "N",
    "nameds": "[N", "anything": "U", "anythings": "[U", "any_grid": "[[U", "size": "i",
    "far": "T", "far_or_null": "T", "fars": "[T", "fars_strict": "[T", "far_grid": "[[T", "far_named": "N",
    "far_nameds": "[N", "far_any": "U", "far_anys": "[U", "far_count": "i", "far_texts": "[s", "far_color": "c",
    "quick": "T", "quick_flag": "b", "plain": "i", "slow": "T", "slows": "[T", "vase": "V",
}  # fmt: skip
"""What each attribute holds when nothing is odd."""


async def fetch(rows: list[Any], name: str, limit: int | None = None) -> list[Any]:
    """Read one field of all rows as a statement would: at once, after a while, errors in their places."""
    # What is no row at all may stand anywhere, and executors need not agree on which of a level's rows comes first.
    world: World = next((row for row in rows if isinstance(row, Row)), rows[0]).world
    world.calls[name] += 1
    for _ in range(world.number("", name) % 4):
        await asyncio.sleep(0)
    if world.number("", name, "level") % 100_000 < world.odds * 10_000:
        raise ApiError(f"level {name}", "FORBIDDEN")
    return read(rows, name, limit)


def read(rows: list[Any], name: str, limit: int | None = None) -> list[Any]:
    """Read one field of all rows, exceptions in their places."""
    values: list[Any] = []
    for row in rows:
        try:
            value = getattr(row, name)
            values.append(value[:limit] if isinstance(value, list) and limit is not None else value)
        except Exception as error:
            values.append(error)
    return values
