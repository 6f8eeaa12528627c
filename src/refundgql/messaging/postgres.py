"""The bus over PostgreSQL's LISTEN and NOTIFY, on one connection of its own.

It must not delay a command: publishing only remembers the topics, and one task sends what has gathered. It must not
stop anything when the database is away: it reconnects by itself, and rings everybody when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Collection, Iterable, Iterator
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]  # the driver has no types

from refundgql.messaging.bus import Doorbell, Switchboard

CHANNEL = "refundgql"

PAYLOAD_BYTES = 7_500
"""PostgreSQL refuses notifications of 8,000 bytes."""

EVERYBODY_FROM_TOPICS = 2_000
"""So many topics at once are cheaper as one ring for everybody."""

_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5.0
_PING_SECONDS = 15.0
"""How long a connection that died without a word may go unnoticed."""

_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What a connection that went away raises; the last but one when it goes in the middle of a statement."""

_log = logging.getLogger(__name__)


class PostgresBus:
    """Rings doorbells in every process that is connected to one database."""

    def __init__(self, url: str) -> None:
        """Prepare; nothing is opened yet."""
        self._url = url
        self._switchboard = Switchboard()
        self._origin = uuid4().hex[:12]
        self._gathered: set[str] = set()
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None

    @property
    def connected(self) -> bool:
        """Tell whether rings reach other processes at present."""
        return self._connection is not None and not self._connection.is_closed()

    async def start(self) -> None:
        """Connect, or keep trying."""
        with contextlib.suppress(*_ERRORS):
            await self._connect()
        self._task = asyncio.create_task(self._run(), name="postgres-bus")

    async def close(self) -> None:
        """Send what has gathered and disconnect."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        with contextlib.suppress(*_ERRORS):
            await self._send()
        await self._disconnect()

    async def publish(self, topics: Collection[str]) -> None:
        """Ring whoever follows one of the topics: here at once, elsewhere in a moment."""
        self._switchboard.ring(topics)
        self._gathered.update(topics)
        self._work.set()

    async def follow(self, doorbell: Doorbell, topic: str) -> None:
        """Let a doorbell ring for a topic from now on."""
        self._switchboard.add(doorbell, topic)

    async def unfollow(self, doorbell: Doorbell, topic: str) -> None:
        """Let it ring for the topic no longer."""
        self._switchboard.remove(doorbell, topic)

    async def _run(self) -> None:
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            try:
                if not self.connected:
                    await self._connect()
                    self._switchboard.ring_all()  # what was sent meanwhile was not heard
                wait_seconds = _FIRST_WAIT_SECONDS
                await self._wait_for_work()
                await self._send()
            except Exception as error:  # the driver's own confusion about a lost connection included
                _log.warning("The database's notifications are away: %s", error)
                await self._disconnect()
                await asyncio.sleep(wait_seconds * random.uniform(0.5, 1.5))  # noqa: S311  # spreads reconnections
                wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)

    async def _wait_for_work(self) -> None:
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await self._work.wait()
        except TimeoutError:
            if self._connection is not None:
                await self._connection.execute("SELECT 1", timeout=_PING_SECONDS)

    async def _send(self) -> None:
        """Send the gathered topics; they are gathered again when it fails."""
        self._work.clear()
        topics, self._gathered = self._gathered, set()
        if not topics or self._connection is None:
            return
        try:
            for payload in payloads(self._origin, topics):
                await self._connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload, timeout=_PING_SECONDS)
        except BaseException:
            self._gathered |= topics
            self._work.set()
            raise

    async def _connect(self) -> None:
        connection = await asyncpg.connect(
            self._url, timeout=_PING_SECONDS, server_settings={"application_name": "refundgql bus"}
        )
        await connection.add_listener(CHANNEL, self._heard)
        connection.add_termination_listener(lambda _: self._work.set())
        self._connection = connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        origin, _, topics = str(payload).partition("|")
        if origin == self._origin:
            return
        if topics == "*":
            self._switchboard.ring_all()
        else:
            self._switchboard.ring(topics.split(","))


def payloads(origin: str, topics: Iterable[str]) -> Iterator[str]:
    """Yield the texts that carry topics, each short enough to be sent."""
    listed = sorted(topics)
    if len(listed) > EVERYBODY_FROM_TOPICS:
        yield f"{origin}|*"
        return
    part: list[str] = []
    size = 0
    for topic in listed:
        if part and size + len(topic) + 1 > PAYLOAD_BYTES:
            yield f"{origin}|{','.join(part)}"
            part, size = [], 0
        part.append(topic)
        size += len(topic) + 1
    if part:
        yield f"{origin}|{','.join(part)}"
