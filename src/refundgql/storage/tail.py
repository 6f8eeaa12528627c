"""One reader of a log for a whole process, of events or of notices, which hands each new one once to whoever listens.

It must not wait for a listener: listeners are called, take what they are given into bounded queues of their own, and
return. However many listen to one case, its events are read once; nothing is read while nobody listens.

Joining without a gap or a double: `join` returns the cursor that the tail has reached. Everything after it will be
handed over, everything up to it is history, which `read_history` reads from the log. A listener that resumes ahead of
the tail drops what is not after its own cursor; one that was shown a case at some version drops what is not above it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from refundgql.domain.sentences import sentence
from refundgql.domain.topics import QUEUE, case_topic, viewer_topic
from refundgql.storage.database import Database, Source
from refundgql.storage.events import START, BadCursor, Cursor, EventBatch, StreamEvent, read_stream, stream_head
from refundgql.storage.faults import StorageError

LOOK_SECONDS = 1.0
"""The longest that a lost ring delays an event."""
FIRST_RELOOK_SECONDS = 0.01
LONGEST_RELOOK_SECONDS = 0.25
"""Between looks at rows that an open transaction holds back, which may stay open for long."""
PAGE = 500

Listener = Callable[[Sequence[Any]], None]
"""Takes events of its topic, in order, without waiting."""


class Entry(Protocol):
    """What a log has in it."""

    @property
    def cursor(self) -> Cursor:
        """Return its place in the stream."""


E = TypeVar("E", bound=Entry)


class ReadLog(Protocol):
    """What reads a log on: storage/events.py and storage/notices.py have one each."""

    async def __call__(self, source: Source, after: Cursor, *, limit: int) -> EventBatch[Any]:
        """Return up to `limit` entries after a cursor."""


_log = logging.getLogger(__name__)


class Bell(Protocol):
    """What rings when there may be something new."""

    def ring(self) -> None:
        """Ring."""

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait for a ring, take it, and tell whether there was one in time."""


class Rings(Protocol):
    """What lets a bell ring for topics: the bus."""

    async def follow(self, doorbell: Any, topic: str) -> None:
        """Let the bell ring for a topic from now on."""

    async def unfollow(self, doorbell: Any, topic: str) -> None:
        """Let it ring for the topic no longer."""


def topics_of(event: StreamEvent) -> Iterator[str]:
    """Yield the topics that an event belongs to."""
    yield case_topic(event.case_id)
    yield viewer_topic(event.requester_id)
    if event.counterparty_id is not None and event.counterparty_id != event.requester_id:
        yield viewer_topic(event.counterparty_id)
    yield QUEUE


class Tail:
    """Follows a log from the stream's present head while somebody listens."""

    def __init__(
        self,
        database: Database,
        bus: Rings,
        bell: Bell,
        read: ReadLog = read_stream,
        topics: Callable[[Any], Iterable[str]] = topics_of,
    ) -> None:
        """Read from a database when the bell, which is the tail's alone, rings on the bus."""
        self._database = database
        self._read = read
        self._topics = topics
        self._bus = bus
        self._bell = bell
        self._listeners: dict[str, dict[Listener, None]] = {}
        self._cursor = START
        self._joining = asyncio.Lock()
        self._occupied = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start reading whenever somebody listens."""
        self._task = asyncio.create_task(self._run(), name="event-tail")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    @property
    def cursor(self) -> Cursor:
        """Return how far events have been handed over."""
        return self._cursor

    async def join(self, topic: str, listener: Listener) -> Cursor:
        """Hand a topic's events to a listener from now on and return the cursor after which they begin."""
        async with self._joining:
            if not self._listeners:
                self._cursor = max(self._cursor, await stream_head(self._database))
            if topic not in self._listeners:
                await self._bus.follow(self._bell, topic)
                self._bell.ring()  # what rang before it followed
            self._listeners.setdefault(topic, {})[listener] = None
            self._occupied.set()
            return self._cursor

    async def leave(self, topic: str, listener: Listener) -> None:
        """Hand it no more; also for a listener that is not there."""
        async with self._joining:
            if self._drop(topic, listener):
                await self._bus.unfollow(self._bell, topic)

    def _drop(self, topic: str, listener: Listener) -> bool:
        """Remove a listener and tell whether it was the topic's last."""
        listeners = self._listeners.get(topic)
        if listeners is None:
            return False
        listeners.pop(listener, None)
        if listeners:
            return False
        del self._listeners[topic]
        if not self._listeners:
            self._occupied.clear()
        return True

    async def _run(self) -> None:
        relook_seconds = 0.0
        while True:
            await self._occupied.wait()
            await self._bell.wait(relook_seconds or LOOK_SECONDS)
            try:
                held_back = await self._look()
            except StorageError:
                _log.warning("The event log could not be read; trying again.", exc_info=True)
                held_back = False
            relook_seconds = min(relook_seconds * 2 or FIRST_RELOOK_SECONDS, LONGEST_RELOOK_SECONDS) * held_back

    async def _look(self) -> bool:
        """Hand over what is new and tell whether more waits for an open transaction to end."""
        while True:
            page = await self._read(self._database, self._cursor, limit=PAGE)
            # Somebody may have joined an empty tail meanwhile, which then began at a later head.
            self._hand_over([event for event in page.events if event.cursor > self._cursor])
            if not page.more:
                return page.held_back

    def _hand_over(self, events: Sequence[Any]) -> None:
        if not events:
            return
        by_topic: dict[str, list[Any]] = defaultdict(list)
        for event in events:
            for topic in self._topics(event):
                if topic in self._listeners:
                    by_topic[topic].append(event)
        self._cursor = events[-1].cursor
        for topic, found in by_topic.items():
            for listener in list(self._listeners.get(topic, ())):
                try:
                    listener(found)
                except Exception:
                    _log.exception("A listener failed and is let go.")
                    self._listeners[topic].pop(listener, None)


async def read_history(
    read: Callable[[Cursor], Awaitable[EventBatch[E]]], after: Cursor, until: Cursor
) -> AsyncIterator[list[E]]:
    """Yield pages of what lies after one cursor up to and including another that the tail has reached."""
    while after < until:
        page = await read(after)
        events = [event for event in page.events if event.cursor <= until]
        if events:
            yield events
        if not page.more or len(events) < len(page.events):
            return
        after = events[-1].cursor


async def checked_cursor(source: Source, text: str) -> Cursor:
    """Return the cursor that a client gives back.

    Refuses: BadCursor for one that this stream has not reached, so it cannot have come from it.
    """
    cursor = Cursor.parse(text)
    if cursor > await stream_head(source):
        raise BadCursor(
            sentence("CURSOR_AHEAD", "This cursor is ahead of the stream: give one that a former update carried.")
        )
    return cursor
