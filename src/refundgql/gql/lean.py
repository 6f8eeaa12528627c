"""What asyncio's queue and event do, in a few bytes: a socket has one of each and mostly needs neither."""

import asyncio
from typing import Any


class Inbox:
    """What came for one socket and was not taken yet; asyncio's queue holds three kilobytes when it is empty."""

    __slots__ = ("_messages", "_taker")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._taker: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        """Add a message."""
        self._messages.append(message)
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)

    def empty(self) -> bool:
        """Tell whether nothing waits."""
        return not self._messages

    async def get(self) -> Any:
        """Return the oldest message, waiting for one."""
        while not self._messages:
            self._taker = asyncio.get_running_loop().create_future()
            try:
                await self._taker
            finally:
                self._taker = None
        return self._messages.pop(0)


class Gate:
    """Whether a peer takes what it is sent; asyncio's event keeps room for those who wait, and nobody mostly does."""

    __slots__ = ("_opening",)

    def __init__(self) -> None:
        self._opening: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Tell whether it is open."""
        return self._opening is None

    def clear(self) -> None:
        """Close it."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_future()

    def set(self) -> None:
        """Open it and let everybody through."""
        opening, self._opening = self._opening, None
        if opening is not None and not opening.done():
            opening.set_result(None)

    async def wait(self) -> bool:
        """Wait until it is open."""
        while self._opening is not None:
            await asyncio.shield(self._opening)
        return True
