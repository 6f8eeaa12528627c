"""The bus is away for a minute while people act and follow: updates come a moment later, each once and in order."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest
from command_world import START
from desk_load import Load, check_kept, look, prepare_cases, statements, tokens_of
from fleet import Fleet, nats, running, show, size
from followers import MINE, EventStreamFollower, Follower, WebSocketFollower, following, until_told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

CUT_SECONDS = size("CUT_SECONDS", 4)
AROUND_SECONDS = 2

Cut = Callable[[], contextlib.AbstractAsyncContextManager[None]]


async def _follow_through(fleet: Fleet, url: str, cut: Cut) -> None:
    """Act and follow before, while and after the bus is away; then compare."""
    prepared = await prepare_cases(url, 60)
    load = Load(fleet, tokens_of(fleet))
    # They follow one process, and half of the acts come by the other one.
    followers: list[Follower] = [
        WebSocketFollower(fleet.urls[:1], load.tokens["client"], MINE, prepared.cursor, seed=1),
        EventStreamFollower(fleet.urls[:1], load.tokens["expert"], MINE, prepared.cursor, seed=2),
    ]
    acts = statements(prepared.cases, random.Random(1))
    async with running(fleet), following(*followers):

        async def act(seconds: float) -> float:
            before = set(load.answered_at)
            await load.do(acts, 4, until=time.monotonic() + seconds)
            await until_told(followers, len(load.answered_at))
            assert {len(one.told) for one in followers} == {len(load.answered_at)}, "also while the bus is away"
            return _longest(load, followers, set(load.answered_at) - before)

        whole = await act(AROUND_SECONDS)
        async with cut():
            away = await act(CUT_SECONDS)
        again = await act(AROUND_SECONDS)
        found = await look(url, prepared.cursor)
    show(
        f"bus cut, {fleet.settings['REFUNDGQL_BUS'].partition(':')[0]}",
        seconds=CUT_SECONDS,
        events=len(found.events),
        longest_seconds_to_hear=[round(longest, 2) for longest in (whole, away, again)],
        repeats=dict(load.repeats),
        reconnects=[one.reconnects for one in followers],
    )
    check_kept(load, found)
    for one in followers:
        assert one.failures == []
        assert one.told == found.ids
    assert [one.reconnects for one in followers] == [0, 0], "no stream ends because the bus is away"


def _longest(load: Load, followers: list[Follower], events: set[str]) -> float:
    """Return the longest time from an act's answer to its update, over all followers."""
    return max(one.told_at[event] - load.answered_at[event] for one in followers for event in events)


async def test_nats_is_away(postgres_url: str, tmp_path: Path) -> None:
    """NATS is killed and started again: the log is followed meanwhile."""
    with nats(tmp_path) as (bus, bus_url):

        @contextlib.asynccontextmanager
        async def cut() -> AsyncIterator[None]:
            bus.kill()
            yield
            bus.start()

        await _follow_through(Fleet.prepare(tmp_path, postgres_url, bus_url, START, 2), postgres_url, cut)


async def test_notifications_are_away(postgres_url: str, tmp_path: Path) -> None:
    """Every connection of the bus to PostgreSQL is ended as soon as it is there: the log is followed meanwhile."""

    async def keep_ending() -> None:
        connection = await asyncpg.connect(postgres_url)
        try:
            while True:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'refundgql bus'"
                )
                await asyncio.sleep(0.02)
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def cut() -> AsyncIterator[None]:
        ending = asyncio.create_task(keep_ending())
        try:
            yield
            assert not ending.done()
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)

    await _follow_through(Fleet.prepare(tmp_path, postgres_url, "postgres", START, 2), postgres_url, cut)
