"""What administrators do to the queue of a webhook endpoint: again, from there on again, leave out."""

from __future__ import annotations

from dataclasses import dataclass

from refundgql.commands.checks import Checks, existing_id
from refundgql.commands.idempotency import Made, once
from refundgql.commands.results import WebhookDeliveryResult, WebhookEndpointResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.commands.webhooks import check_admin, cursor_of, endpoint_of
from refundgql.domain.calendar import to_micros
from refundgql.domain.refusals import Refused, not_found
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.topics import WEBHOOKS
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import WebhookDeliveryState as State
from refundgql.storage.webhook_deliveries import find_delivery, settle_delivery
from refundgql.storage.webhooks import change_endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeliverWebhook:
    """Send one event to an endpoint again."""

    webhook_delivery_id: str
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipWebhookDelivery:
    """Leave out an event that an endpoint cannot take, so that those behind it go on."""

    webhook_delivery_id: str
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindWebhookEndpoint:
    """Send everything after a cursor of the event stream again."""

    webhook_endpoint_id: str
    after: str
    idempotency_key: str | None = None


async def redeliver_webhook(uow: UnitOfWork, viewer: Viewer, given: RedeliverWebhook) -> WebhookDeliveryResult:
    """Put a delivery back into its queue, at its event's place; it goes out at once, under the same id.

    Refuses: FORBIDDEN, NOT_FOUND.
    """
    return await _settle(uow, viewer, given, State.PENDING)


async def skip_webhook_delivery(uow: UnitOfWork, viewer: Viewer, given: SkipWebhookDelivery) -> WebhookDeliveryResult:
    """Leave a delivery out; the next one in the queue goes out at once.

    Refuses: FORBIDDEN, NOT_FOUND; INVALID_INPUT for a delivery that is not waiting.
    """
    return await _settle(uow, viewer, given, State.SKIPPED)


async def _settle(
    uow: UnitOfWork, viewer: Viewer, given: RedeliverWebhook | SkipWebhookDelivery, state: State
) -> WebhookDeliveryResult:
    async def work(unit: Unit) -> Made:
        check_admin(viewer)
        delivery = existing_id(given.webhook_delivery_id, phrase("webhook delivery"), "webhookDeliveryId")
        found = await find_delivery(unit.tx, delivery)
        if found is None:
            raise Refused(not_found(phrase("webhook delivery"), "webhookDeliveryId"))
        endpoint_id, before = found
        checks = Checks()
        if state is State.SKIPPED and before is not State.PENDING:
            message = sentence("DELIVERY_NOT_WAITING", "Only a delivery that is waiting can be left out.")
            checks.refuse(message, "webhookDeliveryId")
        checks.raise_if_any()
        await settle_delivery(unit.tx, delivery, state, to_micros(unit.now()))
        await change_endpoint(unit.tx, endpoint_id, failures=0, next_attempt_at=0)
        unit.topics.add(WEBHOOKS)
        return {"delivery_id": delivery}

    made, replayed = await once(uow, viewer, given, work)
    return WebhookDeliveryResult(made["delivery_id"], replayed)


async def rewind_webhook_endpoint(
    uow: UnitOfWork, viewer: Viewer, given: RewindWebhookEndpoint
) -> WebhookEndpointResult:
    """Set an endpoint's place in the event log back: what it wants of the events after it goes out again.

    What has gone out before keeps its id.

    Refuses: FORBIDDEN, NOT_FOUND; INVALID_INPUT for a cursor that the endpoint has not reached.
    """

    async def work(unit: Unit) -> Made:
        check_admin(viewer)
        endpoint = await endpoint_of(unit, given.webhook_endpoint_id)
        checks = Checks()
        after = await cursor_of(unit, given.after, checks)
        if after is not None and after > endpoint.cursor:
            message = sentence(
                "ENDPOINT_NOT_THAT_FAR", "The endpoint has not come that far: give a cursor of an earlier event."
            )
            checks.refuse(message, "after")
        checks.raise_if_any()
        assert after is not None  # noqa: S101 - the checks refused everything else
        await change_endpoint(
            unit.tx,
            endpoint.id,
            commit_order=after.commit_order,
            position=after.position,
            failures=0,
            next_attempt_at=0,
        )
        unit.topics.add(WEBHOOKS)
        return {"endpoint_id": endpoint.id}

    made, replayed = await once(uow, viewer, given, work)
    return WebhookEndpointResult(made["endpoint_id"], replayed)
