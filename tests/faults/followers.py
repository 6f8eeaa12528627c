"""Subscribers that come back with their cursor however often they are cut off, and remember all they were told.

They must not put anything in order or drop doubles: what arrived is what is compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from patience import PATIENCE_SECONDS

QUEUE = "subscription($after: String) { supportQueueUpdates(after: $after) { cursor event { id } } }"
MINE = "subscription($after: String) { viewerRefundUpdates(after: $after) { cursor event { id } } }"
AWAY = (OSError, WebSocketException, httpx.HTTPError, TimeoutError)
"""What a client meets when a server is killed."""


@dataclass
class Follower:
    """One subscriber: where it may connect, as whom, and what it was told."""

    urls: list[str]
    token: str
    query: str
    cursor: str
    seed: int = 0
    told: list[str] = field(default_factory=list)
    told_at: dict[str, float] = field(default_factory=dict)
    """Event to the monotonic instant at which it was told."""
    reconnects: int = 0
    drop_after: int = 0
    """Leave and come back after at most so many updates; 0: only when cut off."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.failures: list[Any] = []

    async def follow(self) -> None:
        """Follow until cancelled."""
        while True:
            left = self.rng.randint(1, self.drop_after) if self.drop_after else 0
            with contextlib.suppress(*AWAY):
                await self.once(self.rng.choice(self.urls), left)
            self.reconnects += 1
            await asyncio.sleep(0.02 if self.drop_after else 0.1)

    async def once(self, url: str, left: int) -> None:
        """Follow one connection to its end, or until so many updates have come."""
        raise NotImplementedError

    def take(self, result: dict[str, Any]) -> None:
        """Remember one update."""
        if result.get("errors"):
            self.failures.append(result["errors"])
            return
        (update,) = result["data"].values()
        self.cursor = update["cursor"]
        if update["event"] is not None:
            self.told.append(update["event"]["id"].partition("_")[2])
            self.told_at.setdefault(self.told[-1], time.monotonic())


async def subscribed(ws: ClientConnection, token: str, query: str, variables: dict[str, Any]) -> None:
    """Introduce oneself and subscribe."""
    await ws.send(orjson.dumps({"type": "connection_init", "payload": {"token": token}}).decode())
    assert orjson.loads(await asyncio.wait_for(ws.recv(), PATIENCE_SECONDS))["type"] == "connection_ack"
    payload = {"query": query, "variables": variables}
    await ws.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": payload}).decode())


class WebSocketFollower(Follower):
    """Follows over graphql-transport-ws."""

    async def once(self, url: str, left: int) -> None:
        """Follow one socket."""
        address = url.replace("http", "ws", 1) + "/graphql"
        protocols = [Subprotocol("graphql-transport-ws")]
        # Only a connection that has ended is dead; a busy machine is not.
        waits: dict[str, Any] = {"open_timeout": PATIENCE_SECONDS, "ping_interval": None, "close_timeout": 0.1}
        async with connect(address, subprotocols=protocols, compression=None, **waits) as ws:
            await subscribed(ws, self.token, self.query, {"after": self.cursor})
            async for text in ws:
                message = orjson.loads(text)
                if message["type"] == "next":
                    self.take(message["payload"])
                    left -= 1
                    if left == 0:
                        ws.transport.abort()
                        return
                elif message["type"] in {"error", "complete"}:
                    self.failures.append(message)
                    return


class EventStreamFollower(Follower):
    """Follows over server-sent events, resuming by Last-Event-ID alone."""

    async def once(self, url: str, left: int) -> None:
        """Follow one stream."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream", "Last-Event-ID": self.cursor}
        body = {"query": self.query}
        async with (
            httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client,
            client.stream("POST", f"{url}/graphql/stream", headers=headers, json=body) as answer,
        ):
            if answer.status_code != 200:
                if answer.status_code != 503:
                    self.failures.append(answer.status_code)
                return
            kind = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data" and kind == "next":
                    self.take(orjson.loads(value))
                    left -= 1
                    if left == 0:
                        return


@contextlib.asynccontextmanager
async def following(*followers: Follower) -> Any:
    """Let subscribers follow inside the block; each must have been told of everything by its end."""
    tasks = [asyncio.create_task(one.follow()) for one in followers]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_told(followers: list[Follower], count: int) -> None:
    """Wait until each was told of so many events, or long enough to say that it never will be."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(len(one.told) < count for one in followers):  # noqa: ASYNC110  # they are only watched
                await asyncio.sleep(0.05)
