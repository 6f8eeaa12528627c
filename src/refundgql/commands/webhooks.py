"""Webhook endpoints: made, changed, deleted, given a new secret; for administrators.

It must not send anything, nor keep a secret where it can be read again: it is in the answer once.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from uuid_utils.compat import uuid7

from refundgql.commands.checks import Checks, existing_id
from refundgql.commands.idempotency import Made, once
from refundgql.commands.results import WebhookEndpointResult, WebhookSecretResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.calendar import to_micros
from refundgql.domain.refusals import Refused, not_found, refusal
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.topics import WEBHOOKS
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundCaseKind, RefundEventName, RefusalCode, WebhookStop
from refundgql.domain.webhooks import MOST_ENDPOINTS, URL_CHARS, url_problem
from refundgql.storage.events import BadCursor, Cursor, stream_head
from refundgql.storage.tail import checked_cursor
from refundgql.storage.webhooks import (
    WebhookEndpoint,
    change_endpoint,
    count_endpoints,
    find_endpoint,
    insert_endpoint,
    replace_secret,
)

DESCRIPTION_CHARS = 200
SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64."""
OVERLAP_HOURS = 24
LONGEST_OVERLAP_HOURS = 7 * 24
_HOUR_MICROS = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateWebhookEndpoint:
    """Send events to a URL: of some names and kinds, or all; after a cursor of the event stream, or from now."""

    url: str
    description: str | None = None
    events: Sequence[RefundEventName] | None = None
    kinds: Sequence[RefundCaseKind] | None = None
    after: str | None = None
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWebhookEndpoint:
    """Change what is given of an endpoint and leave the rest."""

    webhook_endpoint_id: str
    url: str | None = None
    description: str | None = None
    events: Sequence[RefundEventName] | None = None
    kinds: Sequence[RefundCaseKind] | None = None
    enabled: bool | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteWebhookEndpoint:
    """Send nothing more to an endpoint and forget its log."""

    webhook_endpoint_id: str
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateWebhookSecret:
    """Give an endpoint a new secret; the old one signs too for some hours, none when it has leaked."""

    webhook_endpoint_id: str
    old_valid_hours: int | None = None
    idempotency_key: str


def check_admin(viewer: Viewer) -> None:
    """Let administrators pass. Refuses: FORBIDDEN, whatever the others ask about."""
    if not viewer.is_admin:
        message = sentence("ONLY_ADMINS_HAVE_WEBHOOKS", "Webhooks are for administrators.")
        raise Refused(refusal(RefusalCode.FORBIDDEN, message))


async def endpoint_of(unit: Unit, endpoint_id: str) -> WebhookEndpoint:
    """Return an endpoint. Refuses: NOT_FOUND."""
    found = await find_endpoint(unit.tx, existing_id(endpoint_id, phrase("webhook endpoint"), "webhookEndpointId"))
    if found is None:
        raise Refused(not_found(phrase("webhook endpoint"), "webhookEndpointId"))
    return found


async def cursor_of(unit: Unit, text: str | None, checks: Checks) -> Cursor | None:
    """Return the cursor that is meant; one that is none of this stream is refused."""
    if text is None:
        return None
    try:
        return await checked_cursor(unit.tx, text)
    except BadCursor as error:
        checks.refuse(error.why, "after")
        return None


async def create_webhook_endpoint(uow: UnitOfWork, viewer: Viewer, given: CreateWebhookEndpoint) -> WebhookSecretResult:
    """Add an endpoint and return the secret that its receiver verifies signatures with; nobody is told it again.

    Refuses: FORBIDDEN; INVALID_INPUT, also for one endpoint too many.
    """
    endpoint_id, secret = str(uuid7()), new_secret()

    async def work(unit: Unit) -> Made:
        check_admin(viewer)
        checks = Checks()
        changes = _checked(given, checks, private_allowed=uow.private_webhooks)
        after = await cursor_of(unit, given.after, checks)
        checks.raise_if_any()
        if await count_endpoints(unit.tx) >= MOST_ENDPOINTS:
            message = sentence(
                "TOO_MANY_ENDPOINTS",
                "There are {limit} endpoints already: delete one, or fan out behind one.",
                limit=MOST_ENDPOINTS,
            )
            checks.refuse(message)
            checks.raise_if_any()
        endpoint = WebhookEndpoint(
            id=endpoint_id,
            url=changes["url"],
            description=changes.get("description"),
            event_names=changes.get("event_names", ()),
            kinds=changes.get("kinds", ()),
            secret=secret,
            cursor=after or await stream_head(unit.tx),
        )
        await insert_endpoint(unit.tx, endpoint, to_micros(unit.now()))
        unit.topics.add(WEBHOOKS)
        return {"endpoint_id": endpoint_id}

    made, replayed = await once(uow, viewer, given, work)
    # What this very call has made is its own also when only a repeat of its transaction could tell.
    own = made["endpoint_id"] == endpoint_id
    return WebhookSecretResult(made["endpoint_id"], secret if own else None, replayed and not own)


