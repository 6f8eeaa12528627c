"""What the batches of an import will write, on disk from their check until all are checked.

It must not check anything: what was found out holds as long as neither a file nor the database has changed, and who
uses it looks whether that is so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import orjson

from refundgql.commands.sync_keeping import Keeping
from refundgql.commands.sync_records import SyncCounts

SPOOL_BYTES = 1024 * 1024 * 1024
"""Some 750,000 records; the folder may be in memory, and what does not fit is read and checked again."""


class CheckedBatch(NamedTuple):
    """A batch that was found good: what it will write, and what it did to how many records."""

    keeping: Keeping
    counts: SyncCounts
    lines: int
    size_bytes: int


class Spool:
    """Batches in the order in which they were checked, in a file that is gone with its folder."""

    def __init__(self, folder: Path) -> None:
        """Begin with none."""
        self._path = folder / "spool"
        self._sizes: list[int] = []
        self._file = self._path.open("wb", buffering=0)
        self.is_open = True

    def add(self, batch: CheckedBatch) -> None:
        """Keep a batch, unless there is no room for it."""
        plain = (tuple(batch.keeping), astuple(batch.counts), batch.lines, batch.size_bytes)
        text = orjson.dumps(plain)
        if sum(self._sizes) + len(text) > SPOOL_BYTES or not self._write(text):
            self.stop()
            return
        self._sizes.append(len(text))

    def _write(self, text: bytes) -> bool:
        """Write, and tell whether there was room on the disk."""
        try:
            return self._file.write(text) == len(text)
        except OSError:
            return False

    def stop(self) -> None:
        """Keep no more: what follows cannot be said yet."""
        self.is_open = False
        self._file.close()

    def forget(self) -> None:
        """Drop everything."""
        self.stop()
        self._sizes.clear()

    def batches(self) -> Iterator[CheckedBatch]:
        """Yield what was kept."""
        self.stop()
        with self._path.open("rb") as file:
            for size in self._sizes:
                keeping, counts, lines, size_bytes = orjson.loads(file.read(size))
                yield CheckedBatch(Keeping(*keeping), SyncCounts(*counts), lines, size_bytes)
