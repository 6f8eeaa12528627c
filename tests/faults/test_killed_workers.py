"""One port served by several processes that are killed one after the other: they are replaced, and the port answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from itertools import islice
from pathlib import Path

import pytest
from command_world import START
from desk_load import Load, check_kept, look, prepare_cases, statements, tokens_of
from fleet import Fleet, Program, running, show, size
from followers import MINE, EventStreamFollower, Follower, WebSocketFollower, following, until_told

from patience import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

WORKERS = 2
BURST = 12
"""More than may end by themselves before the parent gives up."""
SECONDS = size("WORKER_SECONDS", 6)
KILL_EVERY_SECONDS = size("KILL_EVERY_MS", 2_000) / 1_000


def workers_of(program: Program) -> list[int]:
    """Return the processes that serve for a parent."""
    assert program.process is not None
    parent, found = program.process.pid, []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            status = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            if int(status[1]) == parent and status[0] != "Z" and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def _fleet(folder: Path, url: str) -> Fleet:
    fleet = Fleet.prepare(folder, url, "postgres", START, 1)
    fleet.servers[0].command += ["--workers", str(WORKERS)]
    return fleet


async def _kill_workers(program: Program, rng: random.Random, until: float) -> int:
    """Kill some at once after each other, then one now and then, until an instant; return how many."""
    kills = 0
    while time.monotonic() < until or kills < BURST:
        alive = workers_of(program)
        if alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(alive), signal.SIGKILL)
                kills += 1
        await asyncio.sleep(0.2 if kills < BURST else KILL_EVERY_SECONDS * rng.uniform(0.6, 1.4))
    return kills


async def test_killed_workers_are_replaced(postgres_url: str, tmp_path: Path) -> None:
    """However many are killed, the parent stays and replaces them; nothing acknowledged and no update is lost."""
    prepared = await prepare_cases(postgres_url, 60)
    fleet = _fleet(tmp_path, postgres_url)
    load, rng = Load(fleet, tokens_of(fleet)), random.Random(1)
    followers: list[Follower] = [
        WebSocketFollower(fleet.urls, load.tokens["client"], MINE, prepared.cursor, seed=1),
        EventStreamFollower(fleet.urls, load.tokens["expert"], MINE, prepared.cursor, seed=2),
    ]
    async with running(fleet), following(*followers):
        parent = fleet.servers[0]
        assert parent.process is not None
        ends = time.monotonic() + SECONDS
        acts = statements(prepared.cases, rng)
        _, kills = await asyncio.gather(load.do(acts, 8, until=ends), _kill_workers(parent, rng, ends))
        await load.do(islice(acts, 20), 8)
        assert parent.process.poll() is None, fleet.logged()[-3_000:]
        await until(lambda: len(workers_of(parent)) == WORKERS)
        found = await look(postgres_url, prepared.cursor)
        await until_told(followers, len(found.events))
    show(
        "killed workers of one port",
        seconds=SECONDS,
        workers=WORKERS,
        kills=kills,
        events=len(found.events),
        repeats=dict(load.repeats),
        reconnects=[one.reconnects for one in followers],
    )
    check_kept(load, found)
    assert kills >= BURST
    for one in followers:
        assert one.failures == []
        assert one.told == found.ids


async def test_workers_end_with_their_parent(postgres_url: str, tmp_path: Path) -> None:
    """When the parent is killed nobody goes on serving its port, so that it can be started again."""
    fleet = _fleet(tmp_path, postgres_url)
    async with running(fleet):
        parent = fleet.servers[0]
        await until(lambda: len(workers_of(parent)) == WORKERS)  # the first of them serves before the last is there
        workers = workers_of(parent)
        parent.kill()
        await until(lambda: not any(_runs(pid) for pid in workers))
        parent.start()
        await fleet.ready()


def _runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False
