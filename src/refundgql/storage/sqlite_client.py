"""SQLite: one writer in WAL mode through Tortoise's client, and readers beside it.

What is added to Tortoise's client: a transaction begins IMMEDIATE, a begin or a commit that fails leaves neither a lock
nor an open transaction behind, and a commit is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import aiosqlite
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper

from refundgql.storage.database import ChangeMark, Database, DatabaseLimits, Dialect, Row, Transaction, Write
from refundgql.storage.faults import (
    ConstraintViolated,
    StatementTimeout,
    StorageError,
    TransientFault,
    Unwritable,
    causes,
    unique_violation,
)
from refundgql.storage.statements import for_sqlite, note, sqlite_parameters

_MEMORY = ":memory:"
T = TypeVar("T")

_READER_PRAGMAS = (
    "PRAGMA query_only = ON",
    # Pages that the operating system has cached are read without a copy; mapped ones count as memory of ours, which an
    # import into a large database has to keep small.
    "PRAGMA mmap_size = 67108864",
    "PRAGMA temp_store = MEMORY",
)


_UNWRITABLE = frozenset(
    {
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)


def translated(error: sqlite3.Error) -> StorageError:
    """Return the typed fault for a driver's error."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    text = str(error)
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TransientFault(text)
    if code & 0xFF in _UNWRITABLE:
        return Unwritable(text)
    if code == sqlite3.SQLITE_INTERRUPT:
        return StatementTimeout("A statement was interrupted.")
    if code & 0xFF == sqlite3.SQLITE_CONSTRAINT:
        named = text.partition("constraint failed: ")[2]
        if code in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY) and "." in named:
            table = named.partition(".")[0]
            return unique_violation(table, named.replace(f"{table}.", ""))
        if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            return ConstraintViolated("foreign_key")
        return ConstraintViolated(named or text)
    return StorageError(text)


class SqliteWriterContext(SqliteTransactionContext):
    """The writer's transaction: the lock is given back whatever happens."""

    connection: SqliteWriterTransaction

    async def __aenter__(self) -> TransactionalDBClient:
        """Wait for the writer and begin."""
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException:
            self._trxlock.release()
            raise
        return self.connection

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        """Commit, or roll back when the block or the commit fails."""
        try:
            if exc_type is None:
                await self.connection.commit()
            else:
                await self.connection.rollback()
        finally:
            self._trxlock.release()


class SqliteWriterTransaction(SqliteTransactionWrapper):
    """One transaction on the writer."""

    async def begin(self) -> None:
        """Begin with the write lock, so that a decision never finds out at its end that another was first."""
        if self._connection.in_transaction:  # an interrupted commit or rollback of the one before
            await self._connection.rollback()
        await self._connection.execute_fetchall("BEGIN IMMEDIATE")

    async def execute_script(self, query: str) -> None:
        """Run statements one by one: the driver's own script would commit the transaction first."""
        pending = ""
        for part in query.split(";"):
            pending += part + ";"
            if sqlite3.complete_statement(pending):
                if pending.strip(" \n;"):
                    await self._connection.execute_fetchall(pending)
                pending = ""

    async def commit(self) -> None:
        """Commit; a commit that fails is rolled back, or the next transaction would commit it."""
        try:
            await self._connection.commit()
        except sqlite3.Error:
            await self._connection.rollback()
            raise
        self._finalized = True


async def _connected(path: str) -> aiosqlite.Connection:
    """Open a connection whose thread never keeps the process: one that nobody closed would make it hang at its end."""
    connection = aiosqlite.connect(path, isolation_level=None)
    connection._thread.daemon = True
    await connection
    connection.row_factory = sqlite3.Row
    return connection


class SqliteWriter(SqliteClient):
    """Tortoise's SQLite client with transactions that hold under faults."""

    async def create_connection(self, with_db: bool) -> None:
        """Open the connection as Tortoise does, on a thread that ends with the process."""
        if self._connection is None:
            self._connection = await _connected(self.filename)
            for pragma, value in self.pragmas.items():
                await self._connection.execute_fetchall(f"PRAGMA {pragma}={value}")
            # What undoes one statement of many rows is small, and not worth a file.
            await self._connection.execute_fetchall("PRAGMA temp_store = MEMORY")
            await self._post_connect()

    def _in_transaction(self) -> TransactionContext:
        return SqliteWriterContext(SqliteWriterTransaction(self), self._lock)


