"""Feeds for toy schemas: rows that a generator gives to one stream alone, and a log that several follow."""

from __future__ import annotations

import asyncio
import json
import math
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from patience import PATIENCE_SECONDS
from refundgql.gql.feeds import Cursor, Feed, Judgement, Listener, Told, Verdict
from refundgql.gql.streams import Fanout, Stream


class Answers:
    """A sink whose answers are taken one by one, at the pace of whoever takes them."""

    def __init__(self, stream: Stream) -> None:
        """Attach to a stream."""
        self.texts: list[str] = []
        self.cursors: list[str | None] = []
        self.told: Callable[[], None] = lambda: None
        self.stream = stream
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        stream.attach(self)

    def deliver(self, result: str, cursor: str | None) -> None:
        """Keep one answer."""
        self.texts.append(result)
        self.cursors.append(cursor)
        self.told()
        self._answers.put_nowait(json.loads(result))

    async def taken(self) -> None:
        """Wait until what was delivered was taken."""
        await self._answers.join()

    def finish(self, errors: list[Any] | None = None) -> None:
        """Keep the end."""
        self._answers.put_nowait(None if errors is None else {"errors": errors})

    def __aiter__(self) -> Answers:
        """Give the answers."""
        return self

    async def __anext__(self) -> Any:
        """Return the next answer; errors that end the stream are the last one."""
        answer = await self._answers.get()
        self._answers.task_done()
        if answer is None:
            raise StopAsyncIteration
        if "data" not in answer:
            self._answers.put_nowait(None)
        return answer

    async def aclose(self) -> None:
        """Let go."""
        await self.stream.aclose()


async def collected(stream: Any) -> list[Any]:
    """Return all answers of a stream that ends."""
    assert isinstance(stream, Stream), stream
    answers = Answers(stream)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [answer async for answer in answers]
    finally:
        await answers.aclose()


@dataclass(slots=True)
class RowEvent:
    """One row at its place; the last one of a feed has none."""

    cursor: float
    row: Any = None


@dataclass(slots=True, eq=False)
class RowsFeed(Feed):
    """A feed of one stream alone, whose rows a generator gives, numbered from one on."""

    context: Any
    rows: AsyncGenerator[Any, None]


class OwnRows:
    """The log and the readership of such feeds: all rows were missed, and behind them the stream is over."""

    async def join(self, topic: str, listener: Listener) -> Cursor:
        """Begin behind everything."""
        return math.inf

    async def leave(self, topic: str, listener: Listener) -> None:
        """Do nothing."""

    async def begin(self, feed: RowsFeed, after: Cursor) -> tuple[Judgement, Cursor]:
        """Begin with nothing."""
        return Verdict.SKIP, after

    async def missed(self, feed: RowsFeed, after: Cursor, until: Cursor) -> AsyncGenerator[RowEvent, None]:
        """Yield the rows and the end."""
        number = int(after)
        try:
            async for row in feed.rows:
                number += 1
                yield RowEvent(number, row)
        finally:
            await feed.rows.aclose()
        yield RowEvent(math.inf)

    async def judge(self, event: RowEvent, feeds: Sequence[RowsFeed]) -> Sequence[Judgement]:
        """Tell a row to its stream, or the end."""
        if event.row is None:
            return [Verdict.END for _ in feeds]
        return [Told(feed.context, event.row, feed.topic) for feed in feeds]


_OWN = OwnRows()
_FANOUT = Fanout(_OWN, _OWN)


def rows_feed(context: Any, rows: AsyncGenerator[Any, None], after: int = 0) -> Any:
    """Return a feed of rows of its own."""
    return RowsFeed(_FANOUT, f"rows {id(rows)}", after, context, rows)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A cursor as the desk's: two numbers with a point."""

    epoch: int
    number: int

    def __str__(self) -> str:
        """Spell it."""
        return f"{self.epoch}.{self.number}"


@dataclass(frozen=True, slots=True)
class Numbered:
    """One event of a toy log; the one that ends every stream has no number."""

    cursor: Place
    number: int | None


@dataclass(slots=True, eq=False)
class LogFeed(Feed):
    """A feed of a toy log: whose it is, and what its rows show."""

    make_context: Any
    readers: Any
    row: Any


class ToyLog:
    """Numbered events of topics, and the readership of their feeds; counts what it is asked."""

    def __init__(self) -> None:
        """Start with nothing written and nobody following."""
        self.events: list[Numbered] = []
        self.listeners: dict[str, list[Listener]] = defaultdict(list)
        self.judged = 0
        self.broken_for: set[Any] = set()
        self.fanout = Fanout(self, self)

    @property
    def head(self) -> int:
        """Return how many events there are."""
        return len(self.events)

    def append(self, count: int = 1) -> None:
        """Let events happen, handed over at once."""
        events = [Numbered(Place(0, self.head + 1 + n), self.head + 1 + n) for n in range(count)]
        self.events += events
        self._hand_over(events)

    def end(self) -> None:
        """End every stream."""
        self._hand_over([Numbered(Place(0, self.head + 1), None)])

    def _hand_over(self, events: list[Numbered]) -> None:
        for listeners in self.listeners.values():
            for listener in listeners:
                listener(events)

    async def join(self, topic: str, listener: Listener) -> Cursor:
        """Hand events over from now on."""
        self.listeners[topic].append(listener)
        return Place(0, self.head)

    async def leave(self, topic: str, listener: Listener) -> None:
        """Hand over no more."""
        if listener in self.listeners[topic]:
            self.listeners[topic].remove(listener)
        if not self.listeners[topic]:
            del self.listeners[topic]

    async def begin(self, feed: LogFeed, after: Cursor) -> tuple[Judgement, Cursor]:
        """Begin with number nought, under the cursor the stream begins at."""
        return self._told(feed, 0, after), after

    async def missed(self, feed: LogFeed, after: Cursor, until: Cursor) -> AsyncGenerator[Numbered, None]:
        """Yield what lies between two cursors."""
        for event in self.events[after.number : until.number]:
            await asyncio.sleep(0)
            yield event

    async def judge(self, event: Numbered, feeds: Sequence[LogFeed]) -> Sequence[Judgement]:
        """Tell everybody, but an error to those for whom it is broken."""
        self.judged += 1
        if event.number is None:
            return [Verdict.END for _ in feeds]
        return [
            RuntimeError("the secret inside")
            if feed.readers in self.broken_for
            else self._told(feed, event.number, event.cursor)
            for feed in feeds
        ]

    def _told(self, feed: LogFeed, number: int, cursor: Place) -> Told:
        return Told(feed.make_context(), feed.row(number, str(cursor)), feed.readers)
