"""A GraphQL server for schemas declared with Strawberry: over HTTP, WebSocket and server-sent events, and compiled.

It knows no application: nothing here imports another package of this project (linted), and its tests run on toy
schemas. An application brings its schema; an `Authentication` and the contexts of operations, see `callers` and
`operations`; for subscriptions a `Log` and a `Readership`, see `feeds`; and makes an ASGI app of `app.Roads` and
pages of its own, which `server` runs under uvicorn.

The way of an operation:

- `front` tells requests from sockets, logs and masks. `http` (with `negotiation`, `bodies`, `compression`, `origins`),
  `ws` (with `ws_messages`, `ws_operations`) and `sse` are the roads; each hands on a `GraphQLRequest` and writes what
  comes back.
- `callers` says who asks, `rate` counts their requests, `connections` their sockets and streams, and ends those whose
  access is over. `limits` and `bounds` say what is too large, too deep, too dear or too much.
- `operations` finds the text (`persisted_documents`), asks the `engine` and refuses; `answers` and `responses` word
  what is refused, by the codes of `errors`.
- `engine` prepares (`documents`, `given`), executes (`compiled` or `core`, within the time limit) and subscribes.
- `streams` hands the results of subscriptions to sinks: one bounded stream for each subscriber, one text for all who
  read the same. `outbox` is what one socket has still to take.
- `hardening` is what uvicorn's connections lack, `ports` every name taken from inside a library, checked at import;
  `exchange`, `observability` and `metrics` are what is noted, logged and counted.

How to declare fields (`import strawberry`, and from here `level`, `leaf`, `Level`, `LevelInfo`):

    @strawberry.interface(description="...")
    class Node:
        id: strawberry.ID = leaf(lambda row: f"{row.TYPENAME}_{row.id}", description="...")

    @strawberry.type(description="...")
    class Book(Node):
        title: str = strawberry.field(description="...")           # read from row.title
        state: BookState = strawberry.field(description="...")     # a str equal to the value's name
        printed_at: datetime = strawberry.field(description="...")  # whatever the scalar's serialize takes

        @level(description="...")                                  # one call for all books of the level
        @staticmethod
        async def author(rows: list[BookRow], info: LevelInfo) -> Level[Person]:
            return await persons_by_id(info.context, [row.author_id for row in rows], info.selection)

        @level(description="...")
        @staticmethod
        def overdue(rows: list[BookRow], info: LevelInfo) -> list[bool]:  # leaves; waits for nothing: a plain def
            return [is_overdue(row, info.context.now) for row in rows]

- Types are declarations only; rows travel. A field without a resolver reads the row's attribute of the same
  Python name. Lists and objects inside a row need no resolver either. `rows` holds rows to their types: by the classes
  that level functions take, or `@row(BookRow)` above a type without one.
- A level function takes `(rows, info, ...)`; further parameters are the GraphQL arguments, described with
  `Annotated[int | None, strawberry.argument(description="...")] = None`. It returns one item for each row,
  in order; an item that is an exception is that position's error, a raised one is the error of all.
  A root field is a level of one row: `rows == [None]`, so it returns a list of one item.
- `Level["Book"]` and `Level[Annotated["Book", strawberry.lazy("shop.books")]]` work as usual in
  Strawberry. A function of the module works too: `loans: list[Loan] = level(loans_of_books)`.
- `info.context` is the request's context. `info.selection` is a mapping of the child fields asked for, by
  Python name: `info.selection.has("edges", "node", "author")`, `info.selection.at("edges", "node")`,
  `.on("Book")` for one member of a union.
- Interfaces and unions resolve by `row.TYPENAME`.
- Ordinary resolvers (`@strawberry.field def f(self, info: strawberry.Info)`), permissions and field extensions
  work too, once for each row: `self` is the row.
- `raise ApiError("...", ErrorCode.FORBIDDEN)` reaches the client; any other exception is masked.
- A subscription's root is a `@strawberry.subscription` whose `async def` checks what is asked for and returns a `Feed`,
  see `feeds` and `streams`; what it raises refuses the stream before it begins.
- A scalar whose `serialize` returns some classes unchanged says so with `@passes(str)`: then such values are
  not even passed to it. `@gives(int, function)` names the function for the usual class of its values.

How operations run:

    engine = GraphQLEngine(schema, limits=Limits(), translate=...)
    prepared = engine.prepare(query, operation_name)                 # Prepared | RequestErrors
    response = await engine.execute(prepared, variables, context)    # {"data": ..., "errors": [...]}
    stream = await engine.subscribe(prepared, variables, context)    # Stream | {"errors": [...]}
    stream.attach(sink)                                              # results as JSON text, until stream.aclose()

The executor in a page. graphql-core interprets the document anew for every value: it finds the field, calls a
resolver, looks at the type, builds a path in case of an error. That is several microseconds a field. Here an
operation that is used a second time is turned into Python once, and that code is run:

- `plan` reads the operation into selections (a merged selection set on one object type) and fields. The values
  of variables in @include and @skip are part of the plan, so that the code has no conditions; `plans` keeps one
  plan for each operation and set of flags.
- `compiler` writes one function for each selection, S(rows, X, P), that takes all rows of a level and returns
  their dictionaries. Fields read from the row, objects and lists below it included, are one dictionary display,
  with the usual class of each value checked inline (`leaves`):

      def S9(rows, X, P):
       outs = []; add = outs.append
       for s in rows:
        try: add({'number': (v if type(v := s.number) is str else L5(v)), 'state': E6[s.state], 'events': None})
        except Exception: add(redo(R8, s, X, P(len(outs))))
       return outs

- `levels` does what happens once for a level, not for a row: for a field with a resolver, or with one below it,
  it gets the values of all rows by one awaited call, lines up the objects in them, has the S of their type
  complete them together, and puts the results where the display left None. Interfaces and unions are sorted
  by TYPENAME and each type goes together.
- X is the run: context, variables, errors. P gives a row's path by its index. It is a closure that nobody calls
  while all is well: the happy road builds no paths and handles no errors.
- Whatever is odd (None in a non-null position, an exception as a value, a class the inline test does not know) goes the
  slow road in `completion`, which completes by the specification with exact paths and null propagation; rows
  below an odd value still go on together, so that errors never multiply statements.
- An error nulls the nearest nullable parent, and one error is told for each null, in the order of the response.
- The client's text stands in the generated code only as the `repr` of response names.
- Sibling fields that wait take turns, as the root fields of a mutation must. Subscriptions execute each event with
  the same plan.

Operations used for the first time, introspection, types with an `is_type_of` or `resolve_type` of their own
and documents of over 4,000 fields are run by graphql-core (`reference`). There, too, a level function gets
all rows at once: `adapter` gathers the rows that graphql-core asks for one by one until the event loop is
quiet. tests/gql compares the two over tens of thousands of generated documents. Not for either:
rows whose attributes are awaitables or async iterators, @defer, @stream, and Strawberry's schema extensions.
"""
