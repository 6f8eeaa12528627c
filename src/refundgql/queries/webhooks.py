"""Webhook endpoints, their deliveries and each attempt, for an administrator.

It must not select a secret: nobody reads one again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import WebhookDeliveryState
from refundgql.queries.listing import Listing, fetch_pages
from refundgql.queries.pages import MAXIMUM_ITEMS, ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table, among
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


_ENDPOINTS = Table(
    name="webhook_endpoint",
    alias="x",
    shape=Shape(
        EndpointRow,
        "url description kinds stopped created_at failures failing_since next_attempt_at former_secret_until",
        {"events": ("event_names",), "enabled": ("stopped",), "cursor": ("commit_order", "position")},
        computed={"next_attempt_at": "NULLIF(x.next_attempt_at, 0)"},
    ),
    order=Order(
        "webhookEndpoints", (Key("x.created_at", "int", descending=True), Key("x.id", "uuid", descending=True))
    ),
    visible=visibility.webhook_endpoints,
)
"""Newest first."""
_DELIVERIES = Table(
    name="webhook_delivery",
    alias="x",
    shape=Shape(
        DeliveryRow,
        "state queued_at settled_at",
        {
            "endpoint": ("endpoint_id",),
            "event": ("event_id",),
            "refund_case": ("case_id",),
            "cursor": ("commit_order", "position"),
        },
    ),
    order=Order(
        "webhookDeliveries", (Key("x.commit_order", "int", descending=True), Key("x.position", "int", descending=True))
    ),
    visible=visibility.webhook_deliveries,
    parent="endpoint_id",
)
"""The newest event first."""
_ATTEMPTS = Order("webhookAttempts", (Key("x.id", "int"),))
endpoints_by_id = _ENDPOINTS.by_id
list_endpoints = _ENDPOINTS.page
deliveries_by_id = _DELIVERIES.by_id


async def list_deliveries(
    source: Source,
    viewer: Viewer,
    endpoint_ids: Sequence[str],
    states: Sequence[WebhookDeliveryState] | None,
    page: Page,
    wanted: Mapping[str, Any],
) -> list[ConnectionRow]:
    """Return the same page of each endpoint's deliveries, the newest event first, narrowed to some states."""
    return await _DELIVERIES.pages(source, viewer, endpoint_ids, page, wanted, *among("x.state", states))


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
