"""The database stops in the middle of everything and comes back: nothing half done, streams go on."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_world import START
from desk_load import Load, check_kept, conflicting, look, prepare_cases, statements, tokens_of, twice
from fleet import Fleet, OwnPostgres, running, show, size
from followers import MINE, EventStreamFollower, Follower, WebSocketFollower, following, until_told

from databases import LIMITS
from refundgql.storage.database import Database
from refundgql.storage.migrating import migrate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

CRASHES = size("CRASHES", 2)
AWAY_SECONDS = 1.0
BETWEEN_SECONDS = 2.5


@pytest.fixture
def server() -> Iterator[OwnPostgres]:
    """Give a PostgreSQL server that nobody else uses."""
    started = OwnPostgres()
    yield started
    started.close()


async def test_the_database_crashes_under_load(server: OwnPostgres, tmp_path: Path) -> None:
    """Stopped at once and started again under load: acts fail cleanly or hold, each key once, streams miss nothing."""
    url = server.database("postgres")
    database = await Database.open(url, LIMITS)
    await migrate(database)
    await database.close()
    prepared = await prepare_cases(url, 60)
    fleet = Fleet.prepare(tmp_path, url, "postgres", START, 2)
    load = Load(fleet, tokens_of(fleet), outage=True)
    rng = random.Random(1)
    acts = [act for case in prepared.cases[:10] for act in conflicting(case)]
    rng.shuffle(acts)
    followers: list[Follower] = [
        WebSocketFollower(fleet.urls, load.tokens["expert"], MINE, prepared.cursor, seed=1),
        EventStreamFollower(fleet.urls, load.tokens["client"], MINE, prepared.cursor, seed=2),
    ]

    async def crash() -> None:
        for _ in range(CRASHES):
            await asyncio.sleep(BETWEEN_SECONDS)
            await asyncio.to_thread(server.crash)
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.to_thread(server.start)

    async def act() -> None:
        ends = time.monotonic() + CRASHES * (BETWEEN_SECONDS + AWAY_SECONDS) + BETWEEN_SECONDS
        await load.do(twice(acts, rng), 12, until=ends)
        await load.do(statements(prepared.cases[10:], rng), 12, until=ends)

    async with running(fleet), following(*followers):
        await asyncio.gather(act(), crash())
        found = await look(url, prepared.cursor)
        await until_told(followers, len(found.events))
        await asyncio.sleep(1.2)
    show(
        "database crashes",
        crashes=CRASHES,
        events=len(found.events),
        outcomes=dict(load.outcomes),
        repeats=dict(load.repeats),
        reconnects=[one.reconnects for one in followers],
        ended_streams=[len(one.failures) for one in followers],
    )
    check_kept(load, found)
    assert not [answer for answer in load.repeats if answer.startswith("500") or "INTERNAL" in answer], "nothing broke"
    for one in followers:
        assert one.told == found.ids
