"""Turns records into read-model rows that hold only the columns which a client's selection needs.

It must not run statements; reading a column that was not selected is an AttributeError, never a silent nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from refundgql.queries.pages import BareEdge

Make = Callable[[Any], Any]
MakeEdges = Callable[[Sequence[Any]], list[BareEdge]]
T = TypeVar("T")


def derived(wanted: Mapping[str, Any], key: object, work: Callable[[], T]) -> T:
    """Return what work makes of a selection, done once for a selection that keeps it from request to request."""
    kept = getattr(wanted, "derived", None)
    if kept is None:
        return work()
    found: T | None = kept.get(key)
    if found is None:
        found = kept[key] = work()
    return found


class Nested(NamedTuple):
    """A row within a row, made of the same record from `start` on; nothing where its first column is NULL."""

    attribute: str
    row_class: type
    columns: tuple[str, ...]
    start: int


class Shape:
    """The columns that each GraphQL field of one type needs, and how a record becomes a row of it."""

    __slots__ = ("_always", "_chosen", "_fields", "computed", "row_class")

    def __init__(
        self,
        row_class: type,
        own: str,
        fields: Mapping[str, Iterable[str]] | None = None,
        *,
        computed: Mapping[str, str] | None = None,
        always: Iterable[str] = ("id",),
    ) -> None:
        """Keep the columns of each field: of the `own` ones, a list with spaces, the column of the same name.

        Fields that are not named need none. `computed` gives the SQL of attributes that are no column of the table.
        """
        self.row_class = row_class
        self.computed = dict(computed or {})
        self._always = tuple(always)
        columns: dict[str, Iterable[str]] = {name: (name,) for name in own.split()}
        self._fields = {name: tuple(some) for name, some in {**columns, **(fields or {})}.items()}
        self._chosen: dict[tuple[str, ...], tuple[str, ...]] = {}

    def columns(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Return the columns for the fields a client asks for, each once."""
        names = tuple(wanted)
        chosen = self._chosen.get(names)
        if chosen is None:
            found = dict.fromkeys(self._always)
            for name in names:
                found.update(dict.fromkeys(self._fields.get(name, ())))
            chosen = tuple(found)
            if len(self._chosen) < 1_000:  # clients choose the combinations, so what is remembered is bounded
                self._chosen[names] = chosen
        return chosen

    def select(self, columns: tuple[str, ...], alias: str) -> str:
        """Return the select list of these columns."""
        return ", ".join(self.computed.get(column) or f"{alias}.{column}" for column in columns)

    def maker(self, columns: tuple[str, ...], start: int = 0, nested: tuple[Nested, ...] = ()) -> Make:
        """Return the function that makes a row of the record's values from position `start` on."""
        return _maker(Nested("", self.row_class, columns, start), nested)

    def edges_maker(self, columns: tuple[str, ...]) -> MakeEdges:
        """Return the function that makes a page's edges, of items whose places nobody asks for, of its records."""
        return _edges_maker(Nested("", self.row_class, columns, 0))


@lru_cache(maxsize=2_048)
def _maker(outer: Nested, nested: tuple[Nested, ...]) -> Make:
    """Write out the assignments: a loop over names costs several times as much on lists of hundreds of rows."""
    namespace: dict[str, Any] = {}
    lines = ["def make(record):", *_assignments("row", outer, namespace)]
    for number, one in enumerate(nested):
        lines += [
            f" if record[{one.start}] is None: row.{_checked(one.attribute)} = None",
            " else:",
            *(f" {line}" for line in _assignments(f"row{number}", one, namespace)),
            f"  row.{one.attribute} = row{number}",
        ]
    lines.append(" return row")
    exec("\n".join(lines), namespace)  # noqa: S102  # the names are this package's own, checked below
    made: Make = namespace["make"]
    return made


@lru_cache(maxsize=2_048)
def _edges_maker(what: Nested) -> MakeEdges:
    """Write out the whole loop: calling a function for each row and each edge costs as much as what they do."""
    namespace: dict[str, Any] = {"new_edge": BareEdge.__new__, "class_edge": BareEdge}
    lines = [
        "def make(records):",
        " edges = []; add = edges.append",
        " for record in records:",
        *(f" {line}" for line in _assignments("row", what, namespace)),
        "  edge = new_edge(class_edge); edge.node = row; add(edge)",
        " return edges",
    ]
    exec("\n".join(lines), namespace)  # noqa: S102  # the names are this package's own, checked below
    made: MakeEdges = namespace["make"]
    return made


def _assignments(name: str, what: Nested, namespace: dict[str, Any]) -> list[str]:
    namespace |= {f"new_{name}": what.row_class.__new__, f"class_{name}": what.row_class}
    values = (f" {name}.{_checked(column)} = record[{place}]" for place, column in enumerate(what.columns, what.start))
    return [f" {name} = new_{name}(class_{name})", *values]


def _checked(name: str) -> str:
    if not name.isidentifier():
        raise ValueError(f"{name!r} is not a column name")
    return name
