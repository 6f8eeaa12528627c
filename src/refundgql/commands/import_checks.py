"""The first pass of an import: every line is tried on a working set that is never written.

It must not write rows. What earlier lines will make it knows from memory, or from a scratch file where that is much.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from refundgql.commands.sync_book import Book, StepsBack
from refundgql.commands.sync_finding import DatabaseFinder, fill
from refundgql.commands.sync_records import apply, note_error
from refundgql.domain.policy import Policy
from refundgql.domain.records import Record, RecordError
from refundgql.storage.database import Source, Transaction
from refundgql.storage.record_rows import Claim, MessageRow, ReviewRow, Stored, TotalsRow
from refundgql.storage.records import has_rows, values_of
from refundgql.storage.scratch import Scratch

ROWS_IN_MEMORY = 40_000
"""Rows of a generation; two generations are kept, about 50 MB."""

RowType = TypeVar("RowType", bound=Stored)
_WITH_BODIES = frozenset({MessageRow.table, ReviewRow.table})
_NAME = itemgetter(0)


class Line(NamedTuple):
    """One record of a file; `place` counts lines over all files of an import."""

    place: int
    record: Record


class Foreseen:
    """Finds rows as they will stand after the lines checked so far: in memory, in the scratch file, in the database."""

    def __init__(self, source: Source, scratch: Scratch) -> None:
        """Begin with what the database holds."""
        self.source: Source | Transaction = source
        self._database = DatabaseFinder(source)
        self._scratch = scratch
        self._young: dict[str, Stored] = {}
        self._old: dict[str, Stored] = {}
        self._has_rows: dict[str, bool] = {}
        self.met: set[str] = set()  # names of the rows last found that earlier lines make or change

    async def rows(self, row_type: type[RowType], keys: Collection[str]) -> Iterable[RowType]:
        """Return the rows with these keys."""
        found, missing = self._foreseen(row_type, row_type.table, keys)
        if missing and await self._holds(row_type):
            found += await self._database.rows(row_type, missing)
        return found

    async def claims(self, row_type: type[Stored], owners: Mapping[str, str]) -> Iterable[Claim]:
        """Return who has taken these unique places."""
        found, missing = self._foreseen(Claim, "claim", owners)
        if missing and await self._holds(row_type):
            found += await self._database.claims(row_type, {key: owners[key] for key in missing})
        return found

    async def totals(self, contract_ids: Collection[str]) -> Iterable[TotalsRow]:
        """Return what the payments of these contracts sum up to."""
        found, missing = self._foreseen(TotalsRow, "totals", contract_ids)
        return [*found, *await self._database.totals(missing)]

    def remember(self, book: Book) -> None:
        """Remember what a batch would have changed."""
        for row_type, rows in book.tables():
            self._remember(row_type.table, rows)
        self._remember("withdrawal", book.withdrawals)
        self._remember("claim", book.claims)
        self._remember("totals", book.totals)
        if len(self._young) > ROWS_IN_MEMORY:
            self._scratch.keep((name, values_of(type(row))(row)) for name, row in sorted(self._old.items(), key=_NAME))
            self._old, self._young = self._young, {}

    def _foreseen(self, row_type: type[RowType], table: str, keys: Iterable[str]) -> tuple[list[RowType], list[str]]:
        found: list[RowType] = []
        elsewhere: dict[str, str] = {}
        for key in keys:
            name = f"{table}:{key}"
            row: Any = self._young.get(name) or self._old.get(name)
            if row is not None:
                found.append(row)
                self.met.add(name)
            else:
                elsewhere[name] = key
        for name, values in self._scratch.find(elsewhere).items():
            row = row_type(*values)
            row.stored = True
            found.append(row)
            self.met.add(name)
            del elsewhere[name]
        return found, list(elsewhere.values())

    def _remember(self, table: str, rows: Mapping[str, Stored]) -> None:
        for key, row in rows.items():
            if row.dirty or not row.stored:
                row.stored, row.dirty = True, False
                self._young[f"{table}:{key}"] = row
        if table in _WITH_BODIES:
            for row in rows.values():
                row.body = ""  # type: ignore[attr-defined]  # it decides nothing, and may be long

    async def _holds(self, row_type: type[Stored]) -> bool:
        """Tell whether the table had any row when it was first looked at: a first import need not look again."""
        if row_type.table not in self._has_rows:
            self._has_rows[row_type.table] = await has_rows(self.source, row_type)
        return self._has_rows[row_type.table]


class FirstPass:
    """Tries the lines of an import in order, and remembers which of them later lines state anew."""

    def __init__(self, policy: Policy, at: int, source: Source, scratch: Scratch) -> None:
        """Begin before the first line; `at` in microseconds."""
        self._policy = policy
        self._at = at
        self._scratch = scratch
        self._foreseen = Foreseen(source, scratch)
        self._faulty: set[tuple[str, str]] = set()
        self._behind: dict[tuple[str, str], tuple[int, RecordError]] = {}
        self.any_restated = False

    def spoil(self, named: tuple[str, str] | None) -> None:
        """Note a record that could not even be read, so that those which refer to it are not blamed as well."""
        if named is not None:
            self._faulty.add(named)

    async def check(self, lines: Sequence[Line]) -> list[tuple[int, RecordError]]:
        """Try some lines and return what is wrong with which place."""
        book = Book(self._at, faulty=self._faulty)
        self._foreseen.met.clear()
        await fill(book, self._foreseen, [line.record for line in lines])
        errors: list[tuple[int, RecordError]] = []
        seen: set[tuple[str, str]] = set()
        restated: dict[str, tuple[int]] = {}
        for line in lines:
            record = line.record
            key = (record.kind, record.ref)
            try:
                apply(book, self._policy, record, False)
            except StepsBack as error:
                self._behind.setdefault(key, (line.place, error.under(record.kind)))
                continue
            except RecordError as error:
                note_error(book, record, line.place, error, errors)
                continue
            if (
                key in seen
                or self._behind.pop(key, None)
                or f"{_TABLES[record.kind]}:{record.ref}" in self._foreseen.met
            ):
                restated[_restated(record)] = (line.place,)
            seen.add(key)
        self._foreseen.remember(book)
        if restated:
            self._scratch.keep(restated.items())
            self.any_restated = True
        return errors

    def left_behind(self) -> list[tuple[int, RecordError]]:
        """Return the lines that state an earlier state than the present one, and that no later line explains."""
        return sorted(self._behind.values(), key=lambda item: item[0])

    def superseded(self, lines: Sequence[Line]) -> set[int]:
        """Return the positions within `lines` of records that a later line of the import states anew."""
        if not self.any_restated:
            return set()
        last = self._scratch.find({_restated(line.record) for line in lines})
        return {
            position
            for position, line in enumerate(lines)
            if (found := last.get(_restated(line.record))) is not None and line.place < found[0]
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
}


def _restated(record: Record) -> str:
    return f"restated:{record.kind}:{record.ref}"
