"""Subscribers that leave and come back at random, over both transports, are told everything once and in order."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from command_world import START
from desk_load import Load, check_kept, look, prepare_cases, statements, tokens_of
from fleet import Fleet, running, show, size
from followers import MINE, EventStreamFollower, Follower, WebSocketFollower, following, until_told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

EVENTS = size("EVENTS", 400)
RECONNECTS = size("RECONNECTS", 20)


async def test_reconnecting_subscribers_miss_nothing(postgres_url: str, tmp_path: Path) -> None:
    """However often each leaves in the middle of the load, its stream is the log."""
    prepared = await prepare_cases(postgres_url, max(20, EVENTS // 100))
    fleet = Fleet.prepare(tmp_path, postgres_url, "postgres", START, 2)
    load = Load(fleet, tokens_of(fleet))
    # Leaving after a random number of updates up to this comes to more than so many times.
    most = max(1, EVENTS * 6 // (RECONNECTS * 5))
    followers: list[Follower] = [
        kind(fleet.urls, load.tokens[who], MINE, prepared.cursor, seed=seed, drop_after=most)
        for seed, (kind, who) in enumerate(
            itertools.product((WebSocketFollower, EventStreamFollower), ("client", "expert"))
        )
    ]
    async with running(fleet), following(*followers):
        await load.do(itertools.islice(statements(prepared.cases, load.rng), EVENTS), 16)
        found = await look(postgres_url, prepared.cursor)
        await until_told(followers, EVENTS)
    reconnects = [one.reconnects for one in followers]
    show("reconnects", events=len(found.events), reconnects=reconnects, repeats=dict(load.repeats))
    check_kept(load, found)
    assert len(found.events) == EVENTS
    for one in followers:
        assert one.failures == []
        assert one.told == found.ids
    assert min(reconnects) >= RECONNECTS
