"""What administrators do with webhooks."""

from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import KEY, Input, check_length, command, optional, required
from refundgql.api.acts.payloads import REFUSALS, REPLAYED, PayloadRow, act, run_command
from refundgql.api.context import LevelInfo
from refundgql.api.types.lazy import LazyWebhookDelivery, LazyWebhookEndpoint
from refundgql.api.types.refusals import Refusal
from refundgql.api.types.webhooks import deliveries_of, endpoints_of
from refundgql.commands import webhook_deliveries, webhooks
from refundgql.domain.vocabulary import RefundCaseKind, RefundEventName
from refundgql.gql.declare import Level, leaf, level

EVENTS = "The names of the events to send, such as APPROVE; all of them when empty or left out."
KINDS = "The kinds of cases whose events to send; all of them when empty or left out."
LEAVES = " Left as it is when left out."


@strawberry.input(description="Where to send events.")
class CreateWebhookEndpointInput(Input):
    url: str = required("The URL to call: https, reached over the internet, at most 2,000 characters.")
    description: str | None = optional("What it is for, at most 200 characters.")
    events: list[RefundEventName] | None = optional(EVENTS)
    kinds: list[RefundCaseKind] | None = optional(KINDS)
    after: str | None = optional("A cursor of the stream of events to begin after; with none it begins now.")
    idempotency_key: str = required(KEY)


@strawberry.input(description="What to change of a webhook endpoint.")
class UpdateWebhookEndpointInput(Input):
    webhook_endpoint_id: strawberry.ID = required("The endpoint.")
    url: str | None = optional("The URL to call from now on." + LEAVES)
    description: str | None = optional("What it is for." + LEAVES)
    events: list[RefundEventName] | None = optional("The names of the events to send; all of them when empty." + LEAVES)
    kinds: list[RefundCaseKind] | None = optional(
        "The kinds of cases whose events to send; all of them when empty." + LEAVES
    )
    enabled: bool | None = optional("Whether to send; what was missed is sent when it is switched on again." + LEAVES)
    idempotency_key: str | None = optional(KEY)


@strawberry.input(description="Which webhook endpoint to delete.")
class DeleteWebhookEndpointInput(Input):
    webhook_endpoint_id: strawberry.ID = required("The endpoint.")
    idempotency_key: str | None = optional(KEY)


@strawberry.input(description="Which webhook endpoint gets a new secret.")
class RotateWebhookSecretInput(Input):
    webhook_endpoint_id: strawberry.ID = required("The endpoint.")
    old_valid_hours: int | None = optional(
        "For how many hours the old secret signs as well, at most 168; 24 when left out. Give 0 when it has leaked."
    )
    idempotency_key: str = required(KEY)


@strawberry.input(description="From where on to send again.")
class RewindWebhookEndpointInput(Input):
    webhook_endpoint_id: strawberry.ID = required("The endpoint.")
    after: str = required("A cursor of the stream of events: everything after it is sent, again or for the first time.")
    idempotency_key: str | None = optional(KEY)


@strawberry.input(description="Which delivery to send again.")
class RedeliverWebhookInput(Input):
    webhook_delivery_id: strawberry.ID = required("The delivery.")
    idempotency_key: str | None = optional(KEY)


@strawberry.input(description="Which delivery to leave out.")
class SkipWebhookDeliveryInput(Input):
    webhook_delivery_id: strawberry.ID = required("The delivery; it must be waiting.")
    idempotency_key: str | None = optional(KEY)


@strawberry.type(description="The answer to an act on a webhook endpoint.")
class WebhookEndpointPayload:
    @level(description="The endpoint as it is now; none when the act was refused, or when it was deleted.")
    @staticmethod
    async def webhook_endpoint(rows: list[PayloadRow], info: LevelInfo) -> Level[LazyWebhookEndpoint | None]:
        return await endpoints_of(info, [row.id("endpoint_id") for row in rows])

    replayed: bool = strawberry.field(description=REPLAYED)
    refusals: list[Refusal] = strawberry.field(description=REFUSALS)


