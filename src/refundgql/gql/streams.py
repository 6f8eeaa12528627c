"""Streams: each event of a topic is judged and encoded once, and handed to all who follow the topic and read the same.

- The root resolver of a subscription returns a `Feed`: the topic it follows and the cursor after which it goes on.
- `GraphQLEngine.subscribe` makes a `Stream` of it. `Stream.attach(sink)` is the only way out: from then on the stream
  hands its results, JSON already, to one `Sink`, a subscriber of some transport.
- The streams of one topic are in a `Room`. It listens to the `Log`, and for each event it asks the `Readership` what
  the event is to each of them: a row to encode in a context, nothing, or the end. Those with the same document and
  variables who are the same readers to the readership get one text, encoded once.
- A stream begins with what the readership says is present, reads what it has missed at its sink's pace, and enters its
  room when it has come as far as the room has.

Everything is bounded: a room by ROOM_EVENTS, a sink by the transport's outbox. Whoever does not keep up ends with the
cursor to go on after. An error ends the streams it belongs to and no other.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Hashable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from refundgql.gql.documents import Prepared
from refundgql.gql.errors import ApiError, ErrorCode
from refundgql.gql.feeds import Cursor, Feed, Log, Readership, Reading, Told, Verdict, read_document

ROOM_EVENTS = 1_000
"""Events that wait to be told to one topic's streams; whoever follows a flood of them catches up from the log."""

MAX_READINGS = 1_000
"""Documents whose reading is remembered; servers see far fewer."""

LAGGING = ApiError("More happens than can be told as it happens.", ErrorCode.LIMIT_EXCEEDED)


class ReaderGone(Exception):
    """Nothing more can be sent: the reader left, or was cut off."""


class Sink(Protocol):
    """Where a stream hands its results: one subscriber of a transport."""

    def deliver(self, result: str, cursor: str | None) -> None:
        """Take one result as JSON text, without waiting; a subscriber that falls too far behind is cut off."""

    async def taken(self) -> None:
        """Wait until everything delivered so far was taken. Refuses: ReaderGone."""

    def finish(self, errors: list[dict[str, Any]] | None = None) -> None:
        """End: completed, or failed with these errors."""


class Encoder(Protocol):
    """One subscription's document and variables, ready to be executed for an event."""

    @property
    def personal(self) -> frozenset[str]:
        """Return the fields of the schema that are declared personal."""

    async def encode(self, context: Any, row: Any) -> dict[str, Any]:
        """Execute the selection for one row."""

    def describe(self, error: Exception) -> dict[str, Any]:
        """Return the error a client is told of an exception."""


@dataclass(slots=True, eq=False)
class Stream:
    """One subscription that results are handed out of, from `attach` on until it is closed or ends."""

    feed: Feed
    encoder: Encoder
    same: Hashable
    cost: int
    """What its document costs, by which the order is chosen in which an event is encoded."""
    position: Cursor = None
    sink: Sink | None = None
    room: "Room | None" = None
    closed: bool = False
    beginning: asyncio.Task[None] | None = None

    def attach(self, sink: Sink) -> None:
        """Begin to hand results to a sink: what is present and what was missed first."""
        self.sink = sink
        self.room = self.feed.fanout.enter(self)
        self.beginning = asyncio.create_task(self._begin(self.room))

    async def aclose(self) -> None:
        """Hand over nothing more."""
        self.closed = True
        if (beginning := self.beginning) is not None:
            beginning.cancel()
            await asyncio.wait([beginning])
        room, self.room, self.sink = self.room, None, None
        if room is not None:
            await self.feed.fanout.leave(self, room)

    def deliver(self, text: str, cursor: Cursor, spelt: str) -> None:
        """Hand over one result, if it was not before; its cursor is spelt once for all."""
        if self.position < cursor and not self.closed and self.sink is not None:
            self.position = cursor
            self.sink.deliver(text, spelt)

    def end(self, error: dict[str, Any] | None = None) -> None:
        """Tell the sink that nothing more comes: completed, or why not and after which cursor to go on."""
        if self.closed or self.sink is None:
            return
        self.closed = True
        at = self.feed.start if self.position is None else self.position
        if error is not None and at is not None:
            message = f"{error['message']} Subscribe again after {at}."
            error = {**error, "message": message, "extensions": {**error["extensions"], "after": str(at)}}
        self.sink.finish(None if error is None else [error])

    async def _begin(self, room: "Room") -> None:
        """Hand over the present and what was missed, then let the stream hear what happens."""
        try:
            await room.join()
            start = room.delivered if self.feed.start is None else self.feed.start
            self.position = start
            judgement, self.position = await self.feed.fanout.readership.begin(self.feed, start)
            if isinstance(judgement, Told) and self.sink is not None:
                self.sink.deliver(await encoded(self, judgement), str(self.position))
            elif judgement is Verdict.END:
                self.end()
            elif isinstance(judgement, Exception):
                raise judgement
            await self._catch_up(room)
        except ReaderGone:
            self.closed = True
        except Exception as error:
            end_all([self], error)
        finally:
            self.beginning = None  # a stream lives for hours, and its beginning need not

    async def _catch_up(self, room: "Room") -> None:
        """Hand over what lies between the stream and its room, until they are at the same place."""
        while not self.closed and self.sink is not None and self.position < room.delivered:
            until = room.delivered
            async with aclosing(self.feed.fanout.readership.missed(self.feed, self.position, until)) as events:
                async for event in events:
                    await room.tell([self], event)
                    if self.closed:
                        return
                    await self.sink.taken()
            self.position = max(self.position, until)
        if not self.closed:
            room.streams.add(self)


