"""One way to speak to either database: rows by name, `?` placeholders, transactions, typed faults.

Writers go through Tortoise's connections and transactions; readers have connections of their own, so that a slow list
never delays a decision.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from refundgql.storage.faults import LOST_RACES, ConstraintViolated, StorageError

if TYPE_CHECKING:
    from tortoise.backends.base.client import BaseDBAsyncClient


class Dialect(StrEnum):
    """The databases that are spoken."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Row(Protocol):
    """One row; its values are found by column name or by position."""

    def __getitem__(self, key: str | int | slice) -> Any:
        """Return one value, or the values of some places."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the values in their order."""

    def keys(self) -> Any:
        """Return the column names."""


class Source(Protocol):
    """Anything that statements can be read from: the database itself, or a transaction on it."""

    @property
    def dialect(self) -> Dialect:
        """Tell which database answers."""

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return all rows of a statement."""

    async def fetch_row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """Return the first row of a statement, or nothing."""

    async def fetch_value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row of a statement, or None."""


class Write(NamedTuple):
    """A statement that writes, to be run with others in one round trip; see `Transaction.later`."""

    sql: str
    parameters: Sequence[Any] = ()
    name: str | None = None
    """What the others call its RETURNING rows, on PostgreSQL."""
    expected: int | None = None
    """How many rows it changes, or finds, unless a race was lost."""


ChangeMark = Hashable
"""Equal to another only if nothing was written between the two, here or in another process."""


ROWS_AT_ONCE = 50
"""Rows of one insertion of many: more gain nothing, and their values stay far below what a statement may have."""


class Transaction(abc.ABC):
    """One open transaction: it commits when its block ends well and is undone whole when it does not."""

    dialect: Dialect
    locks_rows: bool = True
    """Whether rows can be locked here; where they cannot, their versions are compared when everything is written."""

    def __init__(self) -> None:
        """Start with nothing put off."""
        self._later: list[Write] = []

    def later(self, *writes: Write) -> None:
        """Put writes off to run together before anything else happens in this transaction, at the latest its commit.

        On PostgreSQL they become one statement: none sees what another did, except by name, and no two may change the
        same row. On SQLite they run in order.
        """
        self._later += writes

    async def flush(self) -> None:
        """Run what was put off.

        Refuses: TransientFault when a race was lost; ConstraintViolated.
        """
        if not self._later:
            return
        writes, self._later = self._later, []
        try:
            await self._run_together(writes)
        except ConstraintViolated as violated:
            if violated.name in LOST_RACES:
                raise LOST_RACES[violated.name](f"A race was lost: {violated.name}.") from violated
            raise

    @abc.abstractmethod
    async def _run_together(self, writes: Sequence[Write]) -> None:
        """Run writes in as few round trips as possible. Refuses: TransientFault when one changed too few rows."""

    @abc.abstractmethod
    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return all rows of a statement, which may write and return."""

    @abc.abstractmethod
    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement and return the number of rows it changed."""

    @abc.abstractmethod
    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters, in order."""

    async def execute_rows(self, sql: str, width: int, values: Sequence[Any]) -> None:
        """Run one statement for each row, in order; the values of the rows, so many of each, stand in one list.

        An insertion takes many rows at a time.
        """
        row = f" ({', '.join('?' * width)})"
        step, whole = width * ROWS_AT_ONCE, 0
        if sql.endswith(f" VALUES{row}") and len(values) >= step:
            whole = len(values) - len(values) % step
            many = sql + f",{row}" * (ROWS_AT_ONCE - 1)
            await self.execute_many(many, [values[start : start + step] for start in range(0, whole, step)])
        if whole < len(values):
            await self.execute_many(sql, zip(*[iter(values[whole:])] * width, strict=True))

    async def change_mark(self) -> ChangeMark | None:
        """Return the database's mark as it stands after what this transaction has done; see `Database.change_mark`."""
        return None

    async def fetch_row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """Return the first row of a statement, or nothing."""
        rows = await self.fetch(sql, parameters)
        return rows[0] if rows else None

    async def fetch_value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row of a statement, or None."""
        rows = await self.fetch(sql, parameters)
        return rows[0][0] if rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseLimits:
    """What the database may use; each bound is there so that one user cannot take all of it."""

    read_connections: int = 8
    write_connections: int = 8
    statement_timeout_ms: int = 5_000
    """No statement of a request outlives the request's own time limit."""
    acquire_timeout_ms: int = 5_000
    """Waiting for a connection ends when the request would."""
    busy_timeout_ms: int = 5_000
    """How long a SQLite writer waits for another process's transaction."""


