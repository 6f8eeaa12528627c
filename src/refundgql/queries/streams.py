"""What a subscriber to the event stream asks the log: where to begin, what was missed, whether a case is in sight."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from refundgql.domain.viewers import Viewer
from refundgql.storage import visibility
from refundgql.storage.database import Source
from refundgql.storage.events import (
    START,
    BadCursor,
    Cursor,
    EventBatch,
    StreamEvent,
    event_cursor,
    read_stream,
    stream_head,
)
from refundgql.storage.ids import made_at
from refundgql.storage.notices import StreamNotice, read_notices
from refundgql.storage.tail import PAGE, checked_cursor, read_history

__all__ = [
    "START",
    "BadCursor",
    "Cursor",
    "StreamEvent",
    "StreamNotice",
    "case_version",
    "checked_cursor",
    "event_cursor",
    "lag_seconds",
    "missed",
    "missed_notices",
    "stream_head",
]


def lag_seconds(event: StreamEvent | StreamNotice) -> float:
    """Return how many seconds ago an event was written, by this machine's clock."""
    return max(time.time() - made_at(event.id), 0.0)


async def missed(
    source: Source, viewer: Viewer, after: Cursor, until: Cursor, case_id: str | None = None
) -> AsyncGenerator[StreamEvent, None]:
    """Yield the events of the viewer's cases after one cursor up to another one."""
    visible = visibility.cases(viewer, "c")

    async def read(place: Cursor) -> EventBatch[StreamEvent]:
        return await read_stream(source, place, limit=PAGE, case_id=case_id, viewer_condition=visible)

    async for page in read_history(read, after, until):
        for event in page:
            yield event


async def missed_notices(
    source: Source, viewer: Viewer, after: Cursor, until: Cursor
) -> AsyncGenerator[StreamNotice, None]:
    """Yield what was told of the viewer's own withdrawals after one cursor up to another one."""

    async def read(place: Cursor) -> EventBatch[StreamNotice]:
        return await read_notices(source, place, limit=PAGE, account_id=viewer.account_id)

    async for page in read_history(read, after, until):
        for notice in page:
            yield notice


async def case_version(source: Source, viewer: Viewer, case_id: str) -> int | None:
    """Return the present version of a case, or nothing when the viewer does not see it now."""
    condition, parameters = visibility.cases(viewer, "c")
    version: int | None = await source.fetch_value(
        f"SELECT c.version FROM refund_case c WHERE c.id = ? AND {condition}", (case_id, *parameters)
    )
    return version
