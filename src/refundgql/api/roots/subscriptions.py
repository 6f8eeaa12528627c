"""Live updates of cases: the present state first, then every event once, in order, also across reconnects.

It must not show what a role no longer allows: the viewer is read anew before each update, and a stream whose case is
out of sight ends.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

import strawberry

from refundgql.api.context import RequestContext
from refundgql.api.fanout import Follower
from refundgql.api.feeds import Encode, Feed, UpdateRow
from refundgql.api.types.case_filters import CaseFilterArgument, stream_filter
from refundgql.api.types.ids import uuid_of
from refundgql.api.types.lazy import LazyRefundCase, LazyRefundEvent
from refundgql.api.types.relations import cases_of, events_of
from refundgql.domain.viewers import Viewer
from refundgql.gql.declare import Level, LevelInfo, level
from refundgql.gql.errors import ApiError, ErrorCode
from refundgql.queries.case_filters import waiting_for_support
from refundgql.queries.streams import (
    QUEUE,
    BadCursor,
    Cursor,
    Inbox,
    StreamEvent,
    Tail,
    TooSlow,
    case_topic,
    case_version,
    event_cursor,
    missed,
    open_inbox,
    parse_cursor,
    stream_head,
    viewer_topic,
)


@strawberry.type(description="One update of one case, as you see it at this moment.")
class RefundCaseUpdate:
    @level(description="The case as it is now; later events may be in it already.")
    @staticmethod
    async def refund_case(rows: list[UpdateRow], info: LevelInfo) -> Level[LazyRefundCase]:
        return await cases_of(info, [row.case_id for row in rows])

    @level(description="What happened; none with the present state that a stream of one case begins with.")
    @staticmethod
    async def event(rows: list[UpdateRow], info: LevelInfo) -> Level[LazyRefundEvent | None]:
        return await events_of(info, [row.event_id for row in rows])

    cursor: str = strawberry.field(description="Subscribing again after this cursor goes on with the next update.")
    matches_filter: bool = strawberry.field(
        description="Whether the case fits the stream's filter after the event; false says that it has just left."
    )


AfterCursor = Annotated[
    str | None,
    strawberry.argument(
        description="Go on after this cursor, of an update or of a list's asOf; from now on when left out."
    ),
]


async def refund_case_updates(
    info: strawberry.Info[RequestContext, Any],
    refund_case_id: Annotated[strawberry.ID, strawberry.argument(description="The case.")],
    after: AfterCursor = strawberry.UNSET,
) -> AsyncGenerator[RefundCaseUpdate, None]:
    """Follow one case. Refuses: BAD_USER_INPUT for a case that the viewer does not see, and for bad cursors."""
    context = info.context
    viewer, start = context.signed_in(), await _start(context, after)
    case_id = uuid_of("RefundCase", refund_case_id)
    if case_id is None or await case_version(context.app.database, viewer, case_id) is None:
        raise ApiError("There is no such refund case that you can see; check the id.", ErrorCode.BAD_USER_INPUT)
    return _declared(Updates(context, Feed(case_topic(case_id), start, case_id)))


async def viewer_refund_updates(
    info: strawberry.Info[RequestContext, Any], after: AfterCursor = strawberry.UNSET
) -> AsyncGenerator[RefundCaseUpdate, None]:
    """Follow every case of the viewer. Refuses: BAD_USER_INPUT for bad cursors."""
    context = info.context
    viewer, start = context.signed_in(), await _start(context, after) or await stream_head(context.app.database)
    return _declared(Updates(context, Feed(viewer_topic(viewer.account_id), start)))


async def support_queue_updates(
    info: strawberry.Info[RequestContext, Any],
    filter: CaseFilterArgument = strawberry.UNSET,
    after: AfterCursor = strawberry.UNSET,
) -> AsyncGenerator[RefundCaseUpdate, None]:
    """Follow the desk's queue. Refuses: FORBIDDEN for others than staff; BAD_USER_INPUT for bad cursors."""
    context = info.context
    context.staff()
    asked = waiting_for_support(stream_filter(filter or None))
    start = await _start(context, after) or await stream_head(context.app.database)
    return _declared(Updates(context, Feed(QUEUE, start, given=asked, for_staff=True)))


@strawberry.type(description="What is told as it happens, over WebSocket or server-sent events.")
class Subscription:
    refund_case_updates: RefundCaseUpdate = strawberry.subscription(
        resolver=refund_case_updates,
        description="One case: its present state (without an event), then every event. Ends when you lose sight of it.",
    )
    viewer_refund_updates: RefundCaseUpdate = strawberry.subscription(
        resolver=viewer_refund_updates,
        description="Every event of the cases you are a party of, from `after` or from now on.",
    )
    support_queue_updates: RefundCaseUpdate = strawberry.subscription(
        resolver=support_queue_updates,
        description="Every event of cases that waited for support before it or do after it, and fit the filter, for "
        "staff. A filter that says whose move it is looks at those cases instead.",
    )


