"""Who stops reading is cut off within bounds and resumes; nobody else notices, and memory stays bounded."""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path

import httpx
import pytest
from command_world import START
from desk_load import MOST_STATEMENTS, Act, Load, check_kept, look, prepare_cases, tokens_of
from fleet import Fleet, nats, running, show, size
from followers import EventStreamFollower, Follower, WebSocketFollower, following, until_told
from slow_readers import SlowEventStream, SlowReader, SlowSocket

from databases import new_database_url
from patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

SLOW = size("SLOW_READERS", 3)
"""Of each transport."""
READERS = size("READERS", 3)
"""Of each transport, beside them, who read."""
CASES = 4
STATEMENT_CHARS = 3_000
# The outbox holds half a megabyte for a reader, and what uvicorn and Python keep beside it is less than as much again;
# the rest is what a server under load takes anyway.
MOST_BYTES_A_SLOW_READER = 2 * 1024 * 1024
MOST_BYTES = 96 * 1024 * 1024

LARGE = """subscription($after: String) { viewerRefundUpdates(after: $after) { cursor event { id }
 refundCase { evidence { id ... on StatementEvidence { text } } } } }"""


async def _cut_off(url: str) -> int:
    """Return how many slow readers a server has cut off."""
    async with httpx.AsyncClient(trust_env=False) as client:
        shown = (await client.get(f"{url}/metrics")).text
    return sum(int(float(count)) for count in re.findall(r'^refundgql_\w+\{[^}]*"slow"[^}]*\} (\S+)$', shown, re.M))


async def _hinder(fleet: Fleet, url: str) -> None:
    """Load the desk until everybody who does not read is cut off, then let them read on and resume."""
    prepared = await prepare_cases(url, CASES)
    load = Load(fleet, tokens_of(fleet))
    slow: list[SlowReader] = [
        kind(fleet.urls[0], load.tokens["client"], LARGE, prepared.cursor)
        for kind in (SlowSocket, SlowEventStream)
        for _ in range(SLOW)
    ]
    readers: list[Follower] = [
        kind(fleet.urls[:1], load.tokens["expert"], LARGE, prepared.cursor, seed=seed)
        for seed, kind in enumerate((WebSocketFollower, EventStreamFollower) * READERS)
    ]
    acts = _long_statements(prepared.cases)
    async with running(fleet), following(*readers):
        for one in slow:
            await one.open()
        server, before, most = fleet.servers[0], fleet.servers[0].resident_bytes, 0
        began = time.monotonic()
        while await _cut_off(fleet.urls[0]) < len(slow):
            assert time.monotonic() - began < PATIENCE_SECONDS, "somebody who does not read is not cut off"
            await load.do(itertools.islice(acts, 8), 8)
            await until_told(readers, len(load.answered_at))  # who reads is not behind, however slow this process is
            most = max(most, server.resident_bytes - before)
        seconds = time.monotonic() - began
        for one in slow:
            await one.read_on()
        resumed: list[Follower] = [
            (WebSocketFollower if isinstance(one, SlowSocket) else EventStreamFollower)(
                fleet.urls[:1], one.token, LARGE, one.cursor, told=list(one.told)
            )
            for one in slow
        ]
        found = await look(url, prepared.cursor)
        async with following(*resumed):
            await until_told([*readers, *resumed], len(found.events))
    show(
        f"slow readers, {fleet.settings['REFUNDGQL_BUS'].partition(':')[0]} bus",
        slow=len(slow),
        readers=len(readers),
        events=len(found.events),
        had_heard=[len(one.told) for one in slow],
        ended=[one.ended for one in slow],
        all_cut_off_after_seconds=round(seconds),
        memory_mib=round(most / 1024**2),
    )
    check_kept(load, found)
    for one in [*readers, *resumed]:
        assert one.failures == []
        assert one.told == found.ids
    assert [one.reconnects for one in readers] == [0] * len(readers), "nobody who reads is cut off"
    assert all(len(one.told) < len(found.ids) for one in slow), "who did not read had not heard everything"
    assert most < MOST_BYTES + len(slow) * MOST_BYTES_A_SLOW_READER
    assert "ERROR" not in fleet.logged()


def _long_statements(cases: list[str]) -> itertools.chain[Act]:
    """Yield statements that make every later update of their case longer."""
    return itertools.chain.from_iterable(
        (Act("client", "addStatement", case, f"long-{case}-{number}", (("text", _text(number)),)) for case in cases)
        for number in range(MOST_STATEMENTS)
    )


def _text(number: int) -> str:
    return f"{number} ".ljust(STATEMENT_CHARS, "x")


async def test_slow_readers_on_nats(postgres_url: str, tmp_path: Path) -> None:
    """With NATS as the doorbell and acts through another process, a slow reader hurts nobody but itself."""
    with nats(tmp_path) as (_, bus_url):
        await _hinder(Fleet.prepare(tmp_path, postgres_url, bus_url, START, 2), postgres_url)


async def test_slow_readers_in_one_process(tmp_path: Path) -> None:
    """With nothing but a SQLite file and the bus in memory, a slow reader hurts nobody but itself."""
    url = new_database_url("sqlite", tmp_path)
    await _hinder(Fleet.prepare(tmp_path, url, "memory", START, 1), url)
