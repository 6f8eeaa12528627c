"""Bring a database's schema up to date while others use it: expand, and contract when asked to.

No server imports this module. One transaction a migration, whose locks are waited for briefly and often, so that no
statement of a user waits longer than that; what takes long is done after it, without locks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import stamina

from refundgql.storage import migrations
from refundgql.storage.database import Database, Dialect
from refundgql.storage.faults import StorageError, TransientFault
from refundgql.storage.migrations._steps import LateStep
from refundgql.storage.schema import (
    APP,
    LAST_OF_TORTOISE,
    applied_migrations,
    is_contraction,
    known_migrations,
)

if TYPE_CHECKING:
    from tortoise.backends.base.client import BaseDBAsyncClient
    from tortoise.context import TortoiseContext
    from tortoise.migrations.executor import MigrationExecutor
    from tortoise.migrations.migration import Migration
    from tortoise.migrations.schema_generator.state import State

Tell = Callable[[str], object]
"""Is told one line of progress."""

APPS: dict[str, dict[str, Any]] = {
    APP: {
        "models": ["refundgql.storage.tables", "refundgql.storage.case_tables", "refundgql.storage.webhook_tables"],
        "default_connection": "default",
        "migrations": "refundgql.storage.migrations",
    }
}

_MIGRATION_LOCK = 7_310_244_871
"""Any number that no other user of the database's advisory locks would choose."""

LOCK_TIMEOUT_MS = 500
"""How long a lock is waited for, and so how long others may queue behind the one who waits. Below PostgreSQL's own
second after which it looks for deadlocks, so that a migration gives way and no user does."""
RETRY_SECONDS = 600.0
LONGEST_WAIT_SECONDS = 2.0
TURN_SECONDS = 0.2
PROGRESS_SECONDS = 2.0

_CHANGES = (
    "CREATE TABLE IF NOT EXISTS schema_change"
    " (name VARCHAR(200) NOT NULL PRIMARY KEY, begun_at BIGINT NOT NULL, finished_at BIGINT)"
)


@contextlib.asynccontextmanager
async def tortoise(database: Database) -> AsyncIterator[tuple[TortoiseContext, BaseDBAsyncClient]]:
    """Open Tortoise's own context over the database, and its client, for migrations and for its models."""
    from tortoise.context import TortoiseContext

    async with database.maintenance() as client, TortoiseContext() as context:
        await context.init(
            config={"connections": {"default": "sqlite://:memory:"}, "apps": APPS}, init_connections=False
        )
        token = context.connections.set("default", client)
        try:
            yield context, client
        finally:
            context.connections.reset(token)
            context.connections.discard("default")


async def migrate(
    database: Database, *, contract: bool = False, until: str | None = None, tell: Tell = lambda _: None
) -> list[str]:
    """Run the pending migrations, with `contract` also those that remove things, and return their names.

    A database without any schema gets all of them; `until` names the last one that is wanted. Processes that race take
    turns; one that was killed is followed by another, which goes on where it ended.
    Refuses: TransientFault when a lock is not had for ten minutes.
    """
    async with tortoise(database) as (context, client), _turn(database, client, tell):
        run = _MigrationRun(database, client, context, tell)
        await run.prepare()
        return await run.run(contract=contract, until=until)


@contextlib.asynccontextmanager
async def _turn(database: Database, client: BaseDBAsyncClient, tell: Tell) -> AsyncIterator[None]:
    """Wait until nobody else migrates. SQLite's writers take turns anyway."""
    if database.dialect is Dialect.SQLITE:
        yield
        return
    # Asked again and again: who waits in a statement holds a snapshot, which an index that is built waits for.
    async with client.acquire_connection() as connection:
        told = False
        while not await connection.fetchval(f"SELECT pg_try_advisory_lock({_MIGRATION_LOCK})"):
            if not told:
                tell("Another process migrates; waiting for it.")
            told = True
            await asyncio.sleep(TURN_SECONDS)
        try:
            yield
        finally:
            if not connection.is_closed():
                await connection.execute(f"SELECT pg_advisory_unlock({_MIGRATION_LOCK})")


