"""Hands updates over to many followers: each event is read, checked and encoded once for all who get the same text.

It must not wait for a follower: a sink takes what it is given without waiting, and is cut off when it does not keep up.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from refundgql.api.faults import translate
from refundgql.api.feeds import Encode, Feed, Reading, UpdateRow, read_document
from refundgql.domain.viewers import Viewer
from refundgql.gql.errors import ErrorCode
from refundgql.queries.onlookers import Onlookers
from refundgql.queries.streams import START, Cursor, StreamEvent, Tail, event_cursor, missed

if TYPE_CHECKING:
    from refundgql.api.context import RequestContext

log = logging.getLogger(__name__)

READINGS = 1_000
"""Documents whose reading is remembered; servers see far fewer."""


class Sink(Protocol):
    """Where updates go: one subscriber of a transport."""

    def deliver(self, result: str, cursor: str | None) -> None:
        """Take one update as JSON text, without waiting."""

    async def room(self) -> None:
        """Wait until everything delivered so far was taken."""

    def finish(self, errors: list[dict[str, Any]] | None = None) -> None:
        """End: completed, or failed with these errors."""


@dataclass(slots=True, eq=False)
class Follower:
    """One subscription that updates are handed to, from `attach` on until it is closed or ends."""

    fanout: "Fanout"
    feed: Feed
    context: "RequestContext"
    encode: Encode
    reading: Reading
    same: tuple[Any, str]
    external_ref: str
    position: Cursor = START
    shown: int = 0
    """The version of the case that the present state was told at; its events are not told again."""
    sink: Sink | None = None
    room: "Room | None" = None
    closed: bool = False
    beginning: asyncio.Task[None] | None = None

    def attach(self, sink: Sink) -> None:
        """Begin to hand updates to a sink: what was missed first."""
        self.sink = sink
        self.room = self.fanout.enter(self)
        self.beginning = asyncio.create_task(self.fanout.begin(self, self.room))

    async def aclose(self) -> None:
        """Hand over nothing more."""
        self.closed = True
        if (beginning := self.beginning) is not None:
            beginning.cancel()
            await asyncio.wait([beginning])
        await self.fanout.leave(self)

    def deliver(self, text: str, cursor: Cursor, spelt: str) -> None:
        """Hand over one update, if it was not before; its cursor is spelt once for all."""
        if self.position < cursor and not self.closed and self.sink is not None:
            self.position = cursor
            self.sink.deliver(text, spelt)

    def end(self, errors: list[dict[str, Any]] | None = None) -> None:
        """Tell the sink that nothing more comes."""
        self.closed = True
        if self.sink is not None:
            self.sink.finish(errors)


@dataclass(slots=True, eq=False)
class Room:
    """The followers of one topic; `delivered` is how far all of them were told."""

    topic: str
    tail: Tail
    tell: "Callable[[Room, StreamEvent], Awaitable[None]]"
    users: int = 0
    delivered: Cursor = START
    followers: set[Follower] = field(default_factory=set)
    events: deque[StreamEvent] = field(default_factory=deque)
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
        self.delivered = await self.tail.join(self.topic, self.listen)

    def listen(self, events: Sequence[StreamEvent]) -> None:
        """Take what happened, without waiting."""
        self.events.extend(events)
        if self.working is None:
            self.working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self.events:
            event = self.events.popleft()
            try:
                await self.tell(self, event)
            except Exception as error:
                log.exception("an update could not be told; its followers come back")
                for follower in list(self.followers):
                    follower.end([_fault(follower, error)])
                self.followers.clear()
            self.delivered = event.cursor
        self.working = None


def _fault(follower: Follower, error: Exception) -> dict[str, Any]:
    message = f"Updates were interrupted: subscribe again after {follower.position}."
    known = translate(error)
    code = str(ErrorCode.INTERNAL_SERVER_ERROR) if known is None else known.code
    return {"message": message, "extensions": {"code": code}}


class Fanout:
    """All followers of a process, by topic."""

    def __init__(self, tail: Tail, onlookers: Onlookers) -> None:
        """Start with nobody following."""
        self._tail = tail
        self._onlookers = onlookers
        self._rooms: dict[str, Room] = {}
        self._readings: OrderedDict[int, tuple[Any, Reading]] = OrderedDict()

    def follower(
        self,
        feed: Feed,
        context: "RequestContext",
        prepared: Any,
        variables: dict[str, Any] | None,
        encode: Encode,
    ) -> Follower:
        """Return a new follower of a feed, which begins when a sink is attached."""
        reading, viewer = self._reading(prepared), context.signed_in()
        same = (prepared, reading.same(variables))
        return Follower(self, feed, context, encode, reading, same, viewer.external_ref)

    def _reading(self, prepared: Any) -> Reading:
        """Return what matters of a document, remembered while it is in use."""
        known = self._readings.get(id(prepared))
        if known is None or known[0] is not prepared:
            known = (prepared, read_document(prepared.operation, prepared.fragments))
            self._readings[id(prepared)] = known
            if len(self._readings) > READINGS:
                self._readings.popitem(last=False)
        return known[1]

    def enter(self, follower: Follower) -> Room:
        """Return the room of a follower's topic, with them counted in."""
        room = self._rooms.get(follower.feed.topic)
        if room is None:
            room = self._rooms[follower.feed.topic] = Room(follower.feed.topic, self._tail, self._tell)
        room.users += 1
        return room

    async def begin(self, follower: Follower, room: Room) -> None:
        """Tell a follower the present state and what was missed, then let them hear what happens."""
        try:
            await room.join()
            follower.position = room.delivered if follower.feed.start is None else follower.feed.start
            if follower.feed.case_id is not None:
                await self._tell_present(follower, follower.feed.case_id)
            await self._catch_up(room, follower)
        except Exception as error:
            log.exception("a stream could not begin")
            follower.end([_fault(follower, error)])
        finally:
            follower.beginning = None  # a stream lives for hours, and its beginning need not

    async def leave(self, follower: Follower) -> None:
        """Forget a follower, and the topic with its last one."""
        room, follower.room, follower.sink = follower.room, None, None
        if room is None:
            return
        room.followers.discard(follower)
        room.users -= 1
        if room.users == 0:
            del self._rooms[room.topic]
            if room.joining is not None:
                await room.joining
            await self._tail.leave(room.topic, room.listen)

    async def _tell_present(self, follower: Follower, case_id: str) -> None:
        present = await self._onlookers.look([follower.external_ref], case_id)
        viewer = present.viewer(follower.external_ref, case_id)
        if viewer is None or follower.sink is None:
            follower.end()
            return
        if follower.feed.start is None:
            follower.shown = present.cases[case_id].version
            # The stream may be held back behind what the present state already has in it.
            source = follower.context.app.database
            follower.position = max(follower.position, await event_cursor(source, case_id, follower.shown))
        cursor = str(follower.position)
        text = await self._encoded(follower, viewer, UpdateRow(case_id, None, cursor))
        follower.sink.deliver(text, cursor)

    async def _catch_up(self, room: Room, follower: Follower) -> None:
        """Tell what lies between the follower and the room, until they are at the same place."""
        while follower.position < room.delivered and not follower.closed and follower.sink is not None:
            until, viewer = room.delivered, follower.context.signed_in()
            source = follower.context.app.database
            async for event in missed(source, viewer, follower.position, until, follower.feed.case_id):
                await self._tell_each([follower], event)
                if follower.closed:
                    return
                await follower.sink.room()
            follower.position = max(follower.position, until)
        if not follower.closed:
            room.followers.add(follower)

    async def _tell(self, room: Room, event: StreamEvent) -> None:
        """Tell an event to everybody in the room, also to those who come in meanwhile."""
        while due := [one for one in room.followers if one.position < event.cursor]:
            await self._tell_each(due, event)
            room.followers.difference_update([one for one in due if one.closed])

    async def _tell_each(self, due: list[Follower], event: StreamEvent) -> None:
        """Tell an event to some followers: encoded once for each group that reads the same."""
        present = await self._onlookers.look({one.external_ref for one in due}, event.case_id)
        seeing: dict[str, Viewer | None] = {}
        classes: dict[tuple[str, Reading], str] = {}
        groups: dict[Any, tuple[Viewer, bool, list[Follower]]] = {}
        for follower in due:
            ref = follower.external_ref
            if ref not in seeing:
                seeing[ref] = present.viewer(ref, event.case_id)
            viewer, feed = seeing[ref], follower.feed
            if viewer is None or (feed.for_staff and not viewer.is_staff):
                if feed.case_id is not None or feed.for_staff or ref not in present.viewers:
                    follower.end()
                follower.position = event.cursor
                continue
            fits = feed.fits(event)
            if fits is None or event.sequence <= follower.shown:
                follower.position = event.cursor
                continue
            sort = (ref, follower.reading)
            if sort not in classes:
                classes[sort] = follower.reading.visibility_class(viewer)
            key = (follower.same, classes[sort])
            groups.setdefault(key, (viewer, fits, []))[2].append(follower)
        cursor = str(event.cursor)
        for viewer, fits, members in groups.values():
            leader = members[0]
            if not await leader.feed.has_text(leader.context.app.database, event.case_id):
                for follower in members:
                    follower.position = event.cursor
                continue
            row = UpdateRow(event.case_id, event.id, cursor, fits)
            text = await self._encoded(leader, viewer, row)
            for follower in members:
                follower.deliver(text, event.cursor, cursor)

    async def _encoded(self, follower: Follower, viewer: Viewer, row: UpdateRow) -> str:
        context = follower.context.app.context(viewer)
        return orjson.dumps(await follower.encode(context, row)).decode()
