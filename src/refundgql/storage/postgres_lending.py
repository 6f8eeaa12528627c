"""Lends the connections of an asyncpg pool again and again without giving them back to the pool in between.

A pool's own acquire and release make a timer, a task and a shield at every use, a fifth of what a small request takes;
here a connection that is free is taken from a list and put back on it. Statements stay prepared on the connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from refundgql.storage.postgres_faults import OUTDATED_PLANS

MAX_PREPARED = 1_000
"""Clients choose selections and so statements: what a connection remembers is bounded."""


class Lent:
    """A connection while it is lent, with the statements that are prepared on it."""

    __slots__ = ("_prepared", "connection")

    def __init__(self, connection: Any) -> None:
        """Lend a connection of a pool."""
        self.connection = connection
        self._prepared: dict[str, Any] = {}

    def is_closed(self) -> bool:
        """Tell whether the connection has ended; the pool takes back one that the server ends."""
        try:
            return bool(self.connection.is_closed())
        except asyncpg.InterfaceError:
            return True

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Any]:
        """Return all rows of a statement, prepared at its first use."""
        statement = self._prepared.get(sql)
        if statement is None:
            statement = await self._prepare(sql)
        try:
            rows: Sequence[Any] = await statement.fetch(*parameters)
        except OUTDATED_PLANS:
            # A migration changed a table: what was prepared for the old one is of no use any more.
            self._prepared.clear()
            if self.connection.is_in_transaction():
                raise
            statement = await self._prepare(sql)
            rows = await statement.fetch(*parameters)
        return rows

    async def _prepare(self, sql: str) -> Any:
        if len(self._prepared) >= MAX_PREPARED:
            self._prepared.clear()
        statement = self._prepared[sql] = await self.connection.prepare(sql)
        return statement


class Lender:
    """Up to `size` connections of one pool; whoever comes when all are lent waits in turn."""

    def __init__(self, pool: asyncpg.Pool, size: int, timeout_s: float) -> None:
        """Take connections from the pool as they are needed, and wait for one no longer than the timeout."""
        self._pool = pool
        self._size = size
        self._timeout_s = timeout_s
        self._held = 0
        self._free: list[Lent] = []
        self._waiting: deque[asyncio.Future[Lent | None]] = deque()
        self._closed = False

    @property
    def lent(self) -> int:
        """Return how many connections somebody has."""
        return self._held - len(self._free)

    async def take(self) -> Lent:
        """Return a connection that is not closed. Refuses: TimeoutError when none becomes free in time."""
        while self._free:
            lent = self._free.pop()
            if not lent.is_closed():
                return lent
            await self.give_up(lent)
        if self._held < self._size:
            return await self._borrow()
        return await self._wait() or await self._borrow()

    async def _borrow(self) -> Lent:
        self._held += 1
        try:
            return Lent(await self._pool.acquire(timeout=self._timeout_s))
        except BaseException:
            self._let_go()
            raise

    async def _wait(self) -> Lent | None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Lent | None] = loop.create_future()
        self._waiting.append(turn)
        timer = loop.call_later(self._timeout_s, _end_waiting, turn)
        try:
            return await turn
        except BaseException:
            if (
                turn.done() and not turn.cancelled() and turn.exception() is None
            ):  # given at the very moment of being given up
                lent = turn.result()
                if lent is not None:
                    self.give_back(lent)
                else:
                    self._wake(None)
            raise
        finally:
            timer.cancel()

    def give_back(self, lent: Lent) -> None:
        """Lend a connection that is in order to the next one, or keep it."""
        if self._closed:
            self._held -= 1
            task = asyncio.ensure_future(self._pool.release(lent.connection))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        elif not self._wake(lent):
            self._free.append(lent)

    async def give_up(self, lent: Lent) -> None:
        """Hand a connection that something went wrong on to the pool, which ends what runs on it or replaces it."""
        try:
            await self._pool.release(lent.connection)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._held -= 1
        self._wake(None)

    def _wake(self, lent: Lent | None) -> bool:
        """Give whoever waits longest the connection, or word that one may be borrowed."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(lent)
                return True
        return False

    async def close(self) -> None:
        """Hand everything that is not lent back to the pool; the rest follows when it is given back."""
        self._closed = True
        while self._free:
            await self.give_up(self._free.pop())


def _end_waiting(turn: asyncio.Future[Lent | None]) -> None:
    if not turn.done():
        turn.set_exception(TimeoutError("no connection became free"))
