"""Runs a plan level by level: the happy road between the generated functions."""

from collections.abc import Sequence
from enum import Enum, auto
from functools import partial
from typing import Any

from graphql import is_non_null_type

from refundgql.gql.compiled.completion import (
    end_slow,
    event_values,
    read_all,
    resolve_rows,
    start_slow,
)
from refundgql.gql.compiled.plan import MAX_CLASSES, Field, FieldKind, PathOf, Run, Selected, nullable
from refundgql.gql.core.adapter import same_length
from refundgql.gql.declare import LevelInfo
from refundgql.gql.ports import UndefinedType

Outs = list[Any]
"""The dictionaries of a level's rows; None where a row was nulled."""

LISTS = frozenset({list, tuple})
ODD_KINDS = (type(None), Exception, UndefinedType)


# --- a selection ----------------------------------------------------------------------------------------------------


def complete_rows(selected: Selected, rows: list[Any], run: Run, path_of: PathOf) -> Outs:
    """Complete all rows of a selection whose fields need no await; a generated function does most of it."""
    outs, rows, live, path_of = _read_rows(selected, rows, run, path_of)
    dead: set[int] = set()
    for field in selected.composed if live else ():
        dead.update(fill(field, rows, live, run, path_of) or ())
    return _without(outs, live, dead)


async def complete_rows_awaiting(selected: Selected, rows: list[Any], run: Run, path_of: PathOf) -> Outs:
    """Complete all rows of a selection with fields to await, one field after the other."""
    outs, rows, live, path_of = _read_rows(selected, rows, run, path_of)
    dead: set[int] = set()
    for field in selected.composed if live else ():
        if field.waits:
            dead.update(await fill_awaiting(field, rows, live, run, path_of) or ())
        else:
            dead.update(fill(field, rows, live, run, path_of) or ())
    return _without(outs, live, dead)


async def complete_serially(selected: Selected, rows: list[Any], run: Run, path_of: PathOf) -> Outs:
    """Complete a mutation's root: a lost non-null field ends it, and no later field is begun."""
    outs, rows, live, path_of = _read_rows(selected, rows, run, path_of)
    for field in selected.composed if live else ():
        if await fill_awaiting(field, rows, live, run, path_of):
            return [None]
    return outs


def _read_rows(selected: Selected, rows: list[Any], run: Run, path_of: PathOf) -> tuple[Outs, list[Any], Outs, PathOf]:
    """Read what needs only the rows; give all results, and of those not nulled the rows, results and paths."""
    before = len(run.errors)
    outs: Outs = selected.read(rows, run, path_of)
    if len(run.errors) == before:
        return outs, rows, outs, path_of
    alive = [i for i, out in enumerate(outs) if out is not None]
    return outs, [rows[i] for i in alive], [outs[i] for i in alive], lambda i: path_of(alive[i])


def _without(outs: Outs, live: Outs, dead: set[int]) -> Outs:
    """Null the rows of a level that lost a non-null field."""
    if not dead:
        return outs
    gone = {id(live[i]) for i in dead}
    return [None if id(out) in gone else out for out in outs]


# --- a field --------------------------------------------------------------------------------------------------------


def fill(field: Field, rows: list[Any], outs: Outs, run: Run, path_of: PathOf) -> set[int] | None:
    """Complete one field of a level that needs no await; tell which rows it has nulled."""
    values = _values(field, rows, run)
    if field.leaves is not None and _leaves(field, values, outs):
        return None
    fitting = _arrange(field, values) if field.leaves is None else None
    if fitting is None:
        gatherer, shapes = start_slow(field, values, run, path_of)
        for name, (selected, gathered, paths) in gatherer.rows.items():
            gatherer.done[name] = selected.run(gathered, run, paths.__getitem__)
        return end_slow(gatherer, shapes, outs)
    arranged, flat, groups = fitting
    before, at = len(run.errors), _paths(arranged, field.key, values, path_of)
    if groups is None:
        done = field.only.run(flat, run, at) if flat else []
    else:
        done = [None] * len(flat)
        for name, places in groups.items():
            part = [flat[i] for i in places]
            _scatter(done, places, field.subs[name].run(part, run, _picked(at, places)))
    return _place(field, arranged, values, outs, done, len(run.errors) != before)


