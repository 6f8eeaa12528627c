"""A receiver of webhooks on a real loopback port: it verifies with the library, writes down, and answers as told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from patience import PATIENCE_SECONDS

HANG = -1
"""Answer nothing at all."""


@dataclass(frozen=True)
class Received:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Return the id that repeats are known by."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        """Return what the message tells."""
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data

    def verified_by(self, secret: str) -> bool:
        """Tell whether a signature is one made with a secret, and the time is now."""
        try:
            Webhook(secret).verify(self.body, self.headers)
        except WebhookVerificationError:
            return False
        return True


@dataclass
class Receiver:
    """What came in, and the statuses to answer with before it goes on with `usual`."""

    received: list[Received] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)
    usual: int = 200
    delay_seconds: float = 0.0
    body: bytes = b"{}"
    drips: bool = False
    more_headers: str = ""
    port: int = 0
    at_once: int = 0
    most_at_once: int = 0
    connections: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event | None = None
    """Answers wait for it, where there is one."""

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        """Return the ids that came, in order."""
        return [one.id for one in self.received]

    @property
    def once(self) -> list[Received]:
        """Return what came, without repeats, in order."""
        return list({one.id: one for one in reversed(self.received)}.values())[::-1]

    async def until(self, count: int, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(seconds):
            while len(self.received) < count:
                self.came.clear()
                await self.came.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._one(reader, writer)
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.received.append(Received(first.split(" ")[1], headers, body))
            self.came.set()
            await asyncio.sleep(self.delay_seconds)
            if self.held is not None:
                await self.held.wait()
            status = self.answers.popleft() if self.answers else self.usual
        finally:
            self.at_once -= 1
        if status == HANG:
            await asyncio.sleep(3_600)
        body = b"" if status in (204, 304) else self.body
        length = len(body) * (2 if self.drips else 1)
        told = f"content-length: {length}\r\n" if body else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{told}{self.more_headers}\r\n".encode() + body)
        await writer.drain()
        if self.drips:
            await asyncio.sleep(3_600)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await receiver._serve(reader, writer)
        except asyncio.CancelledError:
            writer.close()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
