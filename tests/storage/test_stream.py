"""The stream across cases skips nothing, doubles nothing and keeps each case in order, however commits interleave."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

import asyncpg
import pytest
from seeds import Lead, lead, lead_case, note, open_case

from databases import LIMITS
from patience import until
from refundgql.domain.topics import QUEUE, case_topic, viewer_topic
from refundgql.messaging.bus import Doorbell
from refundgql.messaging.memory import MemoryBus
from refundgql.storage import tail as tails
from refundgql.storage.database import Database, Dialect
from refundgql.storage.events import START, Cursor, StreamEvent, read_stream, stream_head
from refundgql.storage.faults import TransientFault
from refundgql.storage.ids import made_at
from refundgql.storage.statements import counted_statements
from refundgql.storage.tail import PAGE, Tail, checked_cursor, read_history


async def _cases(database: Database, count: int) -> list[str]:
    ids = []
    for _ in range(count):
        async with database.transaction() as tx:
            of: Lead = await lead(tx)
        case = lead_case(of)
        await open_case(database, case)
        ids.append(case.id)
    return ids


async def _note(database: Database, case_id: str) -> None:
    async with database.transaction() as tx:
        await note(tx, case_id)


def _steps(events: Sequence[StreamEvent]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for event in events:
        found[event.case_id].append(event.sequence)
    return dict(found)


async def _all(database: Database, after: Cursor = START, *, limit: int = 500) -> list[StreamEvent]:
    found: list[StreamEvent] = []
    while True:
        page = await read_stream(database, after, limit=limit)
        found += page.events
        if not page.more:
            return found
        after = page.events[-1].cursor


async def test_pages_join_without_gap_or_double(database: Database) -> None:
    """Read in pages of three, the stream is the same as read at once, with each event's state before and after it."""
    cases = await _cases(database, 3)
    for case_id in cases * 3:
        await _note(database, case_id)
    whole = await _all(database)
    assert [event.id for event in await _all(database, limit=3)] == [event.id for event in whole]
    assert _steps(whole) == {case_id: [1, 2, 3, 4] for case_id in cases}
    assert [event.cursor for event in whole] == sorted({event.cursor for event in whole})
    first, later = whole[0], whole[-1]
    assert first.before is None
    assert later.before == {**later.snapshot}
    assert await stream_head(database) >= whole[-1].cursor


async def test_a_late_commit_with_a_lower_id_is_delivered(postgres: Database) -> None:
    """A transaction that began first and commits last holds its followers back; then all come, in order."""
    cases = await _cases(postgres, 2)
    after = await stream_head(postgres)
    async with postgres.transaction() as early:
        await note(early, cases[0])  # has its id and its position, and is not committed yet
        await _note(postgres, cases[1])
        page = await read_stream(postgres, after)
        assert (page.events, page.held_back) == ([], True)
        head = await stream_head(postgres)
    seen = await _all(postgres, after)
    assert [event.case_id for event in seen] == cases
    assert [event.case_id for event in await _all(postgres, head)] == cases
    assert await stream_head(postgres) > seen[-1].cursor


async def test_a_case_stays_in_order_when_a_transaction_waited_with_an_old_id(postgres: Database) -> None:
    """The one that was given its id first writes the later event: its commit order is lifted to the case's last."""
    (case_id,) = await _cases(postgres, 1)
    after = await stream_head(postgres)
    async with postgres.transaction() as waiting:
        await waiting.fetch("SELECT pg_current_xact_id()")
        await _note(postgres, case_id)
        await note(waiting, case_id)
    assert [event.sequence for event in await _all(postgres, after)] == [2, 3]


async def test_nothing_is_skipped_while_many_write(database: Database) -> None:
    """Readers that follow the stream while transactions linger at random see every event once, in each case's order."""
    cases = await _cases(database, 8)
    after = await stream_head(database)
    done = asyncio.Event()
    chance = random.Random(7)

    async def write(case_id: str, times: int) -> None:
        for _ in range(times):
            async with database.transaction() as tx:
                if database.dialect is Dialect.POSTGRES and chance.random() < 0.5:
                    await tx.fetch("SELECT pg_current_xact_id()")
                    await asyncio.sleep(chance.random() * 0.01)
                await note(tx, case_id)
                if database.dialect is Dialect.POSTGRES:
                    await asyncio.sleep(chance.random() * 0.01)

    async def follow() -> list[StreamEvent]:
        found: list[StreamEvent] = []
        cursor = after
        while True:
            last_look = done.is_set()
            page = await read_stream(database, cursor, limit=7)
            found += page.events
            cursor = found[-1].cursor if found else cursor
            if last_look and not page.more and not page.held_back:
                return found
            await asyncio.sleep(0)

    readers = [asyncio.create_task(follow()) for _ in range(2)]
    await asyncio.gather(*(write(case_id, 12) for case_id in cases for _ in range(2)))
    done.set()
    for reader in readers:
        assert _steps(await reader) == {case_id: list(range(2, 26)) for case_id in cases}