async def update_webhook_endpoint(
    uow: UnitOfWork, viewer: Viewer, given: UpdateWebhookEndpoint
) -> WebhookEndpointResult:
    """Change an endpoint; what waits for it is tried at once.

    An endpoint that is switched on again goes on where it stopped. Refuses: FORBIDDEN, NOT_FOUND, INVALID_INPUT.
    """

    async def work(unit: Unit) -> Made:
        check_admin(viewer)
        endpoint = await endpoint_of(unit, given.webhook_endpoint_id)
        checks = Checks()
        changes = _checked(given, checks, private_allowed=uow.private_webhooks)
        checks.raise_if_any()
        values = {
            name: ",".join(sorted(value)) if isinstance(value, tuple) else value for name, value in changes.items()
        }
        if given.enabled is not None and given.enabled is not (endpoint.stopped is None):
            values |= {"stopped": None if given.enabled else WebhookStop.SWITCHED_OFF.value, "failing_since": None}
        await change_endpoint(unit.tx, endpoint.id, **values, failures=0, next_attempt_at=0)
        unit.topics.add(WEBHOOKS)
        return {"endpoint_id": endpoint.id}

    made, replayed = await once(uow, viewer, given, work)
    return WebhookEndpointResult(made["endpoint_id"], replayed)


async def delete_webhook_endpoint(
    uow: UnitOfWork, viewer: Viewer, given: DeleteWebhookEndpoint
) -> WebhookEndpointResult:
    """Delete an endpoint: nothing more is sent, and nobody sees it or its log any more.

    Refuses: FORBIDDEN, NOT_FOUND.
    """

    async def work(unit: Unit) -> Made:
        check_admin(viewer)
        endpoint = await endpoint_of(unit, given.webhook_endpoint_id)
        # The rows of the log may be many: they go later, a batch at a time. The secrets go now.
        await change_endpoint(unit.tx, endpoint.id, deleted_at=to_micros(unit.now()), secret="", former_secret=None)
        unit.topics.add(WEBHOOKS)
        return {"endpoint_id": endpoint.id}

    made, replayed = await once(uow, viewer, given, work)
    return WebhookEndpointResult(made["endpoint_id"], replayed)


async def rotate_webhook_secret(uow: UnitOfWork, viewer: Viewer, given: RotateWebhookSecret) -> WebhookSecretResult:
    """Give an endpoint a new secret and return it; both sign until the old one's hours are over.

    Refuses: FORBIDDEN, NOT_FOUND, INVALID_INPUT.
    """
    secret = new_secret()
    trace = str(uuid7())

    async def work(unit: Unit) -> Made:
        check_admin(viewer)
        endpoint = await endpoint_of(unit, given.webhook_endpoint_id)
        checks = Checks()
        hours = OVERLAP_HOURS if given.old_valid_hours is None else given.old_valid_hours
        if not 0 <= hours <= LONGEST_OVERLAP_HOURS:
            message = sentence("OVERLAP_OUT_OF_RANGE", "Give 0 to {limit} hours.", limit=LONGEST_OVERLAP_HOURS)
            checks.refuse(message, "oldValidHours")
        checks.raise_if_any()
        await replace_secret(unit.tx, endpoint.id, secret, hours * _HOUR_MICROS)
        return {"endpoint_id": endpoint.id, "trace": trace}

    made, replayed = await once(uow, viewer, given, work)
    own = made["trace"] == trace
    return WebhookSecretResult(made["endpoint_id"], secret if own else None, replayed and not own)


def new_secret() -> str:
    """Return a new secret in the form of Standard Webhooks."""
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _checked(
    given: CreateWebhookEndpoint | UpdateWebhookEndpoint, checks: Checks, *, private_allowed: bool
) -> dict[str, Any]:
    """Return the columns that are given, lists as tuples without repeats."""
    found: dict[str, Any] = {}
    if given.url is not None:
        told = len(checks.refusals)
        found["url"] = checks.text(given.url, "url", URL_CHARS)
        problem = url_problem(found["url"], private_allowed=private_allowed) if found["url"] else None
        if problem is not None and len(checks.refusals) == told:  # one reason for one field
            checks.refuse(problem, "url")
    if given.description is not None:
        found["description"] = checks.text(given.description, "description", DESCRIPTION_CHARS)
    if given.events is not None:
        found["event_names"] = tuple(dict.fromkeys(name.value for name in given.events))
    if given.kinds is not None:
        found["kinds"] = tuple(dict.fromkeys(kind.value for kind in given.kinds))
    return found
