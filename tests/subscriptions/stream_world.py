"""A subscriber in the engine: opens a stream, takes updates one by one, and lets go of it.

It must not wait for long: an update that does not come within a second is missing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from api_world import Desk, engine
from refundgql.api.fanout import Fanout
from refundgql.queries.onlookers import Onlookers

CASE = """subscription($id: ID!, $after: String) { refundCaseUpdates(refundCaseId: $id, after: $after) {
  cursor matchesFilter event { name sequence note } refundCase { number state version } } }"""
MINE = """subscription($after: String) { viewerRefundUpdates(after: $after) {
  cursor event { name sequence } refundCase { number state version } } }"""
QUEUE = """subscription($filter: RefundCaseFilter, $after: String) {
  supportQueueUpdates(filter: $filter, after: $after) {
  cursor matchesFilter event { name sequence } refundCase { number state version } } }"""

SECONDS = 5.0
"""Longer than the tail's poll and a slow machine; nothing that works takes as long."""
QUIET_SECONDS = 0.3


class PushedAnswers:
    """The answers of a stream that hands them over, to be taken one by one."""

    def __init__(self, stream: Any) -> None:
        """Take what is handed over."""
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.texts: list[str] = []
        self.stream = stream
        stream.attach(self)

    def deliver(self, result: str, cursor: str | None) -> None:
        """Keep one answer."""
        self.texts.append(result)
        answer = json.loads(result)
        assert cursor == next(iter(answer["data"].values()))["cursor"]
        self.answers.put_nowait(answer)

    async def room(self) -> None:
        """Let others run, as a socket that has taken everything does."""
        await asyncio.sleep(0)

    def finish(self, errors: list[Any] | None = None) -> None:
        """Keep the end."""
        self.answers.put_nowait(None if errors is None else {"errors": errors})

    def __aiter__(self) -> PushedAnswers:
        """Give the answers."""
        return self

    async def __anext__(self) -> Any:
        """Return the next answer."""
        answer = await self.answers.get()
        if answer is None:
            raise StopAsyncIteration
        return answer

    async def aclose(self) -> None:
        """Let go."""
        await self.stream.aclose()


def pushing(desk: Desk) -> Desk:
    """Return the desk with a fan-out."""
    assert desk.app.tail is not None
    fanout = Fanout(desk.app.tail, Onlookers(desk.app.database))
    return dataclasses.replace(desk, app=dataclasses.replace(desk.app, fanout=fanout))


class Subscriber:
    """One open stream."""

    def __init__(self, answers: AsyncIterator[Any]) -> None:
        """Keep the answers."""
        self.answers = answers
        self.pending: asyncio.Task[Any] | None = None

    async def take(self) -> Any:
        """Return the next update; the stream must go on."""
        answer = await self._next(SECONDS)
        assert answer is not None, "the stream ended"
        assert "errors" not in answer, answer["errors"]
        (update,) = answer["data"].values()
        return update

    async def names(self, count: int) -> list[str | None]:
        """Return the names of the next events, None for a present state."""
        updates = [await self.take() for _ in range(count)]
        return [update["event"] and update["event"]["name"] for update in updates]

    async def is_quiet(self) -> bool:
        """Tell whether nothing comes for a moment."""
        try:
            await self._next(QUIET_SECONDS)
        except TimeoutError:
            return True
        return False

    async def has_ended(self) -> bool:
        """Tell whether the stream ends now."""
        return await self._next(SECONDS) is None

    async def _next(self, seconds: float) -> Any:
        self.pending = self.pending or asyncio.ensure_future(anext(self.answers, None))
        async with asyncio.timeout(seconds):
            answer = await asyncio.shield(self.pending)
        self.pending = None
        return answer

    async def close(self) -> None:
        """Let go of the stream, as a transport does."""
        if self.pending is not None:
            self.pending.cancel()
            await asyncio.wait([self.pending])
        await self.answers.aclose()  # type: ignore[attr-defined]


@asynccontextmanager
async def subscribed(desk: Desk, ref: str | None, document: str, **variables: Any) -> AsyncIterator[Subscriber]:
    """Open a stream that begins."""
    stream = await opened(desk, ref, document, **variables)
    assert not isinstance(stream, dict), stream
    subscriber = Subscriber(PushedAnswers(stream) if hasattr(stream, "attach") else stream)
    try:
        yield subscriber
    finally:
        await subscriber.close()


async def opened(desk: Desk, ref: str | None, document: str, **variables: Any) -> Any:
    """Return a stream, or the errors that refuse it."""
    prepared = engine().prepare(document)
    assert not hasattr(prepared, "errors"), prepared
    viewer = None if ref is None else await desk.app.load_viewer(ref)
    return await engine().subscribe(prepared, variables, desk.app.context(viewer))
