"""A schema whose rows cannot give what its types promise is refused when it is built, in a sentence that says where."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import pytest
import strawberry

from refundgql.gql.declare import Level, LevelInfo, leaf, level
from refundgql.gql.rows import RowMismatch, check_rows, row


@strawberry.enum
class Colour(StrEnum):
    RED = "RED"


@strawberry.interface
class Thing:
    name: str


@strawberry.type
class Box(Thing):
    size: int
    open: bool


@strawberry.type
class Coin(Thing):
    colour: Colour | None


@dataclass
class BoxRow:
    TYPENAME: ClassVar[str] = "Box"
    name: str
    size: int
    open: bool


@dataclass
class NamelessRow:
    size: int
    open: bool


@dataclass
class SpeltRow:
    name: str
    size: int
    open: str


@dataclass
class PerhapsRow:
    name: str | None
    size: int
    open: bool


class MadeRow:
    __slots__ = ("name", "size")

    def __init__(self, name: str, size: str) -> None:
        self.name, self.size = name, size

    @property
    def open(self) -> bool:
        """Say yes."""
        return True


@dataclass
class HalfKnownRow:
    name: "OnlyForTypeCheckers"  # type: ignore[name-defined]  # noqa: F821 - what is imported for them is not there
    size: int
    open: bool


def built(query: type) -> dict[str, set[type]]:
    """Build a schema and check it."""
    return check_rows(strawberry.Schema(strawberry.type(query), types=[Coin]))


def holding(box: Any) -> type:
    """Return a schema's root that gives what has such a box in it."""

    @dataclass
    class ShelfRow:
        box: Any

    ShelfRow.__annotations__["box"] = box

    @row(ShelfRow)
    @strawberry.type
    class Shelf:
        box: Box

    class Query:
        @level
        @staticmethod
        def shelf(rows: list[Any], info: LevelInfo) -> Level[Shelf]:
            return [None]

    return Query


def test_rows_are_found_through_others() -> None:
    """A class of rows is known by being held by another, as text or in a union, and is looked into in its turn."""
    for box in (BoxRow, "BoxRow", BoxRow | Exception):
        assert built(holding(box))["Box"] == {BoxRow}
    assert built(holding(Any)).get("Box", set()) == set()


def test_what_only_type_checkers_know_is_left_to_them() -> None:
    """An annotation whose name is not there when the program runs may be anything; the others are held to theirs."""
    assert built(holding(HalfKnownRow))["Box"] == {HalfKnownRow}


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        (NamelessRow, "Box.name cannot be read: NamelessRow has no name."),
        (SpeltRow, "Box.open, read from SpeltRow, is Boolean! but gives str."),
        (PerhapsRow, "Box.name, read from PerhapsRow, is String! but may be None."),
        (MadeRow, "Box.size, read from MadeRow, is Int! but gives str."),
        (BoxRow | None, "Shelf.box, read from ShelfRow, is Box! but may be None."),
    ],
)
def test_rows_that_do_not_fit_are_refused(box: Any, sentence: str) -> None:
    """An attribute that is missing, of another class or perhaps nothing is named with its row and its field."""
    with pytest.raises(RowMismatch) as refused:
        built(holding(box))
    assert str(refused.value) == sentence


def test_a_level_of_leaves_says_what_it_gives() -> None:
    """It returns a list of it, to which type checkers hold it; one that does not is refused."""

    class Silent:
        @level
        @staticmethod
        def open(rows: list[Any], info: LevelInfo) -> Level[bool]:
            return ["yes"]

    class Fitting:
        @level
        @staticmethod
        def open(rows: list[Any], info: LevelInfo) -> list[bool | None]:
            return [True]

    Silent.__name__ = Fitting.__name__ = "Query"
    with pytest.raises(RowMismatch) as refused:
        built(Silent)
    assert str(refused.value) == "Query.open gives Boolean!: let it return list[...], to which type checkers hold it."
    built(Fitting)


def test_lists_enums_and_interfaces() -> None:
    """Lists are looked into; enums take their texts; what stands for an interface has to say its type."""

    @dataclass
    class RowOfAll:
        names: tuple[str, ...]
        numbers: list[str]
        colour: str
        thing: NamelessRow

    def query_of(**fields: Any) -> type:
        type_ = row(RowOfAll)(strawberry.type(type("All", (), {"__annotations__": fields})))

        class Query:
            @level
            @staticmethod
            def all(rows: list[Any], info: LevelInfo) -> Level[type_]:  # type: ignore[valid-type]  # made for a test
                return [None]

        return Query

    built(query_of(names=list[str], colour=Colour))
    for fields, sentence in (
        ({"numbers": list[int]}, "All.numbers, read from RowOfAll, is Int! but gives str."),
        ({"colour": list[Colour]}, "All.colour, read from RowOfAll, is [Colour!]! but gives str."),
        ({"thing": Thing}, "All.thing, read from RowOfAll, is Thing! but NamelessRow does not say which: give it a"),
    ):
        with pytest.raises(RowMismatch) as refused:
            built(query_of(**fields))
        assert str(refused.value).startswith(sentence)


def test_what_is_computed_is_not_read() -> None:
    """A leaf needs no attribute of its name."""

    @row(NamelessRow)
    @strawberry.type
    class Named:
        name: str = leaf(lambda row: str(row.size))

    class Query:
        @level
        @staticmethod
        def named(rows: list[Any], info: LevelInfo) -> Level[Named]:
            return [NamelessRow(1, True)]

    assert built(Query)["Named"] == {NamelessRow}