async def fill_awaiting(field: Field, rows: list[Any], outs: Outs, run: Run, path_of: PathOf) -> set[int] | None:
    """Complete one field of a level, awaiting its values or what is below; the same steps as `fill`."""
    if field.kind is FieldKind.RESOLVER:
        values: Sequence[Any] = await resolve_rows(field, rows, run, path_of)
    elif field.awaits:
        values = await _level_values(field, rows, run)
    else:
        values = _values(field, rows, run)
    if field.leaves is not None and _leaves(field, values, outs):
        return None
    fitting = _arrange(field, values) if field.leaves is None else None
    if fitting is None:
        gatherer, shapes = start_slow(field, values, run, path_of)
        for name, (selected, gathered, paths) in gatherer.rows.items():
            gatherer.done[name] = await _run(selected, gathered, run, paths.__getitem__)
        return end_slow(gatherer, shapes, outs)
    arranged, flat, groups = fitting
    before, at = len(run.errors), _paths(arranged, field.key, values, path_of)
    if groups is None:
        done: Any = field.only.run(flat, run, at) if flat else []
        if field.only.awaits and flat:
            done = await done
    else:
        done = [None] * len(flat)
        for name, places in groups.items():
            part = [flat[i] for i in places]
            _scatter(done, places, await _run(field.subs[name], part, run, _picked(at, places)))
    return _place(field, arranged, values, outs, done, len(run.errors) != before)


async def _run(selected: Selected, rows: list[Any], run: Run, path_of: PathOf) -> Outs:
    outs: Outs = await selected.run(rows, run, path_of) if selected.awaits else selected.run(rows, run, path_of)
    return outs


async def _level_values(field: Field, rows: list[Any], run: Run) -> Sequence[Any]:
    try:
        info = LevelInfo(run.context, field.selection, field, run.variables)
        values = await field.function(rows, info, **field.keywords(run.variables))
        values = same_length(values, rows, field.function)
    except Exception as error:
        return [error] * len(rows)
    return _counted(field, values, run)


def _values(field: Field, rows: list[Any], run: Run) -> Sequence[Any]:
    """Get the values of all rows without waiting; an exception stands where there is none."""
    if field.kind is FieldKind.EVENT:
        return event_values(field, rows, run)
    if field.kind is not FieldKind.LEVEL:
        try:
            return [*map(field.getter, rows)]
        except Exception:
            return read_all(field, rows)
    try:
        info = LevelInfo(run.context, field.selection, field, run.variables)
        values = field.function(rows, info, **field.keywords(run.variables))
        values = same_length(values, rows, field.function)
    except Exception as error:
        return [error] * len(rows)
    return _counted(field, values, run)


def _counted(field: Field, values: Sequence[Any], run: Run) -> Sequence[Any]:
    """Count what multiplies. Refuses: TooManyItems, which ends the whole operation."""
    if field.depth:
        run.found.count_lists(values)
    elif field.page:
        run.found.count_pages(values)
    return values


def _leaves(field: Field, values: Sequence[Any], outs: Outs) -> bool:
    """Complete leaf values by their generated function; False when one of them is odd."""
    key = field.key
    try:
        for out, value in zip(outs, field.leaves(values), strict=True):
            out[key] = value
    except Exception:
        return False
    return True


# --- where objects stand in a field's values ------------------------------------------------------------------------


class Arranged(Enum):
    """How the objects of a level stand in the values of their field."""

    EACH = auto()
    SOME = auto()
    LISTS = auto()


Groups = dict[str, list[int]]


