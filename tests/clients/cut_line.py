"""A line between a client and a server that can be cut in the middle of anything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self


class CutLine:
    """Carries bytes to a port of this machine until somebody cuts it."""

    def __init__(self, target: int) -> None:
        """Lead to a port."""
        self.down = False
        self._carried: list[bytes] = []
        self._news = asyncio.Event()
        self._target = target
        self._losing = b""
        self._open: set[asyncio.StreamWriter] = set()
        self._port = 0

    @property
    def url(self) -> str:
        """Where the line begins."""
        return f"http://127.0.0.1:{self._port}"

    def cut(self) -> None:
        """Reset whatever is open."""
        for writer in list(self._open):
            writer.transport.abort()

    def lose_answer_to(self, words: bytes) -> None:
        """Carry the next request with these words to the server, and cut its connection when the answer comes."""
        self._losing = words

    async def carried(self, words: bytes, times: int) -> None:
        """Wait until so many requests with these words have come along."""
        while sum(words in chunk for chunk in self._carried) < times:
            self._news.clear()
            await self._news.wait()

    @classmethod
    @asynccontextmanager
    async def to(cls, target: int) -> AsyncIterator[Self]:
        """Keep a line to a port of this machine open while the block runs."""
        line = cls(target)
        server = await asyncio.start_server(line._serve, "127.0.0.1", 0)
        line._port = server.sockets[0].getsockname()[1]
        try:
            yield line
        finally:
            line.down = True
            server.close()
            line.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if not self.down:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
                self._open.add(far_writer)
                try:
                    doomed = asyncio.Event()
                    there = asyncio.create_task(self._carry(reader, far_writer, doomed, asks=True))
                    back = asyncio.create_task(self._carry(far_reader, writer, doomed, asks=False))
                    await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
                    there.cancel()
                    back.cancel()
                finally:
                    self._open.discard(far_writer)
                    far_writer.transport.abort()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event, *, asks: bool
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                if asks:
                    self._carried.append(chunk)
                    self._news.set()
                    if self._losing and self._losing in chunk:
                        self._losing = b""
                        doomed.set()
                elif doomed.is_set():
                    return
                writer.write(chunk)
                await writer.drain()
