"""A subscriber in the engine: opens a stream, takes updates one by one, and lets go of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from api_world import Desk, engine
from patience import PATIENCE_SECONDS
from toy_streams import Answers

CASE = """subscription($id: ID!, $after: String) { refundCaseUpdates(refundCaseId: $id, after: $after) {
  cursor matchesFilter event { name sequence note } refundCase { number state version } } }"""
MINE = """subscription($after: String) { viewerRefundUpdates(after: $after) {
  cursor event { name sequence } refundCase { number state version } } }"""
QUEUE = """subscription($filter: RefundCaseFilter, $after: String) {
  supportQueueUpdates(filter: $filter, after: $after) {
  cursor matchesFilter event { name sequence } refundCase { number state version } } }"""

QUIET_SECONDS = 0.3


class Subscriber:
    """One open stream."""

    def __init__(self, answers: Answers) -> None:
        """Keep the answers."""
        self.answers = answers
        self.pending: asyncio.Task[Any] | None = None

    async def take(self) -> Any:
        """Return the next update; the stream must go on."""
        answer = await self._next(PATIENCE_SECONDS)
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
        return await self._next(PATIENCE_SECONDS) is None

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
        await self.answers.aclose()


@asynccontextmanager
async def subscribed(desk: Desk, ref: str | None, document: str, **variables: Any) -> AsyncIterator[Subscriber]:
    """Open a stream that begins."""
    stream = await opened(desk, ref, document, **variables)
    assert not isinstance(stream, dict), stream
    subscriber = Subscriber(Answers(stream))
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