@strawberry.type(description="The answer to an act that makes a secret.")
class WebhookSecretPayload:
    @level(description="The endpoint as it is now; none when the act was refused.")
    @staticmethod
    async def webhook_endpoint(rows: list[PayloadRow], info: LevelInfo) -> Level[LazyWebhookEndpoint | None]:
        return await endpoints_of(info, [row.id("endpoint_id") for row in rows])

    secret: str | None = leaf(
        lambda row: row.id("secret"),
        description="What its receiver verifies signatures with, told this once: none on a replay; then rotate it.",
    )
    replayed: bool = strawberry.field(description=REPLAYED)
    refusals: list[Refusal] = strawberry.field(description=REFUSALS)


@strawberry.type(description="The answer to an act on a webhook delivery.")
class WebhookDeliveryPayload:
    @level(description="The delivery as it is now; none when the act was refused.")
    @staticmethod
    async def webhook_delivery(rows: list[PayloadRow], info: LevelInfo) -> Level[LazyWebhookDelivery | None]:
        return await deliveries_of(info, [row.id("delivery_id") for row in rows])

    replayed: bool = strawberry.field(description=REPLAYED)
    refusals: list[Refusal] = strawberry.field(description=REFUSALS)


@strawberry.type
class WebhookMutations:
    @level(description="As an administrator, send events to a URL; the answer holds the secret, this once.")
    @staticmethod
    async def create_webhook_endpoint(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[CreateWebhookEndpointInput, strawberry.argument(description="Where to send what.")],
    ) -> Level[WebhookSecretPayload]:
        check_length(input.events, "events")
        check_length(input.kinds, "kinds")
        given = command(webhooks.CreateWebhookEndpoint, input)
        uow = info.context.app.uow
        return await run_command(info, lambda viewer: webhooks.create_webhook_endpoint(uow, viewer, given))

    @level(description="As an administrator, change a webhook endpoint or switch it off or on; it is tried at once.")
    @staticmethod
    async def update_webhook_endpoint(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[UpdateWebhookEndpointInput, strawberry.argument(description="What to change.")],
    ) -> Level[WebhookEndpointPayload]:
        check_length(input.events, "events")
        check_length(input.kinds, "kinds")
        given = command(webhooks.UpdateWebhookEndpoint, input)
        uow = info.context.app.uow
        return await run_command(info, lambda viewer: webhooks.update_webhook_endpoint(uow, viewer, given))

    delete_webhook_endpoint = act(
        webhooks.delete_webhook_endpoint,
        DeleteWebhookEndpointInput,
        WebhookEndpointPayload,
        argument="Which one.",
        description="As an administrator, delete a webhook endpoint with its log.",
    )
    rotate_webhook_secret = act(
        webhooks.rotate_webhook_secret,
        RotateWebhookSecretInput,
        WebhookSecretPayload,
        argument="Which one.",
        description="As an administrator, give a webhook endpoint a new secret; for a while the old one signs too.",
    )
    rewind_webhook_endpoint = act(
        webhook_deliveries.rewind_webhook_endpoint,
        RewindWebhookEndpointInput,
        WebhookEndpointPayload,
        argument="Which one, and from where on.",
        description="As an administrator, send everything after a cursor again, with the ids it had.",
    )
    redeliver_webhook = act(
        webhook_deliveries.redeliver_webhook,
        RedeliverWebhookInput,
        WebhookDeliveryPayload,
        argument="Which one.",
        description="As an administrator, send one delivery again, with the id it had, before those that wait.",
    )
    skip_webhook_delivery = act(
        webhook_deliveries.skip_webhook_delivery,
        SkipWebhookDeliveryInput,
        WebhookDeliveryPayload,
        argument="Which one.",
        description="As an administrator, leave out a delivery that holds up those behind it.",
    )
