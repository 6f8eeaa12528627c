"""Batches that overlap and come at once take turns: none deadlocks, fails or forgets what the other one wrote."""

from __future__ import annotations

import asyncio
import random

from command_world import World
from marketplace import Shape, account, everything, lead, message, sync

from patience import PATIENCE_SECONDS
from refundgql.commands.sync_records import parse_records, take_records, write_batch
from refundgql.commands.unit_of_work import Unit
from refundgql.storage.database import Database

EARLY, LATE = "2026-02-21T08:00:00Z", "2026-02-22T08:00:00Z"
_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


async def test_the_second_batch_waits_for_the_first(postgres: Database) -> None:
    """One looks at nothing before the other is kept: the latest message of a chat stays the latest, whoever adds it."""
    world = World(postgres)
    await sync(world, *everything())
    written, kept = asyncio.Event(), asyncio.Event()

    async def first(unit: Unit) -> None:
        records = parse_records([account("newcomer", "PRO"), message("late", "customer", LATE)])
        assert (await write_batch(unit, records, set())).created == 2
        await unit.tx.flush()
        written.set()
        await kept.wait()

    second = [message("early", "pro", EARLY), account("newcomer", "PRO"), lead(title="Another fence")]
    async with asyncio.TaskGroup() as group:
        group.create_task(world.uow.run(first))
        await written.wait()
        waiting = group.create_task(take_records(world.uow, second))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await postgres.fetch_value(_WAITING):
                    assert not waiting.done(), "the second batch did not wait"
                    await asyncio.sleep(0.02)
        finally:
            kept.set()
    counts = waiting.result()
    assert (counts.created, counts.updated, counts.unchanged) == (1, 1, 1)
    found = await world.rows("SELECT title, last_message_at, (SELECT max(sent_at) FROM message) AS latest FROM lead")
    assert [(row["title"], row["last_message_at"] == row["latest"]) for row in found] == [("Another fence", True)]
    await world.check_ledger()


async def test_overlapping_batches_end_as_one_of_them_says(world: World) -> None:
    """Eight batches with the same records, each in an order of its own: every record ends whole, a replay says so."""
    await sync(world, *everything())
    batches = [_shuffled(number) for number in range(8)]
    done = await asyncio.gather(*(take_records(world.uow, batch) for batch in batches))
    assert sum(counts.created for counts in done) == 2 * len(_NEW)
    names = {row["name"] for row in await world.rows("SELECT name FROM account WHERE external_ref LIKE 'new-%'")}
    assert len(names) == 1, "one batch was last, with all that it says"
    (latest,) = await world.rows("SELECT l.last_message_at, max(m.sent_at) AS at FROM lead l, message m GROUP BY l.id")
    assert latest["last_message_at"] == latest["at"]
    (winner,) = names
    replayed = await take_records(world.uow, batches[int(winner.rpartition(" ")[2])])
    assert replayed.created == replayed.updated == 0


_NEW = range(5)


def _shuffled(number: int) -> list[Shape]:
    """Return the same new people and messages as every other batch, in an order and under a name of its own."""
    records = [account(f"new-{each}", "PRO", name=f"Newcomer {number}") for each in _NEW]
    records += [message(f"new-{each}", "pro", f"2026-02-2{each}T09:00:00Z") for each in _NEW]
    random.Random(number).shuffle(records)
    return records
