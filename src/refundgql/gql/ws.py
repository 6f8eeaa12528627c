"""Serve operations over WebSockets by the graphql-transport-ws protocol."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from refundgql.gql.answers import RequestRefused, error_entry
from refundgql.gql.callers import ANONYMOUS, Authentication, Caller
from refundgql.gql.connections import Presence, TooManyConnections
from refundgql.gql.errors import ErrorCode
from refundgql.gql.exchange import Exchange, address_of, new_request_id
from refundgql.gql.front import refuse_handshake
from refundgql.gql.limits import Limits
from refundgql.gql.metrics import Metrics
from refundgql.gql.observability import log_access
from refundgql.gql.operations import OperationRefused, Operations
from refundgql.gql.origins import may_connect
from refundgql.gql.outbox import PROBE, WRITE_TEXT, Outbox
from refundgql.gql.rate import RequestRate
from refundgql.gql.streams import Stream, Subscriber
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
    complete_message,
    error_message,
    next_message,
    next_message_around,
    read_message,
)

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
        # A socket lives for hours; its handshake need not.
        scope["headers"].clear()
        self.metrics.socket_opened()
        try:
            await Session(self, scope, receive, send).run()
        finally:
            self.metrics.socket_closed()


class _Operation:
    """One operation of a socket while it runs."""

    __slots__ = ("is_mutation", "muted", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.is_mutation = False
        self.muted = False

    def stop(self) -> None:
        """Stop the operation; a mutation is finished, only its answer is not sent any more."""
        self.muted = True
        if self.task is not None and not self.is_mutation:
            self.task.cancel()


class Session:
    """One socket: who is on it, which operations run on it, and why it closes."""

    __slots__ = (
        "_acknowledged",
        "_address",
        "_caller",
        "_closed",
        "_endpoint",
        "_initialising",
        "_operations",
        "_outbox",
        "_presence_key",
        "_probe",
        "_receive",
        "_send",
        "_served",
        "_socket_id",
    )

    def __init__(self, endpoint: SocketEndpoint, scope: Scope, receive: Receive, send: Send) -> None:
        self._endpoint = endpoint
        self._receive = receive
        self._send = send
        self._address = address_of(scope)
        self._socket_id = new_request_id()
        extensions = scope.get("extensions", {})
        self._probe = extensions.get(PROBE)
        self._outbox = Outbox(send, self._cut_off, endpoint.stall_seconds, extensions.get(WRITE_TEXT))
        self._operations: dict[str, _Operation] = {}
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
        seconds = self._endpoint.limits.init_seconds
        timeout = loop.call_later(seconds, self._init_timed_out)
        try:
            if self._endpoint.presence.stopping:
                self.end_for_restart()
            while True:
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    return
                if message["type"] == "websocket.receive" and self._closed is None:
                    await self._handle(message.get("text"))
        finally:
            timeout.cancel()
            self._outbox.close()
            for operation in list(self._operations.values()):
                operation.stop()
            if self._presence_key is not None:
                self._endpoint.presence.leave(self, self._presence_key)
            if self._closed is not None:
                await asyncio.wait([self._closed], timeout=_CLOSE_SECONDS)
                self._closed.cancel()

    def end_access(self, reason: str) -> None:
        """Close with 4403: the protocol's clients connect again, with a new token if they have one."""
        self._endpoint.metrics.stream_ended("access")
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
            message = read_message(text, self._endpoint.limits.max_message_bytes)
        except InvalidMessage as invalid:
            self._close(CloseCode.BAD_REQUEST, str(invalid))
            return
        if isinstance(message, Ping):
            self._put(PONG)
        elif isinstance(message, ConnectionInit):
            await self._initialise(message)
        elif isinstance(message, Subscribe):
            self._subscribe(message)
        elif isinstance(message, Complete):
            operation = self._operations.pop(message.id, None)
            if operation is not None:
                operation.stop()

    async def _initialise(self, message: ConnectionInit) -> None:
        if self._initialising:
            self._close(CloseCode.TOO_MANY_INIT_REQUESTS, "Too many initialisation requests")
            return
        self._initialising = True
        try:
            self._caller = await self._authenticated(message.payload)
            self._presence_key = self._endpoint.presence.enter(self, self._address)
            if self._endpoint.greeted is not None:
                self._endpoint.greeted(message.payload)
        except RequestRefused as refused:
            self._endpoint.metrics.refused(refused.code)
            code = CloseCode.FORBIDDEN if refused.status == 401 else CloseCode.TRY_AGAIN_LATER
            self._close(code, refused.message)
            return
        except TooManyConnections:
            self._endpoint.metrics.refused(ErrorCode.LIMIT_EXCEEDED)
            most = self._endpoint.limits.max_sockets_per_account
            self._close(CloseCode.TRY_AGAIN_LATER, f"More than {most} sockets for one account")
            return
        except Exception:
            log.exception("fault while a socket was opened")
            self._close(CloseCode.TRY_AGAIN_LATER, "Something went wrong on our side")
            return
        self._acknowledged = True
        self._put(ACK)

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
        authentication = self._endpoint.authentication
        if name == "authorization":
            return await authentication.by_header(token)
        return await authentication.by_token(token)

    def _subscribe(self, message: Subscribe) -> None:
        if not self._acknowledged:
            self._close(CloseCode.UNAUTHORIZED, "Unauthorized")
            return
        if message.id in self._operations:
            self._close(CloseCode.SUBSCRIBER_ALREADY_EXISTS, f"Subscriber for {message.id} already exists")
            return
        most = self._endpoint.limits.max_operations_per_socket
        if len(self._operations) >= most:
            text = f"More than {most} operations at once on one socket."
            self._put(error_message(message.id, [error_entry(ErrorCode.LIMIT_EXCEEDED, text)]))
            self._endpoint.metrics.refused(ErrorCode.LIMIT_EXCEEDED)
            return
        operation = self._operations[message.id] = _Operation()
        self._served += 1
        exchange = Exchange(f"{self._socket_id}.{self._served}")
        operation.task = asyncio.create_task(self._run(message, operation, exchange))

    async def _run(self, message: Subscribe, operation: _Operation, exchange: Exchange) -> None:
        started_at = time.perf_counter()
        status = 200
        try:
            await self._serve(message, operation, exchange)
        except OperationRefused as refused:
            exchange.code, status = refused.code, 400
            self._finish(message.id, operation, error_message(message.id, refused.errors))
        except RequestRefused as refused:
            exchange.code, status = refused.code, refused.status
            if refused.status == 401:
                self.end_access(refused.message)
            entry = error_entry(refused.code, refused.message)
            self._finish(message.id, operation, error_message(message.id, [entry]))
        except Exception as fault:
            exchange.code, status = ErrorCode.INTERNAL_SERVER_ERROR, 500
            entry = self._endpoint.operations.masked(fault)
            self._finish(message.id, operation, error_message(message.id, [entry]))
        finally:
            if self._operations.get(message.id) is operation:
                del self._operations[message.id]
            seconds = time.perf_counter() - started_at
            self._endpoint.metrics.request_served("ws", exchange, status, seconds)
            log_access("ws", exchange, status, seconds)

    async def _serve(self, message: Subscribe, operation: _Operation, exchange: Exchange) -> None:
        endpoint = self._endpoint
        request = message.request
        endpoint.rate.count(self._caller, self._address)
        account = await self._current_account()
        exchange.viewer_ref = self._caller.ref
        prepared = endpoint.operations.prepare(request)
        exchange.operation_type = prepared.operation_type
        exchange.operation_name = prepared.operation_name
        if prepared.operation_type == "subscription":
            stream = await endpoint.operations.subscribe(prepared, request.variables, account)
            await self._stream(message.id, operation, stream)
            return
        operation.is_mutation = prepared.operation_type == "mutation"
        result = await endpoint.operations.execute(prepared, request.variables, account)
        if "data" not in result:
            raise OperationRefused(result.get("errors", []))
        if not operation.muted:
            self._put(next_message(message.id, result))
        self._finish(message.id, operation, complete_message(message.id))

    async def _current_account(self) -> Any:
        # The roles are those the database holds now, not those of the handshake.
        caller = self._caller
        if caller.account is None:
            return None
        if self._endpoint.authentication.has_expired(caller):
            raise RequestRefused(401, ErrorCode.UNAUTHENTICATED, "The token has expired.")
        account = await self._endpoint.authentication.reload(caller.account)
        if account is None:
            raise RequestRefused(401, ErrorCode.UNAUTHENTICATED, "The account has no access any more.")
        return account

    async def _stream(self, operation_id: str, operation: _Operation, stream: Stream) -> None:
        self._endpoint.metrics.stream_opened("ws")
        try:
            subscriber = self._subscriber(operation_id)
            stream.attach(subscriber)
            errors = await subscriber.ended()
            if errors is not None:
                raise OperationRefused(errors)
        finally:
            self._endpoint.metrics.stream_closed("ws")
            await stream.aclose()
        self._finish(operation_id, operation, complete_message(operation_id))

    def _subscriber(self, operation_id: str) -> Subscriber:
        before, after = next_message_around(operation_id)
        put_text = self._outbox.put_text

        def write(result: str, _: str | None) -> None:
            put_text(before + result + after)

        return Subscriber(write, self._outbox.taken)

    def _finish(self, operation_id: str, operation: _Operation, text: str) -> None:
        # The id is free before the client can hear that it is.
        if self._operations.get(operation_id) is operation:
            del self._operations[operation_id]
        if not operation.muted:
            self._put(text)

    def _put(self, text: str) -> None:
        self._outbox.put_text(text)

    def _init_timed_out(self) -> None:
        if not self._acknowledged and not self._initialising:
            self._close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")

    def _cut_off(self) -> None:
        self._endpoint.metrics.stream_ended("slow")
        self._close(CloseCode.TRY_AGAIN_LATER, "Too slow; connect again and resume")

    def _close(self, code: CloseCode, reason: str) -> None:
        if self._closed is not None:
            return
        self._outbox.close()
        for operation in list(self._operations.values()):
            operation.stop()
        self._closed = asyncio.create_task(self._send_close(code, close_reason(reason)))

    async def _send_close(self, code: CloseCode, reason: str) -> None:
        try:
            await self._send({"type": "websocket.close", "code": int(code), "reason": reason})
        except (OSError, RuntimeError):
            # The peer was faster.
            return
