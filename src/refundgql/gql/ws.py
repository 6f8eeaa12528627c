"""Serve operations over WebSockets by the graphql-transport-ws protocol."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from refundgql.gql.answers import RequestRefused, error_entry
from refundgql.gql.callers import ANONYMOUS, Authentication, Caller
from refundgql.gql.connections import Presence, TooManyConnections
from refundgql.gql.errors import ErrorCode
from refundgql.gql.exchange import address_of, new_request_id
from refundgql.gql.front import refuse_handshake
from refundgql.gql.limits import Limits
from refundgql.gql.metrics import Metrics
from refundgql.gql.operations import Operations
from refundgql.gql.origins import may_connect
from refundgql.gql.outbox import PROBE, WRITE_TEXT, Outbox
from refundgql.gql.rate import RequestRate
from refundgql.gql.ws_messages import (
    ACK,
    PONG,
    SUBPROTOCOL,
    CloseCode,
    Complete,
    ConnectionInit,
    InvalidMessage,
    Ping,
    Subscribe,
    close_reason,
    error_message,
    read_message,
)
from refundgql.gql.ws_operations import SocketOperation

log = logging.getLogger("refundgql.sockets")

# A close frame behind a reader that takes nothing is not waited for any longer than this.
_CLOSE_SECONDS: Final = 5.0
# The token comes as a header's value or by itself, whatever the case of the name.
_WAYS_OF_TOKENS: Final = frozenset(("authorization", "token"))


class SocketEndpoint:
    """Accept sockets from our own pages, listed origins and programs, and hold one session for each."""

    def __init__(
        self,
        operations: Operations,
        authentication: Authentication,
        rate: RequestRate,
        presence: Presence,
        metrics: Metrics,
        limits: Limits,
        *,
        allowed_origins: tuple[str, ...],
        stall_seconds: float,
        greeted: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        """Take the parts; `greeted` is told the payload of each connection_init, in the task of its socket."""
        self.operations = operations
        self.authentication = authentication
        self.rate = rate
        self.presence = presence
        self.metrics = metrics
        self.limits = limits
        self.stall_seconds = stall_seconds
        self.greeted = greeted
        # Operations, and streams that are being closed, of all sockets, those that have gone included.
        self.tasks: set[asyncio.Task[None]] = set()
        self._allowed_origins = frozenset(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket from its handshake to its end."""
        if not may_connect(scope, self._allowed_origins):
            self.metrics.refused(ErrorCode.FORBIDDEN)
            await refuse_handshake(send, 403, ErrorCode.FORBIDDEN, "Pages of this origin may not open a socket here.")
            return
        if SUBPROTOCOL not in scope.get("subprotocols", ()):
            await send({"type": "websocket.accept"})
            code = CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE
            await send({"type": "websocket.close", "code": code, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        session = Session(self, scope, receive, send)
        # A socket lives for hours; its handshake need not.
        scope.clear()
        self.metrics.socket_opened()
        try:
            await session.run()
        finally:
            self.metrics.socket_closed()


class Session:
    """One socket: who is on it, which operations run on it, and why it closes."""

    __slots__ = (
        "_acknowledged",
        "_address",
        "_caller",
        "_closed",
        "_initialising",
        "_presence_key",
        "_probe",
        "_receive",
        "_send",
        "_served",
        "_socket_id",
        "endpoint",
        "outbox",
        "running",
    )

    def __init__(self, endpoint: SocketEndpoint, scope: Scope, receive: Receive, send: Send) -> None:
        self.endpoint = endpoint
        self._receive = receive
        self._send = send
        self._address = address_of(scope)
        self._socket_id = new_request_id()
        extensions = scope.get("extensions", {})
        self._probe = extensions.get(PROBE)
        self.outbox = Outbox(send, self._cut_off, endpoint.stall_seconds, extensions.get(WRITE_TEXT))
        self.running: dict[str, SocketOperation] = {}
        self._served = 0
        self._presence_key: str | None = None
        self._initialising = False
        self._acknowledged = False
        self._closed: asyncio.Task[None] | None = None
        self._caller = ANONYMOUS

    @property
    def caller(self) -> Caller:
        """Whoever the socket was opened for."""
        return self._caller

    async def run(self) -> None:
        """Serve messages until either side closes."""
        loop = asyncio.get_running_loop()
        seconds = self.endpoint.limits.init_seconds
        timeout = loop.call_later(seconds, self._init_timed_out)
        try:
            if self.endpoint.presence.stopping:
                self.end_for_restart()
            while True:
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    return
                if message["type"] == "websocket.receive" and self._closed is None:
                    await self._handle(message.get("text"))
        finally:
            timeout.cancel()
            self.outbox.close()
            for operation in list(self.running.values()):
                operation.stop()
            if self._presence_key is not None:
                self.endpoint.presence.leave(self, self._presence_key)
            if self._closed is not None:
                await asyncio.wait([self._closed], timeout=_CLOSE_SECONDS)
                self._closed.cancel()

    def end_access(self, reason: str) -> None:
        """Close with 4403: the protocol's clients connect again, with a new token if they have one."""
        self.endpoint.metrics.stream_ended("access")
        self._close(CloseCode.FORBIDDEN, reason)

    def end_for_restart(self) -> None:
        """Close with 1012: clients connect again and resume after their last cursor."""
        self._close(CloseCode.SERVICE_RESTART, "service restart")

    def probe(self) -> None:
        """Ask for a pong at once, where the server can."""
        if self._probe is not None:
            self._probe()

    async def _handle(self, text: str | None) -> None:
        try:
            message = read_message(text, self.endpoint.limits.max_message_bytes)
        except InvalidMessage as invalid:
            self._close(CloseCode.BAD_REQUEST, str(invalid))
            return
        if isinstance(message, Ping):
            self.outbox.put_text(PONG)
        elif isinstance(message, ConnectionInit):
            await self._initialise(message)
        elif isinstance(message, Subscribe):
            self._subscribe(message)
        elif isinstance(message, Complete):
            operation = self.running.pop(message.id, None)
            if operation is not None:
                operation.stop()

    async def _initialise(self, message: ConnectionInit) -> None:
        if self._initialising:
            self._close(CloseCode.TOO_MANY_INIT_REQUESTS, "Too many initialisation requests")
            return
        self._initialising = True
        try:
            self._caller = await self._authenticated(message.payload)
            self._presence_key = self.endpoint.presence.enter(self, self._address)
            if self.endpoint.greeted is not None:
                self.endpoint.greeted(message.payload)
        except RequestRefused as refused:
            self.endpoint.metrics.refused(refused.code)
            code = CloseCode.FORBIDDEN if refused.status == 401 else CloseCode.TRY_AGAIN_LATER
            self._close(code, refused.message)
            return
        except TooManyConnections:
            self.endpoint.metrics.refused(ErrorCode.LIMIT_EXCEEDED)
            most = self.endpoint.limits.max_sockets_per_account
            self._close(CloseCode.TRY_AGAIN_LATER, f"More than {most} sockets for one account")
            return
        except Exception:
            log.exception("fault while a socket was opened")
            self._close(CloseCode.TRY_AGAIN_LATER, "Something went wrong on our side")
            return
        self._acknowledged = True
        self.outbox.put_text(ACK)

    async def _authenticated(self, payload: dict[str, Any]) -> Caller:
        given = [(name.lower(), value) for name, value in payload.items() if name.lower() in _WAYS_OF_TOKENS]
        given = [(name, value) for name, value in given if value is not None]
        if not given:
            return ANONYMOUS
        if len(given) > 1:
            # Who reads the first and who reads the last would take it for two different people's.
            raise RequestRefused(401, ErrorCode.UNAUTHENTICATED, "The token is given twice.")
        ((name, token),) = given
        if not isinstance(token, str):
            raise RequestRefused(401, ErrorCode.UNAUTHENTICATED, "The token must be a string.")
        authentication = self.endpoint.authentication
        if name == "authorization":
            return await authentication.by_header(token)
        return await authentication.by_token(token)

    def _subscribe(self, message: Subscribe) -> None:
        if not self._acknowledged:
            self._close(CloseCode.UNAUTHORIZED, "Unauthorized")
            return
        if message.id in self.running:
            self._close(CloseCode.SUBSCRIBER_ALREADY_EXISTS, f"Subscriber for {message.id} already exists")
            return
        most = self.endpoint.limits.max_operations_per_socket
        if len(self.running) >= most:
            text = f"More than {most} operations at once on one socket."
            self.outbox.put_text(error_message(message.id, [error_entry(ErrorCode.LIMIT_EXCEEDED, text)]))
            self.endpoint.metrics.refused(ErrorCode.LIMIT_EXCEEDED)
            return
        self._served += 1
        operation = self.running[message.id] = SocketOperation(self, message.id, f"{self._socket_id}.{self._served}")
        operation.start(message.request)

    async def current_account(self) -> Any:
        """Return who is calling, with the roles that the database holds now. Refuses: RequestRefused; counts."""
        caller = self._caller
        self.endpoint.rate.count(caller, self._address)
        if caller.account is None:
            return None
        if self.endpoint.authentication.has_expired(caller):
            raise RequestRefused(401, ErrorCode.UNAUTHENTICATED, "The token has expired.")
        account = await self.endpoint.authentication.reload(caller.account)
        if account is None:
            raise RequestRefused(401, ErrorCode.UNAUTHENTICATED, "The account has no access any more.")
        return account

    def _init_timed_out(self) -> None:
        if not self._acknowledged and not self._initialising:
            self._close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")

    def _cut_off(self) -> None:
        self.endpoint.metrics.stream_ended("slow")
        self._close(CloseCode.TRY_AGAIN_LATER, "Too slow; connect again and resume")

    def _close(self, code: CloseCode, reason: str) -> None:
        if self._closed is not None:
            return
        self.outbox.close()
        for operation in list(self.running.values()):
            operation.stop()
        self._closed = asyncio.create_task(self._send_close(code, close_reason(reason)))

    async def _send_close(self, code: CloseCode, reason: str) -> None:
        try:
            await self._send({"type": "websocket.close", "code": int(code), "reason": reason})
        except (OSError, RuntimeError):
            # The peer was faster.
            return
