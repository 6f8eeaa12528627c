"""The marketplace with webhooks: an administrator's acts through the API, and senders that tests drive."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from api_world import Desk, marketplace
from refundgql.domain.webhooks import RetryPlan
from refundgql.storage.database import Database
from refundgql.workers.webhooks import Sending, WebhookSender

ENDPOINT = "id url description events kinds enabled stopped cursor failures failingSince nextAttemptAt"
REFUSALS = "refusals { code message field }"
PAYLOADS = {
    "createWebhookEndpoint": f"secret webhookEndpoint {{ {ENDPOINT} formerSecretUntil }}",
    "rotateWebhookSecret": f"secret webhookEndpoint {{ {ENDPOINT} formerSecretUntil }}",
    "redeliverWebhook": "webhookDelivery { id state }",
    "skipWebhookDelivery": "webhookDelivery { id state }",
}
LOG = """query($id: ID!, $states: [WebhookDeliveryState!]) {
  webhookEndpoint(id: $id) { deliveries(states: $states, last: 100)
  { totalCount edges { node { id state cursor settledAt event { id name sequence } refundCase { id number }
    attempts { at status error durationMs } } } } } }"""


@dataclass
class RealTime:
    """The machine's clock, moved by what a test has let pass; where only that shall pass, it stands."""

    ahead: timedelta = timedelta(0)
    stands_at: datetime | None = None

    def stand(self) -> None:
        """Let nothing pass from now on but what a test says."""
        self.stands_at = datetime.now(UTC)

    def now(self) -> datetime:
        """Return the present instant."""
        return (self.stands_at or datetime.now(UTC)) + self.ahead


@dataclass
class WebhookDesk:
    """The marketplace, its webhooks' clock and plan, and short ways to use them."""

    desk: Desk
    time: RealTime = field(default_factory=RealTime)
    plan: RetryPlan = field(default_factory=RetryPlan)
    opened: int = 0

    @classmethod
    async def open(cls, database: Database) -> WebhookDesk:
        """Fill the marketplace; webhooks may go to loopback."""
        desk = await Desk.open(database)
        await desk.seed(*marketplace())
        desk.app = replace(desk.app, uow=replace(desk.app.uow, private_webhooks=True))
        return cls(desk)

    def sender(self, **more: Any) -> WebhookSender:
        """Return a sender of this desk's own time; several are several processes.

        On a machine that stands still nobody loses a lease, nor gives up an answer, unless a test wants it.
        """
        given = {"now": self.time.now, "plan": self.plan, "private_allowed": True, "chance": lambda: 0.0}
        given |= {"lease_seconds": 3_600.0, "timeout_seconds": 3_600.0, **more}
        return WebhookSender(self.desk.app.uow, self.desk.app.bus, Sending(**given))

    @contextlib.asynccontextmanager
    async def sending(self, **more: Any) -> AsyncIterator[WebhookSender]:
        """Let a sender run."""
        sender, stop = self.sender(**more), asyncio.Event()
        task = asyncio.create_task(sender.run(stop))
        try:
            yield sender
        finally:
            stop.set()
            await task

    async def take_lease(self, url: str = "%") -> None:
        """Let the leases of endpoints run out now, whoever has them."""
        async with self.desk.app.database.transaction() as tx:
            await tx.execute("UPDATE webhook_endpoint SET leased_until = 0 WHERE url LIKE ?", (url,))

    async def act(self, mutation: str, ref: str = "ada", **given: Any) -> dict[str, Any]:
        """Run a mutation of webhooks and return its payload."""
        type_name = mutation[0].upper() + mutation[1:] + "Input"
        fields = PAYLOADS.get(mutation, f"webhookEndpoint {{ {ENDPOINT} formerSecretUntil }}")
        document = f"mutation($input: {type_name}!) {{ {mutation}(input: $input) {{ replayed {REFUSALS} {fields} }} }}"
        given.setdefault("idempotencyKey", self.desk.key())
        payload: dict[str, Any] = (await self.desk.run(ref, document, input=given))[mutation]
        return payload

    async def endpoint(self, url: str, **given: Any) -> tuple[str, str]:
        """Create an endpoint and return its id and secret."""
        payload = await self.act("createWebhookEndpoint", url=url, **given)
        assert payload["refusals"] == [], payload
        return payload["webhookEndpoint"]["id"], payload["secret"]

    async def look(self, endpoint: str) -> dict[str, Any]:
        """Return an endpoint as the administrator sees it."""
        document = f"query($id: ID!) {{ webhookEndpoint(id: $id) {{ {ENDPOINT} }} }}"
        found: dict[str, Any] = (await self.desk.run("ada", document, id=endpoint))["webhookEndpoint"]
        return found

    async def log(self, endpoint: str, *states: str) -> list[dict[str, Any]]:
        """Return an endpoint's deliveries, oldest event first."""
        found = await self.desk.run("ada", LOG, id=endpoint, states=list(states) or None)
        return [edge["node"] for edge in found["webhookEndpoint"]["deliveries"]["edges"]][::-1]

    async def cases(self, count: int = 1) -> list[str]:
        """Open so many lead cases, an event each, and return their ids."""
        found = []
        for _ in range(count):
            self.opened += 1
            ref = f"hooked-{self.opened}"
            from api_world import ids, lead

            await self.desk.seed(lead(ref))
            things = await ids(self.desk)
            case = await self.desk.done(
                "paula", "requestLeadRefund", leadId=things[ref], reason="OTHER", explanation="A secret explanation."
            )
            found.append(str(case["id"]))
        return found

    async def say(self, case: str, count: int = 1) -> None:
        """Send so many messages on a case, an event each."""
        document = "mutation($input: SendCaseMessageInput!) { sendCaseMessage(input: $input) { refusals { message } } }"
        for number in range(count):
            given = {"refundCaseId": case, "body": f"Message {number}."}
            assert await self.desk.run("paula", document, input=given) == {"sendCaseMessage": {"refusals": []}}

    async def events(self) -> list[str]:
        """Return the ids of all events in the order of the stream."""
        rows = await self.desk.app.database.fetch("SELECT id FROM refund_event ORDER BY commit_order, position")
        return [f"RefundEvent_{row['id']}" for row in rows]

    async def close(self) -> None:
        """Stop following events."""
        await self.desk.close()
