"""Which references of messages and reviews occur more than once in an import: found without holding them in memory.

Nothing else refers to a message or a review, so that only those told twice need a second look. It must not decide
anything: two references may share a hash, and are then merely looked at once more.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

BUCKETS = 16
"""A bucket is sorted at a time: the fewer lines in it, the less memory that takes."""


class Repeats:
    """Collects the hashes of names, eight bytes each."""

    def __init__(self) -> None:
        """Begin with none."""
        self._buckets = [array("q") for _ in range(BUCKETS)]

    def add(self, names: Iterable[str]) -> None:
        """Note that these names occurred, once for each time."""
        into = [bucket.append for bucket in self._buckets]
        for it in map(hash, names):
            into[it % BUCKETS](it)

    def found(self) -> frozenset[int]:
        """Return the hashes that occurred more than once."""
        return frozenset(self._repeated())

    def _repeated(self) -> Iterator[int]:
        for bucket in self._buckets:
            before = None
            for it in sorted(bucket):
                if it == before:
                    yield it
                before = it
