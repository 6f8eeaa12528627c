"""Tortoise's own client for PostgreSQL, for migrations and models, over the database's pool of writers.

It must not be imported by what serves requests: Tortoise is a quarter of the time that a server takes to start.
"""

from __future__ import annotations

from typing import Any

import asyncpg  # type: ignore[import-untyped]
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext, TransactionContextPooled

from refundgql.storage.faults import StorageError


class PostgresWriterContext(TransactionContextPooled):
    """A transaction whose connection goes back to the pool whatever happens."""

    client: PostgresWriterTransaction

    async def __aenter__(self) -> TransactionalDBClient:
        """Take a connection and begin."""
        await self.ensure_connection()
        self.client._connection = await self.client._parent.acquire()
        try:
            await self.client.begin()
        except BaseException:
            await self.client._parent.release(self.client._connection)
            raise
        return self.client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        """Commit, or roll back when the block fails."""
        try:
            if exc_type is None:
                await self.client.commit()
            elif not self.client._connection.is_closed():
                await self.client.rollback()
        finally:
            await self.client._parent.release(self.client._connection)


class PostgresWriterTransaction(TransactionWrapper):
    """One transaction on a connection of the writing pool."""

    _parent: PostgresWriter


class PostgresWriter(AsyncpgDBClient):
    """Tortoise's asyncpg client over the pool that decisions are written on."""

    def __init__(self, pool: asyncpg.Pool, acquire_timeout_s: float) -> None:
        """Write on the connections of a pool that is open; whoever opened it closes it."""
        super().__init__(connection_name="default")
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s

    async def acquire(self) -> asyncpg.Connection:
        """Take a connection from the pool."""
        if self._pool is None:
            raise StorageError("The database is closed.")
        return await self._pool.acquire(timeout=self._acquire_timeout_s)

    async def release(self, connection: asyncpg.Connection) -> None:
        """Give a connection back; a closed pool has no use for it."""
        if self._pool is not None:
            await self._pool.release(connection)

    def _in_transaction(self) -> TransactionContext:
        return PostgresWriterContext(PostgresWriterTransaction(self), self._pool_init_lock)