def _arrange(field: Field, values: Sequence[Any]) -> tuple[Arranged, list[Any], Groups | None] | None:
    """Line up the objects of all rows, by type for interfaces and unions; None when something is odd."""
    arranged, flat = Arranged.EACH, values if isinstance(values, list) else [*values]
    if field.depth == 1:
        if not {*map(type, values)} <= LISTS:
            return None
        arranged, flat = Arranged.LISTS, [item for items in values for item in items]
    if field.depth > 1:
        return None
    if not harmless(field.classes, flat):
        if arranged is Arranged.LISTS or field.non_null:
            return None
        arranged, flat = Arranged.SOME, [value for value in values if value is not None]
        if not harmless(field.classes, flat):
            return None
    if field.only is not None:
        return arranged, flat, None
    groups = group(flat, field.subs)
    return None if groups is None else (arranged, flat, groups)


def harmless(known: set[type], rows: Sequence[Any]) -> bool:
    """Say whether no row is null or an exception, remembering classes that are neither."""
    kinds = {*map(type, rows)}
    if kinds <= known:
        return True
    if any(issubclass(kind, ODD_KINDS) for kind in kinds):
        return False
    if len(known) < MAX_CLASSES:
        known |= kinds
    return True


def group(rows: Sequence[Any], possible: dict[str, Selected]) -> Groups | None:
    """Sort rows of an interface or union by type; None when one of them does not say a possible one."""
    groups: Groups = {}
    try:
        for i, row in enumerate(rows):
            name = row.TYPENAME
            if name in groups:
                groups[name].append(i)
            elif name in possible:
                groups[name] = [i]
            else:
                return None
    except Exception:
        return None
    return groups


def _paths(arranged: Arranged, key: str, values: Sequence[Any], path_of: PathOf) -> PathOf:
    """Give the path of each object that was lined up."""
    if arranged is Arranged.EACH:
        return lambda i: [*path_of(i), key]
    return partial(_path_in_some if arranged is Arranged.SOME else _path_in_lists, key, values, path_of)


def _path_in_some(key: str, values: Sequence[Any], path_of: PathOf, j: int) -> list[str | int]:
    return [*path_of([i for i, value in enumerate(values) if value is not None][j]), key]


def _path_in_lists(key: str, values: Sequence[Any], path_of: PathOf, j: int) -> list[str | int]:
    for i, items in enumerate(values):
        if j < len(items):
            return [*path_of(i), key, j]
        j -= len(items)
    raise IndexError(j)


def _picked(path_of: PathOf, places: list[int]) -> PathOf:
    return lambda i: path_of(places[i])


def _scatter(into: Outs, places: list[int], outs: Outs) -> None:
    for i, out in zip(places, outs, strict=True):
        into[i] = out


def _place(
    field: Field, arranged: Arranged, values: Sequence[Any], outs: Outs, done: Outs, doubtful: bool
) -> set[int] | None:
    """Put completed objects into their rows; tell which rows that nulls, when there were errors."""
    key = field.key
    if arranged is Arranged.EACH:
        for out, value in zip(outs, done, strict=True):
            out[key] = value
        if doubtful and field.non_null:
            return {i for i, value in enumerate(done) if value is None}
        return None
    if arranged is Arranged.SOME:
        remaining = iter(done)
        for out, value in zip(outs, values, strict=True):
            if value is not None:
                out[key] = next(remaining)
        return None
    start = 0
    for out, items in zip(outs, values, strict=True):
        out[key] = done[start : start + len(items)]
        start += len(items)
    return _lost_items(field, outs) if doubtful else None


def _lost_items(field: Field, outs: Outs) -> set[int] | None:
    """Null the lists that lost a non-null item; tell which rows that nulls in turn."""
    if not is_non_null_type(nullable(field.type).of_type):
        return None
    lost = {i for i, out in enumerate(outs) if any(item is None for item in out[field.key])}
    for i in lost:
        outs[i][field.key] = None
    return lost if field.non_null else None
