"""What uvicorn leaves open on its connections: deadlines for headers and for closing, and refusals as JSON.

It must not know GraphQL, and it changes nothing of how requests and messages are served.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from refundgql.transport.answers import errors_body

# A client that has not sent its headers by then is not going to; each such connection costs a descriptor.
HEADER_SECONDS: Final = 10.0
# A peer that takes nothing for this long is dropped with what it has not read, or both would be held for ever.
BLOCKED_SECONDS: Final = 30.0


class _DropsBlockedPeers:
    """Abort a connection whose peer takes nothing; closing it would wait for the peer."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _blocked: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Note when the peer stopped taking what it is sent."""
        super().pause_writing()  # type: ignore[misc]
        if self._blocked is None:
            self._blocked = self.loop.call_later(BLOCKED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Forget it when the peer takes things again."""
        super().resume_writing()  # type: ignore[misc]
        self._forget_blocked()

    def _forget_blocked(self) -> None:
        if self._blocked is not None:
            self._blocked.cancel()
            self._blocked = None


class HttpProtocol(_DropsBlockedPeers, HttpToolsProtocol):
    """HTTP connections whose headers must arrive in time and which do not outlive a reader that has stopped."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request."""
        super().connection_made(transport)
        self._expect_headers()

    def on_message_begin(self) -> None:
        """Start waiting for the headers of a request whose first bytes are there."""
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        """Stop waiting; the body has a deadline of its own."""
        self._stop_expecting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._stop_expecting()
        self._forget_blocked()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, as JSON like every refusal."""
        body = errors_body("BAD_REQUEST", msg)
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=utf-8\r\n"
            f"content-length: {len(body)}\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _expect_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def text_frame(text: bytes) -> bytes:
    """Return a whole, unmasked WebSocket frame (RFC 6455, 5.2) that holds a text."""
    length = len(text)
    if length < 126:
        return b"\x81" + length.to_bytes(1, "big") + text
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + text
    return b"\x81\x7f" + length.to_bytes(8, "big") + text


class SocketProtocol(_DropsBlockedPeers, WebSocketsSansIOProtocol):
    """WebSockets that send texts by the shortest way and keep nothing of their handshake."""

    async def send(self, message: Any) -> None:
        """Send a message; a text by the short way: with nothing to compress, its frame is its length and the text."""
        kind = message["type"]
        if kind == "websocket.send" and self.conn.state is State.OPEN:
            if not self.writable.is_set():
                await self.writable.wait()
            if self.conn.state is State.OPEN and not (self.disconnected or self.close_sent):
                self.transport.write(text_frame(message["text"].encode()))
                return
        await super().send(message)
        if kind == "websocket.accept":
            # The handshake is over; a socket lives for hours, and thousands of handshakes need not.
            del self.request, self.response

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._forget_blocked()
        super().connection_lost(exc)
