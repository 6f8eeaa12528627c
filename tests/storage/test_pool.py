"""A process holds as many connections to PostgreSQL as its setting says, whatever it does, and no more."""

from __future__ import annotations

import asyncio

import asyncpg

from refundgql import bootstrap
from refundgql.settings import Settings
from refundgql.storage.database import Dialect

SIZE = 7
HELD = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def test_the_pool_size_is_the_number_of_connections(postgres_url: str) -> None:
    """Readers, writers and the bus together, with far more to do than there are connections."""
    watching = await asyncpg.connect(postgres_url)
    settings = Settings(database_url=postgres_url, database_pool_size=SIZE)
    try:
        async with bootstrap.open_application(settings) as application:
            database = application.database

            async def write() -> None:
                async with database.transaction() as tx:
                    await tx.fetch("SELECT pg_sleep(0.05)")

            reads = [database.fetch("SELECT pg_sleep(0.05)") for _ in range(4 * SIZE)]
            busy = asyncio.gather(*reads, *(write() for _ in range(4 * SIZE)))
            held = 0
            while not busy.done():
                held = max(held, await watching.fetchval(HELD))
            await busy
            # Connections are kept when nobody has anything to do; a busy machine may not have looked before.
            assert max(held, await watching.fetchval(HELD)) == SIZE
    finally:
        await watching.close()


async def test_the_database_has_the_time_that_an_operation_has(database_url: str) -> None:
    """A setting that gives operations longer gives their statements longer; on PostgreSQL to readers and writers."""
    database = await bootstrap.open_database(Settings(database_url=database_url, operation_timeout_seconds=61.5))
    try:
        async with database.transaction() as tx:
            if database.dialect is Dialect.SQLITE:
                assert await tx.fetch_value("PRAGMA busy_timeout") == 61_500
                return
            assert await tx.fetch_value("SHOW statement_timeout") == "61500ms"
        assert await database.fetch_value("SHOW statement_timeout") == "61500ms"
    finally:
        await database.close()
