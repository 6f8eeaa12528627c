"""Copies of a SQLite database while it is written to, and what a restored database needs before it serves."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from refundgql.storage.database import Database, Dialect
from refundgql.storage.events import LOGS
from refundgql.storage.faults import StorageError

STREAM_GAP = 2**32
"""Further than a desk's stream comes between a backup and its restore: every cursor out there lies before it."""


def copy_sqlite(source: Path, target: Path) -> None:
    """Write one consistent copy of a SQLite database to a new file, whoever writes to it meanwhile.

    Refuses: StorageError when the source is none, or the target exists or cannot be written.
    """
    if not source.is_file():
        raise StorageError(f"{source} is not there")
    if target.exists():
        raise StorageError(f"{target} exists already")
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(target)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise StorageError(str(error)) from error


async def move_stream_ahead(database: Database) -> None:
    """Let the event stream of a restored database go on after every cursor that was given out before it was lost.

    Events that were written after the backup are gone, but clients hold cursors behind them. New events would get the
    same places, and whoever resumes there would miss them.
    """
    async with database.transaction() as tx:
        if database.dialect is Dialect.SQLITE:
            await tx.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'refund_event'", (STREAM_GAP,))
            return
        await tx.execute(f"LOCK TABLE {', '.join(LOGS)} IN SHARE ROW EXCLUSIVE MODE")
        await tx.execute("UPDATE stream_epoch SET added = added + ? WHERE id = 1", (STREAM_GAP,))
