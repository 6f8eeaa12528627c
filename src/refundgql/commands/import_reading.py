"""Reading JSON Lines: files and standard input, line by line, in bounded memory, and cut into batches."""

from __future__ import annotations

import os
import shutil
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

LINE_BYTES = 1024 * 1024
"""The longest record has some 130 KiB; a longer line is not JSON Lines, and is cut off."""
CHUNK_BYTES = 256 * 1024
BATCH_BYTES = 8 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ImportStopped(Exception):
    """An import cannot go on; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to read, and what people call it."""

    name: str
    path: Path
    size_bytes: int
    signature: tuple[int, ...]


class RawLine(NamedTuple):
    """One line as it stands in its file; `place` counts the lines of all files from 1."""

    place: int
    text: bytes


class Batch(NamedTuple):
    """Lines that are worked on together, and how much of their files they take."""

    lines: list[RawLine]
    size_bytes: int


def open_inputs(names: Sequence[str], stdin: IO[bytes] | None, folder: Path) -> list[InputFile]:
    """Return the files to read; standard input (`-`) is copied into the folder, since it is read twice.

    Refuses: ImportStopped when a file cannot be read, or standard input is named twice.
    """
    inputs = []
    try:
        for name in names:
            path = Path(name)
            if name == "-":
                if stdin is None or names.count("-") > 1:
                    raise ImportStopped("Standard input can be read once: give - once, among the files.")
                path = folder / "stdin.jsonl"
                with path.open("wb") as copy:
                    shutil.copyfileobj(stdin, copy, 1024 * 1024)
            with path.open("rb") as file:
                state = os.fstat(file.fileno())
            called = "standard input" if name == "-" else name
            inputs.append(InputFile(called, path, state.st_size, _signature(state)))
    except OSError as error:
        raise ImportStopped(f"{name} cannot be read: {error.strerror or error}.") from error
    return inputs


class Reader:
    """Reads the lines of several files, and knows afterwards which file a place is in."""

    def __init__(self, inputs: Sequence[InputFile]) -> None:
        """Keep the files."""
        self._inputs = inputs
        self._before: list[int] = []  # lines before each file

    @property
    def size_bytes(self) -> int:
        """Return the size of all files."""
        return sum(source.size_bytes for source in self._inputs)

    def lines(self) -> Iterator[RawLine]:
        """Yield the lines that hold anything, from the start; of an overlong one only its beginning."""
        place = 0
        self._before.clear()
        for source in self._inputs:
            self._before.append(place)
            for text in _texts(source.path):
                place += 1
                if text and not text.isspace():
                    yield RawLine(place, text)

    def is_unchanged(self) -> bool:
        """Tell whether every file looks as it did when it was opened."""
        try:
            return all(_signature(source.path.stat()) == source.signature for source in self._inputs)
        except OSError:
            return False

    def where(self, place: int) -> tuple[str, int]:
        """Return the file of a place and the line's number in it, from 1."""
        index = bisect_left(self._before, place) - 1
        return self._inputs[index].name, place - self._before[index]


def _signature(state: os.stat_result) -> tuple[int, ...]:
    return state.st_ino, state.st_size, state.st_mtime_ns


def _texts(path: Path) -> Iterator[bytes]:
    """Yield the lines of one file without their ends; much is read at once, since a call a line would cost more."""
    with path.open("rb", buffering=0) as file:
        begun = file.read(len(_BYTE_ORDER_MARK)).removeprefix(_BYTE_ORDER_MARK)
        while chunk := file.read(CHUNK_BYTES):
            *whole, begun = (begun + chunk).split(b"\n")
            yield from whole
            if len(begun) > LINE_BYTES:
                begun = begun[: LINE_BYTES + 1]  # a line without end: its beginning will be refused
        yield from begun.split(b"\n")


def in_batches(lines: Iterable[RawLine], batch_records: int) -> Iterator[Batch]:
    """Yield the lines in batches bounded in number and in bytes."""
    batch: list[RawLine] = []
    size_bytes = 0
    for line in lines:
        batch.append(line)
        size_bytes += len(line.text) + 1  # with its end
        if len(batch) >= batch_records or size_bytes >= BATCH_BYTES:
            yield Batch(batch, size_bytes)
            batch, size_bytes = [], 0
    if batch:
        yield Batch(batch, size_bytes)
