"""PostgreSQL: writing on one pool of connections, reading on another that can only read.

Connections keep their session between uses: nothing here sets session state, so the round trip that would reset it is
saved. uuids travel as text, as the domain keeps them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]

from refundgql.storage.database import Database, DatabaseLimits, Dialect, Row, Transaction, Write
from refundgql.storage.faults import CommitUnknown, NeedsTransaction, StorageError, TransientFault, causes
from refundgql.storage.postgres_faults import DRIVER_ERRORS, is_lost, translated
from refundgql.storage.postgres_lending import Lender, Lent
from refundgql.storage.postgres_types import KnowingConnection
from refundgql.storage.statements import for_postgres, note, together

if TYPE_CHECKING:
    from tortoise.backends.base.client import BaseDBAsyncClient


async def _keep_session(connection: asyncpg.Connection) -> None:
    """Leave a released connection as it is; asyncpg has already ended a transaction that was left open."""


async def _prepare_writer(connection: KnowingConnection, settings: str) -> None:
    """Prepare a new connection that writes: uuids travel as text."""
    await connection.execute(settings)
    await connection.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str, format="text")
    await connection.learn()


async def _prepare_reader(connection: KnowingConnection, settings: str) -> None:
    """Prepare a new connection that reads: uuids are read by the driver's own code, Python's would cost twice."""
    await connection.execute(settings)
    await connection.set_builtin_type_codec("uuid", schema="pg_catalog", codec_name="text", format="text")
    await connection.learn()


def _pool_options(url: str, limits: DatabaseLimits, *, size: int, read_only: bool) -> dict[str, Any]:
    # Set once a session, and not as it starts: poolers such as PgBouncer refuse what they do not know there.
    settings = {
        "statement_timeout": str(limits.statement_timeout_ms),
        "idle_in_transaction_session_timeout": str(limits.statement_timeout_ms * 2),
        "jit": "off",  # compiling costs more than any statement here takes
        "timezone": "UTC",
        "default_transaction_read_only": "on" if read_only else "off",
        # An acknowledged commit is on disk.
        "synchronous_commit": "on",
    }
    statements = "; ".join(f"SET {name} = '{value}'" for name, value in settings.items())
    return {
        "dsn": url,
        "connection_class": KnowingConnection,
        "min_size": 1,
        "max_size": size,
        "init": partial(_prepare_reader if read_only else _prepare_writer, settings=statements),
        "reset": _keep_session,
        "statement_cache_size": 1_000,
        "max_cached_statement_lifetime": 0,
        "max_inactive_connection_lifetime": 300.0,
        "timeout": limits.acquire_timeout_ms / 1_000,
        "server_settings": {"application_name": "refundgql"},
    }


def _as_one(writes: Sequence[Write]) -> tuple[str, list[Any]]:
    sql = together(tuple((write.sql, write.name, write.expected) for write in writes))
    return sql, [value for write in writes for value in write.parameters]


class PostgresTransaction(Transaction):
    """A transaction's statements."""

    dialect = Dialect.POSTGRES

    def __init__(self, lent: Lent) -> None:
        """Run statements on one connection."""
        super().__init__()
        self._lent = lent
        self._connection = lent.connection

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return all rows of a statement."""
        await self.flush()
        return await self._fetch(sql, parameters)

    async def _fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Row]:
        note(sql)
        try:
            rows: Sequence[Row] = await self._lent.fetch(for_postgres(sql), parameters)
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        return rows

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement and return the number of rows it changed."""
        await self.flush()
        note(sql)
        try:
            status = await self._connection.execute(for_postgres(sql), *parameters)
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of parameters, in order."""
        await self.flush()
        note(sql)
        try:
            await self._connection.executemany(for_postgres(sql), rows)
        except DRIVER_ERRORS as error:
            raise translated(error) from error

    async def _run_together(self, writes: Sequence[Write]) -> None:
        sql, parameters = _as_one(writes)
        await self._fetch(sql, parameters)


class PostgresOneWrite(Transaction):
    """Reads without a transaction, and one statement that compares and writes: PostgreSQL makes it a transaction."""

    dialect = Dialect.POSTGRES
    locks_rows = False

    def __init__(self, database: PostgresDatabase) -> None:
        """Read and write on whatever connection is free."""
        super().__init__()
        self._database = database
        self._ending = False

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return all rows of a statement that reads. Refuses: NeedsTransaction after a write was put off."""
        await self.flush()
        return await self._database.fetch(sql, parameters)

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Refuse: NeedsTransaction."""
        raise NeedsTransaction("A statement that writes by itself needs a transaction.")

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Refuse: NeedsTransaction."""
        raise NeedsTransaction("Statements that write by themselves need a transaction.")

    async def end(self) -> None:
        """Compare and write what was put off.

        Refuses: TransientFault when something changed; as a transaction does.
        """
        self._ending = True
        await self.flush()

    async def _run_together(self, writes: Sequence[Write]) -> None:
        if not (self._ending and any(write.expected is not None for write in writes)):
            raise NeedsTransaction("What is read after a write, and what is compared with nothing, needs locks.")
        await self._database.write(writes)


