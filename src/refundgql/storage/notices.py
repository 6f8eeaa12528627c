"""Notices: what is told beside the events of cases, in one stream with them, to webhooks and to whom they concern.

A notice takes its place from the counter of refund_event, and on PostgreSQL its commit order as events do
(storage/events.py), so that both are read as one stream and none is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from refundgql.domain.calendar import to_micros
from refundgql.domain.topics import viewer_topic
from refundgql.domain.webhooks import Notice
from refundgql.storage.database import Dialect, Source, Write
from refundgql.storage.events import HORIZON, Cursor, EventBatch
from refundgql.storage.ids import new_id
from refundgql.storage.rows import read

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
    at: int
    account_id: str | None
    withdrawal_id: str | None
    case_id: str | None


def notice_topics(notice: StreamNotice) -> Iterator[str]:
    """Yield the topic of whom a notice concerns."""
    if notice.account_id is not None:
        yield viewer_topic(notice.account_id)


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


_TOLD = "commit_order, position, id, name, at, account_id, withdrawal_id, case_id"


async def read_notices(
    source: Source, after: Cursor, *, limit: int, account_id: str | None = None
) -> EventBatch[StreamNotice]:
    """Return up to `limit` notices after a cursor, of one account or of all, in order, as far as the horizon allows."""
    place, safe = "position", "TRUE"
    parameters: list[Any] = [after.position]
    if source.dialect is Dialect.POSTGRES:
        place, safe = "commit_order, position", f"commit_order < {HORIZON}"
        parameters = [*after]
    conditions = [f"({place}) > ({', '.join('?' * len(parameters))})"]
    if account_id is not None:
        conditions.append("account_id = ?")
        parameters.append(account_id)
    rows = await source.fetch(
        f"SELECT {_TOLD}, {safe} AS safe FROM notice WHERE {' AND '.join(conditions)} ORDER BY {place} LIMIT ?",
        (*parameters, limit),
    )
    found = [_stream_notice(row) for row in rows if row["safe"]]
    held_back = len(found) < len(rows)
    return EventBatch(found, more=len(rows) == limit and not held_back, held_back=held_back)


def _stream_notice(row: Any) -> StreamNotice:
    return read(StreamNotice, row, cursor=Cursor(row["commit_order"], row["position"]))
