"""Completes values by the specification, with exact paths and null propagation: the slow road.

The generated functions come here with whatever their happy path cannot place. All rows of a level still go
on together, so that a null or an error never costs further statements. It must not resolve levels itself.
"""

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any

from graphql import (
    GraphQLError,
    Undefined,
    default_type_resolver,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from refundgql.gql.compiled.plan import Field, PathOf, Run, Selected
from refundgql.gql.ports import inspect as shown
from refundgql.gql.ports import is_iterable


class Nulled(Exception):
    """A non-null position below has no value; its error is already noted."""


class Odd(Exception):
    """A value the happy path does not handle; the row is done again by the slow road."""


def odd() -> Any:
    """Leave the happy path from within an expression."""
    raise Odd


def coerce_leaf(type_: Any, value: Any) -> Any:
    """Coerce one leaf value, as graphql-core does. Refuses: what the type's own function refuses."""
    coerced = type_.coerce_output_value(value)
    if coerced is None or coerced is Undefined:
        raise TypeError(
            f"Expected `{shown(type_)}.coerce_output_value({shown(value)})`"
            f" to return non-nullable value, returned: {shown(coerced)}"
        )
    return coerced


class Completer:
    """Completes values of one field; subclasses say what becomes of objects."""

    def __init__(self, field: Field, run: Run) -> None:
        self.field = field
        self.run = run

    def complete(self, type_: Any, value: Any, path: list[str | int]) -> Any:
        """Complete one value. Refuses: raises its error, or Nulled when the error is already noted."""
        if isinstance(value, Exception):
            raise value
        if is_non_null_type(type_):
            completed = self.complete(type_.of_type, value, path)
            if completed is None:
                raise TypeError(f"Cannot return null for non-nullable field {self.field.label}.")
            return completed
        if value is None or value is Undefined:
            return None
        if is_list_type(type_):
            return self._list(type_.of_type, value, path)
        if is_leaf_type(type_):
            return coerce_leaf(type_, value)
        name = type_.name if is_object_type(type_) else self.type_name(type_, value, path)
        return self.object(self.field.subs[name], value, path)

    def _list(self, item_type: Any, value: Any, path: list[str | int]) -> list[Any]:
        if not is_iterable(value):
            raise GraphQLError(f"Expected Iterable, but did not find one for field '{self.field.label}'.")
        return [self.position(item_type, item, [*path, i]) for i, item in enumerate(value)]

    def position(self, type_: Any, value: Any, path: list[str | int]) -> Any:
        """Complete the value of a position that can take the null itself. Refuses: Nulled when it cannot."""
        try:
            return self.complete(type_, value, path)
        except Nulled:
            pass
        except Exception as error:
            self.run.fail(error, self.field, path)
        if is_non_null_type(type_):
            raise Nulled
        return None

    def type_name(self, type_: Any, value: Any, path: list[str | int]) -> str:
        """Name the object type of a value of an interface or union. Refuses: names that are none (GraphQLError)."""
        name: Any = getattr(value, "TYPENAME", None)
        if name is None:
            name = default_type_resolver(value, self.field.info(self.run, path), type_)
        if isinstance(name, str) and name in self.field.subs:
            return name
        found = self.run.executor.ensure_valid_runtime_type(
            name, type_, self.field.details, self.field.info(self.run, path), value
        )
        return found.name

    def object(self, selected: Selected, value: Any, path: list[str | int]) -> Any:
        """Complete an object all of whose fields are read from the row."""
        done = redo(selected, value, self.run, path)
        if done is None:
            raise Nulled
        return done


def redo(selected: Selected, row: Any, run: Run, path: list[str | int]) -> dict[str, Any] | None:
    """Complete the read fields of one row one by one; None when a non-null one has no value."""
    done: dict[str, Any] = {}
    for field in selected.fields:
        done[field.key] = None
        if not field.inline:
            continue
        try:
            value: Any = field.read(row)
        except Exception as error:
            value = error
        try:
            done[field.key] = Completer(field, run).position(field.type, value, [*path, field.key])
        except Nulled:
            return None
    return done


class Gatherer(Completer):
    """Completes all values of a level but its objects, and leaves those to be run together."""

    def __init__(self, field: Field, run: Run) -> None:
        super().__init__(field, run)
        self.rows: dict[str, tuple[Selected, list[Any], list[list[str | int]]]] = {}
        self.done: dict[str, list[Any]] = {}

    def object(self, selected: Selected, value: Any, path: list[str | int]) -> Any:
        """Note an object to be completed with the others of its type; give its place among them."""
        _, rows, paths = self.rows.setdefault(selected.type_name, (selected, [], []))
        rows.append(value)
        paths.append(path)
        return _Place(selected.type_name, len(rows) - 1)

    def place(self, type_: Any, shape: Any) -> Any:
        """Put the completed objects where they belong. Refuses: Nulled where a non-null one is missing."""
        if is_non_null_type(type_):
            placed = self.place(type_.of_type, shape)
            if placed is None:
                raise Nulled
            return placed
        if isinstance(shape, _Place):
            return self.done[shape.type_name][shape.index]
        if is_list_type(type_) and shape is not None:
            return [self._place_item(type_.of_type, item) for item in shape]
        return shape

    def _place_item(self, type_: Any, shape: Any) -> Any:
        try:
            return self.place(type_, shape)
        except Nulled:
            if is_non_null_type(type_):
                raise
            return None


class _Place:
    __slots__ = ("index", "type_name")

    def __init__(self, type_name: str, index: int) -> None:
        self.type_name = type_name
        self.index = index


def start_slow(field: Field, values: Sequence[Any], run: Run, path_of: PathOf) -> tuple[Gatherer, list[Any]]:
    """Begin the slow road for one field of a level: complete everything but objects."""
    gatherer = Gatherer(field, run)
    shapes: list[Any] = []
    for i, value in enumerate(values):
        try:
            shapes.append(gatherer.position(field.type, value, [*path_of(i), field.key]))
        except Nulled:
            shapes.append(Nulled)
    return gatherer, shapes


def end_slow(gatherer: Gatherer, shapes: list[Any], outs: list[dict[str, Any]]) -> set[int] | None:
    """Finish the slow road: fill in the field, and tell which rows it has nulled."""
    field = gatherer.field
    dead: set[int] = set()
    for i, (out, shape) in enumerate(zip(outs, shapes, strict=True)):
        try:
            if shape is Nulled:
                raise Nulled
            out[field.key] = gatherer.place(field.type, shape)
        except Nulled:
            out[field.key] = None
            if field.non_null:
                dead.add(i)
    return dead or None


def read_all(field: Field, rows: Sequence[Any]) -> list[Any]:
    """Read one field of each row, an exception standing for a value that cannot be read."""
    values: list[Any] = []
    for row in rows:
        try:
            values.append(field.read(row))
        except Exception as error:
            values.append(error)
    return values


def event_values(field: Field, rows: list[Any], run: Run) -> list[Any]:
    """Give a subscription's event as its root field's value, unless the field's arguments are wrong."""
    if field.args.constant:
        return rows
    try:
        field.args.coerced(run.variables)
    except Exception as error:
        return [error] * len(rows)
    return rows


async def resolve_rows(field: Field, rows: Sequence[Any], run: Run, path_of: PathOf) -> list[Any]:
    """Call an ordinary resolver for each row, and wait for all of them at once."""
    try:
        given = field.args.coerced(run.variables)
    except Exception as error:
        return [error] * len(rows)
    values: list[Any] = []
    waiting: list[int] = []
    for i, row in enumerate(rows):
        try:
            value = field.function(row, field.info(run, [*path_of(i), field.key]), **given)
        except Exception as error:
            value = error
        if inspect.isawaitable(value):
            waiting.append(i)
        values.append(value)
    if waiting:
        results = await asyncio.gather(*(values[i] for i in waiting), return_exceptions=True)
        for i, result in zip(waiting, results, strict=True):
            if isinstance(result, BaseException) and not isinstance(result, Exception):
                raise result
            values[i] = result
    return values