async def test_a_page_and_its_head_miss_nothing(database: Database) -> None:
    """Whatever a read at a head has not seen comes after that head, while others write."""
    cases = await _cases(database, 4)
    heads: list[tuple[Cursor, set[str]]] = []

    async def look() -> None:
        for _ in range(15):
            head = await stream_head(database)
            rows = await database.fetch("SELECT id FROM refund_event")
            heads.append((head, {row["id"] for row in rows}))
            await asyncio.sleep(0.002)

    async def write(case_id: str) -> None:
        for _ in range(10):
            await _note(database, case_id)

    await asyncio.gather(look(), *(write(case_id) for case_id in cases))
    everything = {event.id for event in await _all(database)}
    for head, seen in heads:
        assert everything == seen | {event.id for event in await _all(database, head)}


async def test_orders_only_grow_after_a_restore_into_a_younger_cluster(postgres: Database) -> None:
    """When stored orders are ahead of the cluster's ids, opening lifts the epoch: old cursors go on without a gap."""
    cases = await _cases(postgres, 2)
    before = await _all(postgres)
    # As a dump restored into a new cluster: the rows carry orders that this cluster has not reached.
    admin = await asyncpg.connect(postgres.url)
    await admin.execute("ALTER TABLE refund_event DISABLE TRIGGER USER")
    await admin.execute("UPDATE refund_event SET commit_order = commit_order + 1000000000")
    await admin.execute("ALTER TABLE refund_event ENABLE TRIGGER USER")
    await admin.close()
    kept = Cursor(before[-1].cursor.commit_order + 1_000_000_000, before[-1].cursor.position)
    reopened = await Database.open(postgres.url, LIMITS)
    again = await Database.open(postgres.url, LIMITS)
    try:
        assert len(await _all(reopened)) == len(before)
        for case_id in cases * 2:
            await _note(again, case_id)
        seen = await _all(reopened, kept)
        assert _steps(seen) == {case_id: [2, 3] for case_id in cases}
        assert [event.cursor for event in seen] == sorted(event.cursor for event in seen)
        assert seen[0].cursor > kept
    finally:
        await reopened.close()
        await again.close()


@pytest.mark.parametrize(
    "text", ["", "1", "1.", ".1", "a.b", "1.2.3", "-1.2", "1.-2", "²." + "1", f"{2**63}.0", "1 .2"]
)
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    """Only two plain numbers with a dot between them are a cursor."""
    with pytest.raises(ValueError, match="cursor"):
        Cursor.parse(text)


async def test_a_cursor_ahead_of_the_stream_is_refused(database: Database) -> None:
    """A cursor of another database would be silent for long; one from this stream is taken back as it was given."""
    await _cases(database, 1)
    (event,) = await _all(database)
    assert await checked_cursor(database, str(event.cursor)) == event.cursor
    head = await stream_head(database)
    assert await checked_cursor(database, str(head)) == head
    with pytest.raises(ValueError, match="ahead"):
        await checked_cursor(database, f"{head.commit_order + 1_000_000}.0")


@pytest.fixture
async def tail(database: Database) -> AsyncIterator[Tail]:
    """Give a running tail whose bus is `tail.bus`."""
    running = Tail(database, MemoryBus(), Doorbell())
    await running.start()
    yield running
    await running.stop()


async def test_listeners_hear_their_topics_once_and_in_order(database: Database, tail: Tail) -> None:
    """A case's listener, a party's and the queue's each hear what is theirs, from one reading."""
    cases = await _cases(database, 2)
    requester = await database.fetch_value("SELECT requester_id FROM refund_case WHERE id = ?", (cases[0],))
    heard: dict[str, list[StreamEvent]] = {"case": [], "viewer": [], "queue": []}
    await tail.join(case_topic(cases[0]), heard["case"].extend)
    await tail.join(viewer_topic(requester), heard["viewer"].extend)
    await tail.join(QUEUE, heard["queue"].extend)
    for case_id in cases * 3:
        await _note(database, case_id)
    await until(lambda: len(heard["queue"]) == 6)
    assert _steps(heard["case"]) == _steps(heard["viewer"]) == {cases[0]: [2, 3, 4]}
    assert _steps(heard["queue"]) == {case_id: [2, 3, 4] for case_id in cases}


