"""Sends webhooks as long as the server runs: in order for each endpoint, beside each other for different ones.

It must not lose or overtake anything when a process dies: what is to be sent is rows, and an endpoint is leased to one
process at a time. It lives by real time, as tokens do: receivers compare the timestamp with their own clocks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from refundgql.commands.unit_of_work import UnitOfWork
from refundgql.commands.webhook_sending import EndpointNeed, Work, find_work, note_attempt
from refundgql.domain.calendar import to_micros
from refundgql.domain.topics import QUEUE, WEBHOOKS
from refundgql.domain.vocabulary import WebhookDeliveryState
from refundgql.domain.webhooks import MOST_ENDPOINTS, RetryPlan
from refundgql.messaging.bus import Bus, Doorbell, subscribe
from refundgql.storage.faults import StorageError
from refundgql.storage.tail import FIRST_RELOOK_SECONDS, LONGEST_RELOOK_SECONDS, LOOK_SECONDS
from refundgql.storage.webhook_deliveries import purge_deliveries
from refundgql.storage.webhooks import claim_endpoints, keep_leases, release_leases

if TYPE_CHECKING:
    from refundgql.workers.webhook_requests import ReceiverConnection

LEASE_SECONDS: Final = 12.0
"""How long the endpoints of a process that was killed wait for another one."""
RENEW_SECONDS: Final = 3.0
STOP_SECONDS: Final = 3.0
"""What is being sent when the process is told to stop may take so long to be answered; then it is sent again."""
PURGE_SECONDS: Final = 3_600.0

log = logging.getLogger("refundgql.webhooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How webhooks are sent."""

    now: Callable[[], datetime]
    plan: RetryPlan = field(default_factory=RetryPlan)
    timeout_seconds: float = 15.0
    private_allowed: bool = False
    lease_seconds: float = LEASE_SECONDS
    renew_seconds: float = RENEW_SECONDS
    chance: Callable[[], float] = random.random
    attempted: Callable[[str, float], None] = lambda outcome, seconds: None
    """Told what came of each attempt (delivered, again, given_up) and how many seconds it took, to count it."""


