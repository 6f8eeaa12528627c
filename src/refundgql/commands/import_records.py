"""Importing JSON Lines: pass one tries every line, pass two writes them in atomic batches.

A rerun finds what is there already and goes on behind it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import IO, Any

import orjson

from refundgql.commands.import_checks import FirstPass, PlacedRecord
from refundgql.commands.import_reading import LINE_BYTES, ImportStopped, RawLine, Reader, in_batches, open_inputs
from refundgql.commands.import_spool import Spool
from refundgql.commands.sync_book import Book
from refundgql.commands.sync_records import FaultyRecords, SyncCounts, keep, take_records, write_records
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.calendar import to_micros
from refundgql.domain.record_parsing import parse_record, shape_ref
from refundgql.domain.records import RecordError
from refundgql.domain.sentences import sentence
from refundgql.storage.database import ChangeMark, Dialect
from refundgql.storage.scratch import Scratch

BATCH_RECORDS = 10_000
"""Records checked at a time: more take more memory, and gain nothing."""
WRITTEN_BESIDE_USERS = 1_000
"""Records of one transaction where others write at the same time: they wait for the locks of as many at most."""
WRITTEN_TOGETHER = 2
"""Batches of one transaction where nothing is left to be looked up: more would only keep other writers waiting."""
BAD_LINES_TOLD = 1_000
"""More are counted, not told."""
BAD_LINES_AT_MOST = 100_000
"""A file with more of them is something else: checking stops."""


class Phase(StrEnum):
    """What an import is doing."""

    CHECKING = "checking"
    WRITING = "writing"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase has come; the rate is lines a second of this phase."""

    phase: Phase
    lines: int
    bytes_done: int
    bytes_total: int
    lines_per_second: float


@dataclass(frozen=True, slots=True)
class BadLine:
    """What is wrong with one line; `field` is the path within the record, with dots."""

    file: str
    line: int
    field: str
    why: str

    def __str__(self) -> str:
        """Show it for people."""
        where = f"{self.file}, line {self.line}"
        return f"{where}: {self.field}: {self.why}" if self.field else f"{where}: {self.why}"