async def test_a_ring_is_quicker_than_looking(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bell an event arrives before the next look; without it, by that look."""
    monkeypatch.setattr(tails, "LOOK_SECONDS", 10_000.0)
    (case_id,) = await _cases(database, 1)
    bus = MemoryBus()
    tail = Tail(database, bus, Doorbell())
    await tail.start()
    try:
        heard: list[StreamEvent] = []
        await tail.join(case_topic(case_id), heard.extend)
        await asyncio.sleep(0.02)
        await _note(database, case_id)
        await bus.publish([case_topic(case_id)])
        await until(lambda: len(heard) == 1)
        monkeypatch.setattr(tails, "LOOK_SECONDS", 0.1)
        await bus.publish([case_topic(case_id)])  # the wait that has begun is a long one
        await asyncio.sleep(0.05)
        await _note(database, case_id)  # nobody rings
        await until(lambda: len(heard) == 2)
    finally:
        await tail.stop()


async def test_five_thousand_listeners_cost_one_reading(database: Database) -> None:
    """The number of statements does not grow with the number of listeners."""
    (case_id,) = await _cases(database, 1)
    bus = MemoryBus()
    tail = Tail(database, bus, Doorbell())
    hits = 0

    def listener_of(_: int) -> object:
        def listener(events: Sequence[StreamEvent]) -> None:
            nonlocal hits
            hits += len(events)

        return listener

    for number in range(5_000):
        await tail.join(case_topic(case_id), listener_of(number))  # type: ignore[arg-type]
    with counted_statements() as statements:
        await tail.start()  # the task inherits the count
        await _note(database, case_id)
        own = len(statements)
        await bus.publish([case_topic(case_id)])
        await until(lambda: hits == 5_000)
    await tail.stop()
    assert len(statements) - own <= 2


async def test_joining_late_with_a_cursor_has_no_gap_and_no_double(database: Database) -> None:
    """History up to where the tail stood and what it hands over afterwards make one sequence, while others write."""
    cases = await _cases(database, 2)
    bus = MemoryBus()
    tail = Tail(database, bus, Doorbell())
    await tail.start()
    writing = True

    async def write() -> None:
        while writing:
            for case_id in cases:
                await _note(database, case_id)
                await bus.publish([case_topic(case_id), QUEUE])

    async def resume(after: Cursor) -> list[StreamEvent]:
        live: list[StreamEvent] = []
        joined = await tail.join(QUEUE, live.extend)
        read = partial(read_stream, database, limit=PAGE)
        found = [event async for page in read_history(read, after, joined) for event in page]
        await asyncio.sleep(0.05)
        await tail.leave(QUEUE, live.extend)
        return found + [event for event in live if event.cursor > after]

    writer = asyncio.create_task(write())
    try:
        found: list[StreamEvent] = []
        rounds = 0
        while (rounds := rounds + 1) <= 12 or len(found) <= 6 * len(cases):
            found += await resume(found[-1].cursor if found else START)
            await asyncio.sleep(0.01)
    finally:
        writing = False
        await writer
        await tail.stop()
    steps = _steps(found)
    assert set(steps) == set(cases)
    for numbers in steps.values():
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > 5  # each has its turn


async def test_a_listener_that_fails_hurts_nobody_else(database: Database, tail: Tail) -> None:
    """One that raises is let go; the others hear everything."""
    (case_id,) = await _cases(database, 1)
    heard: list[StreamEvent] = []
    calls = 0

    def broken(_: Sequence[StreamEvent]) -> None:
        nonlocal calls
        calls += 1
        raise ValueError("mine")

    await tail.join(case_topic(case_id), broken)
    await tail.join(case_topic(case_id), heard.extend)
    for expected in (1, 2):
        await _note(database, case_id)
        await until(lambda expected=expected: len(heard) == expected)
    assert calls == 1


async def test_reading_goes_on_when_the_database_was_away(postgres: Database) -> None:
    """Every connection is ended while a listener waits: it hears what was written afterwards."""
    (case_id,) = await _cases(postgres, 1)
    tail = Tail(postgres, MemoryBus(), Doorbell())
    await tail.start()
    heard: list[StreamEvent] = []
    await tail.join(case_topic(case_id), heard.extend)
    admin = await asyncpg.connect(postgres.url)
    await admin.execute(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await admin.close()

    async def noted() -> bool:
        try:  # as the unit of work does
            await _note(postgres, case_id)
        except TransientFault:
            return False
        return True

    await until(noted)
    await until(lambda: len(heard) == 1)
    await tail.stop()


async def test_a_snapshot_is_what_filters_look_at(database: Database) -> None:
    """The kept snapshot carries the given number and the case's state after the event."""
    async with database.transaction() as tx:
        of = await lead(tx)
    case = replace(lead_case(of), explanation="long words")
    saved = await open_case(database, case)
    (event,) = await _all(database)
    assert event.snapshot["number"] == saved.number
    assert (event.snapshot["kind"], event.snapshot["state"]) == ("LEAD", "REQUESTED")
    assert "long words" not in event.snapshot.values()
    assert (event.requester_id, event.counterparty_id) == (of.pro_id, None)


def test_an_id_tells_when_it_was_made() -> None:
    """In seconds, to the millisecond: what tells how far behind a stream is."""
    assert made_at("019c0000-0fa2-7000-8000-000000000000") == 0x19C00000FA2 / 1_000
