"""Imports: every line is checked before any is written, bad ones are told, and an interrupted one goes on."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from command_world import TABLES, World
from marketplace import (
    SERVICE,
    Shape,
    account,
    contract,
    everything,
    having,
    invoice,
    lead,
    message,
    milestone,
    money,
    people,
    review,
    sync,
)

from refundgql.commands import import_foreseen, import_reading
from refundgql.commands.generate_records import Size, generate
from refundgql.commands.import_reading import ImportStopped
from refundgql.commands.import_records import ImportReport, Phase, Progress, import_files, import_lines
from refundgql.commands.sync_records import sync_records
from refundgql.storage.ledger_checks import verify

LARGE = Path(__file__).parents[2] / "fixtures" / "datasets" / "large.json"

RUNNER = """
import asyncio, math, sys
from datetime import timedelta
from command_world import World
from databases import LIMITS
from refundgql.commands.import_records import import_files
from refundgql.storage.database import Database

async def run(url, file, batch, most=math.inf):
    world = World(await Database.open(url, LIMITS))
    world.clock.at += timedelta(days=30)  # all of a dataset has happened
    def tell(it):
        print(it.phase, it.lines, flush=True)
        if it.phase == "writing" and it.lines >= most:
            sys.stdin.read()  # goes no further, however late it is killed
    report = await import_files(world.uow, [file], tell=tell, batch_records=batch)
    print("done", report.counts.created, report.counts.unchanged, flush=True)
    # Not getrusage: its figure of a new process begins with the peak of the one that started it.
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print("peak", int(line.split()[1]) // 1024, flush=True)
    await world.database.close()

asyncio.run(run(*sys.argv[1:3], *map(int, sys.argv[3:])))
"""


def write(path: Path, lines: Iterable[Shape | bytes]) -> str:
    """Write records, or raw lines, to a file and return its name."""
    with path.open("wb") as file:
        for line in lines:
            file.write((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n")
    return str(path)


def told(report: ImportReport) -> list[tuple[int, str]]:
    """Return number and field of every bad line."""
    return [(bad.line, bad.field) for bad in report.bad_lines]


def small(leads: int = 40) -> Size:
    """Return the size of a little marketplace."""
    values = orjson.loads(LARGE.read_bytes())
    few = {"pros": 5, "customers": 9, "clients": 4, "experts": 4, "hourlyContracts": 6, "fixedContracts": 6}
    return Size.from_json(values | few | {"leads": leads, "weeksPerContract": 3})


async def without_ids(world: World) -> dict[str, list[list[Any]]]:
    """Return every row with ids replaced by the order in which they are first met by reference, and without positions.

    What is left is what two imports of the same records have to agree on.
    """
    names: dict[str, str] = {}
    for table in TABLES:
        for row in await world.rows(f"SELECT * FROM {table}"):
            if row.get("external_ref") is not None:
                names[row["id"]] = f"{table}:{row['external_ref']}"
                if "payment_id" in row:
                    names.setdefault(row["payment_id"], f"payment of {table}:{row['external_ref']}")
    rows: dict[str, list[list[Any]]] = {}
    for table in TABLES:
        kept = await world.rows(f"SELECT * FROM {table}")
        rows[table] = sorted(
            ([_named(value, names) for key, value in row.items() if not _incidental(table, key)] for row in kept),
            key=repr,
        )
    return rows


def _incidental(table: str, column: str) -> bool:
    balances = ("from_balance_after_minor", "to_balance_after_minor")
    return column == "position" or (table in ("posting", "clock") and column == "id") or column in balances


def _named(value: Any, names: dict[str, str]) -> Any:
    if not isinstance(value, str):
        return value
    return ":".join(names.get(part, part) for part in value.split(":"))


@pytest.mark.slow
async def test_a_file_is_imported_and_a_rerun_changes_nothing(world: World, tmp_path: Path) -> None:
    """Both passes are told of, batch by batch, and the second import finds everything as it is."""
    records = everything()
    file = write(tmp_path / "records.jsonl", [b"\xef\xbb\xbf" + orjson.dumps(records[0]), b"", *records[1:], b"  "])
    heard: list[Progress] = []
    started = time.monotonic()
    report = await import_files(world.uow, [file], tell=heard.append, batch_records=7)
    assert 0 < report.seconds <= time.monotonic() - started
    assert (report.ok, report.lines, report.counts.created) == (True, len(records), len(records))
    size = sum(len(orjson.dumps(record)) + 1 for record in records) + 3 + 1 + 3  # a mark, two lines of nothing
    assert {progress.phase for progress in heard} == {Phase.CHECKING, Phase.WRITING}
    assert all(progress.bytes_done <= progress.bytes_total == size for progress in heard)
    before = await world.dump()
    again = await import_files(world.uow, [file], batch_records=7)
    assert (again.counts.created, again.counts.updated, again.counts.unchanged) == (0, 0, len(records))
    assert await world.dump() == before
    assert [finding async for finding in verify(world.database)] == []


async def test_every_bad_line_is_told_and_nothing_is_written(world: World, tmp_path: Path) -> None:
    """Lines that are no JSON, no record, or do not fit are named by number and field; good ones are not written."""
    lines: list[Shape | bytes] = [
        *people(),
        b'{"lead": ',
        b"\xff\xfe",
        b"[]",
        lead("l-1", price=money("1.001")),
        message("m-1", "pro", "2026-02-20T08:00:00Z", lead="l-1"),  # its lead is bad: not blamed
        lead("l-2", pro="nobody"),
        contract("fixed", "FIXED_PRICE"),
        invoice("i-1", "fixed", "100.01", "2026-02-01T00:00:00Z", fromBalance=money("100.01")),
        invoice("i-2", "fixed", "60.00", "2026-02-01T00:00:00Z", fromBalance=money("60.00")),
        invoice("i-3", "fixed", "60.00", "2026-02-01T00:00:00Z", fromBalance=money("60.00")),
        milestone("s-1", "FUNDED"),
        milestone("s-1", "RETURNED"),
        invoice("i-4", "fixed", "7.00", milestone="s-1"),
        b'{"lead": {"externalRef": "' + b"x" * import_reading.LINE_BYTES + b'"}}',
        account("last", "PRO"),
    ]
    before = await world.dump()
    report = await import_files(world.uow, [write(tmp_path / "bad.jsonl", lines)], batch_records=3)
    assert not report.ok
    assert told(report) == [
        (6, ""),
        (7, ""),
        (8, ""),
        (9, "lead.price.amount"),
        (11, "lead.pro"),
        (13, "invoice.fromBalance.amount"),
        (15, "invoice.fromBalance.amount"),
        (17, "milestone.status"),
        (18, "invoice.amount.amount"),
        (19, ""),
    ]
    assert all(bad.why.endswith(".") for bad in report.bad_lines)
    assert str(report.bad_lines[3]).endswith("bad.jsonl, line 9: lead.price.amount: " + report.bad_lines[3].why)
    assert await world.dump() == before


async def test_lines_are_checked_against_the_database_too(world: World, tmp_path: Path) -> None:
    """What is fixed or further on in the database refuses a line before anything is written."""
    await sync(world, *everything())
    before = await world.dump()
    lines = [
        account("new", "PRO"),
        lead(price=money("19.00")),
        milestone("done", "RETURNED"),
        lead("l-2", pro="new"),
        invoice("second", "hourly", "210.00", billingWeek="week-8"),
    ]
    report = await import_files(world.uow, [write(tmp_path / "more.jsonl", lines)], batch_records=2)
    assert told(report) == [(2, "lead.price"), (3, "milestone.status"), (5, "invoice.billingWeek")]
    assert await world.dump() == before


async def test_later_lines_may_take_a_record_further(world: World, tmp_path: Path) -> None:
    """A file may tell a history over many batches; told again, its early lines are no steps back."""
    lines = [
        *people(),
        contract("fixed", "FIXED_PRICE"),
        milestone("s", "UNFUNDED"),
        account("p", "PRO"),
        having(account("p", "PRO"), name="Renamed"),
        *(account(f"filler-{number}", "PRO") for number in range(9)),
        milestone("s", "FUNDED", fromBalance=money("40.00")),
        having(contract("fixed", "FIXED_PRICE"), status="CLOSED", endedAt="2026-02-01T00:00:00Z"),
        *(account(f"more-{number}", "PRO") for number in range(9)),
        milestone("s", "RELEASED"),
        milestone("s", "FUNDED", fromBalance=money("40.00")),
        milestone("s", "RELEASED"),
    ]
    file = write(tmp_path / "history.jsonl", lines)
    assert (await import_files(world.uow, [file], batch_records=4)).ok
    before = await world.dump()
    for batch_records in (4, 1, 1_000):
        again = await import_files(world.uow, [file], batch_records=batch_records)
        assert again.ok
        assert (again.counts.created, again.counts.updated) == (0, 0)
        assert await world.dump() == before


async def test_messages_and_reviews_told_twice_get_a_second_look(world: World, tmp_path: Path) -> None:
    """Far apart in the file, they refuse and explain as other records do, also after a rerun."""
    filler = [account(f"filler-{number}", "PRO") for number in range(20)]
    said, edited = message("m", "pro", "2026-02-20T08:05:00Z"), message("m", "pro", "2026-02-20T08:05:00Z", body="Hm")
    gone = having(edited, deletedAt="2026-02-21T00:00:00Z")
    start = [*people(), lead(), contract("fixed", "FIXED_PRICE"), said, review("r", "fixed", "client"), *filler]
    wrong = [message("m", "customer", "2026-02-20T08:05:00Z"), review("r", "fixed", "expert"), gone, *filler[:4], said]
    before = await world.dump()
    report = await import_files(world.uow, [write(tmp_path / "wrong.jsonl", [*start, *wrong])], batch_records=4)
    first = len(start) + 1
    assert told(report) == [(first, "message.author"), (first + 1, "review.author")]
    assert await world.dump() == before
    right = [*start, edited, *filler[:4], gone, having(review("r", "fixed", "client"), rating=1)]
    file = write(tmp_path / "right.jsonl", right)
    assert (
        await import_files(world.uow, [file], batch_records=4)
    ).counts.updated == 2  # the edit stands in the last line too
    before = await world.dump()
    again = await import_files(world.uow, [file], batch_records=4)
    assert (again.ok, again.counts.updated) == (True, 0)
    assert await world.dump() == before


async def test_files_and_standard_input_are_one_stream(world: World, tmp_path: Path) -> None:
    """References lead from one file to another; bad lines name their own file."""
    first = write(tmp_path / "people.jsonl", people())
    rest = orjson.dumps(lead()) + b"\n" + orjson.dumps(lead("bad", pro="customer")) + b"\n"
    report = await import_files(world.uow, [first, "-"], stdin=io.BytesIO(rest))
    assert [(bad.file, bad.line) for bad in report.bad_lines] == [("standard input", 2)]
    report = await import_files(world.uow, [first, "-"], stdin=io.BytesIO(orjson.dumps(lead())))
    assert (report.ok, report.counts.created) == (True, 6)


@pytest.mark.parametrize("files", [["missing.jsonl"], ["-", "-"], ["-"]])
async def test_what_cannot_be_read_stops_with_a_sentence(world: World, tmp_path: Path, files: list[str]) -> None:
    """A missing file, and standard input that is not there or named twice."""
    names = [str(tmp_path / name) if name != "-" else name for name in files]
    with pytest.raises(ImportStopped, match=r"\.$"):
        await import_files(world.uow, names)


async def test_a_bad_file_is_not_told_without_end(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told lines are bounded, counted ones are all; a file of nonsense is given up."""
    file = write(tmp_path / "nonsense.jsonl", [b"nonsense"] * 5_000)
    report = await import_files(world.uow, [file])
    assert (report.bad_count, len(report.bad_lines)) == (5_000, 1_000)
    monkeypatch.setattr("refundgql.commands.import_records.BAD_LINES_AT_MOST", 100)
    assert (await import_files(world.uow, [file], batch_records=200)).bad_count == 200


async def test_checks_hold_beyond_what_memory_keeps(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that went to the scratch file refuse and explain as those in memory do."""
    monkeypatch.setattr(import_foreseen, "ROWS_IN_MEMORY", 5)
    history = [
        milestone("s", "UNFUNDED", contract="fixed-0"),
        milestone("s", "RELEASED", contract="fixed-0"),
        lead("lead-0", pro="pro-0", customer="customer-0"),
        message("m", "client-0", "2026-02-20T08:00:00Z", lead="lead-1"),
    ]
    records = [*generate(small(60)), *history]
    report = await import_files(world.uow, [write(tmp_path / "long.jsonl", records)], batch_records=20)
    first = len(records) - 1
    assert {line for line, _ in told(report)} == {first, first + 1}
    good = [*records[:-2], milestone("s", "RELEASED", contract="fixed-0")]
    file = write(tmp_path / "good.jsonl", good)
    assert (await import_files(world.uow, [file], batch_records=20)).counts.created == len(good) - 2
    assert (await import_files(world.uow, [file], batch_records=20)).counts.updated == 0


async def test_any_way_to_cut_a_stream_into_batches_gives_the_same_rows(
    world: World, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One record at a time, odd batches, or all at once; in any order that references allow."""
    from databases import new_database_url
    from refundgql.storage.database import Database

    records = [*generate(small()), *everything()]
    assert (await import_files(world.uow, [write(tmp_path / "a.jsonl", records)])).ok
    expected = await without_ids(world)
    rng = random.Random(5)
    for batch in (1, 13):
        other = World(await Database.open(new_database_url("sqlite", tmp_path_factory.mktemp("other"))))
        shuffled = _shuffled(records, rng)
        start = 0
        while start < len(shuffled):
            count = rng.randrange(1, 2 * batch + 1)
            await sync_records(other.uow, SERVICE, shuffled[start : start + count])
            start += count
        assert await without_ids(other) == expected
        await other.database.close()


def _shuffled(records: list[Shape], rng: random.Random) -> list[Shape]:
    """Return the records in another order in which references still lead backwards and balances suffice."""
    order = ["account", "contract", "lead", "message", "milestone", "billingWeek", "invoice", "review"]
    mixed = list(records)
    rng.shuffle(mixed)
    return sorted(mixed, key=lambda it: (order.index(next(iter(it))), rng.random()))


async def test_records_in_memory_are_taken_for_whoever_runs_the_machine(world: World) -> None:
    """The first accounts come in before anybody can sign in."""
    assert (await import_lines(world.uow, people())).created == 5


async def test_a_database_that_changes_between_the_passes_stops_the_import(world: World, tmp_path: Path) -> None:
    """What the first pass could not foresee refuses its batch whole, and says what to do."""
    file = write(tmp_path / "lead.jsonl", [*people(), lead()])

    def interfere(progress: Progress) -> None:
        if progress.phase is Phase.CHECKING:
            write(tmp_path / "lead.jsonl", [*people(), lead(pro="expert")])

    with pytest.raises(ImportStopped, match="Import it again"):
        await import_files(world.uow, [file], tell=interfere)
    assert await world.rows("SELECT * FROM account") == []


def _start(url: str, file: str, *batch_and_most: int) -> subprocess.Popen[str]:
    paths = os.pathsep.join([*sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, url, file, *map(str, batch_and_most)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


@pytest.mark.slow
def test_a_killed_import_continues(database_url: str, tmp_path: Path) -> None:
    """Killed while it writes, run again: whole batches stand, the rest follows, and every record is there once."""
    records = list(generate(small(400)))
    file = write(tmp_path / "records.jsonl", records)
    process = _start(database_url, file, 150, 1_500)
    assert process.stdout is not None
    written = 0
    for line in process.stdout:
        if line.startswith("writing"):
            written = int(line.split()[1])
            if written >= 600:
                process.send_signal(signal.SIGKILL)
                break
    process.wait()
    output, _ = _start(database_url, file, 150).communicate()
    done = next(line for line in output.splitlines() if line.startswith("done")).split()
    created, unchanged = int(done[1]), int(done[2])
    assert created + unchanged == len(records)
    assert unchanged % 150 == 0
    assert len(records) > unchanged >= written >= 600


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """160,000 records, all of them written, stay within the 300 MB that any file has to fit in."""
    from databases import new_database_url

    large = Size.from_json(orjson.loads(LARGE.read_bytes()))
    names = ("pros", "customers", "clients", "experts", "leads", "hourly_contracts", "fixed_contracts")
    records = generate(replace(large, **{name: getattr(large, name) // 5 for name in names}))
    output, _ = _start(
        new_database_url("sqlite", tmp_path), write(tmp_path / "large.jsonl", records), 10_000
    ).communicate()
    found = {words[0]: int(words[1]) for words in map(str.split, output.splitlines())}
    assert found["done"] > 160_000
    assert found["peak"] < 300
