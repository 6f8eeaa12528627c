"""Webhook endpoints, their deliveries and each attempt, for an administrator.

It must not select a secret: nobody reads one again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import WebhookDeliveryState
from refundgql.queries.listing import Listing, fetch_page, fetch_pages, wanted_nodes
from refundgql.queries.of_cases import rows_by_id
from refundgql.queries.pages import MAXIMUM_ITEMS, Condition, ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.storage import visibility
from refundgql.storage.database import Source
from refundgql.storage.webhooks import names_of


@dataclass(slots=True)
class EndpointRow:
    """A webhook endpoint; lists are comma-separated, empty for all."""

    TYPENAME: ClassVar[str] = "WebhookEndpoint"
    id: str
    url: str
    description: str | None
    event_names: str
    kinds: str
    stopped: str | None
    created_at: int
    commit_order: int
    position: int
    failures: int
    failing_since: int | None
    next_attempt_at: int | None
    former_secret_until: int | None

    @property
    def events(self) -> list[str]:
        """Return the names of the events it asked for."""
        return list(names_of(self.event_names))

    @property
    def kind_names(self) -> list[str]:
        """Return the kinds of cases it asked for."""
        return list(names_of(self.kinds))

    @property
    def cursor(self) -> str:
        """Return how far its queue has been filled."""
        return f"{self.commit_order}.{self.position}"


@dataclass(slots=True)
class DeliveryRow:
    """An event on its way to an endpoint."""

    TYPENAME: ClassVar[str] = "WebhookDelivery"
    id: str
    endpoint_id: str
    event_id: str
    case_id: str
    commit_order: int
    position: int
    state: str
    queued_at: int
    settled_at: int | None

    @property
    def cursor(self) -> str:
        """Return the event's place in the stream."""
        return f"{self.commit_order}.{self.position}"


@dataclass(slots=True)
class AttemptRow:
    """One attempt at a delivery."""

    at: int
    status: int | None
    error: str | None
    duration_ms: int


_ENDPOINT = Shape(
    EndpointRow,
    ("id",),
    {
        "url": ("url",),
        "description": ("description",),
        "events": ("event_names",),
        "kinds": ("kinds",),
        "enabled": ("stopped",),
        "stopped": ("stopped",),
        "created_at": ("created_at",),
        "cursor": ("commit_order", "position"),
        "failures": ("failures",),
        "failing_since": ("failing_since",),
        "next_attempt_at": ("next_attempt_at",),
        "former_secret_until": ("former_secret_until",),
    },
    computed={"next_attempt_at": "NULLIF(x.next_attempt_at, 0)"},
)
_DELIVERY = Shape(
    DeliveryRow,
    ("id",),
    {
        "endpoint": ("endpoint_id",),
        "event": ("event_id",),
        "refund_case": ("case_id",),
        "cursor": ("commit_order", "position"),
        "state": ("state",),
        "queued_at": ("queued_at",),
        "settled_at": ("settled_at",),
    },
)
_NEWEST_ENDPOINTS = Order(
    "webhookEndpoints", (Key("x.created_at", "int", descending=True), Key("x.id", "uuid", descending=True))
)
_NEWEST_DELIVERIES = Order(
    "webhookDeliveries", (Key("x.commit_order", "int", descending=True), Key("x.position", "int", descending=True))
)
_ATTEMPTS = Order("webhookAttempts", (Key("x.id", "int"),))


async def endpoints_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the endpoints of these ids that the viewer sees."""
    columns, visible = _ENDPOINT.columns(wanted), visibility.webhook_endpoints(viewer, "x")
    return await rows_by_id(
        source, "webhook_endpoint", _ENDPOINT.select(columns, "x"), _ENDPOINT.maker(columns), ids, visible
    )


async def deliveries_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the deliveries of these ids that the viewer sees."""
    columns, visible = _DELIVERY.columns(wanted), visibility.webhook_deliveries(viewer, "x")
    return await rows_by_id(
        source, "webhook_delivery", _DELIVERY.select(columns, "x"), _DELIVERY.maker(columns), ids, visible
    )


async def list_endpoints(source: Source, viewer: Viewer, page: Page, wanted: Mapping[str, Any]) -> ConnectionRow:
    """Return a page of all endpoints, newest first."""
    columns = _ENDPOINT.columns(wanted_nodes(wanted))
    listing = Listing(
        columns=_ENDPOINT.select(columns, "x"),
        relation="webhook_endpoint x",
        order=_NEWEST_ENDPOINTS,
        make=_ENDPOINT.maker(columns),
        conditions=[visibility.webhook_endpoints(viewer, "x")],
    )
    return await fetch_page(source, listing, page, wanted)


async def list_deliveries(
    source: Source,
    viewer: Viewer,
    endpoint_ids: Sequence[str],
    states: Sequence[WebhookDeliveryState] | None,
    page: Page,
    wanted: Mapping[str, Any],
) -> list[ConnectionRow]:
    """Return the same page of each endpoint's deliveries, the newest event first, narrowed to some states."""
    conditions: list[Condition] = [visibility.webhook_deliveries(viewer, "x")]
    if states is not None:
        conditions.append(("x.state = ANY(?)", (sorted({state.value for state in states}),)))
    columns = _DELIVERY.columns(wanted_nodes(wanted))
    listing = Listing(
        columns=_DELIVERY.select(columns, "x"),
        relation="webhook_delivery x",
        order=_NEWEST_DELIVERIES,
        make=_DELIVERY.maker(columns),
        conditions=conditions,
    )
    found = await fetch_pages(source, listing, page, wanted, "x.endpoint_id", list(dict.fromkeys(endpoint_ids)))
    return [found[one] for one in endpoint_ids]


async def attempts_of(source: Source, delivery_ids: Sequence[str]) -> list[list[AttemptRow]]:
    """Return the attempts at each of these visible deliveries, oldest first, the last hundred."""
    listing = Listing(
        columns="x.at, x.status, x.error, x.duration_ms",
        relation="webhook_attempt x",
        order=_ATTEMPTS,
        make=lambda record: AttemptRow(record[0], record[1], record[2], record[3]),
    )
    page, ids = Page(MAXIMUM_ITEMS, backward=True), list(dict.fromkeys(delivery_ids))
    found = await fetch_pages(source, listing, page, {"edges": {}}, "x.delivery_id", ids)
    return [[edge.node for edge in found[one].edges] for one in delivery_ids]
