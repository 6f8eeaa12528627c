"""The evidence store, in a folder and in a bucket of a real server: whole files or none."""

from __future__ import annotations

import asyncio
import io
import os
import time
from pathlib import Path

import pytest

from buckets import bucket_url, use_bucket
from refundgql.storage.evidence_files import STRAY_SECONDS, BucketFiles, FileGone, FolderFiles

__all__ = ["bucket_url"]

CONTENT = os.urandom(600_000)
KEY = "ab/0192f0c4-0000-7000-8000-0000000000ab"


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderFiles | BucketFiles:
    """Give a store of each kind."""
    if request.param == "folder":
        return FolderFiles(tmp_path / "not" / "there" / "yet")
    use_bucket(request.getfixturevalue("bucket_url"), monkeypatch)
    return BucketFiles("evidence", "desk")


async def _read(files: FolderFiles | BucketFiles, key: str) -> bytes:
    return b"".join([piece async for piece in await files.read(key)])


async def test_what_is_put_is_read_until_it_is_discarded(files: FolderFiles | BucketFiles) -> None:
    """A file comes back byte for byte, may be put again, and is gone after it was discarded."""
    source = io.BytesIO(CONTENT)
    source.read(10)
    await files.put(KEY, source, len(CONTENT))
    await files.put(KEY, io.BytesIO(CONTENT), len(CONTENT))
    assert await _read(files, KEY) == CONTENT
    await files.tidy()
    await files.discard(KEY)
    await files.discard(KEY)
    with pytest.raises(FileGone, match=KEY):
        await files.read(KEY)


def test_a_copy_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    """A source that fails half-way leaves no file, half or whole."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError("the disk is gone")
            return super().read(100)

    with pytest.raises(OSError, match="gone"):
        asyncio.run(FolderFiles(tmp_path).put(KEY, Broken(CONTENT), len(CONTENT)))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_strays_of_killed_processes_are_removed(tmp_path: Path) -> None:
    """A half copy that is older than any copy takes goes; one that may be under way, and every file, stay."""
    files = FolderFiles(tmp_path)
    await files.put(KEY, io.BytesIO(CONTENT), len(CONTENT))
    old, young = tmp_path / ".incoming" / "old", tmp_path / ".incoming" / "young"
    for stray in (old, young):
        stray.write_bytes(b"half")
    long_ago = time.time() - STRAY_SECONDS - 1
    os.utime(old, (long_ago, long_ago))
    await files.tidy()
    assert not old.exists()
    assert young.exists()
    assert await _read(files, KEY) == CONTENT
