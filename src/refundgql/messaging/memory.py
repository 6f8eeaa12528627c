"""The bus of a single process."""

from __future__ import annotations

from collections.abc import Collection

from refundgql.messaging.bus import Doorbell, Switchboard


class MemoryBus:
    """Rings the doorbells of this process at once."""

    connected = True

    def __init__(self) -> None:
        """Start with nobody listening."""
        self._switchboard = Switchboard()

    async def start(self) -> None:
        """Do nothing: there is nothing to connect."""

    async def close(self) -> None:
        """Do nothing: there is nothing to disconnect."""

    async def publish(self, topics: Collection[str]) -> None:
        """Ring whoever follows one of the topics."""
        self._switchboard.ring(topics)

    async def follow(self, doorbell: Doorbell, topic: str) -> None:
        """Let a doorbell ring for a topic from now on."""
        self._switchboard.add(doorbell, topic)

    async def unfollow(self, doorbell: Doorbell, topic: str) -> None:
        """Let it ring for the topic no longer."""
        self._switchboard.remove(doorbell, topic)