@dataclass(slots=True, eq=False)
class Room:
    """The streams of one topic; `delivered` is how far all of them were told."""

    topic: str
    fanout: "Fanout"
    users: int = 0
    delivered: Cursor = None
    streams: set[Stream] = field(default_factory=set)
    events: deque[Any] = field(default_factory=deque)
    joining: asyncio.Task[None] | None = None
    working: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Follow the topic, once for everybody who comes."""
        if self.joining is None:
            self.joining = asyncio.create_task(self._join())
        joining = self.joining
        try:
            await asyncio.shield(joining)
        except Exception:
            if self.joining is joining:
                self.joining = None  # whoever comes next tries again
            raise

    async def _join(self) -> None:
        self.delivered = await self.fanout.log.join(self.topic, self.listen)

    def listen(self, events: Sequence[Any]) -> None:
        """Take what happened, without waiting; when there is too much of it, the streams are cut off."""
        if len(self.events) + len(events) > ROOM_EVENTS:
            self.events.clear()
            self.delivered = events[-1].cursor
            end_all(self.streams, LAGGING)
            self.streams.clear()
            return
        self.events.extend(events)
        if self.working is None:
            self.working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self.events:
            event = self.events.popleft()
            try:
                await self._tell_all(event)
            except Exception as error:
                end_all(self.streams, error)
                self.streams.clear()
            self.delivered = max(self.delivered, event.cursor)
        self.working = None

    async def _tell_all(self, event: Any) -> None:
        """Tell an event to everybody in the room, also to those who come in meanwhile."""
        told = False
        while due := [one for one in self.streams if one.position < event.cursor]:
            await self.tell(due, event)
            self.streams.difference_update([one for one in due if one.closed])
            told = True
        if told and self.fanout.delivered is not None:
            self.fanout.delivered(event)

    async def tell(self, due: Sequence[Stream], event: Any) -> None:
        """Tell an event to some streams: encoded once for each group that reads the same."""
        groups: dict[Hashable, tuple[Told, list[Stream]]] = {}
        judgements = await self.fanout.readership.judge(event, [one.feed for one in due])
        for stream, judgement in zip(due, judgements, strict=True):
            if isinstance(judgement, Told):
                groups.setdefault((stream.same, judgement.readers), (judgement, []))[1].append(stream)
            elif isinstance(judgement, Exception):
                end_all([stream], judgement)
            elif judgement is Verdict.END:
                stream.end()
            else:
                stream.position = event.cursor
        cursor = str(event.cursor)
        for told, streams in _in_turn(groups.values()):
            try:
                text = await encoded(streams[0], told)
            except Exception as error:
                end_all(streams, error)
                continue
            for stream in streams:
                stream.deliver(text, event.cursor, cursor)


def _in_turn(groups: Collection[tuple[Told, list[Stream]]]) -> list[tuple[Told, list[Stream]]]:
    """Order the groups of an event so that nobody waits behind all that another follows it with.

    Each reader's cheapest document comes first, then each one's second, those of a turn by what they cost.
    """
    turns: Counter[Hashable] = Counter()
    ordered: list[tuple[int, tuple[Told, list[Stream]]]] = []
    for group in sorted(groups, key=lambda group: group[1][0].cost):
        readers = group[0].readers
        ordered.append((turns[readers], group))
        turns[readers] += 1
    return [group for _, group in sorted(ordered, key=lambda item: item[0])]


def end_all(streams: Collection[Stream], error: Exception) -> None:
    """End streams by one error, which is described, and logged when it is a fault, once for all of them."""
    if streams:
        told = next(iter(streams)).encoder.describe(error)
        for stream in streams:
            stream.end(told)


async def encoded(stream: Stream, told: Told) -> str:
    """Return a result as JSON text. Refuses: what the encoder refuses, as ApiError."""
    if told.enter is not None:
        told.enter()
    answer = await stream.encoder.encode(told.context, told.row)
    if "data" not in answer:
        first = answer["errors"][0]
        raise ApiError(first["message"], first["extensions"]["code"], first["extensions"])
    return orjson.dumps(answer).decode()


class Fanout:
    """All streams of a process, by topic."""

    def __init__(self, log: Log, readership: Readership, delivered: Callable[[Any], None] | None = None) -> None:
        """Start with nobody following; `delivered` is told each event that a topic's streams have been handed."""
        self.log = log
        self.readership = readership
        self.delivered = delivered
        self._rooms: dict[str, Room] = {}
        self._readings: OrderedDict[Prepared, Reading] = OrderedDict()

    def stream(self, feed: Feed, prepared: Prepared, variables: dict[str, Any] | None, encoder: Encoder) -> Stream:
        """Return a new stream of a feed, which begins when a sink is attached."""
        reading = self._reading(prepared)
        feed.fields = reading.fields & encoder.personal
        cost = prepared.measure.cost(variables)
        return Stream(feed, encoder, (prepared, reading.same(variables)), cost)

    def _reading(self, prepared: Prepared) -> Reading:
        """Return what matters of a document, remembered while it is in use."""
        known = self._readings.get(prepared)
        if known is None:
            known = self._readings[prepared] = read_document(prepared.operation, prepared.fragments)
            if len(self._readings) > MAX_READINGS:
                self._readings.popitem(last=False)
        return known

    def enter(self, stream: Stream) -> Room:
        """Return the room of a stream's topic, with the stream counted in."""
        topic = stream.feed.topic
        room = self._rooms.get(topic)
        if room is None:
            room = self._rooms[topic] = Room(topic, self)
        room.users += 1
        return room

    async def leave(self, stream: Stream, room: Room) -> None:
        """Forget a stream, and the topic with its last one."""
        room.streams.discard(stream)
        room.users -= 1
        if room.users == 0:
            del self._rooms[room.topic]
            if room.joining is not None:
                await asyncio.wait([room.joining])
            await self.log.leave(room.topic, room.listen)