class Updates:
    """A subscription's updates: pulled one by one, or pushed to a sink by whoever can take them so."""

    def __init__(self, context: RequestContext, feed: Feed) -> None:
        """Keep what is asked for."""
        self._context = context
        self._feed = feed
        self._rows = _updates(context, feed)

    def pushed(self, prepared: Any, variables: dict[str, Any] | None, encode: Encode) -> Follower | None:
        """Return the subscription as one that hands its updates over, where the process has a fan-out."""
        fanout = self._context.app.fanout
        return None if fanout is None else fanout.follower(self._feed, self._context, prepared, variables, encode)

    def __aiter__(self) -> AsyncIterator[UpdateRow]:
        """Give the updates one by one."""
        return self

    async def __anext__(self) -> UpdateRow:
        """Return the next update."""
        return await anext(self._rows)

    async def aclose(self) -> None:
        """Stop."""
        await self._rows.aclose()


def _declared(updates: Updates) -> AsyncGenerator[RefundCaseUpdate, None]:
    """Give rows under the type that declares them."""
    return updates  # type: ignore[return-value]  # types are declarations, rows travel in their place


async def _updates(context: RequestContext, feed: Feed) -> AsyncGenerator[UpdateRow, None]:
    rows = _list_updates(context, feed) if feed.case_id is None else _case_updates(context, feed.case_id, feed)
    async with aclosing(rows):
        async for row in rows:
            yield row


async def _start(context: RequestContext, after: str | None) -> Cursor | None:
    """Return where a stream begins: a transport's own resumption counts before the argument.

    Refuses: BAD_USER_INPUT for a text that is no cursor of this stream.
    """
    text = after if context.resume_after is None else context.resume_after
    if text is None or text is strawberry.UNSET:
        return None
    try:
        return await parse_cursor(context.app.database, text)
    except BadCursor as error:
        raise ApiError(f"after: {error}", ErrorCode.BAD_USER_INPUT) from None


async def _case_updates(context: RequestContext, case_id: str, feed: Feed) -> AsyncGenerator[UpdateRow, None]:
    """Yield the present state of a case, then its events after it, or after the cursor that is given."""
    async with open_inbox(_tail(context), feed.topic) as inbox:
        start = inbox.start if feed.start is None else feed.start
        shown = await _seen_version(context, case_id)
        if shown is None:
            return
        told = start
        if feed.start is None:  # the stream may be held back behind what the present state already has in it
            told = max(start, await event_cursor(context.app.database, case_id, shown))
        yield UpdateRow(case_id, None, str(told))
        async for event in _events(context, inbox, start, case_id):
            if feed.start is None and event.sequence <= shown:
                continue  # the present state had it in it already
            if await _seen_version(context, case_id) is None:
                return
            yield UpdateRow(case_id, event.id, str(event.cursor))


async def _list_updates(context: RequestContext, feed: Feed) -> AsyncGenerator[UpdateRow, None]:
    """Yield the events of every case of a topic that the viewer sees, and that fits a filter before or after.

    The start is known before anything is waited for, so that nothing happens unheard between asking and listening.
    """
    async with open_inbox(_tail(context), feed.topic) as inbox:
        async for event in _events(context, inbox, feed.start or inbox.start, None):
            fits = feed.fits(event)
            if fits is None or not await feed.has_text(context.app.database, event.case_id):
                continue
            viewer = await _present_viewer(context)
            if viewer is None or (feed.for_staff and not viewer.is_staff):
                return
            if await case_version(context.app.database, viewer, event.case_id) is not None:
                yield UpdateRow(event.case_id, event.id, str(event.cursor), fits)


async def _events(
    context: RequestContext, inbox: Inbox, start: Cursor, case_id: str | None
) -> AsyncIterator[StreamEvent]:
    """Yield what was missed since `start`, then what happens.

    Refuses: an error that says where to resume, when the subscriber does not keep up.
    """
    viewer, last = context.signed_in(), start
    async for event in missed(context.app.database, viewer, start, inbox.start, case_id):
        last = event.cursor
        yield event
    while True:
        try:
            event = await inbox.take()
        except TooSlow:
            message = f"Updates were not read fast enough: subscribe again after {last}."
            raise ApiError(message, ErrorCode.LIMIT_EXCEEDED, {"after": str(last)}) from None
        if event.cursor > start:
            last = event.cursor
            yield event


def _tail(context: RequestContext) -> Tail:
    if context.app.tail is None:
        raise LookupError("this process follows no events")
    return context.app.tail


async def _present_viewer(context: RequestContext) -> Viewer | None:
    """Read the viewer's roles anew, for this update and whatever it shows."""
    viewer = await context.app.load_viewer(context.signed_in().external_ref)
    if viewer is not None:
        context.begin_again(viewer)
    return viewer


async def _seen_version(context: RequestContext, case_id: str) -> int | None:
    viewer = await _present_viewer(context)
    return None if viewer is None else await case_version(context.app.database, viewer, case_id)
