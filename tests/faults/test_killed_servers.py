"""Three servers, of which one is killed all the time: nothing acknowledged is lost, no stream misses or doubles."""

from __future__ import annotations

import asyncio
import random
import time
from itertools import chain, islice
from pathlib import Path

import pytest
from command_world import START
from desk_load import Load, check_kept, conflicting, look, prepare_cases, signing, statements, tokens_of, twice
from fleet import Fleet, nats, running, show, size
from followers import MINE, QUEUE, EventStreamFollower, Follower, WebSocketFollower, following, until_told

from patience import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

SECONDS = size("SECONDS", 6)
CASES = size("KILLED_CASES", 30)
KILL_EVERY_SECONDS = size("KILL_EVERY_MS", 2_000) / 1_000
SEED = size("SEED", 1)
TALKED_ABOUT = 60
AFTERWARDS = 40
"""Acts once nobody is killed any more; a server that takes longer to start than to be killed does little before."""


async def _under_fire(fleet: Fleet, url: str, cut: object = None) -> None:
    """Load the servers and kill them meanwhile; then compare streams, answers and the database."""
    rng = random.Random(SEED)
    prepared = await prepare_cases(url, CASES // 2 + TALKED_ABOUT, signed=CASES // 2)
    cases, talk = prepared.cases[: CASES // 2], prepared.cases[CASES // 2 :]
    fights = [act for case in cases for act in conflicting(case)]
    fights += [act for case, invoice in prepared.signed.items() for act in signing(case, invoice)]
    rng.shuffle(fights)
    load = Load(fleet, tokens_of(fleet), seed=SEED)
    followers: list[Follower] = [
        WebSocketFollower(fleet.urls, load.tokens["ivy"], QUEUE, prepared.cursor, seed=1),
        EventStreamFollower(fleet.urls, load.tokens["ivy"], QUEUE, prepared.cursor, seed=2),
        EventStreamFollower(fleet.urls, load.tokens["client"], MINE, prepared.cursor, seed=3),
        WebSocketFollower(fleet.urls, load.tokens["expert"], MINE, prepared.cursor, seed=4),
    ]
    queues, parties = followers[:2], followers[2:]
    async with running(fleet), following(*followers):
        began = time.monotonic()
        ends = began + SECONDS
        acts = twice(_mixed(fights, statements(talk, rng)), rng)
        jobs = [load.do(acts, 12, until=ends), fleet.kill_now_and_then(rng, ends, KILL_EVERY_SECONDS)]
        if cut is not None:
            jobs.append(_cut(cut, SECONDS / 4, SECONDS / 2))
        await asyncio.gather(*jobs)
        await fleet.ready()
        await load.do(islice(acts, AFTERWARDS), 12)
        found = await look(url, prepared.cursor)
        await until_told(parties, len(found.events))
        await asyncio.sleep(2.5)  # a double would come with the next look
        await until(lambda: queues[0].told == queues[1].told)
        told = [list(one.told) for one in followers]
    show(
        f"killed servers, {fleet.settings['REFUNDGQL_BUS'].partition(':')[0]} bus{' cut' if cut else ''}",
        seconds=SECONDS,
        kills=fleet.kills,
        events=len(found.events),
        outcomes=dict(load.outcomes),
        repeats=dict(load.repeats),
        reconnects=[one.reconnects for one in followers],
    )
    check_kept(load, found)
    assert [one.failures for one in followers] == [[]] * len(followers)
    assert told[2:] == [found.ids] * len(parties)
    # The queue's streams tell only what waits for support: in the order of the log, nothing twice, both the same.
    assert told[0] == told[1]
    assert told[0] == [event for event in found.ids if event in set(told[0])]
    assert told[0]
    assert fleet.kills > 0
    assert len(found.events) >= AFTERWARDS // 4, "the desk works on"


def _mixed(fights: list[object], talk: object) -> object:
    """Alternate between fights while there are any and talk, which never ends."""
    return chain.from_iterable(chain(zip(fights, talk, strict=False), ((one,) for one in talk)))  # type: ignore[call-overload]


async def _cut(bus: object, after_seconds: float, seconds: float) -> None:
    """Take the bus away for a while."""
    await asyncio.sleep(after_seconds)
    bus.kill()  # type: ignore[attr-defined]
    await asyncio.sleep(seconds)
    bus.start()  # type: ignore[attr-defined]


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
async def test_killed_servers_on_nats(cut: bool, postgres_url: str, tmp_path: Path) -> None:
    """With NATS as the doorbell, there or away for half of the time, every promise holds."""
    with nats(tmp_path) as (bus, bus_url):
        fleet = Fleet.prepare(tmp_path, postgres_url, bus_url, START, 3)
        await _under_fire(fleet, postgres_url, bus if cut else None)


async def test_killed_servers_on_notifications(postgres_url: str, tmp_path: Path) -> None:
    """With PostgreSQL's notifications as the doorbell, every promise holds."""
    await _under_fire(Fleet.prepare(tmp_path, postgres_url, "postgres", START, 3), postgres_url)
