"""What streams and subscribers agree on: a stream may hand its results over instead of being asked for each.

It must not encode or filter: what is delivered is JSON already, made once for everybody who gets the same.

One event for thousands of subscribers is then one loop of plain calls; no task is woken for any of them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol


class OperationRefused(Exception):
    """The operation was not begun; `errors` is what the client is told."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors[0]["message"] if errors else "refused")
        self.errors = errors

    @property
    def code(self) -> str:
        """The code of the first error."""
        return str(self.errors[0].get("extensions", {}).get("code", "")) if self.errors else ""


class Sink(Protocol):
    """Where a stream hands its results: one subscriber."""

    def deliver(self, result: str, cursor: str | None) -> None:
        """Take one result as JSON text, without waiting; a subscriber that falls too far behind is cut off."""
        ...

    async def room(self) -> None:
        """Wait until everything delivered so far was taken; a stream that catches up goes at this pace."""
        ...

    def finish(self, errors: list[dict[str, Any]] | None = None) -> None:
        """End the stream: completed, or failed with these errors."""
        ...


class PushStream(Protocol):
    """A stream that delivers to a sink from `attach` on, until it is closed or finishes."""

    def attach(self, sink: Sink) -> None: ...
    async def aclose(self) -> None: ...


class Subscriber:
    """A sink that writes each result as its protocol wants it, and tells when the stream has ended."""

    __slots__ = ("_ended", "_room", "_write")

    def __init__(self, write: Callable[[str, str | None], None], room: Callable[[], Awaitable[None]]) -> None:
        self._write = write
        self._room = room
        self._ended: asyncio.Future[list[dict[str, Any]] | None] = asyncio.get_running_loop().create_future()

    def deliver(self, result: str, cursor: str | None) -> None:
        """Write one result."""
        self._write(result, cursor)

    async def room(self) -> None:
        """Wait until the socket has taken what was written."""
        await self._room()

    def finish(self, errors: list[dict[str, Any]] | None = None) -> None:
        """End the stream, once."""
        if not self._ended.done():
            self._ended.set_result(errors)

    async def ended(self) -> list[dict[str, Any]] | None:
        """Return the errors the stream ended with, or nothing when it completed."""
        return await self._ended
