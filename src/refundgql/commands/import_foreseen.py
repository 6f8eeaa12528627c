"""What an import's earlier lines will have made: in memory as far as that is small, else in a scratch file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from operator import itemgetter
from typing import Any, TypeVar

from refundgql.commands.sync_book import Book
from refundgql.commands.sync_finding import DatabaseFinder
from refundgql.storage.database import Source, Transaction
from refundgql.storage.record_rows import Claim, PaidShare, Stored, StoredMessage, StoredReview, StoredTotals
from refundgql.storage.records import has_rows, values_of
from refundgql.storage.scratch import Scratch

ROWS_IN_MEMORY = 50_000
"""Rows of a generation; two generations are kept, about 60 MB."""

RowType = TypeVar("RowType", bound=Stored)
LEAVES = frozenset({StoredMessage.table, StoredReview.table})
"""Tables that no other record refers to: their rows matter only to lines that tell the same record again."""
_KEY = itemgetter(0)


class Foreseen:
    """Finds rows as they will stand after the lines checked so far: in memory, in the scratch file, in the database."""

    def __init__(self, source: Source, scratch: Scratch) -> None:
        """Begin with what the database holds."""
        self.source: Source | Transaction = source
        self._database = DatabaseFinder(source)
        self._scratch = scratch
        self._young: defaultdict[str, dict[str, Stored]] = defaultdict(dict)  # by table and key
        self._old: defaultdict[str, dict[str, Stored]] = defaultdict(dict)
        self._has_rows: dict[str, bool] = {}
        self.remembers_leaves = False
        self.met: defaultdict[str, set[str]] = defaultdict(set)
        """By table, the keys of the rows last found that earlier lines make or change."""

    async def rows(self, row_type: type[RowType], keys: Collection[str]) -> Iterable[RowType]:
        """Return the rows with these keys."""
        found: list[RowType] = []
        missing: Collection[str] = keys
        if self.remembers_leaves or row_type.table not in LEAVES:
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

    async def totals(self, contract_ids: Collection[str]) -> Iterable[StoredTotals]:
        """Return what the payments of these contracts sum up to."""
        found, missing = self._foreseen(StoredTotals, "totals", contract_ids)
        return [*found, *await self._database.totals(missing)]

    async def shares(self, payment_ids: Collection[str]) -> Iterable[PaidShare]:
        """Return how much of these payments a balance paid."""
        found, missing = self._foreseen(PaidShare, "share", payment_ids)
        return [*found, *await self._database.shares(missing)]

    def remember(self, book: Book) -> None:
        """Remember what a batch would have changed."""
        for row_type, rows in book.tables():
            if self.remembers_leaves or row_type.table not in LEAVES:
                self._remember(row_type.table, rows)
        self._remember("claim", book.claims)
        self._remember("totals", book.totals)
        self._remember("share", book.shares)
        if sum(map(len, self._young.values())) > ROWS_IN_MEMORY:
            for table, rows in sorted(self._old.items()):
                if rows:
                    values = values_of(type(next(iter(rows.values()))))
                    self._scratch.keep((f"{table}:{key}", values(row)) for key, row in sorted(rows.items(), key=_KEY))
            self._old, self._young = self._young, defaultdict(dict)

    def _foreseen(self, row_type: type[RowType], table: str, keys: Iterable[str]) -> tuple[list[RowType], set[str]]:
        found: list[Any] = []
        missing = set(keys)
        for rows in (self._young[table], self._old[table]):
            here = rows.keys() & missing
            found += map(rows.__getitem__, here)
            missing -= here
        if missing and not self._scratch.empty:
            names = {f"{table}:{key}": key for key in missing}
            for name, values in self._scratch.find(names).items():
                row = row_type(*values)
                row.stored = True
                found.append(row)
                missing.remove(names[name])
        self.met[table].update(missing.symmetric_difference(keys))
        return found, missing

    def _remember(self, table: str, rows: Mapping[str, Stored]) -> None:
        young = self._young[table]
        for key, row in rows.items():
            if row.dirty or not row.stored:
                row.stored, row.dirty = True, False
                young[key] = row
        if table in LEAVES:
            for row in rows.values():
                row.body = ""  # type: ignore[attr-defined]  # it decides nothing, and may be long

    async def _holds(self, row_type: type[Stored]) -> bool:
        """Tell whether the table had any row when it was first looked at: a first import need not look again."""
        if row_type.table not in self._has_rows:
            self._has_rows[row_type.table] = await has_rows(self.source, row_type)
        return self._has_rows[row_type.table]
