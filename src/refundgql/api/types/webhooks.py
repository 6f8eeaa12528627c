"""Webhook endpoints and the log of what was sent to them."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.types.connections import Connection, paged
from refundgql.api.types.ids import uuid_of
from refundgql.api.types.lazy import LazyRefundCase, LazyRefundEvent
from refundgql.api.types.nodes import Node
from refundgql.api.types.relations import cases_of, events_of, related
from refundgql.domain.vocabulary import RefundCaseKind, RefundEventName, WebhookDeliveryState, WebhookStop
from refundgql.gql.declare import Level, leaf, level
from refundgql.gql.rows import row
from refundgql.queries.pages import Page
from refundgql.queries.webhooks import (
    AttemptRow,
    DeliveryRow,
    EndpointRow,
    attempts_of,
    deliveries_by_id,
    endpoints_by_id,
    list_deliveries,
    list_endpoints,
)


@row(AttemptRow)
@strawberry.type(description="One attempt at a delivery.")
class WebhookAttempt:
    at: datetime = strawberry.field(description="When it was sent.")
    status: int | None = strawberry.field(description="The HTTP status of the answer; none when there was no answer.")
    error: str | None = strawberry.field(description="Why it was not taken; none when it was.")
    duration_ms: int = strawberry.field(description="How long it took, in milliseconds.")


@strawberry.type(description="One event on its way to one endpoint.")
class WebhookDelivery(Node):
    state: WebhookDeliveryState = strawberry.field(description="How far it has come.")
    cursor: str = leaf(
        lambda row: row.cursor, description="The event's place in the stream of events, for rewindWebhookEndpoint."
    )
    queued_at: datetime = strawberry.field(description="When it was queued, the last time.")
    settled_at: datetime | None = strawberry.field(
        description="When it was taken, given up or left out; none while it waits."
    )

    @level(description="Where it goes.")
    @staticmethod
    async def endpoint(rows: list[DeliveryRow], info: LevelInfo) -> Level["WebhookEndpoint"]:
        return await related(endpoints_by_id, info, [row.endpoint_id for row in rows])

    @level(description="The event of a case that it tells of; none when it tells of a withdrawal or of reviews.")
    @staticmethod
    async def event(rows: list[DeliveryRow], info: LevelInfo) -> Level[LazyRefundEvent | None]:
        return await events_of(info, [row.event_id for row in rows])

    @level(description="The case that it is about; none when it is about none.")
    @staticmethod
    async def refund_case(rows: list[DeliveryRow], info: LevelInfo) -> Level[LazyRefundCase | None]:
        return await cases_of(info, [row.case_id for row in rows])

    @level(description="Each attempt, oldest first, the last hundred.")
    @staticmethod
    async def attempts(rows: list[DeliveryRow], info: LevelInfo) -> Level[list[WebhookAttempt]]:
        return await attempts_of(info.context.app.database, [row.id for row in rows])


@strawberry.type(
    description="Where events of cases are sent, signed as Standard Webhooks says: each at least once, one at a time, "
    "in the order of the stream. The header webhook-id is the delivery's id: a receiver drops what it has seen."
)
class WebhookEndpoint(Node):
    url: str = strawberry.field(description="The URL that is called.")
    description: str | None = strawberry.field(description="What it is for.")
    events: list[RefundEventName] = leaf(
        lambda row: row.events, description="The names of the events that are sent; all when empty."
    )
    kinds: list[RefundCaseKind] = leaf(
        lambda row: row.kind_names, description="The kinds of cases whose events are sent; all when empty."
    )
    enabled: bool = leaf(lambda row: row.stopped is None, description="Whether events are sent.")
    stopped: WebhookStop | None = strawberry.field(description="Why nothing is sent; none while events are sent.")
    created_at: datetime = strawberry.field(description="When it was created.")
    cursor: str = leaf(
        lambda row: row.cursor, description="How far in the stream of events deliveries have been queued."
    )
    failures: int = strawberry.field(description="Failed attempts in a row at the delivery in front of the queue.")
    failing_since: datetime | None = strawberry.field(
        description="Since when nothing was taken; none when the last attempt went well."
    )
    next_attempt_at: datetime | None = strawberry.field(
        description="When the delivery in front is tried again; none when nothing holds it up."
    )
    former_secret_until: datetime | None = strawberry.field(
        description="Until when the former secret signs as well; none when the secret was never replaced."
    )

    @paged(description="What was and is to be sent, the newest event first; settled ones are kept for 30 days.")
    @staticmethod
    async def deliveries(
        rows: list[EndpointRow],
        info: LevelInfo,
        page: Page,
        states: Annotated[
            list[WebhookDeliveryState] | None,
            strawberry.argument(description="Only deliveries of these states; all when left out."),
        ] = None,
    ) -> Level[Connection[WebhookDelivery]]:
        viewer = info.context.administrator()
        ids = [row.id for row in rows]
        return await list_deliveries(info.context.app.database, viewer, ids, states, page, info.selection)


async def endpoints_of(info: LevelInfo, ids: list[str | None]) -> list[Any]:
    """Return webhook endpoints by id."""
    return await related(endpoints_by_id, info, ids)


async def deliveries_of(info: LevelInfo, ids: list[str | None]) -> list[Any]:
    """Return webhook deliveries by id."""
    return await related(deliveries_by_id, info, ids)


@strawberry.type
class WebhookQueries:
    @paged(description="All webhook endpoints, newest first; for administrators.")
    @staticmethod
    async def webhook_endpoints(rows: list[Any], info: LevelInfo, page: Page) -> Level[Connection[WebhookEndpoint]]:
        viewer = info.context.administrator()
        return [await list_endpoints(info.context.app.database, viewer, page, info.selection)]

    @level(description="A webhook endpoint by its id; for administrators, none when there is none.")
    @staticmethod
    async def webhook_endpoint(
        rows: list[Any], info: LevelInfo, id: Annotated[strawberry.ID, strawberry.argument(description="The id.")]
    ) -> Level[WebhookEndpoint | None]:
        info.context.administrator()
        return await endpoints_of(info, [uuid_of("WebhookEndpoint", id)])