class _MigrationRun:
    """One run of the migrations, while it has the turn."""

    def __init__(self, database: Database, client: BaseDBAsyncClient, context: TortoiseContext, tell: Tell) -> None:
        self.database = database
        self.client = client
        self.context = context
        self.tell = tell
        self.dialect = database.dialect.value

    async def prepare(self) -> None:
        """Make the two tables that note what has run."""

        async def make(client: Any) -> None:
            executor = self._executor(client)
            await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))
            await client.execute_query(_CHANGES)

        await self.transaction("Preparing", make)

    async def run(self, *, contract: bool, until: str | None) -> list[str]:
        """Run what is pending, expansions before contractions, each in order."""
        applied = await applied_migrations(self.database)
        contract = contract or not applied.begun
        known = known_migrations()
        state = self._empty_state()
        for name in known:
            if name in applied.begun:
                await _migration(name).apply(state, dry_run=True)
        missing = [name for name in known if name not in applied.finished and (until is None or name <= until)]
        wanted = [name for name in missing if not is_contraction(name)]
        wanted += [name for name in missing if is_contraction(name) and contract]
        done = []
        for number, name in enumerate(wanted, 1):
            began = time.monotonic()
            self.tell(f"{number}/{len(wanted)} {name} …")
            migration = _migration(name)
            ran = name in applied.begun
            if not ran:
                ran = await self._begin(migration, state)
                await migration.apply(state, dry_run=True)
            if ran:
                await self._finish(migration)
                done.append(name)
            self.tell(f"{number}/{len(wanted)} {name} done in {time.monotonic() - began:.1f} s.")
        return done

    def _empty_state(self) -> State:
        from refundgql.storage.model_states import MigrationState

        return MigrationState(APP, {})

    def _executor(self, client: BaseDBAsyncClient) -> MigrationExecutor:
        from tortoise.migrations.executor import MigrationExecutor

        return MigrationExecutor(client, APPS)

    async def _begin(self, migration: Migration, state: State) -> bool:
        """Run a migration's transaction, which notes that it has run; tell whether it had not run meanwhile."""

        async def apply(client: Any) -> bool:
            if await self._was_noted(client, migration.name):
                return False
            executor = self._executor(client)
            if migration.name > LAST_OF_TORTOISE:
                late = any(isinstance(step, LateStep) for step in migration.operations)
                await self._note(client, migration.name, finished=not late)
            if migration.name <= LAST_OF_TORTOISE or is_contraction(migration.name):
                await executor.recorder.record_applied(APP, migration.name)
            await migration.apply(state.clone(), schema_editor=executor._schema_editor())
            return True

        ran: bool = await self.transaction(migration.name, apply)
        return ran

    async def _was_noted(self, client: Any, name: str) -> bool:
        """Tell whether another process was first: SQLite's take turns at each migration."""
        found = await client.execute_query_dict(
            f"SELECT 1 FROM tortoise_migrations WHERE app = '{APP}' AND name = '{name}'"
            f" UNION ALL SELECT 1 FROM schema_change WHERE name = '{name}'"
        )
        return bool(found)

    async def _note(self, client: Any, name: str, *, finished: bool) -> None:
        now = time.time_ns() // 1_000
        at = str(now) if finished else "NULL"
        await client.execute_query(
            f"INSERT INTO schema_change (name, begun_at, finished_at) VALUES ('{name}', {now}, {at})"
        )

    async def _finish(self, migration: Migration) -> None:
        """Do what is done without locks, and note that it is."""
        steps = [step for step in migration.operations if isinstance(step, LateStep)]
        if not steps:
            return
        for step in steps:

            async def finish(step: LateStep = step) -> None:
                await step.finish(self)

            async with self._progress(migration.name):
                await self._again(migration.name, finish)
        now = time.time_ns() // 1_000
        await self.client.execute_query(f"UPDATE schema_change SET finished_at = {now} WHERE name = '{migration.name}'")

    async def transaction(self, name: str, work: Callable[[Any], Any]) -> Any:
        """Do something in a transaction that waits for locks briefly, again and again until it has them."""

        async def attempt() -> Any:
            async with self.client._in_transaction() as client:
                if self.database.dialect is Dialect.POSTGRES:
                    await client.execute_query(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                token = self.context.connections.set("default", client)
                try:
                    return await work(client)
                finally:
                    self.context.connections.reset(token)

        return await self._again(name, attempt)

    async def _again(self, name: str, work: Callable[[], Any]) -> Any:
        """Do something until no lock or connection is lacking. Refuses: TransientFault when that takes too long."""

        async def attempt() -> Any:
            try:
                return await work()
            except Exception as error:
                fault = self.database.fault_of(error)
                if isinstance(fault, TransientFault):
                    self.tell(f"{name}: {_first_line(fault)}; trying again.")
                    raise fault from error
                raise

        retrying = stamina.AsyncRetryingCaller(
            attempts=None, timeout=RETRY_SECONDS, wait_initial=0.1, wait_max=LONGEST_WAIT_SECONDS, wait_jitter=0.5
        )
        return await retrying(TransientFault, attempt)

    @contextlib.asynccontextmanager
    async def _progress(self, name: str) -> AsyncIterator[None]:
        """Tell now and then how far PostgreSQL is with an index."""
        if self.database.dialect is Dialect.SQLITE:
            yield
            return
        task = asyncio.create_task(self._tell_progress(name))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _tell_progress(self, name: str) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            with contextlib.suppress(StorageError):
                for row in await self.database.fetch(
                    "SELECT phase, blocks_done, blocks_total FROM pg_stat_progress_create_index"
                ):
                    self.tell(f"{name}: {row['phase']}, {row['blocks_done']} of {row['blocks_total']} blocks.")


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")


def _migration(name: str) -> Migration:
    found: Migration = import_module(f"{migrations.__name__}.{name}").Migration(name, APP)
    return found
