"""Statements are written once, with `?`, and spelt for each database here; and they are counted here.

Two forms stand for all that differs between the databases: a `?` placeholder, and `column = ANY(?)` with a list, whose
text does not change with the list's length, so that prepared statements are found again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

_TOKEN = re.compile(r"'[^']*'|= ANY\(\?\)|\?")


class SqliteStatement(NamedTuple):
    """A statement for SQLite and the positions of its list parameters, which travel as JSON."""

    sql: str
    lists: tuple[int, ...]


@lru_cache(maxsize=4096)
def for_postgres(sql: str) -> str:
    """Return the statement with `$1`, `$2`, … for its placeholders."""
    position = 0

    def spell(match: re.Match[str]) -> str:
        nonlocal position
        found = match.group()
        if found[0] == "'":
            return found
        position += 1
        return found.replace("?", f"${position}")

    return _TOKEN.sub(spell, sql)


@lru_cache(maxsize=4096)
def for_sqlite(sql: str) -> SqliteStatement:
    """Return the statement with every `= ANY(?)` as a look-up in a JSON list."""
    position = 0
    lists: list[int] = []

    def spell(match: re.Match[str]) -> str:
        nonlocal position
        found = match.group()
        if found[0] == "'":
            return found
        position += 1
        if found == "?":
            return found
        lists.append(position - 1)
        return "IN (SELECT value FROM json_each(?))"

    return SqliteStatement(_TOKEN.sub(spell, sql), tuple(lists))


def sqlite_parameters(statement: SqliteStatement, parameters: Sequence[Any]) -> Sequence[Any]:
    """Return the parameters with lists as JSON texts."""
    if not statement.lists:
        return parameters
    spelt = list(parameters)
    for position in statement.lists:
        spelt[position] = orjson.dumps(list(spelt[position])).decode()
    return spelt


@lru_cache(maxsize=2048)
def together(pieces: tuple[tuple[str, str | None, int | None], ...]) -> str:
    """Return one PostgreSQL statement for several; each is its text, its name, and how many rows it has to change.

    Those whose rows are counted run first, in their order; one that changes too few undoes all of them (40001).
    """
    named = []
    compared = []
    for place, (sql, name, expected) in enumerate(pieces):
        name = name or f"write_{place}"
        if expected is not None:
            sql += "" if sql.startswith("SELECT") else " RETURNING 1"
            compared.append(f"(SELECT count(*) FROM {name}) = {expected}")
        named.append(f"{name} AS ({sql})")
    found = f"CASE WHEN {' AND '.join(compared)} THEN 1 ELSE refund_lost_race() END" if compared else "1"
    return f"WITH {', '.join(named)} SELECT {found}"


_counted: ContextVar[list[str] | None] = ContextVar("counted_statements", default=None)


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Collect the text of every statement that this task runs within the block; transactions' ends are not counted."""
    texts: list[str] = []
    token = _counted.set(texts)
    try:
        yield texts
    finally:
        _counted.reset(token)


def note(sql: str) -> None:
    """Count one statement for whoever is counting."""
    texts = _counted.get()
    if texts is not None:
        texts.append(sql)
