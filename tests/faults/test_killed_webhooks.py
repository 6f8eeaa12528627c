"""Servers that send webhooks are killed all the time: no event is lost, and none overtakes another."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from command_world import START, World
from desk_load import Act, Load, check_kept, look, prepare_cases, statements, tokens_of
from fleet import Fleet, running, show, size
from receiver import Receiver, receiving

from databases import LIMITS
from patience import PATIENCE_SECONDS
from refundgql.commands.webhooks import CreateWebhookEndpoint, create_webhook_endpoint
from refundgql.storage.accounts import find_viewer_by_ref
from refundgql.storage.database import Database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

SECONDS = size("SECONDS", 8)
KILL_EVERY_SECONDS = size("KILL_EVERY_MS", 1_500) / 1_000
SEED = size("SEED", 1)
LEAST = 10
SENT_AGAIN = ("could not be renewed in time", "is not this process's any more", "could not be served; trying again")
"""What a server says that has lost its lease, or could not write down what it has sent."""
AHEAD = 100
"""How many events may wait to be sent: more would only be waited for once the last server was killed."""


@asynccontextmanager
async def _receivers() -> AsyncIterator[list[Receiver]]:
    """Run one receiver that takes everything and one that fails now and then."""
    async with receiving() as steady, receiving() as flaky:
        yield [steady, flaky]


async def _hook(url: str, receivers: list[Receiver]) -> list[str]:
    """Add an endpoint for each receiver and return their secrets."""
    database = await Database.open(url, LIMITS)
    try:
        uow = replace(World(database).uow, private_webhooks=True)
        admin = await find_viewer_by_ref(database, "ada")
        assert admin is not None
        return [
            str(
                (
                    await create_webhook_endpoint(
                        uow, admin, CreateWebhookEndpoint(url=one.url, idempotency_key=one.url)
                    )
                ).secret
            )
            for one in receivers
        ]
    finally:
        await database.close()


def _fail_now_and_then(receiver: Receiver, rng: random.Random) -> None:
    receiver.answers.extend(rng.choice([200, 200, 200, 500, 503]) for _ in range(100_000))


async def _write(load: Load, acts: Iterator[Act], receivers: list[Receiver], workers: int, until: float) -> None:
    """Act until a monotonic instant and at least a few times, never far ahead of what the receivers have got."""
    while time.monotonic() < until or len(load.events) < LEAST:
        if len(load.events) - min(len(one.once) for one in receivers) > AHEAD:
            await asyncio.sleep(0.05)
        else:
            await load.do(islice(acts, 2 * workers), workers, until)


async def _under_fire(fleet: Fleet, url: str, seconds: float, kill_every_seconds: float, workers: int = 6) -> None:
    """Load and kill the servers; then compare what receivers took with the event log."""
    rng = random.Random(SEED)
    prepared = await prepare_cases(url, 60)
    fleet.settings |= {
        "REFUNDGQL_WEBHOOK_PRIVATE_ADDRESSES": "true",
        "REFUNDGQL_WEBHOOK_RETRY_SECONDS": ",".join(["0.05"] * 50),
        "REFUNDGQL_WEBHOOK_TIMEOUT_SECONDS": "60",
    }
    for server in fleet.servers:
        server.environment |= fleet.settings
    async with _receivers() as receivers:
        secrets = await _hook(url, receivers)
        receivers[0].delay_seconds = 0.05  # so that kills meet it while it thinks
        _fail_now_and_then(receivers[1], rng)
        load = Load(fleet, tokens_of(fleet), seed=SEED)
        async with running(fleet):
            ends = time.monotonic() + seconds
            jobs = [
                _write(load, statements(prepared.cases, rng), receivers, workers, ends),
                fleet.kill_now_and_then(rng, ends, kill_every_seconds),
            ]
            await asyncio.gather(*jobs)
            found = await look(url, prepared.cursor)
            expected = [f"RefundEvent_{one}" for one in found.ids]
            # Each receiver is sent one event after the other: with its delay and repeats some of a tenth of a second.
            async with asyncio.timeout(PATIENCE_SECONDS + len(expected) / 5):
                while any(len(one.once) < len(expected) for one in receivers):  # noqa: ASYNC110  # the servers act
                    await asyncio.sleep(0.1)
            await asyncio.sleep(1)  # a double would come now
    # A server that stood still for longer than its lease has lost it, as one that was killed has.
    lost = sum(fleet.logged().count(words) for words in SENT_AGAIN)
    check_kept(load, found)
    for receiver, secret in zip(receivers, secrets, strict=True):
        assert [one.data["eventId"] for one in receiver.once] == expected
        assert receiver.most_at_once == 1 or lost, "nobody sends to an endpoint beside somebody else"
        assert all(one.verified_by(secret) for one in receiver.received)
        bodies = {one.id: one.body for one in receiver.received}
        assert all(one.body == bodies[one.id] for one in receiver.received)
    repeats = Counter(receivers[0].ids)
    assert sum(repeats.values()) - len(repeats) <= fleet.kills + lost, "only what was under way at a kill"
    assert fleet.kills > 0
    assert len(expected) >= LEAST
    show(
        "killed webhooks",
        kills=fleet.kills,
        events=len(expected),
        sent=[len(one.received) for one in receivers],
        doubled=sum(repeats.values()) - len(repeats),
    )


async def test_killed_servers_lose_no_webhook(postgres_url: str, tmp_path: Path) -> None:
    """Each receiver gets every event, in order once repeats are dropped, from three servers on PostgreSQL.

    So it does from one on SQLite beside them, which has to come back before it is killed again.
    """
    from databases import new_database_url

    folders = [tmp_path / "three", tmp_path / "one"]
    for folder in folders:
        folder.mkdir()
    url = new_database_url("sqlite", tmp_path)
    three = Fleet.prepare(folders[0], postgres_url, "postgres", START, 3)
    one = Fleet.prepare(folders[1], url, "memory", START, 1)
    # The leases of killed servers run out for both meanwhile; one writer alone makes as many events as can be sent.
    await asyncio.gather(
        _under_fire(three, postgres_url, SECONDS, KILL_EVERY_SECONDS),
        _under_fire(one, url, 2 * SECONDS, 4 * KILL_EVERY_SECONDS, workers=1),
    )
