"""Answer an operation as a stream over HTTP: server-sent events, or the parts of a multipart."""

import asyncio
import re
from typing import Any, Final

import orjson
from starlette.types import Message, Receive, Scope, Send

from refundgql.gql.answers import Header, RequestRefused, error_entry
from refundgql.gql.bodies import GraphQLRequest
from refundgql.gql.callers import Caller
from refundgql.gql.connections import Presence, TooManyConnections
from refundgql.gql.errors import ErrorCode
from refundgql.gql.exchange import Exchange, address_of
from refundgql.gql.framing import Framing
from refundgql.gql.metrics import Metrics
from refundgql.gql.operations import OperationRefused, Operations
from refundgql.gql.outbox import Outbox
from refundgql.gql.streams import ReaderGone, Stream

# Proxies close connections that say nothing for 15 seconds or more.
KEEP_ALIVE_SECONDS: Final = 12.0
# Proxies that collect an answer before they pass it on would hold events back.
_NOT_COLLECTED: Final[Header] = (b"x-accel-buffering", b"no")
_CURSOR: Final = re.compile(r"[\x21-\x7e]{1,256}")


class EventStreams:
    """Serve event streams, all within the same bounds."""

    def __init__(
        self,
        operations: Operations,
        presence: Presence,
        metrics: Metrics,
        *,
        keep_alive_seconds: float,
        stall_seconds: float,
    ) -> None:
        self.operations = operations
        self.presence = presence
        self.metrics = metrics
        self.keep_alive_seconds = keep_alive_seconds
        self.stall_seconds = stall_seconds

    async def serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        request: GraphQLRequest,
        caller: Caller,
        last_event_id: bytes | None,
        framing: Framing,
    ) -> None:
        """Stream the results of one operation until it completes or somebody leaves.

        A subscription goes on after `last_event_id`, whatever its arguments say. Refuses: 429 when the account has
        too many streams open, 503 while the server stops.
        """
        if self.presence.stopping:
            raise RequestRefused(503, ErrorCode.SERVICE_UNAVAILABLE, "The server restarts.", [(b"retry-after", b"1")])
        stream = _EventStream(self, send, caller, framing)
        try:
            key = self.presence.enter(stream, address_of(scope))
        except TooManyConnections:
            message = "The account has too many streams and sockets open."
            raise RequestRefused(429, ErrorCode.LIMIT_EXCEEDED, message, [(b"retry-after", b"5")]) from None
        try:
            exchange: Exchange = scope["refundgql.exchange"]
            await stream.run(receive, request, exchange, _resume_after(last_event_id))
        finally:
            self.presence.leave(stream, key)


