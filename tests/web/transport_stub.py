"""A small schema and an engine of graphql-core behind the interface transport expects.

It must not grow into a second engine; it only has what a road needs to be tested.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    build_schema,
    execute,
    get_operation_ast,
    parse,
    subscribe,
    validate,
)

from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.gql.errors import ApiError, ErrorCode
from refundgql.gql.limits import Limits, OperationMeasure, measure_document

SDL = """
type Query {
  hello: String!
  me: String
  roles: String
  echo(text: String, count: Int, ids: [ID!]): String
  broken: String
  away: String
  slow(seconds: Float!): String
  page(first: Int, last: Int, after: String): ThingConnection!
  node(id: ID!): Thing
  nodes(ids: [ID!]!): [Thing]!
}
type Thing { id: ID! name: String child: Thing things(first: Int, last: Int): ThingConnection! }
type ThingEdge { cursor: String! node: Thing! }
type ThingConnection { edges: [ThingEdge!]! nodes: [Thing!]! }
type Mutation { act: String! }
type Update {
  number: Int! cursor: String! text: String resumedAfter: String viewer: String things(first: Int): ThingConnection
}
type Subscription {
  counts(to: Int!, delay: Float, after: String, size: Int): Update!
  quiet: Update!
  refused: Update!
  breaks: Update!
  log(after: String, tag: String): Update!
}
"""

SCHEMA = build_schema(SDL)


@dataclass
class Context:
    """What the resolvers below see."""

    viewer: Viewer | None
    resume_after: str | None = None
    seen: list[str] = field(default_factory=list)


class CursoredResult(dict[str, Any]):
    """A result that tells the cursor of the event it came from."""

    cursor: str | None = None


@dataclass(eq=False)
class PreparedStub:
    """A document and one operation of it."""

    document: Any
    operation: OperationDefinitionNode
    measure: OperationMeasure

    @property
    def operation_type(self) -> str:
        """The kind of operation."""
        return self.operation.operation.value

    @property
    def operation_name(self) -> str | None:
        """The operation's own name."""
        return self.operation.name.value if self.operation.name else None


def error_of(error: GraphQLError, code: str) -> dict[str, Any]:
    """Write an error as the engine would."""
    original = error.original_error
    entry: dict[str, Any] = {"message": error.message}
    if error.path:
        entry["path"] = error.path
    if isinstance(original, ApiError):
        code = original.code
    elif original is not None and not isinstance(original, GraphQLError):
        code, entry["message"] = "INTERNAL_SERVER_ERROR", "Something went wrong on our side."
    entry["extensions"] = {"code": code}
    return entry


class PushedStream:
    """A stream that hands over whatever the engine broadcasts."""

    def __init__(self, engine: "StubEngine") -> None:
        self.engine = engine
        self.sink: Any = None

    def attach(self, sink: Any) -> None:
        """Deliver from now on."""
        self.sink = sink
        self.engine.pushed.append(self)

    async def aclose(self) -> None:
        """Deliver no more."""
        self.engine.closed += 1
        if self in self.engine.pushed:
            self.engine.pushed.remove(self)


class EventLog:
    """Numbered events, and whoever follows them."""

    def __init__(self) -> None:
        self.head = 0
        self.inboxes: list[asyncio.Queue[int | None]] = []

    def join(self) -> tuple[asyncio.Queue[int | None], int]:
        """Hand over events from now on; return the last one before."""
        inbox: asyncio.Queue[int | None] = asyncio.Queue()
        self.inboxes.append(inbox)
        return inbox, self.head

    def leave(self, inbox: asyncio.Queue[int | None]) -> None:
        """Hand over no more."""
        self.inboxes.remove(inbox)

    def append(self) -> None:
        """Let one more event happen."""
        self.head += 1
        for inbox in self.inboxes:
            inbox.put_nowait(self.head)

    def end(self) -> None:
        """Let every stream end."""
        for inbox in self.inboxes:
            inbox.put_nowait(None)