@dataclass(slots=True)
class ImportReport:
    """What an import did; when a line is bad it has written nothing."""

    lines: int = 0
    counts: SyncCounts = field(default_factory=SyncCounts)
    bad_lines: list[BadLine] = field(default_factory=list)
    bad_count: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Tell whether everything was taken in."""
        return self.bad_count == 0


Tell = Callable[[Progress], None]


async def import_lines(uow: UnitOfWork, shapes: Sequence[Mapping[str, Any]]) -> SyncCounts:
    """Take records that are in memory already in as one batch, on behalf of whoever runs the machine.

    Refuses: FaultyRecords.
    """
    return await take_records(uow, shapes)


async def import_files(
    uow: UnitOfWork,
    files: Sequence[str],
    *,
    stdin: IO[bytes] | None = None,
    tell: Tell | None = None,
    batch_records: int = BATCH_RECORDS,
) -> ImportReport:
    """Import JSON Lines files in their order; `-` is standard input, which is copied to disk first.

    Memory stays bounded however long the files are. A reference may lead to an earlier line of any of them.
    Refuses: ImportStopped when a file cannot be read, or the database changed between the passes.
    """
    started = time.monotonic()
    scratch = Scratch()
    try:
        reader = Reader(open_inputs(files, stdin, scratch.folder))
        with _rare_garbage_collection():
            report = await _check_and_write(uow, reader, scratch, tell, batch_records)
    finally:
        scratch.close()
    report.seconds = time.monotonic() - started
    return report


async def _check_and_write(
    uow: UnitOfWork, reader: Reader, scratch: Scratch, tell: Tell | None, batch_records: int
) -> ImportReport:
    mark = await uow.database.change_mark()
    spool = None if mark is None else Spool(scratch.folder, reader.size_bytes)
    empty = Book(to_micros(uow.clock.now()), uow.holiday_calendar)
    first_pass = FirstPass(empty, uow.policy, uow.database, scratch, spool)
    report = await _check_all(first_pass, reader, _Meter(Phase.CHECKING, reader, tell), batch_records)
    if report.ok:
        meter = _Meter(Phase.WRITING, reader, tell)
        if spool is not None:
            report.counts = await _write_spooled(uow, spool, mark, reader, meter)
        if meter.lines < report.lines:
            report.counts += await _write_rest(uow, first_pass, reader, meter, batch_records)
    return report


async def _check_all(first_pass: FirstPass, reader: Reader, meter: _Meter, batch_records: int) -> ImportReport:
    bad: dict[int, RecordError] = {}
    unreadable: set[int] = set()
    for batch in in_batches(reader.lines(), batch_records):
        lines: list[PlacedRecord] = []
        for raw in batch.lines:
            shape: object = None
            try:
                shape = _json(raw)
                lines.append(PlacedRecord(raw.place, parse_record(shape)))
            except RecordError as error:
                bad[raw.place] = error
                unreadable.add(raw.place)
                first_pass.spoil(shape_ref(shape))
        bad |= dict(await first_pass.check(lines, batch.size_bytes))
        meter.advance(len(batch.lines), batch.size_bytes)
        if len(bad) > BAD_LINES_AT_MOST:
            break
    else:
        if first_pass.needs_second_look():
            await _look_again(first_pass, reader, unreadable, bad, batch_records)
    told = []
    for place in sorted(bad)[:BAD_LINES_TOLD]:
        file, number = reader.where(place)
        told.append(BadLine(file, number, ".".join(bad[place].path), bad[place].message))
    return ImportReport(lines=meter.lines, bad_lines=told, bad_count=len(bad))


async def _look_again(
    first_pass: FirstPass, reader: Reader, unreadable: Collection[int], bad: dict[int, RecordError], batch_records: int
) -> None:
    """Try the messages and reviews that are told twice once more, now that each is remembered: what counts is this."""
    for batch in in_batches(reader.lines(), batch_records):
        lines = []
        for raw in batch.lines:
            named = None if raw.place in unreadable else shape_ref(_json(raw))
            if named is not None and first_pass.is_told_again(*named):
                lines.append(PlacedRecord(raw.place, parse_record(_json(raw))))
                bad.pop(raw.place, None)
        bad |= dict(await first_pass.check(lines))


async def _write_spooled(
    uow: UnitOfWork, spool: Spool, mark: ChangeMark | None, reader: Reader, meter: _Meter
) -> SyncCounts:
    """Write what the first pass has found out, as far as nothing else has changed since."""
    counts = SyncCounts()
    for start in range(0, len(spool.checked), WRITTEN_TOGETHER):
        mark = await _write_if_unchanged(uow, spool, start, mark) if reader.is_unchanged() else None
        if mark is None:
            break
        for batch in spool.checked[start : start + WRITTEN_TOGETHER]:
            counts += batch.counts
            meter.advance(batch.lines, batch.size_bytes)
    return counts


async def _write_if_unchanged(uow: UnitOfWork, spool: Spool, start: int, mark: ChangeMark | None) -> ChangeMark | None:
    """Write some batches and return the new mark, or nothing when something has been written since the old one."""

    async def work(unit: Unit) -> ChangeMark | None:
        if await unit.tx.change_mark() != mark:
            return None
        for keeping in spool.keepings(start, start + WRITTEN_TOGETHER):
            await keep(unit, keeping)
        return await unit.tx.change_mark()

    return await uow.run(work, name="import_records")


async def _write_rest(
    uow: UnitOfWork, first_pass: FirstPass, reader: Reader, meter: _Meter, batch_records: int
) -> SyncCounts:
    """Read, check and write what has not been written."""
    counts = SyncCounts()
    written = batch_records if uow.database.dialect is Dialect.SQLITE else min(batch_records, WRITTEN_BESIDE_USERS)
    for batch in in_batches(islice(reader.lines(), meter.lines, None), written):
        try:
            lines = [PlacedRecord(raw.place, parse_record(_json(raw))) for raw in batch.lines]
            counts += await _write(uow, lines, first_pass.superseded(lines))
        except FaultyRecords as faulty:
            position, error = faulty.errors[0]
            raise _changed(reader, lines[position].place, error) from None
        except RecordError as error:
            raise _changed(reader, batch.lines[0].place, error) from None
        meter.advance(len(batch.lines), batch.size_bytes)
    return counts


async def _write(uow: UnitOfWork, lines: Sequence[PlacedRecord], superseded: set[int]) -> SyncCounts:
    return await write_records(uow, [line.record for line in lines], superseded, name="import_records")


def _changed(reader: Reader, place: int, error: RecordError) -> ImportStopped:
    file, number = reader.where(place)
    return ImportStopped(
        f"{file} or the database changed while it was imported; the batches before line {number} are in. "
        f"Import it again. ({error.message})"
    )


def _json(raw: RawLine) -> object:
    if len(raw.text) > LINE_BYTES:
        raise RecordError(
            sentence("LINE_TOO_LONG", "The line is too long for a record: put each record on a line of its own.")
        )
    try:
        return orjson.loads(raw.text)
    except orjson.JSONDecodeError as error:
        message = sentence(
            "NOT_JSON", "This is not JSON ({problem}, column {column}).", problem=error.msg, column=error.colno
        )
        raise RecordError(message) from None


class _Meter:
    """Tells how far a phase has come."""

    def __init__(self, phase: Phase, reader: Reader, tell: Tell | None) -> None:
        """Begin now."""
        self._phase = phase
        self._bytes_total = reader.size_bytes
        self._tell = tell
        self._started = time.monotonic()
        self._bytes_done = 0
        self.lines = 0

    def advance(self, lines: int, size_bytes: int) -> None:
        """Count a batch and tell."""
        self.lines += lines
        self._bytes_done = min(self._bytes_done + size_bytes, self._bytes_total)
        if self._tell is not None:
            rate = self.lines / max(time.monotonic() - self._started, 1e-6)
            self._tell(Progress(self._phase, self.lines, self._bytes_done, self._bytes_total, rate))


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Collect seldom: an import makes millions of objects, none of them in circles, and keeps few.

    Fewer than a million at a time, so that nothing is looked through in vain.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(1_000_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
