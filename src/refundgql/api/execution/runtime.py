"""What generated code calls on its happy path.

It must not report errors: it says that something does not fit, and the caller takes the slow road.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from graphql import is_non_null_type
from graphql.pyutils import UndefinedType

from refundgql.api.execution.adapter import same_length
from refundgql.api.execution.leaves import MAX_CLASSES
from refundgql.api.execution.plan import Field, PathOf, Run, nullable

__all__ = [
    "by_type",
    "by_type_awaiting",
    "group",
    "harmless",
    "lost_items",
    "path_in_lists",
    "same_length",
    "together",
]

Groups = dict[str, list[int]]


def harmless(known: set[type], rows: Sequence[Any]) -> bool:
    """Say whether no row is null or an exception, remembering classes that are neither."""
    kinds = {*map(type, rows)}
    if kinds <= known:
        return True
    if any(issubclass(kind, (type(None), Exception, UndefinedType)) for kind in kinds):
        return False
    if len(known) < MAX_CLASSES:
        known |= kinds
    return True


def group(rows: Sequence[Any], names: frozenset[str]) -> Groups | None:
    """Sort rows of an interface or union by type; None when one of them does not say a possible one."""
    groups: Groups = {}
    try:
        for i, row in enumerate(rows):
            name = row.TYPENAME
            if name in groups:
                groups[name].append(i)
            elif name in names:
                groups[name] = [i]
            else:
                return None
    except Exception:
        return None
    return groups


def by_type(field: Field, groups: Groups, rows: list[Any], run: Run, path_of: PathOf) -> list[Any]:
    """Complete rows of an interface or union, those of one type together."""
    done: list[Any] = [None] * len(rows)
    for name, places in groups.items():
        chosen = [rows[i] for i in places]
        completed = field.subs[name].run(chosen, run, lambda k, places=places: path_of(places[k]))
        for i, out in zip(places, completed, strict=True):
            done[i] = out
    return done


async def by_type_awaiting(field: Field, groups: Groups, rows: list[Any], run: Run, path_of: PathOf) -> list[Any]:
    """Complete rows of an interface or union some of whose types have fields to await."""
    done: list[Any] = [None] * len(rows)
    for name, places in groups.items():
        chosen = [rows[i] for i in places]
        completed = field.subs[name].run(chosen, run, lambda k, places=places: path_of(places[k]))
        if not isinstance(completed, list):
            completed = await completed
        for i, out in zip(places, completed, strict=True):
            done[i] = out
    return done


def path_in_lists(lists: Sequence[Sequence[Any]], path_of: PathOf, key: str) -> PathOf:
    """Give the paths of the items of all lists of a level, counted through."""

    def path(j: int) -> list[str | int]:
        for i, items in enumerate(lists):
            if j < len(items):
                return [*path_of(i), key, j]
            j -= len(items)
        raise IndexError(j)

    return path


def lost_items(field: Field, outs: list[dict[str, Any]]) -> set[int] | None:
    """Null the lists that lost a non-null item; tell which rows that nulls in turn."""
    dead: set[int] = set()
    if not is_non_null_type(nullable(field.type).of_type):
        return None
    for i, out in enumerate(outs):
        if any(item is None for item in out[field.key]):
            out[field.key] = None
            if field.non_null:
                dead.add(i)
    return dead or None


async def together(*calls: Coroutine[Any, Any, set[int] | None]) -> list[set[int] | None]:
    """Run fields of one level at the same time."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