class StubEngine:
    """Prepare, execute and subscribe by graphql-core alone."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.started = 0
        self.closed = 0
        self.known: dict[tuple[str, str | None], PreparedStub] = {}
        self.encoded = 0
        self.log = EventLog()
        self.pushed: list[PushedStream] = []

    def prepare(self, query: str, operation_name: str | None) -> Any:
        """Return the prepared operation, or an object with errors."""
        known = self.known.get((query, operation_name))
        if known is not None:
            return known
        try:
            document = parse(query, max_tokens=self.limits.max_tokens, allow_empty_selection_sets=False)
            measures = measure_document(document, SCHEMA, self.limits)
        except ApiError as error:
            return SimpleNamespace(errors=[{"message": error.message, "extensions": error.extensions}])
        except GraphQLError as error:
            return SimpleNamespace(errors=[error_of(error, "GRAPHQL_PARSE_FAILED")])
        errors = validate(SCHEMA, document)
        if errors:
            return SimpleNamespace(errors=[error_of(e, "GRAPHQL_VALIDATION_FAILED") for e in errors])
        operation = get_operation_ast(document, operation_name)
        if operation is None:
            message = "Name the operation to run."
            extensions = {"code": "OPERATION_RESOLUTION_FAILURE"}
            return SimpleNamespace(errors=[{"message": message, "extensions": extensions}])
        name = operation.name.value if operation.name else None
        prepared = self.known[query, operation_name] = PreparedStub(document, operation, measures[name])
        return prepared

    async def execute(self, prepared: Any, variables: Any, context: Any) -> dict[str, Any]:
        """Return the result as plain data."""
        result = execute(
            SCHEMA,
            prepared.document,
            _Root(self, context),
            context,
            variables,
            prepared.operation_name,
        )
        return _plain(await result if asyncio.iscoroutine(result) else result)

    async def subscribe(self, prepared: Any, variables: Any, context: Any) -> Any:
        """Return a stream of results, or errors."""
        if prepared.operation_name == "Pushed":
            return PushedStream(self)
        stream = subscribe(
            SCHEMA,
            prepared.document,
            _Root(self, context),
            context,
            variables,
            prepared.operation_name,
        )
        if asyncio.iscoroutine(stream):
            stream = await stream
        if isinstance(stream, ExecutionResult):
            return _plain(stream)
        return self._results(stream)

    async def _results(self, stream: Any) -> AsyncIterator[dict[str, Any]]:
        self.started += 1
        try:
            async for result in stream:
                self.encoded += 1
                plain = CursoredResult(_plain(result))
                update = next(iter((plain.get("data") or {}).values()), None)
                plain.cursor = update.get("cursor") if update else None
                yield plain
        finally:
            self.closed += 1
            await stream.aclose()


def _plain(result: ExecutionResult) -> dict[str, Any]:
    request_error = result.data is None and all(not e.path for e in result.errors or [])
    plain: dict[str, Any] = {} if request_error else {"data": result.data}
    if result.errors:
        plain["errors"] = [error_of(e, "BAD_USER_INPUT") for e in result.errors]
    return plain


class _Root:
    """The resolvers of every root field."""

    def __init__(self, engine: StubEngine, context: Context) -> None:
        self._engine = engine
        self._context = context

    def hello(self, _info: Any) -> str:
        return "world"

    def act(self, _info: Any) -> str:
        return "done"

    def me(self, _info: Any) -> str | None:
        return self._context.viewer.external_ref if self._context.viewer else None

    def roles(self, _info: Any) -> str:
        viewer = self._context.viewer
        return " ".join(sorted(viewer.roles)) if viewer else ""

    def echo(self, _info: Any, text: str = "", count: int = 0, ids: Any = None) -> str:
        return text or str(count)

    def broken(self, _info: Any) -> str:
        raise RuntimeError("the secret inside")

    def away(self, _info: Any) -> str:
        raise ApiError("The database cannot be reached.", ErrorCode.SERVICE_UNAVAILABLE)

    async def slow(self, _info: Any, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "slept"

    async def counts(
        self, _info: Any, to: int, delay: float = 0, after: str | None = None, size: int = 0
    ) -> AsyncIterator[dict[str, Any]]:
        after = self._context.resume_after or after
        viewer = self._context.viewer
        for number in range(int(after or 0) + 1, to + 1):
            if delay:
                await asyncio.sleep(delay)
            yield {
                "counts": {
                    "number": number,
                    "cursor": str(number),
                    "text": "x" * size,
                    "resumedAfter": after,
                    "viewer": viewer.external_ref if viewer else None,
                }
            }

    async def quiet(self, _info: Any) -> AsyncIterator[dict[str, Any]]:
        await asyncio.Event().wait()
        yield {}

    async def log(self, _info: Any, after: str | None = None, tag: str | None = None) -> AsyncIterator[dict[str, Any]]:
        log = self._engine.log
        after = self._context.resume_after or after
        inbox, head = log.join()
        try:
            start = head if after is None else int(after.partition(".")[2])
            # The present state first, under the cursor it was read at.
            yield {"log": {"number": 0, "cursor": f"0.{start}", "text": tag}}
            for number in range(start + 1, head + 1):
                await asyncio.sleep(0)
                yield {"log": {"number": number, "cursor": f"0.{number}", "text": tag}}
            while (number := await inbox.get()) is not None:
                if number > start:
                    await asyncio.sleep(0)
                    yield {"log": {"number": number, "cursor": f"0.{number}", "text": tag}}
        finally:
            log.leave(inbox)

    def refused(self, _info: Any) -> Any:
        raise ApiError("Sign in first.", "UNAUTHENTICATED")

    async def breaks(self, _info: Any) -> AsyncIterator[dict[str, Any]]:
        yield {"breaks": {"number": 1, "cursor": "1"}}
        raise RuntimeError("the secret inside")


def viewer(external_ref: str, *roles: Role) -> Viewer:
    """Return a viewer of that name."""
    return Viewer(f"id-of-{external_ref}", external_ref, external_ref.title(), frozenset(roles))