class _EventStream:
    """One stream: what is sent on it, in its framing, and why it ends."""

    def __init__(self, streams: EventStreams, send: Send, caller: Caller, framing: Framing) -> None:
        self._framing = framing
        self._streams = streams
        self._send = send
        self._caller = caller
        self._outbox = Outbox(send, self._cut_off, streams.stall_seconds)
        self._ended = asyncio.Event()
        self._over: asyncio.Future[list[dict[str, Any]] | None] = asyncio.get_running_loop().create_future()
        self._farewell = b""
        self._keep_alive: asyncio.TimerHandle | None = None

    @property
    def caller(self) -> Caller:
        """Whoever the stream was opened for."""
        return self._caller

    def end_access(self, reason: str) -> None:
        """Say why as a last result, then complete: with this token there is nothing to come back for."""
        self._streams.metrics.stream_ended("access")
        result = {"errors": [error_entry(ErrorCode.UNAUTHENTICATED, reason)]}
        self._end(self._framing.result(orjson.dumps(result), None) + self._framing.complete)

    def end_for_restart(self) -> None:
        """Break off without completing: clients connect again and resume after their last event."""
        self._end(self._framing.restart)

    def probe(self) -> None:
        """Write something: the line breaks when the client is gone and its machine says so."""
        self._outbox.put(_part(self._framing.keep_alive), len(self._framing.keep_alive))

    async def run(
        self, receive: Receive, request: GraphQLRequest, exchange: Exchange, resume_after: str | None
    ) -> None:
        """Send results and keep-alives until the operation ends, the client leaves or the stream is ended."""
        headers = [(b"content-type", self._framing.media_type), _NOT_COLLECTED]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send(_part(self._framing.begin))
        self._arm_keep_alive()
        work = asyncio.create_task(self._work(request, exchange, resume_after))
        gone = asyncio.create_task(_until_disconnected(receive))
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait((work, gone, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._keep_alive is not None:
                self._keep_alive.cancel()
            if exchange.operation_type != "mutation":
                work.cancel()
            ended.cancel()
            await asyncio.gather(work, ended, return_exceptions=True)
            self._outbox.close()
            farewell = asyncio.create_task(self._say_farewell())
            # A reader that takes nothing is dropped by the server, which then tells that it is gone.
            await asyncio.wait((farewell, gone), return_when=asyncio.FIRST_COMPLETED)
            farewell.cancel()
            gone.cancel()

    async def _work(self, request: GraphQLRequest, exchange: Exchange, resume_after: str | None) -> None:
        operations = self._streams.operations
        account = self._caller.account
        try:
            prepared = operations.prepare(request)
            exchange.operation_type = prepared.operation_type
            exchange.operation_name = prepared.operation_name
            if prepared.operation_type == "subscription":
                stream = await operations.subscribe(prepared, request.variables, account, resume_after)
                await self._forward(stream)
            else:
                await self._put(await operations.execute(prepared, request.variables, account))
        except OperationRefused as refused:
            exchange.code = refused.code
            await self._put({"errors": refused.errors})
        except ReaderGone:
            return
        except Exception as fault:
            exchange.code = ErrorCode.INTERNAL_SERVER_ERROR
            await self._put({"errors": [operations.masked(fault)]})
        self._farewell = self._framing.complete

    async def _forward(self, stream: Stream) -> None:
        self._streams.metrics.stream_opened("sse")
        try:
            stream.attach(self)
            errors = await self._over
            await self._outbox.taken()
            if errors is not None:
                raise OperationRefused(errors)
        finally:
            self._streams.metrics.stream_closed("sse")
            await stream.aclose()

    def deliver(self, result: str, cursor: str | None) -> None:
        """Send one result of the subscription, with its cursor."""
        self._arm_keep_alive()
        event = self._framing.result(result.encode(), cursor)
        self._outbox.put(_part(event), len(event))

    async def taken(self) -> None:
        """Wait until the client has taken what was sent. Refuses: ReaderGone."""
        await self._outbox.taken()

    def finish(self, errors: list[dict[str, Any]] | None = None) -> None:
        """Note that the subscription completed, or failed."""
        if not self._over.done():  # nobody waits any more where the client has left
            self._over.set_result(errors)

    async def _put(self, result: dict[str, Any]) -> None:
        self._arm_keep_alive()
        event = self._framing.result(orjson.dumps(result), None)
        self._outbox.put(_part(event), len(event))
        await self._outbox.taken()

    def _arm_keep_alive(self) -> None:
        if self._keep_alive is not None:
            self._keep_alive.cancel()
        loop = asyncio.get_running_loop()
        self._keep_alive = loop.call_later(self._streams.keep_alive_seconds, self._stay_alive)

    def _stay_alive(self) -> None:
        self._outbox.put(_part(self._framing.keep_alive), len(self._framing.keep_alive))
        self._arm_keep_alive()

    def _cut_off(self) -> None:
        self._streams.metrics.stream_ended("slow")
        self._end(b"")

    def _end(self, farewell: bytes) -> None:
        if not self._ended.is_set():
            self._farewell = farewell
            self._ended.set()

    async def _say_farewell(self) -> None:
        await self._send({"type": "http.response.body", "body": self._farewell, "more_body": False})


def _resume_after(last_event_id: bytes | None) -> str | None:
    if not last_event_id:
        return None
    cursor = last_event_id.decode("latin-1")
    if not _CURSOR.fullmatch(cursor):
        raise RequestRefused(400, ErrorCode.BAD_REQUEST, "The Last-Event-ID header is not a cursor of a stream.")
    return cursor


def _part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
