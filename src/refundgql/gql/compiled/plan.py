"""What a compiled operation consists of: its selections, their fields, and the state of one run."""

import inspect
from collections.abc import Callable
from enum import Enum, auto
from operator import attrgetter
from typing import Any

import strawberry
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    located_error,
)

from refundgql.gql.bounds import Found, is_page
from refundgql.gql.compiled.arguments import FieldArguments, LevelArguments
from refundgql.gql.core.adapter import resolve_by_typename
from refundgql.gql.declare import LEAF, LEVEL
from refundgql.gql.ports import (
    BACKREF,
    Executor,
    FieldDetailsList,
    GroupedFieldSet,
    Path,
    StrawberryField,
    VariableValues,
    core_schema,
)
from refundgql.gql.selection import Document, Selection

PathOf = Callable[[int], list[str | int]]
"""The path of a level's row by its index; only asked for when there is an error to report."""

MAX_FIELDS = 4_000
"""A plan with more fields than any allowed operation has is not worth its memory."""


MAX_INLINE_DEPTH = 12
"""Objects nested deeper than this get a function of their own; Python's parser has a limit on nesting."""

MAX_CLASSES = 64
"""Classes remembered as harmless for one field; more would mean classes made at run time."""


class NotCompiled(Exception):
    """This operation has something only graphql-core can do; it is run there."""


class FieldKind(Enum):
    """How a field's value is got."""

    TYPENAME = auto()
    ATTRIBUTE = auto()
    COMPUTED = auto()
    LEVEL = auto()
    RESOLVER = auto()
    EVENT = auto()


READ = {FieldKind.TYPENAME, FieldKind.ATTRIBUTE, FieldKind.COMPUTED}
"""Kinds that only need the row."""


class Run:
    """One execution: what it was given, and the errors it has met."""

    __slots__ = ("_executor", "context", "errors", "found", "make_executor", "variables")

    def __init__(self, context: Any, variables: VariableValues, make_executor: Callable[[], Executor[Any]]) -> None:
        self.context = context
        self.variables = variables
        self.errors: list[GraphQLError] = []
        self.found = Found()
        self.make_executor = make_executor
        self._executor: Executor[Any] | None = None

    @property
    def executor(self) -> Executor[Any]:
        """Give graphql-core's executor of the same run; only ordinary resolvers need one, for their info."""
        if self._executor is None:
            self._executor = self.make_executor()
        return self._executor

    def fail(self, error: Exception, field: "Field", path: list[str | int]) -> None:
        """Note an error at a position."""
        self.errors.append(located_error(error, field.nodes, path))


class Field:
    """One response key of one selection."""

    __slots__ = (
        "args",
        "awaits",
        "classes",
        "core",
        "depth",
        "details",
        "found_below",
        "function",
        "getter",
        "inline",
        "key",
        "keywords",
        "kind",
        "leaves",
        "name",
        "named",
        "nodes",
        "non_null",
        "only",
        "page",
        "parent",
        "selection",
        "subs",
        "type",
        "waits",
    )  # fmt: skip

    def __init__(self, planner: "Planner", parent: GraphQLObjectType, key: str, details: FieldDetailsList) -> None:
        self.key = key
        self.details = details
        self.nodes: list[FieldNode] = [d.node for d in details]
        self.parent = parent
        self.name = self.nodes[0].name.value
        core = planner.core.get_field(parent, self.name)
        if core is None:
            raise NotCompiled(self.name)
        self.core: GraphQLField = core
        self.type: GraphQLOutputType = core.type
        self.named: GraphQLNamedType = get_named_type(core.type)
        self.non_null = is_non_null_type(core.type)
        self.depth = list_depth(core.type)
        self.page = is_page(self.named.name)
        self.subs: dict[str, Selected] = {}
        """The selections below, by the name of the object type."""
        self.only: Any = None
        """The selection below when the field's type is an object type."""
        self.leaves: Any = None
        """The generated function for values of leaf types that a resolver gives."""
        self.classes: set[type] = set()
        """Classes of rows found harmless."""
        self.function: Any = None
        self.kind = self._kind_of_field(planner)
        self.getter: Any = attrgetter(str(self.function)) if self.kind is FieldKind.ATTRIBUTE else self.function
        self.inline = False
        """The field is part of its row's dictionary display."""
        self.awaits = self.kind is FieldKind.RESOLVER or (
            self.kind is FieldKind.LEVEL and inspect.iscoroutinefunction(self.function)
        )
        """Getting the values needs an await."""
        self.waits = self.awaits
        """Getting the values, or completing them, needs an await."""
        if self.kind in (FieldKind.LEVEL, FieldKind.RESOLVER, FieldKind.EVENT):
            self.args = FieldArguments(core, self.nodes[0])
        if self.kind is FieldKind.LEVEL:
            self.keywords = LevelArguments(planner.schema, core.extensions[BACKREF], self.args)
            self.selection = Selection(planner.document, self.named, details)
            self.found_below: dict[tuple[str, ...], Field | None] = {}

    def _kind_of_field(self, planner: "Planner") -> FieldKind:
        if self.name == "__typename":
            return FieldKind.TYPENAME
        definition = (self.core.extensions or {}).get(BACKREF)
        if not isinstance(definition, StrawberryField):
            raise NotCompiled(self.name)
        if definition.is_subscription:
            return FieldKind.EVENT
        if LEVEL in definition.metadata:
            self.function = definition.metadata[LEVEL]
            return FieldKind.LEVEL
        if not definition.is_basic_field:
            self.function = self.core.resolve
            return FieldKind.RESOLVER
        if LEAF in definition.metadata:
            self.function = definition.metadata[LEAF]
            return FieldKind.COMPUTED
        if definition.default_resolver is not getattr:
            raise NotCompiled(self.name)
        self.function = definition.python_name
        return FieldKind.ATTRIBUTE

    @property
    def label(self) -> str:
        """Name the field as error messages do."""
        return f"{self.parent.name}.{self.name}"

    @property
    def python_name(self) -> str:
        """Name the field as Python code does."""
        definition = (self.core.extensions or {}).get(BACKREF)
        return str(getattr(definition, "python_name", None) or self.name)

    def below(self, names: tuple[str, ...]) -> "Field | None":
        """Find the one level at a path of Python names below this one, through object types; else nothing."""
        if names not in self.found_below:
            self.found_below[names] = self._find_below(names)
        return self.found_below[names]

    def _find_below(self, names: tuple[str, ...]) -> "Field | None":
        found = self
        for name in names:
            if found.only is None:
                return None
            named = [field for field in found.only.fields if field.python_name == name]
            if len(named) != 1:
                return None
            found = named[0]
        return found if found.kind is FieldKind.LEVEL else None

    def read(self, row: Any) -> Any:
        """Get the value of one row, for kinds that need nothing else."""
        if self.kind is FieldKind.TYPENAME:
            return self.parent.name
        if self.kind is FieldKind.EVENT:
            return row
        return getattr(row, self.function) if self.kind is FieldKind.ATTRIBUTE else self.function(row)

    def info(self, run: Run, path: list[str | int]) -> GraphQLResolveInfo[Any]:
        """Give graphql-core's info for one row of an ordinary resolver."""
        at: Path | None = None
        for step in path:
            at = Path(at, step, None)
        assert at is not None  # noqa: S101 - the path of a field is never empty
        return run.executor.build_resolve_info(
            self.core, self.nodes, self.parent, Path(at.prev, self.key, self.parent.name)
        )


