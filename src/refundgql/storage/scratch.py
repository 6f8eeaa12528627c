"""A file of keys and values beside the database, for what a long import has to remember and memory should not hold."""

from __future__ import annotations

import marshal
import sqlite3
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import orjson

CACHE_KIB = 16 * 1024


class Scratch:
    """Values (tuples of texts and numbers) by text key, on disk; a folder of its own goes with it."""

    def __init__(self) -> None:
        """Make the file; nothing in it has to survive, so nothing waits for the disk."""
        self._folder = tempfile.TemporaryDirectory(prefix="refundgql-import-")
        self._connection = sqlite3.connect(Path(self._folder.name) / "scratch.sqlite3", isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
            f" PRAGMA cache_size = -{CACHE_KIB};"
            " CREATE TABLE kept (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
        )
        self.empty = True

    @property
    def folder(self) -> Path:
        """Return the folder, where other temporary files may stand as well."""
        return Path(self._folder.name)

    def keep(self, values: Iterable[tuple[str, tuple[Any, ...]]]) -> None:
        """Keep values under their keys, replacing earlier ones; sorted keys are quicker, they share pages."""
        self.empty = False
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT OR REPLACE INTO kept (key, value) VALUES (?, ?)",
            ((key, marshal.dumps(value)) for key, value in values),
        )
        self._connection.execute("COMMIT")

    def find(self, keys: Collection[str]) -> dict[str, tuple[Any, ...]]:
        """Return the values of those keys that have one."""
        if self.empty or not keys:
            return {}
        sql = "SELECT key, value FROM kept WHERE key IN (SELECT value FROM json_each(?))"
        found = self._connection.execute(sql, (orjson.dumps(list(keys)).decode(),))
        return {key: marshal.loads(value) for key, value in found}  # noqa: S302 - written above, in our own folder

    def close(self) -> None:
        """Remove the file."""
        self._connection.close()
        self._folder.cleanup()
