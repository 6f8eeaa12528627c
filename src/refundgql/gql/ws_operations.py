"""Run one operation of a socket, and hand its results to the socket."""

import asyncio
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from refundgql.gql.answers import RequestRefused, error_entry
from refundgql.gql.bodies import GraphQLRequest
from refundgql.gql.errors import ErrorCode
from refundgql.gql.exchange import Exchange
from refundgql.gql.observability import log_access
from refundgql.gql.operations import OperationRefused
from refundgql.gql.streams import Stream
from refundgql.gql.ws_messages import complete_message, error_message, next_message, next_message_before

if TYPE_CHECKING:
    from refundgql.gql.ws import Session


class SocketOperation:
    """One operation, from its subscribe message to its end; a subscription's is the sink of its stream.

    No task waits for the next event: what a subscriber holds for hours is this object and its stream.
    """

    __slots__ = ("_exchange", "_id", "_muted", "_session", "_started_at", "_stream", "_task", "_text_before")

    def __init__(self, session: "Session", operation_id: str, request_id: str) -> None:
        self._session = session
        self._id = operation_id
        self._exchange = Exchange(request_id)
        self._started_at = time.perf_counter()
        self._muted = False
        self._stream: Stream | None = None
        self._text_before = ""
        self._task: asyncio.Task[None] | None = None

    def start(self, request: GraphQLRequest) -> None:
        """Begin, in a task of its own."""
        self._task = self._kept(self._run(request))

    def stop(self) -> None:
        """Stop the operation; a mutation is finished, only its answer is not sent any more."""
        self._muted = True
        if self._stream is not None:
            self._close_stream(self._stream)
        elif self._task is not None and self._exchange.operation_type != "mutation":
            self._task.cancel()

    def deliver(self, result: str, _: str | None) -> None:
        """Send one result of the stream."""
        if not self._muted:
            self._session.outbox.put_text(f"{self._text_before}{result}}}")

    async def taken(self) -> None:
        """Wait until the socket has taken what was sent. Refuses: ReaderGone."""
        await self._session.outbox.taken()

    def finish(self, errors: list[dict[str, Any]] | None = None) -> None:
        """End a stream that completed or failed."""
        if self._stream is not None:
            if errors is None:
                self._say_last(complete_message(self._id))
            else:
                self._refuse(OperationRefused(errors))
            self._close_stream(self._stream, 200 if errors is None else 400)

    def _close_stream(self, stream: Stream, status: int = 200) -> None:
        self._stream = None
        self._session.endpoint.metrics.stream_closed("ws")
        self._note_end(status)
        self._kept(stream.aclose())

    def _kept(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin work that may outlive its socket, and hold on to it: the event loop holds tasks by weak references."""
        task, tasks = asyncio.create_task(work), self._session.endpoint.tasks
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    async def _run(self, request: GraphQLRequest) -> None:
        status = 200
        try:
            await self._serve(request)
        except OperationRefused as refused:
            status = 400
            self._refuse(refused)
        except RequestRefused as refused:
            self._exchange.code, status = refused.code, refused.status
            if refused.status == 401:
                self._session.end_access(refused.message)
            self._say_last(error_message(self._id, [error_entry(refused.code, refused.message)]))
        except Exception as fault:
            self._exchange.code, status = ErrorCode.INTERNAL_SERVER_ERROR, 500
            self._say_last(error_message(self._id, [self._session.endpoint.operations.masked(fault)]))
        finally:
            self._task = None
            if self._stream is None:
                self._note_end(status)

    async def _serve(self, request: GraphQLRequest) -> None:
        operations, exchange = self._session.endpoint.operations, self._exchange
        account = await self._session.current_account()
        exchange.viewer_ref = self._session.caller.ref
        prepared = operations.prepare(request)
        exchange.operation_type = prepared.operation_type
        exchange.operation_name = prepared.operation_name
        if prepared.operation_type == "subscription":
            stream = await operations.subscribe(prepared, request.variables, account)
            self._stream = stream
            self._text_before = next_message_before(self._id)
            self._session.endpoint.metrics.stream_opened("ws")
            stream.attach(self)
            return
        result = await operations.execute(prepared, request.variables, account)
        if "data" not in result:
            raise OperationRefused(result.get("errors", []))
        if not self._muted:
            self._session.outbox.put_text(next_message(self._id, result))
        self._say_last(complete_message(self._id))

    def _refuse(self, refused: OperationRefused) -> None:
        self._exchange.code = refused.code
        self._say_last(error_message(self._id, refused.errors))

    def _say_last(self, text: str) -> None:
        # The id is free before the client can hear that it is.
        self._leave()
        if not self._muted:
            self._session.outbox.put_text(text)

    def _note_end(self, status: int) -> None:
        self._leave()
        seconds = time.perf_counter() - self._started_at
        self._session.endpoint.metrics.request_served("ws", self._exchange, status, seconds)
        log_access("ws", self._exchange, status, seconds)

    def _leave(self) -> None:
        if self._session.running.get(self._id) is self:
            del self._session.running[self._id]