class WebhookSender:
    """Sends to the endpoints that this process has leased; several may run at once, in one process or many."""

    def __init__(self, uow: UnitOfWork, bus: Bus, sending: Sending) -> None:
        """Keep the parts; nothing is sent yet."""
        self._uow = uow
        self._database = uow.database
        self._bus = bus
        self._sending = sending
        self._lease_micros = int(sending.lease_seconds * 1_000_000)
        self._lanes: dict[str, _Lane] = {}
        self.owner = uuid4().hex
        self.stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Lease endpoints and send to them until told to stop; then give them back."""
        purging = asyncio.create_task(self._purge_now_and_then(), name="webhooks-purge")
        loop = asyncio.get_running_loop()
        renewed_at = loop.time()
        try:
            async with subscribe(self._bus, (WEBHOOKS,)) as bell:
                while not stop.is_set():
                    try:
                        if loop.time() - renewed_at >= self._sending.renew_seconds:
                            await self._renew()
                            renewed_at = loop.time()
                        await self._claim()
                    except Exception:
                        # Whatever it was, the next look may succeed, and nobody else looks in this process.
                        log.exception("Webhook endpoints could not be looked at; the next look is in a second.")
                        await asyncio.sleep(self._sending.renew_seconds / 10)
                    await _either(stop, bell, min(LOOK_SECONDS, self._sending.renew_seconds))
        finally:
            purging.cancel()
            await self._end()

    async def _claim(self) -> None:
        for endpoint_id in [one for one, lane in self._lanes.items() if lane.ended]:
            del self._lanes[endpoint_id]
        until = asyncio.get_running_loop().time() + self._sending.lease_seconds
        for endpoint_id in await self._claimed():
            self._lanes[endpoint_id] = _Lane(self, endpoint_id, until)

    async def _claimed(self) -> Collection[str]:
        return await claim_endpoints(self._database, self.owner, self._lease_micros, limit=MOST_ENDPOINTS)

    async def _renew(self) -> None:
        """Keep the leases; a lane that has lost its lease stops at once."""
        lanes = {one: lane for one, lane in self._lanes.items() if not lane.ended}
        if not lanes:
            return
        until = asyncio.get_running_loop().time() + self._sending.lease_seconds
        kept = await keep_leases(self._database, self.owner, self._lease_micros, lanes)
        for endpoint_id, lane in lanes.items():
            if endpoint_id in kept:
                lane.extend(until)
            else:
                _say_lost(endpoint_id)
                lane.cancel()

    async def _end(self) -> None:
        self.stopping = True
        tasks = [lane.task for lane in self._lanes.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        await self.give_back(self._lanes)

    async def give_back(self, endpoint_ids: Collection[str]) -> None:
        """Let another process go on at once; when that cannot be written, the leases run out."""
        with contextlib.suppress(StorageError):
            await release_leases(self._database, self.owner, endpoint_ids)

    async def _purge_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(PURGE_SECONDS * (0.5 + self._sending.chance()))  # processes need not do it at once
            try:
                now, days = to_micros(self._sending.now()), self._uow.retention.delivery_days
                await purge_deliveries(self._database, now, kept_days=days)
            except StorageError:
                log.warning("Old webhook deliveries could not be deleted.", exc_info=True)

    async def deliver_due(self) -> int:
        """Send once what is due now, endpoint by endpoint, and return how many attempts that were.

        Endpoints that another process sends to are left to it; those that fail wait for their next attempt.
        """
        attempts, claimed = 0, await self._claimed()
        try:
            for endpoint_id in claimed:
                line = self.new_line()
                try:
                    while (work := await self.step(endpoint_id, line)).situation in _GOES_ON:
                        attempts += work.situation is EndpointNeed.SEND
                        await keep_leases(self._database, self.owner, self._lease_micros, claimed)
                finally:
                    await line.close()
        finally:
            await self.give_back(claimed)
        return attempts

    def new_line(self) -> ReceiverConnection:
        """Return a connection for one endpoint."""
        from refundgql.workers.webhook_requests import (
            ReceiverConnection,  # its client is a tenth of what a server imports
        )

        return ReceiverConnection(
            private_allowed=self._sending.private_allowed, timeout_seconds=self._sending.timeout_seconds
        )

    async def step(self, endpoint_id: str, line: ReceiverConnection) -> Work:
        """Do the next thing for an endpoint and return what it was: send what is due, or say what to wait for."""
        work = await find_work(self._uow, endpoint_id, self.owner, to_micros(self._sending.now()))
        if work.situation is not EndpointNeed.SEND or work.endpoint is None or work.delivery is None:
            return work
        secrets = [one for one in (work.endpoint.secret, work.endpoint.former_secret) if one]
        attempt = await line.send(work.endpoint.url, work.delivery, secrets, self._sending.now())
        chance = self._sending.chance()
        held, state = await note_attempt(self._uow, work, self.owner, attempt, self._sending.plan, chance)
        self._sending.attempted(_OUTCOMES[state], attempt.duration_ms / 1_000)
        if held:
            return work
        _say_lost(endpoint_id)
        return Work(situation=EndpointNeed.ENDED)

    async def lane(self, endpoint_id: str, line: ReceiverConnection) -> None:
        """Send to an endpoint as long as it is there, the lease holds and the process is not told to stop."""
        relook_seconds = FIRST_RELOOK_SECONDS
        async with subscribe(self._bus, (QUEUE, WEBHOOKS)) as bell:
            while not self.stopping:
                try:
                    work = await self.step(endpoint_id, line)
                except StorageError:
                    log.warning("Webhook endpoint %s could not be served; trying again.", endpoint_id, exc_info=True)
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                if work.situation is EndpointNeed.ENDED:
                    return
                if work.situation is EndpointNeed.HELD_BACK:
                    relook_seconds = min(relook_seconds * 2, LONGEST_RELOOK_SECONDS)
                else:
                    relook_seconds = FIRST_RELOOK_SECONDS
                await self._pause(work, bell, relook_seconds)

    async def _pause(self, work: Work, bell: Doorbell, relook_seconds: float) -> None:
        """Wait until it is worth looking again: for a ring, for the next attempt, or for a second."""
        match work.situation:
            case EndpointNeed.WAIT:
                left = (work.wait_until - to_micros(self._sending.now())) / 1_000_000
                await asyncio.sleep(min(max(left, 0), LOOK_SECONDS))
            case EndpointNeed.HELD_BACK:
                await asyncio.sleep(relook_seconds)
            case EndpointNeed.NOTHING:
                await bell.wait(LOOK_SECONDS)


_GOES_ON = frozenset({EndpointNeed.SEND, EndpointNeed.LOOK_AGAIN})
_OUTCOMES = {
    WebhookDeliveryState.DELIVERED: "delivered",
    WebhookDeliveryState.PENDING: "again",
    WebhookDeliveryState.FAILED: "given_up",
}


def _say_lost(endpoint_id: str) -> None:
    log.warning("The lease of webhook endpoint %s is not this process's any more.", endpoint_id)


class _Lane:
    """The sending to one endpoint, in a task of its own, no longer than the lease holds."""

    def __init__(self, sender: WebhookSender, endpoint_id: str, until: float) -> None:
        self._sender = sender
        self._endpoint_id = endpoint_id
        self._until = until
        self._timeout: asyncio.Timeout | None = None
        self.task = asyncio.create_task(self._run(), name=f"webhooks-{endpoint_id}")

    @property
    def ended(self) -> bool:
        """Tell whether nothing is sent here any more."""
        return self.task.done()

    def extend(self, until: float) -> None:
        """Go on until another instant of the loop."""
        self._until = until
        if self._timeout is not None:
            with contextlib.suppress(RuntimeError):  # it has just run out
                self._timeout.reschedule(until)

    def cancel(self) -> None:
        """Stop at once; what was being sent is sent again by whoever comes next."""
        self.task.cancel()

    async def _run(self) -> None:
        line = self._sender.new_line()
        try:
            async with asyncio.timeout_at(self._until) as self._timeout:
                await self._sender.lane(self._endpoint_id, line)
            await self._sender.give_back((self._endpoint_id,))
        except TimeoutError:
            log.warning("The lease of webhook endpoint %s could not be renewed in time.", self._endpoint_id)
        except Exception:
            # The lease is left to run out, so that what always fails does not fail all the time.
            log.exception("Sending to webhook endpoint %s has failed; it begins anew.", self._endpoint_id)
        finally:
            await line.close()


async def _either(stop: asyncio.Event, bell: Doorbell, seconds: float) -> None:
    """Wait for a ring, the end or some seconds, whichever comes first."""
    waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(bell.wait())]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()
