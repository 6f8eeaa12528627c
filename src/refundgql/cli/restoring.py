"""Backups and restored databases, for the command line.

It must not know how a database is copied: storage does.
"""

from __future__ import annotations

from pathlib import Path

from refundgql import bootstrap
from refundgql.bootstrap import CannotRun
from refundgql.settings import Settings
from refundgql.storage.backups import copy_sqlite, move_stream_ahead
from refundgql.storage.faults import StorageError


def backup(settings: Settings, target: Path) -> None:
    """Copy the SQLite database to a new file, while servers write to it.

    Refuses: CannotRun for PostgreSQL, and when the copy cannot be written.
    """
    if settings.on_postgres:
        raise CannotRun("PostgreSQL is backed up by pg_dump: see docs/operations.md.")
    from refundgql.storage.sqlite_client import path_of  # what one database needs is not imported for the other

    try:
        copy_sqlite(Path(path_of(settings.database_url)), target)
    except StorageError as error:
        raise CannotRun(f"The database cannot be copied: {error}.") from error


async def restored(settings: Settings) -> None:
    """Let streams of a restored database go on after every cursor that clients hold."""
    async with bootstrap.database_of(settings) as database:
        await move_stream_ahead(database)
