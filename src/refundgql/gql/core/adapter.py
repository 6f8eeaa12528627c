"""Lets graphql-core's own executor call level functions with all rows of a level.

graphql-core asks row by row; the rows of one field and level are gathered until the event loop has gone
quiet, then resolved by one call, so that the number of statements never depends on the number of rows.
It must not be needed for speed: it serves the documents that are not compiled.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import strawberry
from graphql import (
    FragmentDefinitionNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    default_type_resolver,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_input_object_type,
    is_introspection_type,
    is_list_type,
    is_object_type,
)

from refundgql.gql.bounds import Found, TooManyItems, is_page
from refundgql.gql.declare import LEVEL, LevelFunction, LevelInfo
from refundgql.gql.ports import BACKREF, FieldDetails, StrawberryField, convert_arguments, core_schema, scalar_registry
from refundgql.gql.selection import Document, Selection

Arguments = Callable[[dict[str, Any]], dict[str, Any]]


def argument_converter(schema: strawberry.Schema, field: StrawberryField) -> Arguments:
    """Give the function that turns coerced GraphQL arguments into Python ones (names, input classes)."""
    registry, config = scalar_registry(schema), schema.config

    def convert(given: dict[str, Any]) -> dict[str, Any]:
        return convert_arguments(given, field.arguments, scalar_registry=registry, config=config)

    return convert


class LevelBatches:
    """The levels being gathered for one operation run by graphql-core."""

    def __init__(self) -> None:
        self._open: dict[Any, list[tuple[Any, asyncio.Future[Any]]]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._documents: dict[int, Document] = {}
        self._over = False
        self._found = Found()
        self._task = asyncio.current_task()
        self.ended_by: Exception | None = None

    def load(
        self, function: LevelFunction, convert: Arguments, row: Any, info: GraphQLResolveInfo[Any], given: Any
    ) -> asyncio.Future[Any]:
        """Add a row to its level; the future gives what the level function returns for it."""
        names: list[str | int] = [info.parent_type.name]
        path = info.path
        while path is not None:
            if not isinstance(path.key, int):
                names.append(path.key)
            path = path.prev  # type: ignore[assignment]  # the first step has no previous one
        key = tuple(names)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._over:
            future.cancel()
            return future
        if key not in self._open:
            self._open[key] = []
            task = asyncio.ensure_future(self._resolve(key, function, convert, info, given))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        self._open[key].append((row, future))
        return future

    def _count(self, values: list[Any], info: GraphQLResolveInfo[Any]) -> None:
        if is_list_type(get_nullable_type(info.return_type)):
            self._found.count_lists(values)
        elif is_page(get_named_type(info.return_type).name):
            self._found.count_pages(values)

    def end(self, error: Exception) -> None:
        """End the operation as a whole: graphql-core would note the error at each of thousands of positions."""
        self.ended_by = error
        if self._task is not None:
            self._task.cancel()

    def cancel(self) -> None:
        """Give up levels still running or asked for later, when their operation ended without them.

        graphql-core leaves the siblings of a lost non-null field running; nobody waits for them any more.
        """
        self._over = True
        for waiting in self._open.values():
            for _, future in waiting:
                future.cancel()
        for task in self._running:
            task.cancel()

    async def _resolve(
        self,
        key: Any,
        function: LevelFunction,
        convert: Arguments,
        info: GraphQLResolveInfo[Any],
        given: dict[str, Any],
    ) -> None:
        waiting = self._open[key]
        try:
            seen, quiet, most = 0, 0, turns_apart(info)
            while quiet < most:
                seen, quiet = (seen, quiet + 1) if len(waiting) == seen else (len(waiting), 0)
                await asyncio.sleep(0)
            del self._open[key]
            rows = [row for row, _ in waiting]
            try:
                level_info = LevelInfo(info.context, self._selection(info))
                values: Any = function(rows, level_info, **convert(given))
                if inspect.iscoroutinefunction(function):
                    values = await values
                values = same_length(values, rows, function)
            except Exception as error:
                values = [error] * len(rows)
            try:
                self._count(values, info)
            except TooManyItems as too_many:
                self.end(too_many)
                return
            for (_, future), value in zip(waiting, values, strict=True):
                if not future.done():
                    future.set_result(value)
        finally:
            for _, future in waiting:  # nothing may wait for a level that was given up
                future.cancel()

    def _selection(self, info: GraphQLResolveInfo[Any]) -> Selection:
        document = self._documents.get(id(info.operation))
        if document is None:
            fragments: Mapping[str, FragmentDefinitionNode] = info.fragments
            document = Document(info.schema, fragments, info.operation, info.variable_values)
            self._documents[id(info.operation)] = document
        details = [FieldDetails(node, None) for node in info.field_nodes]
        return Selection(document, get_named_type(info.return_type), details)


def turns_apart(info: GraphQLResolveInfo[Any]) -> int:
    """Return how many turns of the event loop the rows of a level may come apart.

    graphql-core nests a task for the object that the field belongs to, and one for each dimension of the list it is in.
    """
    turns, above = 1, info.path.prev
    while above is not None and isinstance(above.key, int):
        turns, above = turns + 1, above.prev
    return turns


def same_length(values: Any, rows: list[Any], function: LevelFunction) -> list[Any]:
    """Check that a level function gave one item for each row (RuntimeError: a defect, never a client's fault)."""
    listed = values if isinstance(values, list) else list(values)
    if len(listed) != len(rows):
        raise RuntimeError(f"{function.__qualname__} gave {len(listed)} items for {len(rows)} rows")
    return listed


BATCHES: ContextVar[LevelBatches] = ContextVar("level_batches")
"""The batches of the operation that graphql-core is running in this task."""


def adapt(schema: strawberry.Schema) -> None:
    """Teach a schema's graphql-core types level functions and rows that name their type in TYPENAME.

    Rows are not instances of Strawberry classes, so the instance checks Strawberry adds for types with
    interfaces are taken out; type resolvers and checks that an author wrote stay.
    """
    for type_ in core_schema(schema).type_map.values():
        if is_introspection_type(type_):
            continue
        definition = (type_.extensions or {}).get(BACKREF)
        if is_input_object_type(type_) and getattr(definition, "is_one_of", False):
            # graphql-core's own check says where the value stands; Strawberry's does not.
            type_.is_one_of = True
            type_.out_type = GraphQLInputObjectType.out_type  # type: ignore[method-assign]
        if is_abstract_type(type_):
            if getattr(definition, "resolve_type", None) is None:
                type_.resolve_type = resolve_by_typename
        elif is_object_type(type_):
            if getattr(definition, "is_type_of", None) is None:
                type_.is_type_of = None
            _adapt_levels(schema, type_)


def resolve_by_typename(row: Any, info: GraphQLResolveInfo[Any], type_: GraphQLAbstractType) -> Any:
    """Name a row's GraphQL type: its TYPENAME, or what graphql-core's default finds."""
    name = getattr(row, "TYPENAME", None)
    return name if name is not None else default_type_resolver(row, info, type_)


def _adapt_levels(schema: strawberry.Schema, type_: GraphQLObjectType) -> None:
    for field in type_.fields.values():
        definition = (field.extensions or {}).get(BACKREF)
        if isinstance(definition, StrawberryField) and LEVEL in definition.metadata:
            field.resolve = _level_resolver(schema, field, definition)


def _level_resolver(schema: strawberry.Schema, field: GraphQLField, definition: StrawberryField) -> Any:
    function: LevelFunction = definition.metadata[LEVEL]
    convert = argument_converter(schema, definition)

    def resolve(row: Any, info: GraphQLResolveInfo[Any], **given: Any) -> asyncio.Future[Any]:
        return BATCHES.get().load(function, convert, row, info, given)

    return resolve
