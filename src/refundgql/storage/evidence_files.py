"""Where the bytes of evidence are: a folder of this machine, or a bucket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, Final

CHUNK_BYTES: Final = 262_144
STRAY_SECONDS: Final = 3_600
"""Copying a file takes seconds; what is older was left by a process that was killed."""
_INCOMING: Final = ".incoming"


class FileGone(Exception):
    """The evidence store does not have a file that the database knows: restore it beside the database."""


class FolderFiles:
    """Files in a folder: each appears whole, and is on the disk before it is spoken of."""

    def __init__(self, folder: Path) -> None:
        """Keep the folder; it is made when the first file comes."""
        self._folder = folder

    async def put(self, key: str, file: IO[bytes], size_bytes: int) -> None:
        """Keep a file's content under a key; the same key again must have the same content."""
        await asyncio.to_thread(self._put, key, file)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Return the content of a file in pieces.

        Refuses: FileGone, before the first piece.
        """
        try:
            file = await asyncio.to_thread((self._folder / key).open, "rb")
        except FileNotFoundError as error:
            raise FileGone(f"The evidence store has no {key}.") from error
        return _pieces(file)

    async def discard(self, key: str) -> None:
        """Remove a file, if it is there."""
        await asyncio.to_thread((self._folder / key).unlink, missing_ok=True)

    async def tidy(self) -> None:
        """Remove what killed processes left half copied."""
        await asyncio.to_thread(self._tidy)

    def _put(self, key: str, file: IO[bytes]) -> None:
        incoming, target = self._folder / _INCOMING, self._folder / key
        incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.seek(0)
        with NamedTemporaryFile(dir=incoming, delete=False) as copy:
            try:
                shutil.copyfileobj(file, copy, CHUNK_BYTES)
                copy.flush()
                os.fsync(copy.fileno())
                os.replace(copy.name, target)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(copy.name)
                raise
        # The names too must be on the disk: the folder's own when it is new, and the file's in it.
        for folder in (target.parent, target.parent.parent):
            _sync_folder(folder)

    def _tidy(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            for stray in (self._folder / _INCOMING).iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - stray.stat().st_mtime > STRAY_SECONDS:
                        stray.unlink()


class BucketFiles:
    """Files in an S3 bucket, each written by one request: whole or not at all."""

    def __init__(self, bucket: str, prefix: str = "") -> None:
        """Name the bucket; credentials, region and endpoint come from the usual AWS_* variables."""
        from obstore.store import S3Store

        plain_http = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        options: dict[str, Any] = {"client_options": {"allow_http": True}} if plain_http else {}
        self._store = S3Store(bucket, prefix=prefix or None, **options)

    async def put(self, key: str, file: IO[bytes], size_bytes: int) -> None:
        """Keep a file's content under a key; the same key again must have the same content."""
        from obstore import put_async

        file.seek(0)
        await put_async(self._store, key, file, use_multipart=False)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Return the content of a file in pieces.

        Refuses: FileGone, before the first piece.
        """
        from obstore import get_async

        try:
            found = await get_async(self._store, key)
        except FileNotFoundError as error:
            raise FileGone(f"The evidence store has no {key}.") from error

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(piece)

        return pieces()

    async def discard(self, key: str) -> None:
        """Remove a file, if it is there."""
        from obstore import delete_async

        with contextlib.suppress(FileNotFoundError):
            await delete_async(self._store, key)

    async def tidy(self) -> None:
        """Do nothing: a bucket keeps no half files."""


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield piece


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
