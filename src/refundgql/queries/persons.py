"""Everything that is held about one person, as one document (D30).

It must not hold what others wrote to each other about them: internal notes are the staff's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson

from refundgql.domain.calendar import from_micros
from refundgql.domain.money import format_minor
from refundgql.storage.database import Row, Source
from refundgql.storage.persons import HELD, evidence_files_of


async def everything_held(source: Source, account_id: str) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the kinds of things that are held and what is held of each, in the API's spelling."""
    for kind, statement in HELD.items():
        rows = await source.fetch(statement, (account_id,) * statement.count("?"))
        yield kind, [_written(row) for row in rows]


async def files_held(source: Source, account_id: str) -> list[tuple[str, str]]:
    """Return the files that somebody gave as evidence: a name to save each under, and its key in the store."""
    return await evidence_files_of(source, account_id)


def _written(row: Row) -> dict[str, Any]:
    return {_camel(name): _value(name, row) for name in row.keys() if row[name] is not None}  # noqa: SIM118  # rows


def _camel(name: str) -> str:
    first, *rest = name.removesuffix("_minor").split("_")
    return first + "".join(part.capitalize() for part in rest)


def _value(name: str, row: Row) -> Any:
    value = row[name]
    if name == "at" or name.endswith("_at"):
        return from_micros(value).isoformat().replace("+00:00", "Z")
    if name.endswith("_minor"):
        return format_minor(value, row["currency"])
    return orjson.loads(value) if name in ("detail", "messages") else value