class Database(abc.ABC):
    """An open database."""

    dialect: Dialect
    url: str

    @staticmethod
    async def open(url: str, limits: DatabaseLimits | None = None) -> Database:
        """Open the database at a URL: `sqlite://path`, `sqlite://:memory:` (one connection) or `postgres://…`.

        Refuses: ValueError for any other scheme.
        """
        limits = limits or DatabaseLimits()
        scheme = url.partition(":")[0]
        if scheme == "sqlite":
            from refundgql.storage.sqlite_client import SqliteDatabase

            return await SqliteDatabase.connect(url, limits)
        if scheme in {"postgres", "postgresql"}:
            from refundgql.storage.events import align_stream
            from refundgql.storage.postgres_client import PostgresDatabase

            database = await PostgresDatabase.connect(url, limits)
            await align_stream(database)
            return database
        raise ValueError(f"{scheme}: is not a database: give a URL that starts with sqlite:// or postgres://.")

    @abc.abstractmethod
    async def close(self) -> None:
        """Close every connection."""

    @abc.abstractmethod
    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return all rows of a reading statement, on a connection that cannot write."""

    @abc.abstractmethod
    def stream(self, sql: str, parameters: Sequence[Any] = (), *, batch: int = 1_000) -> AsyncIterator[Row]:
        """Yield the rows of a reading statement from one snapshot, in bounded memory and without a time limit."""

    @abc.abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction for writing.

        Refuses: TransientFault, CommitUnknown, ConstraintViolated, StatementTimeout.
        """

    @property
    def connections_in_use(self) -> int:
        """Return how many of the process's connections are lent at the moment."""
        return 0

    async def change_mark(self) -> ChangeMark | None:
        """Return what shows later whether anything was written meanwhile, or None where the database cannot tell."""
        return None

    def one_write(self) -> AbstractAsyncContextManager[Transaction]:
        """Open what reads without a lock and writes all at once at its end, if nothing it has read has changed.

        It saves the round trips of a transaction where that is possible; elsewhere it is one.
        Refuses, beside what a transaction does: NeedsTransaction where the work is more than one write.
        """
        return self.transaction()

    @abc.abstractmethod
    def maintenance(self) -> AbstractAsyncContextManager[BaseDBAsyncClient]:
        """Open Tortoise's client on connections that no time limit holds, for migrations and models."""

    @abc.abstractmethod
    def fault_of(self, error: BaseException) -> StorageError | None:
        """Return what an error of Tortoise's or the driver's means here, or nothing for any other error."""

    async def delete_all(self, sql: str, before: int, batch: int) -> int:
        """Delete what is older than an instant, so much in each transaction, and return how many rows it was.

        The statement takes the instant in microseconds and the bound.
        """
        deleted = last = batch
        while last == batch:
            async with self.transaction() as tx:
                last = await tx.execute(sql, (before, batch))
            deleted += last
        return deleted - batch

    async def fetch_row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """Return the first row of a reading statement, or nothing."""
        rows = await self.fetch(sql, parameters)
        return rows[0] if rows else None

    async def fetch_value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row of a reading statement, or None."""
        rows = await self.fetch(sql, parameters)
        return rows[0][0] if rows else None