class SqliteTransaction(Transaction):
    """A transaction's statements."""

    dialect = Dialect.SQLITE

    def __init__(self, connection: aiosqlite.Connection) -> None:
        """Run statements on the writer's connection."""
        super().__init__()
        self._connection = connection

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return all rows of a statement."""
        await self.flush()
        return await fetch_on(self._connection, sql, parameters)

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement and return the number of rows it changed."""
        await self.flush()
        return await self._execute(sql, parameters)

    async def _execute(self, sql: str, parameters: Sequence[Any]) -> int:
        before = self._connection.total_changes
        await fetch_on(self._connection, sql, parameters)
        return self._connection.total_changes - before

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters, in order."""
        await self.flush()
        note(sql)
        statement = for_sqlite(sql)
        try:
            given = (sqlite_parameters(statement, row) for row in rows) if statement.lists else rows
            cursor = await self._connection.executemany(statement.sql, given)
            await cursor.close()
        except sqlite3.Error as error:
            raise translated(error) from error

    async def change_mark(self) -> ChangeMark:
        """Return the database's mark as it stands after what this transaction has done."""
        await self.flush()
        return await _mark_of(self._connection)

    async def _run_together(self, writes: Sequence[Write]) -> None:
        for write in writes:
            note(write.sql)
        statements = [(for_sqlite(write.sql), write) for write in writes]
        given = [(one.sql, sqlite_parameters(one, write.parameters), write.expected) for one, write in statements]
        await _in_thread(self._connection, _run_all, given)


_Given = tuple[str, Sequence[Any], int | None]
"""A statement, its parameters, and how many rows it has to change."""


def _run_all(connection: sqlite3.Connection, given: Sequence[_Given]) -> None:
    for sql, parameters, expected in given:
        before = connection.total_changes
        connection.execute(sql, parameters).fetchall()
        if expected not in (None, connection.total_changes - before):
            raise TransientFault("A row changed while the decision was made.")


async def _in_thread(connection: aiosqlite.Connection, work: Callable[..., T], *given: Any) -> T:
    """Run work in the connection's own thread, in one hop: each costs as much as a small statement or two.

    A cancelled one stops at the statement that runs.
    """
    try:
        # The driver has a call for one statement and none for several.
        done: T = await connection._execute(work, connection._conn, *given)  # type: ignore[no-untyped-call]
    except sqlite3.Error as error:
        raise translated(error) from error
    except asyncio.CancelledError:
        # Nothing else is queued on this connection, so only the abandoned statement can be hit.
        with contextlib.suppress(ValueError):
            await connection.interrupt()
        raise
    return done


