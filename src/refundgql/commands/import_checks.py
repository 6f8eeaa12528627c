"""The first pass of an import: every line is tried on a working set that is never written.

Messages and reviews, which nothing refers to, are remembered only if they are told twice: those get a second look when
everything else has had its first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from refundgql.commands.import_foreseen import LEAVES, Foreseen
from refundgql.commands.import_repeats import Repeats
from refundgql.commands.import_spool import Checked, Spool
from refundgql.commands.sync_book import Book
from refundgql.commands.sync_finding import fill
from refundgql.commands.sync_keeping import keeping_of
from refundgql.commands.sync_people import RecordOutcome
from refundgql.commands.sync_records import SyncCounts, apply, note_error
from refundgql.domain.policy import Policy
from refundgql.domain.records import Record, RecordError
from refundgql.storage.database import Source
from refundgql.storage.scratch import Scratch


class PlacedRecord(NamedTuple):
    """One record of a file; `place` counts lines over all files of an import."""

    place: int
    record: Record


class FirstPass:
    """Tries the lines of an import in order, and remembers which of them later lines state anew."""

    def __init__(
        self, book: Book, policy: Policy, source: Source, scratch: Scratch, spool: Spool | None = None
    ) -> None:
        """Begin before the first line with an empty book. What good batches will write goes to the spool, if any."""
        self._policy = policy
        self._empty = book
        self._scratch = scratch
        self._foreseen = Foreseen(source, scratch)
        self._faulty: set[tuple[str, str]] = set()
        self._spool = spool
        self._repeats = Repeats()
        self._repeated: frozenset[int] | None = None  # known when the second look begins
        self.any_restated = False

    def spoil(self, named: tuple[str, str] | None) -> None:
        """Note a record that could not even be read, so that those which refer to it are not blamed as well."""
        if named is not None:
            self._faulty.add(named)

    async def check(self, lines: Sequence[PlacedRecord], size_bytes: int = 0) -> list[tuple[int, RecordError]]:
        """Try some lines, which take so much of their files, and return what is wrong with which place."""
        records = [line.record for line in lines]
        told = _refs_by_table(records)
        if self._repeated is None:
            for table in LEAVES:
                self._repeats.add(f"{table}:{ref}" for ref in told[table])
        book = Book(self._empty.at, self._empty.holiday_calendar, faulty=self._faulty)
        self._foreseen.met.clear()
        await fill(book, self._foreseen, records)
        outcomes: list[RecordOutcome] = []
        errors: list[tuple[int, RecordError]] = []
        refused: set[int] = set()
        for position, record in enumerate(records):
            try:
                outcomes.append(apply(book, self._policy, record, False))
            except RecordError as error:
                refused.add(position)
                note_error(book, record, lines[position].place, error, errors)
        is_plain = not refused and not self._tell_again(told)
        if not is_plain:
            self._note_restated(lines, refused)
        if self._spool is not None and self._may_spool(self._spool, book, is_plain=is_plain):
            counts = SyncCounts(*(outcomes.count(outcome) for outcome in RecordOutcome))
            self._spool.add(keeping_of(book, self._policy), Checked(counts, len(lines), size_bytes))
            if book.renamed or book.recounted:
                self._spool.stop()  # leads change in the database that later lines may find here as they were
        self._foreseen.remember(book)
        return errors

    def _tell_again(self, told: Mapping[str, Sequence[str]]) -> bool:
        """Tell whether some of these records were told before, by these lines or by earlier ones."""
        distinct = {table: set(refs) for table, refs in told.items()}
        return any(
            len(refs) < len(told[table]) or not refs.isdisjoint(self._foreseen.met[table])
            for table, refs in distinct.items()
        )

    def _note_restated(self, lines: Sequence[PlacedRecord], refused: Collection[int]) -> None:
        """Remember for every record that is told again, and whose revisions do not tell, which line does so last."""
        seen: set[tuple[str, str]] = set()
        restated: dict[str, tuple[int]] = {}
        for position, (place, record) in enumerate(lines):
            if position in refused:
                continue
            key = (record.kind, record.ref)
            if key in seen or record.ref in self._foreseen.met[_TABLES[record.kind]]:
                restated[_restated(record)] = (place,)
            seen.add(key)
        if restated:
            self._scratch.keep(restated.items())
            self.any_restated = True

    def _may_spool(self, spool: Spool, book: Book, *, is_plain: bool) -> bool:
        """Tell whether what a batch will write is certain already; once it is not, nothing later is."""
        if not is_plain:
            spool.forget()  # of a record that is told again the last line counts: earlier batches will write less
        elif self._repeated is not None or book.funded or book.withdrawal_steps or book.charged_back:
            spool.stop()  # a second look at the same lines; or cases are settled between two records (D13)
        return spool.is_open

    def needs_second_look(self) -> bool:
        """Begin the second look, and tell whether there is anything to look at."""
        self._repeated = self._repeats.found()
        self._repeats = Repeats()
        self._foreseen.remembers_leaves = True
        return bool(self._repeated)

    def is_told_again(self, kind: str, ref: str) -> bool:
        """Tell whether a record is a message or a review that other lines may tell as well."""
        table = _TABLES.get(kind, "")
        return table in LEAVES and hash(f"{table}:{ref}") in (self._repeated or ())

    def superseded(self, lines: Sequence[PlacedRecord]) -> set[int]:
        """Return the positions within `lines` of records that a later line of the import states anew."""
        if not self.any_restated:
            return set()
        last = self._scratch.find({_restated(line.record) for line in lines})
        return {
            position
            for position, line in enumerate(lines)
            if line.record.revision is None
            and (found := last.get(_restated(line.record))) is not None
            and line.place < found[0]
        }


_TABLES = {
    "account": "account",
    "lead": "lead",
    "message": "message",
    "contract": "contract",
    "milestone": "milestone",
    "billingWeek": "billing_week",
    "invoice": "invoice",
    "review": "review",
    "withdrawal": "withdrawal",
    "refund": "past_refund",
    "chargeback": "chargeback",
}


def _refs_by_table(records: Sequence[Record]) -> defaultdict[str, list[str]]:
    told: defaultdict[str, list[str]] = defaultdict(list)
    for record in records:
        told[_TABLES[record.kind]].append(record.ref)
    return told


def _restated(record: Record) -> str:
    return f"restated:{record.kind}:{record.ref}"
