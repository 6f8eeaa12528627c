"""The bus over NATS: a subject for each topic, so that a process hears only what somebody in it follows.

It must not delay a command or stop anything when NATS is away: the client reconnects by itself, what is published
meanwhile is dropped, and everybody is rung when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from uuid import uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from refundgql.messaging.bus import Doorbell, Switchboard

PREFIX = "refundgql"
RECONNECT_SECONDS = 1
CONNECT_SECONDS = 2

_log = logging.getLogger(__name__)


class NatsBus:
    """Rings doorbells in every process that is connected to one NATS cluster and uses one database."""

    def __init__(self, url: str, *, database: str = "default") -> None:
        """Prepare; nothing is opened yet. `database` keeps installations that share a cluster apart."""
        self._url = url
        self._prefix = f"{PREFIX}.{database}"
        self._origin = uuid4().hex[:12].encode()
        self._switchboard = Switchboard()
        self._client = Client()
        self._subscriptions: dict[str, Subscription] = {}
        self._connecting: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Tell whether rings reach other processes at present."""
        return bool(self._client.is_connected)

    async def start(self) -> None:
        """Connect, or keep trying."""
        self._connecting = asyncio.create_task(self._connect(), name="nats-bus")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.shield(self._connecting)

    async def close(self) -> None:
        """Disconnect."""
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
            self._connecting = None
        if not self._client.is_closed:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._client.flush()
            await self._client.close()

    async def publish(self, topics: Collection[str]) -> None:
        """Ring whoever follows one of the topics; the client sends in the background."""
        self._switchboard.ring(topics)
        if not self.connected:
            return
        try:
            for topic in topics:
                await self._client.publish(self._subject(topic), self._origin)
        except (NatsError, OSError) as error:
            _log.warning("NATS did not take a ring: %s", error)

    async def follow(self, doorbell: Doorbell, topic: str) -> None:
        """Let a doorbell ring for a topic from now on."""
        async with self._changing:
            if self._switchboard.add(doorbell, topic) and self.connected:
                await self._listen(topic)

    async def unfollow(self, doorbell: Doorbell, topic: str) -> None:
        """Let it ring for the topic no longer."""
        async with self._changing:
            if self._switchboard.remove(doorbell, topic):
                subscription = self._subscriptions.pop(topic, None)
                if subscription is not None:
                    with contextlib.suppress(NatsError, OSError):
                        await subscription.unsubscribe()

    async def _connect(self) -> None:
        """Connect for the first time; afterwards the client reconnects and subscribes again by itself."""
        while True:
            try:
                await self._client.connect(
                    self._url,
                    name="refundgql",
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=RECONNECT_SECONDS,
                    connect_timeout=CONNECT_SECONDS,
                    pending_size=1024 * 1024,  # rings gathered while away are worth nothing
                    reconnected_cb=self._back,
                    error_cb=self._failed,
                )
                break
            except (NatsError, OSError, TimeoutError) as error:
                _log.warning("NATS cannot be reached: %s", error)
                await asyncio.sleep(RECONNECT_SECONDS)
                self._client = Client()
        async with self._changing:
            for topic in list(self._switchboard.topics):
                if topic not in self._subscriptions:
                    await self._listen(topic)
        self._switchboard.ring_all()

    async def _listen(self, topic: str) -> None:
        async def heard(message: Msg) -> None:
            if message.data != self._origin:
                self._switchboard.ring((topic,))

        try:
            self._subscriptions[topic] = await self._client.subscribe(self._subject(topic), cb=heard)
        except (NatsError, OSError) as error:
            _log.warning("NATS did not take a subscription: %s", error)

    def _subject(self, topic: str) -> str:
        return f"{self._prefix}.{topic.replace(':', '.')}"

    async def _back(self) -> None:
        self._switchboard.ring_all()  # what was sent meanwhile was not heard

    async def _failed(self, error: Exception) -> None:
        _log.warning("NATS: %s", error)
