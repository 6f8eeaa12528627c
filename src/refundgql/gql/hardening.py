"""What uvicorn leaves open on its connections: deadlines for headers and for closing, and refusals as JSON."""

import asyncio
import logging
import re
from http import HTTPStatus
from typing import Any, Final

from refundgql.gql.answers import errors_body
from refundgql.gql.errors import ErrorCode
from refundgql.gql.outbox import PROBE, WRITE_TEXT
from refundgql.gql.ports import (
    CloseCode,
    Frame,
    HttpToolsProtocol,
    Request,
    Response,
    ServerProtocol,
    State,
    WebSocketsSansIOProtocol,
)

# Against slow-loris clients: each connection that never ends its headers costs a descriptor.
HEADER_SECONDS: Final = 10.0
# Back-pressure: a peer that reads nothing for this long is dropped, with what it has not read.
BLOCKED_SECONDS: Final = 30.0
# The longest token has 8 KiB; ten times as many headers as a browser sends are still not a request of ours.
HEAD_BYTES: Final = 32 * 1024
HEAD_LINES: Final = 128
# What may come beside a body of any length: the lines of chunks, and trailers, which are dropped.
BESIDE_BODY_BYTES: Final = 64 * 1024
# What a chunk's own line may take; chunk extensions beyond it count as padding.
_CHUNK_LINE_BYTES: Final = 16
# The rest of a refused body, which a client may be in the middle of sending.
REFUSED_BODY_BYTES: Final = 1024 * 1024
# A peer that is asked whether it is still there, because others wait for its place, answers sooner than by the way.
PROBE_SECONDS: Final = 3.0
# A message of 64 KiB in pieces of 64 bytes; pings and pongs come every few seconds.
FRAMES_A_MESSAGE: Final = 1024
CONTROL_FRAMES_A_SECOND: Final = 100
# The library reads all frames of what it is given before it is asked again; thousands fit into one read of a socket.
_SLICE_BYTES: Final = 4096

DRAIN: Final = "refundgql.drain"
"""The entry of the lifespan's state that ends all streams and sockets, each in its protocol's way."""
# Close frames and last events must leave before uvicorn closes what is still open, without a reason.
FAREWELL_SECONDS: Final = 0.05

# An offer to go on in HTTP/2, which Java's client makes with every request; the parser would drop the body behind it.
_OFFER_OF_HTTP2: Final = re.compile(rb"^upgrade:[ \t]*h2c[ \t]*\r\n", re.IGNORECASE | re.MULTILINE)


# How the system writes an address of IPv4 on a socket that is open to both protocols.
_MAPPED: Final = "::ffff:"


class ClientsMistakes(logging.Filter):
    """Tell what clients do wrong as information, without a stack: nobody here has anything to mend."""

    _TEXTS: Final = frozenset(
        (
            "Invalid HTTP request received.",
            "Unsupported upgrade request.",
            "Invalid UTF-8 sequence received from client.",
        )
    )

    def filter(self, record: logging.LogRecord) -> bool:
        """Lower the level of such a record; keep all."""
        if record.msg in self._TEXTS:
            record.levelno, record.levelname, record.exc_info = logging.INFO, "INFO", None
        return True


logging.getLogger("uvicorn.error").addFilter(ClientsMistakes())


class _HeadTooLarge(Exception):
    """The request's line and headers, or what comes beside its body, are larger than any that is meant well."""


class _NoOneHost(Exception):
    """The request does not name the one host it is for."""


