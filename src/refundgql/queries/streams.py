"""The event stream as one subscriber follows it: what was missed first, then what happens, each once and in order.

It must not wait for anybody: a subscriber that reads too slowly is let go, and can resume from its last cursor.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from refundgql.domain.viewers import Viewer
from refundgql.storage import visibility
from refundgql.storage.database import Source
from refundgql.storage.events import START, Cursor, StreamEvent, event_cursor, stream_head
from refundgql.storage.ids import made_at
from refundgql.storage.tail import QUEUE, Tail, case_topic, checked_cursor, read_history, viewer_topic

__all__ = [
    "QUEUE",
    "START",
    "BadCursor",
    "Cursor",
    "Inbox",
    "Source",
    "StreamEvent",
    "Tail",
    "TooSlow",
    "case_topic",
    "case_version",
    "event_cursor",
    "made_at",
    "missed",
    "open_inbox",
    "parse_cursor",
    "stream_head",
    "viewer_topic",
]

# A subscriber that is this far behind does not catch up; events are small, so thousands of such queues still fit.
INBOX_EVENTS = 1_000


class BadCursor(ValueError):
    """A text that is not a cursor of this stream."""


class TooSlow(Exception):
    """The subscriber did not take its events in time; it resumes from its last cursor."""


async def parse_cursor(source: Source, text: str) -> Cursor:
    """Return the cursor that a client gives back. Refuses: BadCursor."""
    try:
        return await checked_cursor(source, text)
    except ValueError as error:
        raise BadCursor(str(error)) from None


@dataclass(slots=True, eq=False)
class Inbox:
    """Events that were handed over and not taken yet; `start` is the cursor after which they begin."""

    start: Cursor
    _events: deque[StreamEvent] = field(default_factory=deque)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)
    _overflowed: bool = False

    def put(self, events: Sequence[StreamEvent]) -> None:
        """Take what happened, without waiting."""
        if len(self._events) + len(events) > INBOX_EVENTS:
            self._overflowed = True
        else:
            self._events.extend(events)
        self._filled.set()

    async def take(self) -> StreamEvent:
        """Return the next event. Refuses: TooSlow, after the events that still fitted."""
        while not self._events:
            if self._overflowed:
                raise TooSlow
            self._filled.clear()
            await self._filled.wait()
        return self._events.popleft()


@asynccontextmanager
async def open_inbox(tail: Tail, topic: str) -> AsyncIterator[Inbox]:
    """Give an inbox that a topic's events are put into while the block runs."""
    inbox = Inbox(START)
    inbox.start = await tail.join(topic, inbox.put)
    try:
        yield inbox
    finally:
        await tail.leave(topic, inbox.put)


async def missed(
    source: Source, viewer: Viewer, after: Cursor, until: Cursor, case_id: str | None = None
) -> AsyncIterator[StreamEvent]:
    """Yield the events of the viewer's cases after one cursor up to another one."""
    visible = visibility.cases(viewer, "c")
    async for page in read_history(source, after, until, case_id=case_id, viewer_condition=visible):
        for event in page:
            yield event


async def case_version(source: Source, viewer: Viewer, case_id: str) -> int | None:
    """Return the present version of a case, or nothing when the viewer does not see it now."""
    condition, parameters = visibility.cases(viewer, "c")
    version: int | None = await source.fetch_value(
        f"SELECT c.version FROM refund_case c WHERE c.id = ? AND {condition}", (case_id, *parameters)
    )
    return version
