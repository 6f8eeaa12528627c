"""Know every open socket and stream, and end those whose caller has lost access or whose server stops."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

from refundgql.gql.callers import Caller, LostAccess

log = logging.getLogger("refundgql.presence")

# Twice a second, so that access ends within a second of the account's, also when nobody told of the change.
CHECK_SECONDS: Final = 0.5
# An application that changes accounts one after another must not make us ask for all who are here each time.
BETWEEN_CHECKS_SECONDS: Final = 0.05


class ChangeSignal(Protocol):
    """Rings when accounts have changed."""

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait for a ring, take it, and tell whether there was one in time."""
        ...


Changes = Callable[[], AbstractAsyncContextManager[ChangeSignal]]
"""Give a signal of changes of accounts while the block runs; some may be lost."""


class OpenConnection(Protocol):
    """An open socket or stream."""

    @property
    def caller(self) -> Caller: ...
    def end_access(self, reason: str) -> None:
        """Tell the client that its access has ended, and close."""
        ...

    def end_for_restart(self) -> None:
        """Tell the client to come back, and close."""
        ...

    def probe(self) -> None:
        """Find out whether the client is still there, and end when it is not."""
        ...


class TooManyConnections(Exception):
    """The account has as many open connections as it may have."""


class Presence:
    """All connections of this process by account; nobody's are counted by address."""

    def __init__(
        self,
        lost_access: LostAccess,
        *,
        max_per_account: int,
        changes: Changes,
    ) -> None:
        self._lost_access = lost_access
        self._max_per_account = max_per_account
        self._changes = changes
        self._check_seconds = CHECK_SECONDS
        self._by_key: dict[str, set[OpenConnection]] = {}
        self.stopping = False

    def enter(self, connection: OpenConnection, address: str) -> str:
        """Count a connection in and return the key to leave with.

        Refuses: `TooManyConnections`; the others are probed then, so that those who vanished make room for the next
        attempt.
        """
        key = connection.caller.key(address)
        connections = self._by_key.setdefault(key, set())
        if len(connections) >= self._max_per_account:
            for other in connections:
                other.probe()
            raise TooManyConnections
        connections.add(connection)
        return key

    def leave(self, connection: OpenConnection, key: str) -> None:
        """Count a connection out."""
        connections = self._by_key.get(key)
        if connections is not None:
            connections.discard(connection)
            if not connections:
                del self._by_key[key]

    def drain(self) -> None:
        """Tell every client that the server restarts; connections made from now on are told at once."""
        if self.stopping:
            return
        self.stopping = True
        for connection in self._all():
            connection.end_for_restart()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Check who still has access, again and again, until the block ends."""
        tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._watch_tokens())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _watch_tokens(self) -> None:
        # By itself, as the database may take its time; one timer for all, as each costs 700 bytes.
        while True:
            self.end_expired()
            await asyncio.sleep(self._check_seconds)

    def end_expired(self) -> None:
        """End every connection whose token has expired."""
        now = time.time()
        for connection in self._all():
            if connection.caller.expires_at is not None and now >= connection.caller.expires_at:
                connection.end_access("The token has expired.")

    async def _watch(self) -> None:
        async with self._changes() as signal:
            while True:
                await signal.wait(self._check_seconds)
                try:
                    await self.check()
                except Exception:
                    # A database that is away for a moment takes nobody's access; the next round decides.
                    log.warning("access could not be checked", exc_info=True)
                await asyncio.sleep(min(BETWEEN_CHECKS_SECONDS, self._check_seconds))

    async def check(self) -> None:
        """End every connection whose account has lost access."""
        people: dict[Any, list[OpenConnection]] = {}
        for connection in self._all():
            if (account := connection.caller.account) is not None:
                people.setdefault(account, []).append(connection)
        if people:
            for account, reason in (await self._lost_access(people.keys())).items():
                for connection in people[account]:
                    connection.end_access(reason)

    def _all(self) -> list[OpenConnection]:
        return [connection for connections in self._by_key.values() for connection in connections]
