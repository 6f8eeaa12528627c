"""What asyncpg raises, as the storage layer's own faults."""

from __future__ import annotations

import re

import asyncpg  # type: ignore[import-untyped]

from refundgql.storage.faults import (
    ConstraintViolated,
    StatementTimeout,
    StorageError,
    TransientFault,
    Unwritable,
    unique_violation,
)

_RETRIED_SQLSTATES = frozenset(
    {
        "40001",  # serialization failure
        "40P01",  # deadlock
        "55P03",  # lock not available
        "57P01",  # the server is shutting down
        "57P02",
        "57P03",  # or starting
        "53300",  # too many connections
    }
)

_UNWRITABLE_SQLSTATES = frozenset(
    {
        "25006",  # read-only: a replica, or a server that an operator has closed
        "28000",  # nobody is let in by this name
        "28P01",  # or this password
        "3D000",  # there is no such database
        "42501",  # rights were taken away
        "53100",  # the disk is full
        "58030",  # or broken
        "XX001",  # or what is on it
        "XX002",
    }
)

DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

OUTDATED_PLANS = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
"""A migration changed a table under a statement that was prepared before."""

_DETAIL_COLUMNS = re.compile(r"^Key \(([^)]*)\)=")

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.ConnectionDoesNotExistError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server has said that it ends the connection, and the end is not here yet
    OSError,
)


def is_lost(error: BaseException) -> bool:
    """Tell whether the error means that the connection is gone."""
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error) or "connect" in str(error)
    return isinstance(error, _LOST) or getattr(error, "sqlstate", "") in {"57P01", "57P02"}


def translated(error: Exception) -> StorageError:
    """Return the typed fault for a driver's error."""
    if is_lost(error):
        return TransientFault(f"The connection to the database was lost: {error}")
    if isinstance(error, asyncpg.PostgresError):
        sqlstate = error.sqlstate or ""
        if sqlstate in _RETRIED_SQLSTATES or isinstance(error, OUTDATED_PLANS):
            return TransientFault(str(error))
        if sqlstate in _UNWRITABLE_SQLSTATES:
            return Unwritable(str(error))
        if isinstance(error, asyncpg.QueryCanceledError):
            return StatementTimeout("A statement took longer than it may.")
        if isinstance(error, asyncpg.UniqueViolationError):
            columns = _DETAIL_COLUMNS.match(error.detail or "")
            if columns:
                return unique_violation(error.table_name or "", columns[1].replace('"', ""))
        if isinstance(error, asyncpg.ForeignKeyViolationError):
            return ConstraintViolated("foreign_key")
        if isinstance(error, asyncpg.NotNullViolationError):
            return ConstraintViolated(f"{error.table_name}.{error.column_name}")
        if isinstance(error, asyncpg.IntegrityConstraintViolationError):
            return ConstraintViolated(error.constraint_name or str(error))
    return StorageError(str(error))