async def _close(lender: Lender, pool: asyncpg.Pool) -> None:
    """Close every connection of a pool; those that hang are cut off."""
    try:
        async with asyncio.timeout(10):
            await lender.close()
            await pool.close()
    except TimeoutError:
        pool.terminate()


class PostgresDatabase(Database):
    """A PostgreSQL database."""

    dialect = Dialect.POSTGRES

    def __init__(self, url: str, limits: DatabaseLimits) -> None:
        """Prepare; nothing is opened yet."""
        self.url = url
        self._limits = limits
        self._acquire_timeout_s = limits.acquire_timeout_ms / 1_000
        self._writing = _pool_options(url, limits, size=limits.write_connections, read_only=False)
        self._reading = _pool_options(url, limits, size=limits.read_connections, read_only=True)
        self._pool: asyncpg.Pool
        self._writing_pool: asyncpg.Pool
        self._readers: Lender
        self._writers: Lender

    @classmethod
    async def connect(cls, url: str, limits: DatabaseLimits) -> PostgresDatabase:
        """Open both pools.

        Refuses: StorageError when the server does not let us in.
        """
        database = cls(url, limits)
        try:
            database._pool = await asyncpg.create_pool(**database._reading)
            database._writing_pool = await asyncpg.create_pool(**database._writing)
        except DRIVER_ERRORS as error:
            raise StorageError(f"The PostgreSQL database cannot be reached: {error}") from error
        timeout_s = database._acquire_timeout_s
        database._readers = Lender(database._pool, limits.read_connections, timeout_s)
        database._writers = Lender(database._writing_pool, limits.write_connections, timeout_s)
        return database

    @property
    def connections_in_use(self) -> int:
        """Return how many of the process's connections are lent at the moment."""
        return self._readers.lent + self._writers.lent

    async def close(self) -> None:
        """Close every connection; those that hang are cut off."""
        await _close(self._readers, self._pool)
        await _close(self._writers, self._writing_pool)

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return all rows of a reading statement; a connection found dead is replaced once."""
        note(sql)
        statement = for_postgres(sql)
        for last in (False, True):
            try:
                return await self._fetch_once(statement, parameters)
            except TimeoutError as error:
                raise TransientFault("No connection to the database became free in time.") from error
            except DRIVER_ERRORS as error:
                if last or not is_lost(error):
                    raise translated(error) from error
        raise AssertionError("unreachable")

    async def _fetch_once(self, statement: str, parameters: Sequence[Any]) -> Sequence[Row]:
        lent = await self._readers.take()
        try:
            rows: Sequence[Row] = await lent.fetch(statement, parameters)
        except BaseException:
            await self._readers.give_up(lent)
            raise
        self._readers.give_back(lent)
        return rows

    async def stream(self, sql: str, parameters: Sequence[Any] = (), *, batch: int = 1_000) -> AsyncIterator[Row]:
        """Yield the rows of a reading statement from one snapshot, in bounded memory and without a time limit."""
        note(sql)
        try:
            # Lent as to any reader: the pool itself has none left once the lender holds all of them.
            lent = await self._readers.take()
            try:
                async with lent.connection.transaction(readonly=True):
                    await lent.connection.execute("SET LOCAL statement_timeout = 0")
                    await lent.connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                    async for row in lent.connection.cursor(for_postgres(sql), *parameters, prefetch=batch):
                        yield row
            except BaseException:
                with contextlib.suppress(Exception):
                    await self._readers.give_up(lent)
                raise
            self._readers.give_back(lent)
        except TimeoutError as error:
            raise TransientFault("No connection to the database became free in time.") from error
        except DRIVER_ERRORS as error:
            raise translated(error) from error

    @contextlib.asynccontextmanager
    async def maintenance(self) -> AsyncIterator[BaseDBAsyncClient]:
        """Open Tortoise's client with two connections of its own, one of which may keep an advisory lock."""
        from refundgql.storage.postgres_writer import PostgresWriter

        without_limit = replace(self._limits, statement_timeout_ms=0)
        async with asyncpg.create_pool(**_pool_options(self.url, without_limit, size=2, read_only=False)) as pool:
            yield PostgresWriter(pool, self._acquire_timeout_s)

    def fault_of(self, error: BaseException) -> StorageError | None:
        """Return what an error of Tortoise's or the driver's means here."""
        return next((translated(one) for one in causes(error) if isinstance(one, DRIVER_ERRORS)), None)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction for writing."""
        lent = await self._begin()
        try:
            tx = PostgresTransaction(lent)
            yield tx
            await tx.flush()
        except BaseException:
            await self._undo(lent)
            raise
        try:
            await lent.connection.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(Exception):
                await self._writers.give_up(lent)
            if not isinstance(error, DRIVER_ERRORS):
                raise
            if is_lost(error):
                raise CommitUnknown(f"The connection was lost while committing: {error}") from error
            raise translated(error) from error
        self._writers.give_back(lent)

    @contextlib.asynccontextmanager
    async def one_write(self) -> AsyncIterator[Transaction]:
        """Open what reads without a lock and writes all at once at its end, if nothing it has read has changed."""
        tx = PostgresOneWrite(self)
        yield tx
        await tx.end()

    async def write(self, writes: Sequence[Write]) -> None:
        """Run writes as one statement, which is a transaction by itself.

        Refuses: CommitUnknown when the connection was lost; else as a transaction does.
        """
        sql, parameters = _as_one(writes)
        note(sql)
        try:
            lent = await self._writers.take()
        except TimeoutError as error:
            raise TransientFault("No connection to the database became free in time.") from error
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        try:
            await lent.fetch(for_postgres(sql), parameters)
        except BaseException as error:
            await self._keep_if_usable(lent, error)
            if not isinstance(error, DRIVER_ERRORS):
                raise
            if is_lost(error):
                raise CommitUnknown(f"The connection was lost while writing: {error}") from error
            raise translated(error) from error
        self._writers.give_back(lent)

    async def _keep_if_usable(self, lent: Lent, error: BaseException) -> None:
        """Take back a connection whose statement the server refused; any other goes to the pool, which mends it."""
        if isinstance(error, asyncpg.PostgresError) and not is_lost(error) and not lent.is_closed():
            self._writers.give_back(lent)
            return
        with contextlib.suppress(Exception):
            await self._writers.give_up(lent)

    async def _begin(self) -> Lent:
        try:
            lent = await self._writers.take()
            try:
                await lent.connection.execute("BEGIN")
            except BaseException:
                await self._writers.give_up(lent)
                raise
        except TimeoutError as error:
            raise TransientFault("No connection to the database became free in time.") from error
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        return lent

    async def _undo(self, lent: Lent) -> None:
        """Roll back; where even that fails, the pool ends the transaction, and a lost connection has by itself."""
        try:
            await lent.connection.execute("ROLLBACK")
        except BaseException as error:
            # A statement that was given up, or a connection that has ended: no state to say anything in.
            with contextlib.suppress(Exception):
                await self._writers.give_up(lent)
            if not isinstance(error, Exception):
                raise
        else:
            self._writers.give_back(lent)
