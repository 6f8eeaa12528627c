"""Rows and the dataclasses they are kept from and read into: a field is the column of its name, an instant micros."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from enum import Enum
from functools import cache, lru_cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_type_hints

from refundgql.domain.calendar import from_micros, to_micros
from refundgql.storage.database import Row

T = TypeVar("T")
Convert = Callable[[Any], Any] | None


@cache
def readers(cls: type[Any]) -> dict[str, Convert]:
    """Return what makes the value of each field of a dataclass from its column; None where it is the value already."""
    hints = get_type_hints(cls)
    return {field.name: _reader(hints[field.name]) for field in fields(cls)}


def _reader(hint: Any) -> Convert:
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    kind = kinds[0] if len(kinds) == 1 else None
    if kind is datetime:
        return from_micros
    return kind if kind is bool or (isinstance(kind, type) and issubclass(kind, Enum)) else None


def read(cls: type[T], row: Row, **given: Any) -> T:
    """Return the dataclass of a row, from the columns that have its fields' names and what is given beside them."""
    known = readers(cast("Any", cls))
    for name in row.keys():  # noqa: SIM118  # rows, not dicts
        if name in known and name not in given:
            value, convert = row[name], known[name]
            given[name] = value if value is None or convert is None else convert(value)
    return cls(**given)


def insertion(table: str, row: Any = None, **given: Any) -> tuple[str, list[Any]]:
    """Return the statement that keeps a new row, of a dataclass's fields and what is given beside them."""
    values = {field.name: getattr(row, field.name) for field in fields(row)} if row is not None else {}
    values |= given
    return _inserting(table, tuple(values)), [*map(kept, values.values())]


def change(table: str, row_id: str, **given: Any) -> tuple[str, list[Any]]:
    """Return the statement that sets columns of the row of an id."""
    return _changing(table, tuple(given)), [*map(kept, given.values()), row_id]


def kept(value: Any) -> Any:
    """Return a value as its column keeps it."""
    if isinstance(value, datetime):
        return to_micros(value)
    return value.value if isinstance(value, Enum) else value


@lru_cache(maxsize=256)
def _inserting(table: str, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


@lru_cache(maxsize=256)
def _changing(table: str, names: tuple[str, ...]) -> str:
    return f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?"
