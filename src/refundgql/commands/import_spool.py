"""What the batches of an import will write, put aside from their check until all are checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from refundgql.commands.sync_keeping import Keeping
from refundgql.commands.sync_records import SyncCounts

IN_MEMORY_BYTES = 24 * 1024 * 1024
"""An import of this size keeps some 60 MB; making every text anew from a file takes a tenth of its time."""
SPOOL_BYTES = 1024 * 1024 * 1024
"""Some 750,000 records; the folder may be in memory, and what does not fit is read and checked again."""


class Checked(NamedTuple):
    """A batch that was found good: what writing it does to how many records."""

    counts: SyncCounts
    lines: int
    size_bytes: int


class Spool:
    """Batches in the order in which they were checked: in memory where the import is small, else in a file.

    The file is gone with its folder.
    """

    def __init__(self, folder: Path, import_bytes: int) -> None:
        """Begin with none; `import_bytes` is the size of all that is imported."""
        self._kept: list[Keeping] | None = [] if import_bytes <= IN_MEMORY_BYTES else None
        self._path = folder / "spool"
        self._file = self._path.open("wb", buffering=0)
        self._sizes: list[int] = []
        self.checked: list[Checked] = []
        self.is_open = True

    def add(self, keeping: Keeping, checked: Checked) -> None:
        """Keep what a batch will write, unless there is no room for it."""
        if self._kept is not None:
            self._kept.append(keeping)
            self.checked.append(checked)
            return
        text = orjson.dumps(tuple(keeping))
        if sum(self._sizes) + len(text) > SPOOL_BYTES or not self._write(text):
            self.stop()
            return
        self._sizes.append(len(text))
        self.checked.append(checked)

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
        self.checked.clear()
        if self._kept is not None:
            self._kept.clear()

    def keepings(self, start: int, end: int) -> Iterator[Keeping]:
        """Yield what the batches from one place to before another will write."""
        self.stop()
        if self._kept is not None:
            yield from self._kept[start:end]
            return
        with self._path.open("rb") as file:
            file.seek(sum(self._sizes[:start]))
            for size in self._sizes[start:end]:
                yield Keeping(*orjson.loads(file.read(size)))