async def fetch_on(connection: aiosqlite.Connection, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
    """Run one statement on a connection; a cancelled one stops running."""
    note(sql)
    statement = for_sqlite(sql)
    return await _in_thread(connection, _run_one, statement.sql, sqlite_parameters(statement, parameters))


def _run_one(connection: sqlite3.Connection, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
    rows: Any = connection.execute(sql, parameters).fetchall()
    return rows  # type: ignore[no-any-return]  # sqlite3.Row has what Row asks for


async def _mark_of(connection: aiosqlite.Connection) -> ChangeMark:
    """Return a connection's mark: SQLite counts what others commit, the connection what it has changed itself."""
    (row,) = await fetch_on(connection, "PRAGMA data_version", ())
    return connection, row[0], connection.total_changes


def path_of(url: str) -> str:
    """Return the file of a URL. Refuses: StorageError when its folder is missing, before a thread is started for it."""
    path = unquote(url.removeprefix("sqlite://").partition("?")[0])
    if path == _MEMORY:
        return path
    file = Path("/" + path.lstrip("/") if path.startswith("/") else path)
    if not file.parent.is_dir() or file.is_dir():
        raise StorageError(f"The SQLite file {file} cannot be opened: give a file in a folder that exists.")
    return str(file)


class SqliteDatabase(Database):
    """A SQLite file, or one in memory on a single connection."""

    dialect = Dialect.SQLITE
    client: SqliteWriter

    def __init__(self, url: str, path: str, limits: DatabaseLimits) -> None:
        """Prepare; nothing is opened yet."""
        self.url = url
        self.path = path
        self.client = SqliteWriter(
            path,
            connection_name="default",
            synchronous="FULL",  # WAL survives a power cut only so
            busy_timeout=limits.busy_timeout_ms,
            cache_size=-32_768,  # KiB; an import's indexes do not fit in the default 2 MiB
        )
        self._idle: list[aiosqlite.Connection] = []
        self._opened: list[aiosqlite.Connection] = []
        self._slots = asyncio.Semaphore(limits.read_connections)
        self._busy_timeout_ms = limits.busy_timeout_ms
        self._writing_task: asyncio.Task[Any] | None = None

    @classmethod
    async def connect(cls, url: str, limits: DatabaseLimits) -> SqliteDatabase:
        """Open the file, creating it when there is none.

        Refuses: StorageError when it cannot be opened.
        """
        path = path_of(url)
        database = cls(url, path, limits)
        try:
            await database.client.create_connection(with_db=True)
        except sqlite3.Error as error:
            raise StorageError(f"The SQLite file {path} cannot be opened: {error}.") from error
        return database

    async def close(self) -> None:
        """Close every connection."""
        readers, self._opened, self._idle = self._opened, [], []
        for reader in readers:
            await reader.close()
        await self.client.close()

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return all rows of a reading statement."""
        if self.path == _MEMORY:
            if self._writing_task is asyncio.current_task():
                raise RuntimeError("Read through the transaction while one is open.")
            async with self.client.acquire_connection() as writer:
                return await fetch_on(writer, sql, parameters)
        async with self._reader() as reader:
            return await fetch_on(reader, sql, parameters)

    async def stream(self, sql: str, parameters: Sequence[Any] = (), *, batch: int = 1_000) -> AsyncIterator[Row]:
        """Yield the rows of a reading statement from one snapshot, in bounded memory."""
        if self.path == _MEMORY:
            for row in await self.fetch(sql, parameters):
                yield row
            return
        note(sql)
        statement = for_sqlite(sql)
        try:
            async with (
                self._reader() as reader,
                reader.execute(statement.sql, sqlite_parameters(statement, parameters)) as cursor,
            ):
                while rows := await cursor.fetchmany(batch):
                    for row in rows:
                        yield row
        except sqlite3.Error as error:
            raise translated(error) from error

    async def change_mark(self) -> ChangeMark:
        """Return what shows later whether anything was written meanwhile."""
        async with self.client.acquire_connection() as writer:
            return await _mark_of(writer)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open the one writing transaction, waiting for the one before."""
        context = self.client._in_transaction()
        try:
            wrapper = await context.__aenter__()
        except sqlite3.Error as error:
            raise translated(error) from error
        self._writing_task = asyncio.current_task()
        try:
            tx = SqliteTransaction(wrapper._connection)
            yield tx
            await tx.flush()
        except BaseException as error:
            self._writing_task = None
            with contextlib.suppress(sqlite3.Error):  # what is left open is undone before the next begins
                await context.__aexit__(type(error), error, None)
            raise
        self._writing_task = None
        try:
            await context.__aexit__(None, None, None)
        except sqlite3.Error as error:
            raise translated(error) from error

    def maintenance(self) -> contextlib.nullcontext[SqliteWriter]:
        """Open Tortoise's client on the writer's connection."""
        return contextlib.nullcontext(self.client)

    def fault_of(self, error: BaseException) -> StorageError | None:
        """Return what an error of Tortoise's or the driver's means here."""
        return next((translated(one) for one in causes(error) if isinstance(one, sqlite3.Error)), None)

    @contextlib.asynccontextmanager
    async def _reader(self) -> AsyncIterator[aiosqlite.Connection]:
        """Lend a reader, opened when none is idle; whoever comes when all are lent waits in turn."""
        async with self._slots:
            reader = self._idle.pop() if self._idle else await self._open_reader()
            try:
                yield reader
            finally:
                self._idle.append(reader)

    async def _open_reader(self) -> aiosqlite.Connection:
        reader = await _connected(self.path)
        self._opened.append(reader)
        await reader.execute_fetchall(f"PRAGMA busy_timeout = {self._busy_timeout_ms}")
        for pragma in _READER_PRAGMAS:
            await reader.execute_fetchall(pragma)
        return reader
