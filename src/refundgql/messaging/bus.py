"""What every bus promises, and the switchboard that rings doorbells inside one process.

It must not promise delivery: a ring may be lost, doubled or late, and listeners look by themselves each second.

Topics: `case:<id>`, `viewer:<account id>` for a case's parties, `queue` for every case, `accounts` when some change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Protocol


class Doorbell:
    """Rings for one listener; rings before it looks are one ring."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        """Start silent."""
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the listener."""
        self._event.set()

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait for a ring, take it, and tell whether there was one in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Bus(Protocol):
    """A way to wake listeners in every process."""

    async def start(self) -> None:
        """Connect; a bus that cannot keeps trying by itself and raises nothing."""

    async def close(self) -> None:
        """Disconnect."""

    @property
    def connected(self) -> bool:
        """Tell whether rings reach other processes at present."""

    async def publish(self, topics: Collection[str]) -> None:
        """Ring whoever follows one of the topics, here and elsewhere; returns before it is heard."""

    async def follow(self, doorbell: Doorbell, topic: str) -> None:
        """Let a doorbell ring for a topic from now on."""

    async def unfollow(self, doorbell: Doorbell, topic: str) -> None:
        """Let it ring for the topic no longer."""


@asynccontextmanager
async def subscribe(bus: Bus, topics: Iterable[str]) -> AsyncIterator[Doorbell]:
    """Give a doorbell that rings for the topics while the block runs."""
    doorbell = Doorbell()
    followed: list[str] = []
    try:
        for topic in topics:
            await bus.follow(doorbell, topic)
            followed.append(topic)
        yield doorbell
    finally:
        for topic in followed:
            await bus.unfollow(doorbell, topic)


class Switchboard:
    """Which doorbells of this process ring for which topic."""

    __slots__ = ("_bells",)

    def __init__(self) -> None:
        """Start with nobody listening."""
        self._bells: dict[str, set[Doorbell]] = {}

    def add(self, doorbell: Doorbell, topic: str) -> bool:
        """Add a doorbell and tell whether it is the topic's first."""
        bells = self._bells.setdefault(topic, set())
        bells.add(doorbell)
        return len(bells) == 1

    def remove(self, doorbell: Doorbell, topic: str) -> bool:
        """Remove a doorbell and tell whether it was the topic's last."""
        bells = self._bells.get(topic)
        if bells is None:
            return False
        bells.discard(doorbell)
        if bells:
            return False
        del self._bells[topic]
        return True

    @property
    def topics(self) -> Collection[str]:
        """Return the topics that somebody follows."""
        return self._bells.keys()

    def ring(self, topics: Iterable[str]) -> None:
        """Ring for topics."""
        for topic in topics:
            for doorbell in self._bells.get(topic, ()):
                doorbell.ring()

    def ring_all(self) -> None:
        """Ring everybody: rings may have been missed."""
        for bells in self._bells.values():
            for doorbell in bells:
                doorbell.ring()
