"""Notices: what webhooks tell beside the events of cases, in one stream with them.

A notice takes its place from the counter of refund_event, and on PostgreSQL its commit order as events do
(storage/events.py), so that both are read as one stream and none is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from refundgql.domain.calendar import to_micros
from refundgql.domain.webhooks import Notice
from refundgql.storage.database import Dialect, Source, Write
from refundgql.storage.events import HORIZON, Cursor
from refundgql.storage.ids import new_id

_COLUMNS = "position, commit_order, id, name, at, account_id, withdrawal_id, contract_id, case_id"
_POSTGRES = (
    f"INSERT INTO notice ({_COLUMNS}) SELECT nextval(pg_get_serial_sequence('refund_event', 'position')),"
    " (pg_current_xact_id()::text)::bigint + added, ?, ?, ?, ?, ?, ?, ? FROM stream_epoch WHERE id = 1"
)
_COUNT_SQLITE = (
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'refund_event', 0"
    " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'refund_event')",
    "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'refund_event'",
)
_SQLITE = (
    f"INSERT INTO notice ({_COLUMNS}) SELECT seq, 0, ?, ?, ?, ?, ?, ?, ? FROM sqlite_sequence"
    " WHERE name = 'refund_event'"
)


@dataclass(frozen=True, slots=True)
class StreamNotice:
    """One notice as the stream carries it."""

    cursor: Cursor
    id: str
    name: str
    case_id: str | None


class Notices(NamedTuple):
    """Notices in order, and whether there may be more right now."""

    notices: list[StreamNotice]
    more: bool


def notice_writes(dialect: Dialect, notices: Sequence[Notice]) -> list[Write]:
    """Return what appends notices in their order."""
    writes: list[Write] = []
    for notice in notices:
        values: list[Any] = [new_id(), notice.name.value, to_micros(notice.at)]
        values += [notice.account_id, notice.withdrawal_id, notice.contract_id, notice.case_id]
        if dialect is Dialect.SQLITE:
            writes += [*(Write(sql) for sql in _COUNT_SQLITE), Write(_SQLITE, values)]
        else:
            writes.append(Write(_POSTGRES, values))
    return writes


async def read_notices(source: Source, after: Cursor, *, limit: int) -> Notices:
    """Return up to `limit` notices after a cursor, in order, as far as the horizon allows."""
    place, safe = "position", "TRUE"
    parameters: list[Any] = [after.position]
    if source.dialect is Dialect.POSTGRES:
        place, safe = "commit_order, position", f"commit_order < {HORIZON}"
        parameters = [*after]
    rows = await source.fetch(
        f"SELECT commit_order, position, id, name, case_id, {safe} AS safe FROM notice"
        f" WHERE ({place}) > ({', '.join('?' * len(parameters))}) ORDER BY {place} LIMIT ?",
        (*parameters, limit),
    )
    found = [
        StreamNotice(Cursor(row[0], row[1]), str(row[2]), row[3], None if row[4] is None else str(row[4]))
        for row in rows
        if row["safe"]
    ]
    return Notices(found, more=len(found) == limit)
