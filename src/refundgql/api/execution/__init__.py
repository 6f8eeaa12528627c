"""The executor: how API modules declare fields, and how operations run.

How to declare fields (`import strawberry`, and from here `level`, `leaf`, `Level`, `LevelInfo`):

    @strawberry.interface(description="...")
    class Node:
        id: strawberry.ID = leaf(lambda row: f"{row.TYPENAME}_{row.id}", description="...")

    @strawberry.type(description="...")
    class RefundCase(Node):
        number: str = strawberry.field(description="...")          # read from row.number
        state: RefundCaseState = strawberry.field(description="...")  # a str equal to the value's name
        opened_at: datetime = strawberry.field(description="...")  # whatever the scalar's serialize takes

        @level(description="...")                                  # one call for all cases of the level
        @staticmethod
        async def requester(rows: list[CaseRow], info: LevelInfo) -> Level[Account]:
            return await accounts_by_id(info.context, [row.requester_id for row in rows], info.selection)

        @level(description="...")
        @staticmethod
        def overdue(rows: list[CaseRow], info: LevelInfo) -> Level[bool]:  # waits for nothing: a plain def
            return [is_overdue(row, info.context.now) for row in rows]

- Types are declarations only; rows travel. A field without a resolver reads the row's attribute of the same
  Python name. Lists and objects inside a row need no resolver either.
- A level function takes `(rows, info, ...)`; further parameters are the GraphQL arguments, described with
  `Annotated[int | None, strawberry.argument(description="...")] = None`. It returns one item for each row,
  in order; an item that is an exception is that position's error, a raised one is the error of all.
  A root field is a level of one row: `rows == [None]`, so it returns a list of one item.
- `Level["Lead"]` and `Level[Annotated["Lead", strawberry.lazy("refundgql.api.leads")]]` work as usual in
  Strawberry, and so does `level(graphql_type=...)`. A function of the module works too:
  `events: RefundEventConnection = level(events_of_cases)`.
- `info.context` is the request's context. `info.selection` is a mapping of the child fields asked for, by
  Python name: `info.selection.has("edges", "node", "requester")`, `info.selection.at("edges", "node")`,
  `.on("Lead")` for one member of a union.
- Interfaces and unions resolve by `row.TYPENAME`.
- Ordinary resolvers (`@strawberry.field def f(self, info: strawberry.Info)`), permissions and field extensions
  work too, once for each row: `self` is the row.
- `raise ApiError("...", ErrorCode.FORBIDDEN)` reaches the client; any other exception is masked.
- A subscription's root is an ordinary `@strawberry.subscription` that yields rows. To refuse before the stream
  begins, let an `async def` check and return the generator, rather than be one.
- A scalar whose `serialize` returns some classes unchanged says so with `@passes(str)`: then such values are
  not even passed to it.

How operations run:

    engine = GraphQLEngine(schema, check_source=..., check_document=..., on_fault=...)
    prepared = engine.prepare(query, operation_name)                 # Prepared | RequestErrors
    response = await engine.execute(prepared, variables, context)    # {"data": ..., "errors": [...]}
    stream = await engine.subscribe(prepared, variables, context)    # async iterator | {"errors": [...]}
    response = await engine.encode_event(prepared, variables, context, row)  # one event for many subscribers

It must not import anything of the refund domain: the API declares, this package executes.
"""

from refundgql.api.execution.documents import Checked, Measure, Prepared, RequestErrors
from refundgql.api.execution.engine import GraphQLEngine
from refundgql.api.execution.errors import ApiError, ErrorCode
from refundgql.api.execution.fields import Level, LevelInfo, leaf, level, passes
from refundgql.api.execution.selection import Selection

__all__ = [
    "ApiError",
    "Checked",
    "ErrorCode",
    "GraphQLEngine",
    "Level",
    "LevelInfo",
    "Measure",
    "Prepared",
    "RequestErrors",
    "Selection",
    "leaf",
    "level",
    "passes",
]
