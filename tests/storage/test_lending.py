"""Connections of a PostgreSQL pool are lent in turn, whatever happens to those who borrow them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from patience import PATIENCE_SECONDS
from refundgql.storage.database import Database
from refundgql.storage.postgres_lending import MAX_PREPARED, Lender


@pytest_asyncio.fixture
async def lender(postgres: Database) -> AsyncIterator[Lender]:
    """Two connections to lend."""
    pool = await asyncpg.create_pool(postgres.url, min_size=0, max_size=2)
    lender = Lender(pool, 2, PATIENCE_SECONDS)
    yield lender
    await lender.close()
    pool.terminate()


async def test_the_same_connection_is_lent_again(lender: Lender) -> None:
    """A connection that is given back is the next one lent, and its statements are still prepared."""
    lent = await lender.take()
    assert [tuple(row) for row in await lent.fetch("SELECT $1::int", (7,))] == [(7,)]
    lender.give_back(lent)
    assert await lender.take() is lent
    assert list(lent._prepared) == ["SELECT $1::int"]


async def test_whoever_comes_late_waits_in_turn(lender: Lender) -> None:
    """With all connections lent, the first to wait is the first to get one, and one who gave up is passed over."""
    one, other = await lender.take(), await lender.take()
    waiting = [asyncio.create_task(lender.take()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    lender.give_back(one)
    lender.give_back(other)
    assert [await waiting[1], await waiting[2]] == [one, other]


async def test_waiting_ends(lender: Lender) -> None:
    """Nobody waits longer than the timeout, and one who gave up at the last moment loses no connection."""
    one, _ = await lender.take(), await lender.take()
    lender._timeout_s = 0.3
    with pytest.raises(TimeoutError):
        await lender.take()
    lender._timeout_s = PATIENCE_SECONDS
    task = asyncio.create_task(lender.take())
    await asyncio.sleep(0)
    lender.give_back(one)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await lender.take() is one


async def test_a_connection_in_trouble_makes_room_for_another(lender: Lender) -> None:
    """Given up in the middle of a statement, a connection is replaced for the one who waits."""
    one, _ = await lender.take(), await lender.take()
    waiting = asyncio.create_task(lender.take())
    slow = asyncio.create_task(one.fetch("SELECT pg_sleep(600)", ()))
    await asyncio.sleep(0.05)
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    await lender.give_up(one)
    assert [tuple(row) for row in await (await waiting).fetch("SELECT 2", ())] == [(2,)]


async def test_a_changed_table_is_read_as_it_is_now(lender: Lender) -> None:
    """A statement that was prepared before a migration is prepared again; what is remembered is bounded."""
    lent = await lender.take()
    await lent.connection.execute("CREATE TEMPORARY TABLE t AS SELECT 1::int AS a")
    assert (await lent.fetch("SELECT a FROM t", ()))[0][0] == 1
    await lent.connection.execute("ALTER TABLE t ALTER a TYPE text")
    assert (await lent.fetch("SELECT a FROM t", ()))[0][0] == "1"
    lent._prepared.update((f"{n}", None) for n in range(MAX_PREPARED))
    await lent.fetch("SELECT 3", ())
    assert list(lent._prepared) == ["SELECT 3"]
