"""What an import's check has worked out is written as it is, or worked out anew where it may not hold any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest
from command_world import World
from marketplace import SERVICE, Shape, account, everything, having, lead, message, people, sync

from refundgql.commands import import_records, import_spool
from refundgql.commands.import_records import Phase, Progress, import_files
from refundgql.commands.import_spool import Checked, Spool
from refundgql.commands.sync_keeping import Keeping
from refundgql.commands.sync_records import SyncCounts, sync_records
from refundgql.domain.record_parsing import parse_record
from refundgql.storage.database import Database
from refundgql.storage.ledger_checks import verify

FILLER = [account(f"filler-{number}", "PRO") for number in range(40)]


def write(path: Path, lines: list[Shape]) -> str:
    """Write records to a file and return its name."""
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return str(path)


def elsewhere(world: World, *shapes: Shape) -> None:
    """Let another connection take records in, and wait until it has."""

    async def take() -> None:
        database = await Database.open(world.database.url)
        await sync_records(World(database).uow, SERVICE, shapes)
        await database.close()

    thread = Thread(target=lambda: asyncio.run(take()))
    thread.start()
    thread.join()


def once(phase: Phase, lines: int, act: Callable[[], None]) -> Callable[[Progress], None]:
    """Return who is told of progress and acts when so many lines of a phase are done."""

    def tell(progress: Progress) -> None:
        if (progress.phase, progress.lines) == (phase, lines):
            act()

    return tell


@pytest.mark.parametrize("in_memory_bytes", [0, 1_000_000])
async def test_a_line_is_read_once_when_nothing_changes_meanwhile(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory_bytes: int
) -> None:
    """The second pass of an import into SQLite parses nothing, in a new database and in one that has the records."""
    monkeypatch.setattr(import_spool, "IN_MEMORY_BYTES", in_memory_bytes)
    parsed: list[object] = []

    def parse(shape: object) -> Any:
        parsed.append(shape)
        return parse_record(shape)

    monkeypatch.setattr(import_records, "parse_record", parse)
    world, records = World(sqlite), [*everything(), *FILLER]
    file = write(tmp_path / "records.jsonl", records)
    for created in (len(records), 0):
        parsed.clear()
        report = await import_files(world.uow, [file], batch_records=7)
        assert (report.ok, report.counts.created, len(parsed)) == (True, created, len(records))
    assert [finding async for finding in verify(sqlite)] == []


@pytest.mark.parametrize(("phase", "lines"), [(Phase.CHECKING, 45), (Phase.WRITING, 5)])
async def test_what_others_write_meanwhile_is_found(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: Phase, lines: int
) -> None:
    """Records that somebody else brings between the passes, or between two batches, are there once and unchanged."""
    other = (FILLER[38], having(FILLER[39], name="Other"))
    monkeypatch.setattr(import_records, "WRITTEN_TOGETHER", 1)
    tell = once(phase, lines, lambda: elsewhere(world, *other))
    file = write(tmp_path / "records.jsonl", [*people(), *FILLER])
    report = await import_files(world.uow, [file], tell=tell, batch_records=5)
    counts = report.counts
    assert (counts.created, counts.updated, counts.unchanged) == (43, 1, 1)
    assert len(await world.rows("SELECT * FROM account")) == 45


@pytest.mark.parametrize("limit", [0, 10_000])
async def test_what_has_no_room_is_worked_out_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """A spool that is full, or a disk that is, makes an import slower and nothing else."""
    monkeypatch.setattr(import_spool, "SPOOL_BYTES", limit)
    monkeypatch.setattr(import_spool, "IN_MEMORY_BYTES", 0)
    records = [*everything(), *FILLER]
    file = write(tmp_path / "records.jsonl", records)
    heard: list[Progress] = []
    report = await import_files(world.uow, [file], tell=heard.append, batch_records=7)
    assert (report.counts.created, heard[-1].lines) == (len(records), len(records))
    before = await world.dump()
    assert (await import_files(world.uow, [file])).counts.unchanged == len(records)
    assert await world.dump() == before


async def test_a_bad_line_at_the_end_leaves_nothing_of_what_was_good(world: World, tmp_path: Path) -> None:
    """Batches that were found good are not written when the last line of all is bad."""
    before = await world.dump()
    records = [*everything(), *FILLER, lead("late", pro="nobody")]
    report = await import_files(world.uow, [write(tmp_path / "bad.jsonl", records)], batch_records=5)
    assert [(bad.line, bad.field) for bad in report.bad_lines] == [(len(records), "lead.pro")]
    assert await world.dump() == before


async def test_a_new_name_and_a_deleted_message_count_for_later_batches(world: World, tmp_path: Path) -> None:
    """What one batch changes in leads beside their records is not undone by the next one."""
    said = [message("first", "pro", "2026-02-20T08:05:00Z"), message("last", "pro", "2026-02-20T09:00:00Z")]
    await sync(world, *people(), lead(), *said)
    lines = [
        account("customer", "CUSTOMER", name="New Name"),
        having(said[1], deletedAt="2026-02-21T00:00:00Z"),
        *FILLER[:8],
        lead(title="Gate"),
        message("between", "customer", "2026-02-20T08:30:00Z"),
    ]
    assert (await import_files(world.uow, [write(tmp_path / "more.jsonl", lines)], batch_records=5)).ok
    (row,) = await world.rows("SELECT * FROM lead")
    assert (row["title"], row["customer_name"]) == ("Gate", "New Name")
    (newest,) = await world.rows("SELECT MAX(sent_at) AS at FROM message WHERE deleted_at IS NULL")
    assert row["last_message_at"] == newest["at"]


def test_a_spool_takes_no_more_than_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What still fits is kept, the first that does not ends it, and what was kept can be read."""
    keeping = Keeping([("a statement", 1, ["x" * 100])], {}, [], [], {}, [], [], [])
    monkeypatch.setattr(import_spool, "SPOOL_BYTES", 2 * len(orjson.dumps(tuple(keeping))))
    monkeypatch.setattr(import_spool, "IN_MEMORY_BYTES", 0)
    spool = Spool(tmp_path, 1)
    for kept, is_open in ((1, True), (2, True), (2, False)):
        spool.add(keeping, Checked(SyncCounts(), 1, 1))
        assert (len(spool.checked), spool.is_open) == (kept, is_open)
    assert len([*spool.keepings(0, 2)]) == 2
