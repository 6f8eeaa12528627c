"""What a sender of webhooks does in the database: finds what goes out next, and writes down what came of it.

Whatever a sender was doing when it was killed is found again by the next one, under the same id; the place in the event
log moves only when the queue holds what it passes, and a delivery leaves the queue only when its answer is written
down.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.vocabulary import WebhookDeliveryState as State
from refundgql.domain.vocabulary import WebhookStop, WebhookVerdict
from refundgql.domain.webhooks import RetryPlan, verdict_of
from refundgql.storage.database import Source
from refundgql.storage.events import Cursor, StreamEvent, read_stream, stream_head
from refundgql.storage.notices import StreamNotice, read_notices
from refundgql.storage.webhook_deliveries import (
    Attempt,
    QueuedDelivery,
    enqueue,
    find_next,
    record_attempt,
    requeue_given_up,
)
from refundgql.storage.webhooks import WebhookEndpoint, find_endpoint

QUEUED_AT_ONCE = 100
"""So many events at most are taken from the log into a queue ahead of sending."""

_log = logging.getLogger(__name__)


class EndpointNeed(Enum):
    """What an endpoint needs now."""

    SEND = auto()
    LOOK_AGAIN = auto()
    WAIT = auto()
    """Until its next attempt."""
    NOTHING = auto()
    HELD_BACK = auto()
    """An open transaction holds events back; look again in a moment."""
    ENDED = auto()
    """It was deleted or stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What to do for an endpoint; `wait_until` in microseconds."""

    situation: EndpointNeed
    endpoint: WebhookEndpoint | None = None
    delivery: QueuedDelivery | None = None
    wait_until: int = 0


async def find_work(uow: UnitOfWork, endpoint_id: str, owner: str, now: int) -> Work:
    """Return what an endpoint needs now, filling its queue from the event log when it is empty; `now` in microseconds.

    The lease must be the owner's.
    """
    endpoint = await find_endpoint(uow.database, endpoint_id)
    if endpoint is None or endpoint.stopped is not None:
        return Work(situation=EndpointNeed.ENDED)
    if endpoint.next_attempt_at > now:
        return Work(situation=EndpointNeed.WAIT, endpoint=endpoint, wait_until=endpoint.next_attempt_at)
    delivery = await find_next(uow.database, endpoint)
    if delivery is not None:
        return Work(situation=EndpointNeed.SEND, endpoint=endpoint, delivery=delivery)
    told, held_back = await _read_on(uow.database, endpoint.cursor)
    if not told:
        return Work(situation=EndpointNeed.HELD_BACK if held_back else EndpointNeed.NOTHING)

    async def work(unit: Unit) -> bool:
        return await enqueue(unit.tx, endpoint, owner, told, now)

    await uow.run(work)
    return Work(situation=EndpointNeed.LOOK_AGAIN)


async def _read_on(source: Source, after: Cursor) -> tuple[list[StreamEvent | StreamNotice], bool]:
    """Return what follows a place in the stream, events and notices in their order, and whether some is held back."""
    # Up to the head as it was before both: what is committed between two statements is not passed by either.
    head = await stream_head(source)
    page = await read_stream(source, after, limit=QUEUED_AT_ONCE)
    notices = await read_notices(source, after, limit=QUEUED_AT_ONCE)
    merged: list[StreamEvent | StreamNotice] = sorted([*page.events, *notices.events], key=lambda one: one.cursor)
    ends = [head]
    if page.more:
        ends.append(page.events[-1].cursor)
    if notices.more:
        ends.append(notices.events[-1].cursor)
    told = [one for one in merged if one.cursor <= min(ends)]
    return told, page.held_back or len(told) < len(merged)


async def note_attempt(
    uow: UnitOfWork,
    work: Work,
    owner: str,
    attempt: Attempt,
    plan: RetryPlan,
    chance: float,
) -> tuple[bool, State]:
    """Write down what came of sending a delivery; tell whether the lease still held, and where the delivery stands.

    Without the lease nothing is written: whoever has it now sends the same again. `chance` from 0 to 1 spreads waits.
    """
    endpoint, delivery = work.endpoint, work.delivery
    if endpoint is None or delivery is None:
        raise ValueError("There was nothing to send.")
    state, columns = _consequence(endpoint, attempt, plan, chance)

    async def write(unit: Unit) -> bool:
        held = await record_attempt(unit.tx, endpoint.id, owner, delivery.id, attempt, state, **columns)
        if held and columns.get("stopped") is WebhookStop.FAILING:
            # Nothing was taken since then, so nothing is lost when the endpoint is switched on again.
            await requeue_given_up(unit.tx, endpoint.id, columns["failing_since"])
        return held

    held = await uow.run(write)
    if held and "stopped" in columns:
        _log.warning("Nothing more is sent to webhook endpoint %s: %s.", endpoint.id, columns["stopped"].value)
    elif held and state is State.FAILED:
        _log.warning("Webhook delivery %s is given up: %s.", delivery.id, attempt.error)
    return held, state


def _consequence(
    endpoint: WebhookEndpoint, attempt: Attempt, plan: RetryPlan, chance: float
) -> tuple[State, dict[str, Any]]:
    """Return where a delivery stands after an attempt, and the columns of its endpoint."""
    verdict = verdict_of(attempt.status)
    if verdict is WebhookVerdict.TAKEN:
        return State.DELIVERED, {"failures": 0, "failing_since": None, "next_attempt_at": 0}
    failing_since = endpoint.failing_since or attempt.at
    columns: dict[str, Any] = {"failures": endpoint.failures + 1, "failing_since": failing_since}
    if verdict is WebhookVerdict.GONE:
        return State.PENDING, {**columns, "stopped": WebhookStop.GONE}
    if attempt.at - failing_since >= plan.disable_after_seconds * 1_000_000:
        return State.PENDING, {**columns, "stopped": WebhookStop.FAILING}
    wait = plan.wait_seconds(endpoint.failures + 1, chance)
    if wait is None:
        return State.FAILED, {**columns, "failures": 0, "next_attempt_at": 0}
    return State.PENDING, {**columns, "next_attempt_at": attempt.at + int(wait * 1_000_000)}
