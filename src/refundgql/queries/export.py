"""Every case, event and posting written down, as JSON Lines or CSV, row by row.

It is for whoever runs the machine, who sees everything; it must not be reachable through the API, nor hold the rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

import orjson

from refundgql.domain.calendar import from_micros
from refundgql.domain.money import format_minor
from refundgql.storage.database import Database, Row
from refundgql.storage.exporting import stream_cases, stream_events, stream_postings

Stream = Callable[[Database, datetime], AsyncIterator[Row]]


class Exported(StrEnum):
    """What can be exported; `all` is one after the other, as JSON Lines only."""

    CASES = "cases"
    EVENTS = "events"
    POSTINGS = "postings"
    ALL = "all"


class ExportFormat(StrEnum):
    """How rows are written down."""

    JSONL = "jsonl"
    CSV = "csv"


_STREAMS: Mapping[Exported, tuple[str, str, Stream]] = {
    Exported.CASES: ("refundCase", "RefundCase", stream_cases),
    Exported.EVENTS: ("refundEvent", "RefundEvent", stream_events),
    Exported.POSTINGS: ("posting", "Transaction", stream_postings),
}


def export_lines(database: Database, what: Exported, output_format: ExportFormat, at: datetime) -> AsyncIterator[str]:
    """Yield the export line by line, each with its line end; amounts are decimals, instants RFC 3339 in UTC.

    A JSON line is as `{"refundCase": {…}}`, without the fields that are empty. CSV starts with a header.
    Refuses: ValueError for all of it as CSV, whose rows have one shape.
    """
    if output_format is ExportFormat.JSONL:
        return _json_lines(database, what, at)
    if what is Exported.ALL:
        raise ValueError("CSV holds one kind of row: choose cases, events or postings.")
    return _csv_lines(database, what, at)


async def _json_lines(database: Database, what: Exported, at: datetime) -> AsyncIterator[str]:
    for one in _STREAMS if what is Exported.ALL else (what,):
        kind, type_name, stream = _STREAMS[one]
        async for row in stream(database, at):
            values = _written(type_name, row)
            if "facts" in values:
                values["facts"] = orjson.loads(values["facts"])
            given = {name: value for name, value in values.items() if value is not None}
            yield orjson.dumps({kind: given}).decode() + "\n"


async def _csv_lines(database: Database, what: Exported, at: datetime) -> AsyncIterator[str]:
    _, type_name, stream = _STREAMS[what]
    line = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    async for row in stream(database, at):
        values = _written(type_name, row)
        if writer is None:
            writer = csv.DictWriter(line, list(values), lineterminator="\r\n")
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in values.items()})
        yield line.getvalue()
        line.seek(0)
        line.truncate()


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def _cell(value: Any) -> Any:
    """Return a value as a cell; a text that a spreadsheet would run begins with an apostrophe instead."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


_BOOLEANS = frozenset({"goodwill", "overdue"})
_TYPES = {"payment_id": "Payment", "withdrawal_id": "Withdrawal", "reverses_id": "Transaction"}


def _written(type_name: str, row: Row) -> dict[str, Any]:
    """Return a row's values as people and programs outside read them, under the API's spelling of names."""
    columns = row.keys()
    return {_name(column, type_name): _value(column, type_name, row) for column in columns}


@cache
def _name(column: str, type_name: str) -> str:
    if column == "number" and type_name != "RefundCase":
        return "refundCase"
    if column == "currency":
        return "currencyCode"
    if column.endswith("_minor") and column != "amount_minor":
        column = column.replace("_minor", "_amount")
    first, *rest = column.removesuffix("_minor").split("_")
    return first + "".join(part.capitalize() for part in rest)


def _value(column: str, type_name: str, row: Row) -> Any:
    value = row[column]
    if value is None:
        return None
    if column == "id":
        return f"{type_name}_{value}"
    if column == "number":
        return f"RC-{value:06d}"
    if column == "at" or column == "respond_by" or column.endswith("_at"):
        return from_micros(value).isoformat().replace("+00:00", "Z")
    if column.endswith("_minor"):
        return format_minor(value, row["currency"])
    if column in _TYPES:
        return f"{_TYPES[column]}_{value}"
    return bool(value) if column in _BOOLEANS else value
