"""Hands updates over to many followers: each event is read, checked and encoded once for all who get the same text.

It must not wait for a follower: a sink takes what it is given without waiting, and is cut off when it does not keep up.
"""

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from graphql import GraphQLError

from refundgql.api.faults import translate
from refundgql.api.feeds import Encode, Feed, Reading, UpdateRow, read_document
from refundgql.domain.viewers import Viewer
from refundgql.gql.errors import ApiError, ErrorCode
from refundgql.gql.responses import ErrorFormat, log_fault, request_errors
from refundgql.queries.onlookers import Onlookers
from refundgql.queries.streams import START, Cursor, StreamEvent, Tail, event_cursor, made_at, missed

if TYPE_CHECKING:
    from refundgql.api.context import RequestContext

log = logging.getLogger(__name__)

READINGS = 1_000
"""Documents whose reading is remembered; servers see far fewer."""

ROOM_EVENTS = 1_000
"""Events that wait to be told to one topic's followers, two pages of the tail; whoever follows an import catches up."""

LAGGING = ApiError("More happens than can be told as it happens.", ErrorCode.LIMIT_EXCEEDED)


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
    end: "Callable[[Iterable[Follower], Exception], None]"
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
        """Take what happened, without waiting; when there is too much of it, its followers are cut off."""
        if len(self.events) + len(events) > ROOM_EVENTS:
            self._overflow(events[-1].cursor)
            return
        self.events.extend(events)
        if self.working is None:
            self.working = asyncio.create_task(self._work())

    def _overflow(self, until: Cursor) -> None:
        """Let everybody go with the cursor they resume at, where they read the log at their own pace."""
        self.events.clear()
        self.delivered = until
        due, self.followers = self.followers, set()
        self.end(due, LAGGING)

    async def _work(self) -> None:
        while self.events:
            event = self.events.popleft()
            try:
                await self.tell(self, event)
            except Exception as error:
                due, self.followers = self.followers, set()
                self.end(due, error)
            self.delivered = max(self.delivered, event.cursor)
        self.working = None


class Fanout:
    """All followers of a process, by topic."""

    def __init__(self, tail: Tail, onlookers: Onlookers, delivered: Callable[[float], None] | None = None) -> None:
        """Start with nobody following.

        `delivered` is told how many seconds each event took from being written to being handed to a topic's followers.
        """
        self._tail = tail
        self._onlookers = onlookers
        self._delivered = delivered
        self._errors = ErrorFormat(translate, log_fault, 1)
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
        same = (prepared, reading.same(prepared.operation, variables))
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
            room = self._rooms[follower.feed.topic] = Room(follower.feed.topic, self._tail, self._tell, self._end)
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
            self._end([follower], error)
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
        told = False
        while due := [one for one in room.followers if one.position < event.cursor]:
            await self._tell_each(due, event)
            room.followers.difference_update([one for one in due if one.closed])
            told = True
        if told and self._delivered is not None:
            self._delivered(max(time.time() - made_at(event.id), 0.0))

    def _end(self, followers: Iterable[Follower], error: Exception) -> None:
        """End streams that an error ended, each with the cursor that it goes on after."""
        located = error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)
        if located.original_error is None:  # the document or its variables: nothing of ours has failed
            entry = request_errors([located], ErrorCode.BAD_USER_INPUT)[0]
        else:
            entry = self._errors.describe_one(located)
        message, extensions = entry["message"], entry["extensions"]
        for follower in followers:
            after = str(follower.position)
            told = f"{message} Subscribe again after {after}."
            follower.end([{"message": told, "extensions": {**extensions, "after": after}}])

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
            try:
                fits = feed.fits(event)
            except Exception as error:
                self._end([follower], error)
                continue
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
            try:
                text = None
                if await leader.feed.has_text(leader.context.app.database, event.case_id):
                    text = await self._encoded(leader, viewer, UpdateRow(event.case_id, event.id, cursor, fits))
            except Exception as error:
                self._end(members, error)
                continue
            for follower in members:
                if text is None:
                    follower.position = event.cursor
                else:
                    follower.deliver(text, event.cursor, cursor)

    async def _encoded(self, follower: Follower, viewer: Viewer, row: UpdateRow) -> str:
        answer = await follower.encode(follower.context.app.context(viewer), row)
        if "data" not in answer:
            first = answer["errors"][0]
            raise ApiError(first["message"], first["extensions"]["code"], first["extensions"])
        return orjson.dumps(answer).decode()
