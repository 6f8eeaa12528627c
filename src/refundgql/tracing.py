"""OpenTelemetry traces: what a request, an operation, a command and its statements took, wrapped around them.

It must not be imported unless a collector is set: then nothing else knows of it, and nothing costs anything. Spans hold
names that the schema and the code give, never documents, variables, tokens or values.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from graphql import FieldNode
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from refundgql import __version__
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.refusals import Refused
from refundgql.storage.database import Database, Row, Transaction
from refundgql.storage.faults import StorageError

T = TypeVar("T")

# The only paths that stand in names: others are a client's invention.
_PATHS: Final = frozenset(("/graphql", "/graphql/stream", "/healthz", "/readyz", "/metrics"))
_UNTRACED: Final = frozenset(("/healthz", "/readyz", "/metrics"))
_TABLE: Final = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+([a-z_]+)")
_MOST_ROOT_FIELDS: Final = 10


class Tracing:
    """The tracer of this process, and what wraps the application's parts in spans."""

    def __init__(self, endpoint: str, exporter: SpanExporter | None = None) -> None:
        """Send spans in batches to a collector, by OTLP over HTTP."""
        resource = Resource.create({"service.name": "refundgql", "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter(_traces_at(endpoint))))
        self._tracer = self._provider.get_tracer("refundgql", __version__)

    def close(self) -> None:
        """Send what is left, and stop; blocks until the collector has it or does not answer."""
        self._provider.shutdown()

    def database(self, database: Database) -> Database:
        """Return the database with a span for each reading statement and each transaction of a traced act."""
        return _TracedDatabase(database, self._tracer)

    def unit_of_work(self, uow: UnitOfWork) -> UnitOfWork:
        """Return the unit of work with a span for each command."""
        values = {name: getattr(uow, name) for name in UnitOfWork.__dataclass_fields__}
        traced = _TracedUnitOfWork(**values)
        object.__setattr__(traced, "tracer", self._tracer)
        return traced

    def engine(self, engine: Any, *, names_are_known: bool) -> Any:
        """Return the engine with a span for each operation, with its name when names are the server's own."""
        return _TracedEngine(engine, self._tracer, names_are_known=names_are_known)

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """Return the app with a span for each HTTP request, in the trace that the caller's `traceparent` names."""
        return _TracedRequests(app, self._tracer)


def _traces_at(endpoint: str) -> str:
    """Return where spans are sent: the path of the protocol, when the endpoint has none."""
    return endpoint if urlsplit(endpoint).path not in ("", "/") else f"{endpoint.rstrip('/')}/v1/traces"


class _TracedRequests:
    """ASGI middleware: one span for each HTTP request, until its answer begins when that is a stream."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await self._app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in _PATHS else "other"
        names = (b"traceparent", b"tracestate")
        carrier = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in names}
        with self._tracer.start_as_current_span(
            f"{scope['method']} {path}", context=self._propagator.extract(carrier), kind=SpanKind.SERVER
        ) as span:
            span.set_attribute("http.request.method", scope["method"])
            span.set_attribute("url.path", path)

            async def answered(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    span.set_attribute("http.response.status_code", status)
                    if status >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                    if (b"content-type", b"text/event-stream") in _media_types(message):
                        span.end()  # a stream may last for days
                await send(message)

            await self._app(scope, receive, answered)


def _media_types(message: Message) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value.split(b";")[0]) for name, value in message.get("headers", ())]


class _TracedEngine:
    """The engine with a span for each operation."""

    def __init__(self, engine: Any, tracer: Tracer, *, names_are_known: bool) -> None:
        self._engine = engine
        self._tracer = tracer
        self._names_are_known = names_are_known

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def execute(self, prepared: Any, variables: dict[str, Any] | None, context: Any) -> dict[str, Any]:
        """Execute a query or mutation in a span."""
        with self._tracer.start_as_current_span(prepared.operation_type) as span:
            span.set_attributes(self._attributes(prepared))
            result: dict[str, Any] = await self._engine.execute(prepared, variables, context)
            if result.get("errors"):
                span.set_attribute("graphql.errors", len(result["errors"]))
            return result

    async def subscribe(self, prepared: Any, variables: dict[str, Any] | None, context: Any) -> Any:
        """Open a subscription in a span; its events have none, they are nobody's request."""
        with self._tracer.start_as_current_span("subscription") as span:
            span.set_attributes(self._attributes(prepared))
            return await self._engine.subscribe(prepared, variables, context)

    def _attributes(self, prepared: Any) -> dict[str, str | list[str]]:
        selections = prepared.operation.selection_set.selections
        fields = [one.name.value for one in selections if isinstance(one, FieldNode)]
        found: dict[str, str | list[str]] = {
            "graphql.operation.type": prepared.operation_type,
            "graphql.fields": fields[:_MOST_ROOT_FIELDS],
        }
        if self._names_are_known and prepared.operation_name:
            found["graphql.operation.name"] = prepared.operation_name
        return found


class _TracedUnitOfWork(UnitOfWork):
    """The unit of work with a span for each command."""

    __slots__ = ("tracer",)
    tracer: Tracer

    async def run(
        self,
        work: Callable[[Unit], Awaitable[T]],
        *,
        repeatable: bool = True,
        one_write: bool = False,
        name: str = "work",
    ) -> T:
        """Run the work in a span of its name; a refusal is an answer and no error."""
        with self.tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as span:
            try:
                return await UnitOfWork.run(self, work, repeatable=repeatable, one_write=one_write, name=name)
            except Refused as refused:
                span.set_attribute("refundgql.refused", [one.code.value for one in refused.refusals])
                raise
            except Exception as fault:
                span.set_status(Status(StatusCode.ERROR, type(fault).__name__))
                raise


class _TracedDatabase(Database):
    """A database whose statements are seen in the traces of acts; what nobody asked for, such as looks, is not."""

    def __init__(self, database: Database, tracer: Tracer) -> None:
        self._database = database
        self._tracer = tracer
        self.dialect = database.dialect
        self.url = database.url

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def close(self) -> None:
        """Close every connection."""
        await self._database.close()

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Return all rows of a reading statement."""
        if not trace.get_current_span().is_recording():
            return await self._database.fetch(sql, parameters)
        with self._tracer.start_as_current_span(_summary(sql), kind=SpanKind.CLIENT) as span:
            span.set_attribute("db.system.name", _SYSTEMS[self.dialect.name])
            return await self._database.fetch(sql, parameters)

    def stream(self, sql: str, parameters: Sequence[Any] = (), *, batch: int = 1_000) -> AsyncIterator[Row]:
        """Yield the rows of a reading statement."""
        return self._database.stream(sql, parameters, batch=batch)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction for writing."""
        return self._traced("transaction", self._database.transaction())

    @property
    def connections_in_use(self) -> int:
        """Return how many of the process's connections are lent at the moment."""
        return self._database.connections_in_use

    def maintenance(self) -> AbstractAsyncContextManager[Any]:
        """Open Tortoise's client."""
        return self._database.maintenance()

    def fault_of(self, error: BaseException) -> StorageError | None:
        """Return what an error of Tortoise's or the driver's means here."""
        return self._database.fault_of(error)

    def one_write(self) -> AbstractAsyncContextManager[Transaction]:
        """Open what reads without locks and writes once."""
        return self._traced("one write", self._database.one_write())

    @asynccontextmanager
    async def _traced(self, name: str, opened: AbstractAsyncContextManager[Transaction]) -> AsyncIterator[Transaction]:
        if not trace.get_current_span().is_recording():
            async with opened as tx:
                yield tx
            return
        # A race that is lost and a refusal end a transaction, too: neither is an error of this span.
        with self._tracer.start_as_current_span(
            name, kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            span.set_attribute("db.system.name", _SYSTEMS[self.dialect.name])
            async with opened as tx:
                yield tx


_SYSTEMS: Final = {"POSTGRES": "postgresql", "SQLITE": "sqlite"}


def _summary(sql: str) -> str:
    """Return a statement's verb and the first table it names."""
    verb = sql.lstrip().split(None, 1)[0].upper()
    table = _TABLE.search(sql)
    return f"{verb} {table[1]}" if table else verb
