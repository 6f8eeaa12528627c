"""Live updates of cases and withdrawals: every event once, in order, also across reconnects."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Any, cast

import strawberry

from refundgql.api.context import LevelInfo, RequestContext
from refundgql.api.faults import told
from refundgql.api.feeds import CaseFeed, UpdateRow, WithdrawalFeed, WithdrawalUpdateRow
from refundgql.api.types.case_filters import CaseFilterArgument, stream_filter
from refundgql.api.types.ids import uuid_of
from refundgql.api.types.lazy import LazyRefundCase, LazyRefundEvent, LazyWithdrawal
from refundgql.api.types.relations import cases_as_saved, withdrawals_of
from refundgql.domain.refusals import not_found
from refundgql.domain.sentences import phrase
from refundgql.domain.topics import QUEUE, case_topic, viewer_topic
from refundgql.domain.vocabulary import WithdrawalEventName
from refundgql.gql.declare import Level, level
from refundgql.gql.feeds import Feed
from refundgql.queries.case_filters import waiting_for_support
from refundgql.queries.streams import (
    BadCursor,
    Cursor,
    case_version,
    checked_cursor,
    stream_head,
)


@strawberry.type(description="One update of one case, as you see it at this moment.")
class RefundCaseUpdate:
    @level(description="The case as it is now; later events may be in it already.")
    @staticmethod
    async def refund_case(rows: list[UpdateRow], info: LevelInfo) -> Level[LazyRefundCase]:
        return await cases_as_saved(info, [(row.case_id, row.case) for row in rows])

    @level(description="What happened; none with the present state that a stream of one case begins with.")
    @staticmethod
    def event(rows: list[UpdateRow], info: LevelInfo) -> Level[LazyRefundEvent | None]:
        return [row.event for row in rows]

    cursor: str = strawberry.field(description="Subscribing again after this cursor goes on with the next update.")
    matches_filter: bool = strawberry.field(
        description="Whether the case fits the stream's filter after the event; false says that it has just left."
    )


@strawberry.type(description="A step of one of your withdrawals, made by hand or for a case, as you see it now.")
class WithdrawalUpdate:
    @level(description="The withdrawal as it is now; later steps may be in it already.")
    @staticmethod
    async def withdrawal(rows: list[WithdrawalUpdateRow], info: LevelInfo) -> Level[LazyWithdrawal]:
        return await withdrawals_of(info, [row.withdrawal_id for row in rows])

    event: WithdrawalEventName = strawberry.field(description="What happened.")
    at: datetime = strawberry.field(description="When it happened.")
    cursor: str = strawberry.field(description="Subscribing again after this cursor goes on with the next update.")


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
        raise told(not_found(phrase("refund case")).message)
    return _declared(CaseFeed(context.app.fanout, case_topic(case_id), start, context.app, viewer, case_id))


async def viewer_refund_updates(
    info: strawberry.Info[RequestContext, Any], after: AfterCursor = strawberry.UNSET
) -> AsyncGenerator[RefundCaseUpdate, None]:
    """Follow every case of the viewer. Refuses: BAD_USER_INPUT for bad cursors."""
    context = info.context
    viewer, start = context.signed_in(), await _start(context, after) or await stream_head(context.app.database)
    return _declared(CaseFeed(context.app.fanout, viewer_topic(viewer.account_id), start, context.app, viewer))


async def support_queue_updates(
    info: strawberry.Info[RequestContext, Any],
    filter: CaseFilterArgument = strawberry.UNSET,
    after: AfterCursor = strawberry.UNSET,
) -> AsyncGenerator[RefundCaseUpdate, None]:
    """Follow the desk's queue. Refuses: FORBIDDEN for others than staff; BAD_USER_INPUT for bad cursors."""
    context = info.context
    viewer = context.staff()
    asked = waiting_for_support(stream_filter(filter or None))
    start = await _start(context, after) or await stream_head(context.app.database)
    return _declared(CaseFeed(context.app.fanout, QUEUE, start, context.app, viewer, given=asked, for_staff=True))


async def viewer_withdrawal_updates(
    info: strawberry.Info[RequestContext, Any], after: AfterCursor = strawberry.UNSET
) -> AsyncGenerator[WithdrawalUpdate, None]:
    """Follow every withdrawal of the viewer. Refuses: BAD_USER_INPUT for bad cursors."""
    context = info.context
    viewer, start = context.signed_in(), await _start(context, after) or await stream_head(context.app.database)
    topic = viewer_topic(viewer.account_id)
    return _declared(WithdrawalFeed(context.app.notices, topic, start, context.app, viewer))


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
    viewer_withdrawal_updates: WithdrawalUpdate = strawberry.subscription(
        resolver=viewer_withdrawal_updates,
        description="Every step of your withdrawals, of those you ask for by hand too, from `after` or from now on.",
    )
    support_queue_updates: RefundCaseUpdate = strawberry.subscription(
        resolver=support_queue_updates,
        description="Every event of cases that were in support's queue before it or are after it, and fit the filter, "
        "for staff. A filter that says whose move it is looks at those cases instead.",
    )


def _declared(feed: Feed) -> AsyncGenerator[Any, None]:
    """Give a feed under the type that declares its rows."""
    return cast("AsyncGenerator[Any, None]", feed)  # types are declarations, rows travel in their place


async def _start(context: RequestContext, after: str | None) -> Cursor | None:
    """Return where a stream begins: a transport's own resumption counts before the argument.

    Refuses: BAD_USER_INPUT for a text that is no cursor of this stream.
    """
    text = after if context.resume_after is None else context.resume_after
    if text is None or text is strawberry.UNSET:
        return None
    try:
        return await checked_cursor(context.app.database, text)
    except BadCursor as error:
        raise told(error.why, argument="after") from None