class _Connection:
    """Know the peer; end streams before the server stops; abort connections that closing would wait for."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    app_state: dict[str, Any]
    client: tuple[str, int] | None
    _blocked: asyncio.TimerHandle | None = None

    def _know_peer(self) -> None:
        # A listener of both protocols tells an address of IPv4 as one of IPv6, which no trusted proxy has.
        if self.client is not None and self.client[0].startswith(_MAPPED):
            self.client = (self.client[0].removeprefix(_MAPPED), self.client[1])

    def shutdown(self) -> None:
        """End all streams and sockets, and then this connection as uvicorn does."""
        if drain := self.app_state.get(DRAIN):
            drain()
        self.loop.call_later(FAREWELL_SECONDS, self._close)

    def _close(self) -> None:
        if not self.transport.is_closing():
            super().shutdown()  # type: ignore[misc]

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


class HttpProtocol(_Connection, HttpToolsProtocol):
    """HTTP connections whose headers are bounded and in time, and which do not outlive a reader that has stopped."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _head_lines = 0
    _head_complete = False
    # Bytes read that were no body, since the chunk that the request began in; below zero by the body in that one.
    _beside_body = 0
    _refused_body = 0
    _too_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Know the peer, and start waiting for the first request."""
        super().connection_made(transport)
        self._know_peer()
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Read what came, as far as it keeps the bounds of heads, and wait for the rest of a head or refused body."""
        self._beside_body += len(data)
        if b"h2c" in data and not self._in_request():
            head, blank, rest = data.partition(b"\r\n\r\n")
            data = _OFFER_OF_HTTP2.sub(b"", head + b"\r\n")[:-2] + blank + rest
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        most = BESIDE_BODY_BYTES if self._head_complete else HEAD_BYTES
        if self._beside_body > most:
            self._too_large = True
            self.send_400_response("")
        elif not self._in_request():
            # Without it a connection that trickles on after its answer would be kept for ever.
            self._expect_headers()

    def on_message_begin(self) -> None:
        """Start waiting for the headers of a request whose first bytes are there."""
        super().on_message_begin()
        self._head_bytes = self._head_lines = self._beside_body = self._refused_body = 0
        self._head_complete = False
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        """Count the address."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header; one that comes behind the body is dropped, for nobody looks at headers by then."""
        self._head_lines += 1
        self._count_head(len(name) + len(value))
        if not self._head_complete:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop waiting; the body has a deadline of its own. Two readers of two Host headers could see two addresses."""
        self._stop_expecting()
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise _NoOneHost
        self._head_complete = True
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Do not count a chunk's own line."""
        self._beside_body -= _CHUNK_LINE_BYTES

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; hang up on one that goes on long after it was refused."""
        self._beside_body -= len(body)
        if self.cycle is not None and self.cycle.response_complete:
            self._refused_body += len(body)
            if self._refused_body > REFUSED_BODY_BYTES:
                self.transport.close()
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Go on with the next request; more are read only when all that came already are under way."""
        super().on_response_complete()
        if self.pipeline and not self.transport.is_closing():
            self.flow.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._stop_expecting()
        self._forget_blocked()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or too much of it, as JSON like every refusal."""
        if self.transport.is_closing():
            return
        status = b"400 Bad Request"
        if self._too_large:
            status, msg = b"431 Request Header Fields Too Large", f"The headers are larger than {HEAD_BYTES} bytes."
        self.transport.write(_refusal(status, errors_body(ErrorCode.BAD_REQUEST, msg)))
        self.transport.close()

    def _in_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _count_head(self, length: int) -> None:
        self._head_bytes += length
        if self._head_bytes > HEAD_BYTES or self._head_lines > HEAD_LINES:
            self._too_large = True
            # The parser stops and lets the request be refused.
            raise _HeadTooLarge

    def _expect_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _refusal(status: bytes, body: bytes) -> bytes:
    head = (
        b"HTTP/1.1 %b\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: %d\r\n"
        b"x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head % (status, len(body)) + body


class _JsonHandshake(ServerProtocol):
    """The library's handshake, refused as JSON like everything else."""

    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        """Return a refusal of the handshake."""
        response = super().reject(status, text)
        message = text.partition("\n")[0] or "No socket is opened here."
        body = errors_body(ErrorCode.BAD_REQUEST if text else ErrorCode.FORBIDDEN, message)
        response.body = body
        for name, value in (("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(body)))):
            del response.headers[name]
            response.headers[name] = value
        return response


class SocketProtocol(_Connection, WebSocketsSansIOProtocol):
    """WebSockets that send texts without a coroutine, bound what a peer may make us read, and keep no handshake."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # Nothing is compressed, so there are no extensions to offer.
        self.conn = _JsonHandshake(max_size=self.config.ws_max_size, logger=self.conn.logger)
        self._control_frames = 0
        self._counted_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Know the peer."""
        super().connection_made(transport)
        self._know_peer()

    def data_received(self, data: bytes) -> None:
        """Read frames a little at a time, so that a flood of them is noticed before it is read."""
        for at in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[at : at + _SLICE_BYTES])
        if not self.handshake_initiated and not self.transport.is_closing():
            # Whoever hands over gives the whole handshake at once; what the library does not take is none.
            body = errors_body(ErrorCode.BAD_REQUEST, "This is no handshake of a WebSocket.")
            self.transport.write(_refusal(b"400 Bad Request", body))
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        """Answer a handshake; an address that is no text is refused, not tripped over."""
        if event.path.isascii():
            super().handle_connect(event)
            if not self.close_sent:
                extensions: dict[str, Any] = self.scope["extensions"]
                extensions[WRITE_TEXT] = self.write_text
                extensions[PROBE] = self.probe

    def handle_cont(self, event: Frame) -> None:
        """Take a further piece of a message, of which there may be so many."""
        if len(self.frames) >= FRAMES_A_MESSAGE:
            self._hang_up(CloseCode.MESSAGE_TOO_BIG, f"more than {FRAMES_A_MESSAGE} frames in a message")
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping, unless there are too many or the peer does not take the answers."""
        if self._too_many_control_frames():
            return
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_pong(self, event: Frame) -> None:
        """Take a pong, unless there are too many."""
        if not self._too_many_control_frames():
            super().handle_pong(event)

    def probe(self) -> None:
        """Ask the peer now whether it is still there, and let it go when it does not answer soon."""
        if self.pending_ping_payload is None:
            if self.ping_timer is not None:
                self.ping_timer.cancel()
            self.send_keepalive_ping()
        if self.pong_timer is not None and self.pong_timer.when() > self.loop.time() + PROBE_SECONDS:
            self.pong_timer.cancel()
            self.pong_timer = self.loop.call_later(PROBE_SECONDS, self.keepalive_timeout)

    def keepalive_timeout(self) -> None:
        """Let a peer go that answers no ping, with a code that clients come back after: it may only have slept."""
        self.pong_timer = None
        self.pending_ping_payload = None
        if self.close_sent or self.transport.is_closing():
            return
        self._hang_up(CloseCode.TRY_AGAIN_LATER, "no answer to a ping; connect again and resume")
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def write_text(self, text: str) -> bool:
        """Send a text now, by a plain call, and tell whether it was sent.

        It is not before the handshake, after the end, or while the peer takes nothing.
        """
        if self.conn.state is not State.OPEN or self.disconnected or self.close_sent or not self.writable.is_set():
            return False
        self.conn.send_text(text.encode())
        self.transport.write(b"".join(self.conn.data_to_send()))
        return True

    async def send(self, message: Any) -> None:
        """Send a message, a text by a plain call."""
        kind = message["type"]
        if kind == "websocket.send" and self.conn.state is State.OPEN:
            if not self.writable.is_set():
                await self.writable.wait()
            if self.write_text(message["text"]):
                return
        await super().send(message)
        if kind == "websocket.accept":
            # The handshake is over; a socket lives for hours, and thousands of handshakes need not.
            self.request.headers.clear()
            del self.request, self.response
        elif kind == "websocket.http.response.body":
            # A refused handshake is complete as well; uvicorn would log it as a fault of ours.
            self.handshake_complete = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._forget_blocked()
        super().connection_lost(exc)

    def _too_many_control_frames(self) -> bool:
        now = self.loop.time()
        if now - self._counted_since >= 1:
            self._counted_since, self._control_frames = now, 0
        self._control_frames += 1
        if self._control_frames <= CONTROL_FRAMES_A_SECOND:
            return False
        self._hang_up(CloseCode.POLICY_VIOLATION, f"more than {CONTROL_FRAMES_A_SECOND} pings in a second")
        return True

    def _hang_up(self, code: CloseCode, reason: str) -> None:
        if self.conn.state is State.OPEN:
            self.conn.send_close(code, reason)
            self.handle_parser_exception()
        else:
            self.transport.abort()
