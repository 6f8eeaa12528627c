"""Hand messages to one socket in order, and give up on a reader that does not take them.

It must not grow without bound: beyond its bounds the reader is cut off, and can come back and resume.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from starlette.types import Message, Send

from refundgql.gql.streams import ReaderGone

# A reader this far behind is not reading; what it missed is in the event log.
MAX_WAITING_MESSAGES: Final = 256
MAX_WAITING_BYTES: Final = 512 * 1024
# How long the first waiting message may wait while nothing at all moves.
STALL_SECONDS: Final = 10.0


# A reader who is fast takes turns with everybody else after so many messages.
_MESSAGES_A_TURN: Final = 32


# The extension of a socket's scope that writes a text at once, or tells that it has to wait.
WRITE_TEXT: Final = "refundgql.write_text"

# The extension of a socket's scope that asks the peer whether it is still there.
PROBE: Final = "refundgql.probe"

WriteText = Callable[[str], bool]


class Outbox:
    """The messages one socket has still to take; `cut_off` is called once when the bounds are passed."""

    __slots__ = (
        "_cut_off",
        "_moved",
        "_open",
        "_pump",
        "_send",
        "_stall",
        "_stall_seconds",
        "_turn",
        "_waiting",
        "_waiting_bytes",
        "_write_text",
    )

    def __init__(
        self,
        send: Send,
        cut_off: Callable[[], None],
        stall_seconds: float = STALL_SECONDS,
        write_text: WriteText | None = None,
    ) -> None:
        self._send = send
        self._write_text = write_text
        self._cut_off = cut_off
        self._stall_seconds = stall_seconds
        # Made when somebody first has to wait: most readers never let anything wait.
        self._waiting: deque[tuple[Message, int]] | None = None
        self._waiting_bytes = 0
        self._pump: asyncio.Task[None] | None = None
        self._moved: asyncio.Event | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._open = True
        self._turn = 0

    def put_text(self, text: str) -> None:
        """Send a text to a socket now, by the short way where there is one, or after what waits."""
        if self._open and self._pump is None and self._write_text is not None and self._write_text(text):
            return
        self.put({"type": "websocket.send", "text": text}, len(text))

    def put(self, message: Message, size: int) -> None:
        """Send a message now, or after those that wait; cut the reader off when too many do."""
        if not self._open:
            return
        if self._pump is None:
            self._pump = asyncio.create_task(self._send_now(message))
            self._waiting = self._waiting or deque()
            self._pump.add_done_callback(self._pumped)
            self._watch_for_stall()
            return
        if self._waiting is not None:
            self._waiting.append((message, size))
            self._waiting_bytes += size
            if len(self._waiting) > MAX_WAITING_MESSAGES or self._waiting_bytes > MAX_WAITING_BYTES:
                self._overflowed()

    async def taken(self) -> None:
        """Wait until the socket has taken all that waited. Refuses: `ReaderGone` once nothing more can be sent."""
        while self._pump is not None and self._open:
            if self._moved is None:
                self._moved = asyncio.Event()
            await self._moved.wait()
        if not self._open:
            raise ReaderGone
        self._turn = (self._turn + 1) % _MESSAGES_A_TURN
        if self._turn == 0:
            await asyncio.sleep(0)

    def close(self) -> None:
        """Drop what waits; nothing more is sent."""
        self._open = False
        self._waiting = None
        if self._stall is not None:
            self._stall.cancel()
        if self._pump is not None:
            self._pump.cancel()
        self._wake()

    async def _send_now(self, message: Message) -> None:
        try:
            await self._send(message)
            while self._waiting:
                message, size = self._waiting.popleft()
                self._waiting_bytes -= size
                self._watch_for_stall()
                await self._send(message)
        except (OSError, RuntimeError):
            # The peer has gone, or the socket was closed in the meantime; the receiving side ends the rest.
            self._open = False
            self._waiting = None

    def _pumped(self, _: asyncio.Task[None]) -> None:
        self._pump = None
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._wake()

    def _wake(self) -> None:
        if self._moved is not None:
            self._moved.set()
            self._moved = None

    def _watch_for_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
        # In two halves: where this process stood still itself, the reader has at least the second one to take it in.
        loop, half = asyncio.get_running_loop(), self._stall_seconds / 2
        self._stall = loop.call_later(half, self._watch_on, half)

    def _watch_on(self, seconds: float) -> None:
        self._stall = asyncio.get_running_loop().call_later(seconds, self._overflowed)

    def _overflowed(self) -> None:
        if self._open:
            self.close()
            self._cut_off()