class Selected:
    """One selection set on one object type."""

    __slots__ = ("awaits", "composed", "depth", "fields", "inline", "read", "run", "type_name", "written")

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name
        self.fields: list[Field] = []
        self.composed: list[Field] = []
        """The fields that need a function of their own: resolvers, levels, and whatever is above one."""
        self.inline = False
        """All fields are read from the row, so that the whole object is one expression."""
        self.depth = 1
        """How many dictionary displays are nested in that expression."""
        self.awaits = False
        """Completing the rows needs an await."""
        self.written = ""
        """The name of the generated function."""
        self.read: Any = None
        """The generated function: (rows, run, path_of) to dictionaries with all but the composed fields."""
        self.run: Any = None
        """Completes all rows: (rows, run, path_of) to dictionaries."""


class Planner:
    """Reads one operation into selections; the same nodes on the same type are read once."""

    def __init__(self, schema: strawberry.Schema, document: Document) -> None:
        self.schema = schema
        self.core = core_schema(schema)
        self.document = document
        self._known: dict[Any, Selected] = {}
        self._count = 0

    def select(self, type_: GraphQLObjectType, grouped: GroupedFieldSet) -> Selected:
        """Read a merged selection set on an object type. Refuses: more than MAX_FIELDS fields (NotCompiled)."""
        if type_.is_type_of is not None:
            raise NotCompiled(type_.name)
        key = (type_.name, *((name, *(id(d.node) for d in ds)) for name, ds in grouped.items()))
        found = self._known.get(key)
        if found is not None:
            return found
        selected = self._known[key] = Selected(type_.name)
        for name, details in grouped.items():
            self._count += 1
            if self._count > MAX_FIELDS:
                raise NotCompiled("too many fields")
            field = Field(self, type_, name, details)
            selected.fields.append(field)
            self._below(field)
            if not field.inline:
                selected.composed.append(field)
        nested = [field.only.depth for field in selected.fields if field.inline and field.only is not None]
        selected.depth = 1 + max(nested, default=0)
        selected.inline = not selected.composed and selected.depth <= MAX_INLINE_DEPTH
        selected.awaits = any(field.waits for field in selected.composed)
        return selected

    def _below(self, field: Field) -> None:
        if is_leaf_type(field.named):
            field.inline = field.kind in READ
            return
        if not is_object_type(field.named) and field.named.resolve_type is not resolve_by_typename:  # type: ignore[attr-defined]
            raise NotCompiled(field.name)
        for type_ in self.document.object_types_of(field.named):
            field.subs[type_.name] = self.select(type_, self.document.fields_of(type_, field.details))
        if is_object_type(field.named):
            field.only = field.subs[field.named.name]
            field.inline = field.kind in READ and field.only.inline
        field.waits = field.awaits or any(selected.awaits for selected in field.subs.values())


def nullable(type_: Any) -> Any:
    """Take one non-null wrapper off a type."""
    return type_.of_type if is_non_null_type(type_) else type_


def list_depth(type_: Any) -> int:
    """Count the lists around a named type."""
    bare = nullable(type_)
    return 1 + list_depth(bare.of_type) if is_list_type(bare) else 0
