"""A process that runs one command and is killed before one of its statements, before its commit, or after it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from command_world import HeardBus, SetClock

from databases import LIMITS
from refundgql.commands import (
    assignments,
    decisions,
    evidence,
    evidence_changes,
    messages,
    requests,
    reviews,
    sweep,
    sync_records,
    withdrawals,
)
from refundgql.commands.unit_of_work import UnitOfWork
from refundgql.domain.policy import Policy
from refundgql.domain.viewers import Viewer
from refundgql.storage.database import Database, Dialect, Row, Transaction, Write

BEFORE_COMMIT = -1
AFTER_COMMIT = -2
NEVER = 0

_MODULES = (
    assignments,
    decisions,
    evidence,
    evidence_changes,
    messages,
    requests,
    reviews,
    sync_records,
    withdrawals,
)


@dataclass(frozen=True)
class Run:
    """One command to run on a database, and when the process dies: before its n-th statement, or around its commit."""

    url: str
    at: datetime
    name: str
    viewer: Viewer | None
    given: Any
    dies: int
    limit_minor: int | None = None
    """What support decides alone (D23)."""


def run(one: Run) -> None:
    """Run the command in this process."""
    asyncio.run(_run(one))


async def _run(one: Run) -> None:
    database = await Database.open(one.url, LIMITS)
    open_transaction, open_one_write = database.transaction, database.one_write
    seen = 0

    class Dying(Transaction):
        def __init__(self, inner: Transaction) -> None:
            super().__init__()
            self.inner = inner
            self.dialect = inner.dialect

        def _count(self) -> None:
            nonlocal seen
            seen += 1
            if seen == one.dies:
                _die()

        async def _run_together(self, writes: Sequence[Write]) -> None:
            if self.dialect is Dialect.POSTGRES:  # one statement
                self._count()
                await self.inner._run_together(writes)
                return
            for write in writes:
                self._count()
                await self.inner._run_together([write])

        async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
            await self.flush()
            self._count()
            return await self.inner.fetch(sql, parameters)

        async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
            await self.flush()
            self._count()
            return await self.inner.execute(sql, parameters)

        async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
            await self.flush()
            self._count()
            await self.inner.execute_many(sql, rows)

    @asynccontextmanager
    async def dying() -> AsyncIterator[Transaction]:
        async with open_transaction() as inner:
            tx = Dying(inner)
            yield tx
            await tx.flush()
            if one.dies == BEFORE_COMMIT:
                _die()
        if one.dies == AFTER_COMMIT:
            _die()

    class DyingOnce(Dying):
        """Reads, then writes once: what is put off stays with the one that is wrapped."""

        locks_rows = False

        def later(self, *writes: Write) -> None:
            self.inner.later(*writes)

        async def flush(self) -> None:
            await self.inner.flush()

    @asynccontextmanager
    async def dying_once() -> AsyncIterator[Transaction]:
        if database.dialect is Dialect.SQLITE:
            async with dying() as tx:
                yield tx
            return
        async with open_one_write() as inner:
            tx = DyingOnce(inner)
            yield tx
            tx._count()
            if one.dies == BEFORE_COMMIT:
                _die()
        if one.dies == AFTER_COMMIT:
            _die()

    database.transaction = dying  # type: ignore[method-assign]
    database.one_write = dying_once  # type: ignore[method-assign]
    policy = Policy() if one.limit_minor is None else replace(Policy(), decision_limit_minor={"USD": one.limit_minor})
    uow = UnitOfWork(database=database, clock=SetClock(one.at), policy=policy, bus=HeardBus())
    if one.viewer is None:
        await sweep.sweep_due(uow)
    else:
        name = one.name.partition(",")[0]
        command = next(getattr(module, name) for module in _MODULES if hasattr(module, name))
        await command(uow, one.viewer, one.given)
    await database.close()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
