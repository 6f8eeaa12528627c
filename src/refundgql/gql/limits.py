"""Put a bound on everything a client can send, and measure documents before they are validated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_composite_type,
)

from refundgql.gql.declare import declared_cost
from refundgql.gql.errors import ApiError, ErrorCode

# Sums stop growing here: beyond every limit, and far from where integers become slow.
_SATURATED: Final = 1_000_000_000
_INTROSPECTION_ROOTS: Final = frozenset(("__schema", "__type"))
# The wrappers of a page are free: the objects in it are what has to be found.
_PAGE_WRAPPERS: Final = frozenset(("edges", "pageInfo"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every bound of a request, a document, a socket and an account, with the defaults of a public server."""

    # Bytes on the wire; 1,000 records of whoever sends in batches have about 1 MiB, chats more.
    max_body_bytes: int = 128 * 1024
    max_batch_bytes: int = 4 * 1024 * 1024
    body_seconds: float = 10.0
    max_message_bytes: int = 64 * 1024
    # Shape of a document; the standard introspection query has 15 levels.
    max_tokens: int = 1_500
    max_depth: int = 12
    max_introspection_depth: int = 16
    max_fields: int = 400
    max_aliases: int = 30
    max_operations: int = 10
    max_cost: int = 5_000
    # Work and answers.
    max_errors: int = 5
    max_page: int = 100
    default_page: int = 20
    operation_seconds: float = 5.0
    # Sockets and accounts.
    init_seconds: float = 5.0
    max_operations_per_socket: int = 100
    max_sockets_per_account: int = 20
    requests_per_minute: int | None = 600


class LimitExceeded(ApiError):
    """The operation asks for more than this server allows; the message names the limit."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ErrorCode.LIMIT_EXCEEDED)


class _Cost:
    """What a selection costs: a number, and terms that depend on variables, each a factor times another cost."""

    __slots__ = ("constant", "terms")

    def __init__(self) -> None:
        self.constant = 0
        self.terms: list[tuple[_Factor, _Cost]] = []

    def add(self, factor: "_Factor", cost: "_Cost") -> None:
        """Add another cost so many times, folded into the number where nothing depends on variables."""
        if factor.variable is None and not cost.terms:
            self.constant = min(_SATURATED, self.constant + factor.count * cost.constant)
        else:
            self.terms.append((factor, cost))

    def evaluate(self, variables: Mapping[str, Any], known: dict[int, int]) -> int:
        """Return the number for these variables; shared parts are evaluated once."""
        if not self.terms:
            return self.constant
        total = known.get(id(self))
        if total is None:
            total = self.constant
            for factor, cost in self.terms:
                total += factor.resolve(variables) * cost.evaluate(variables, known)
            total = known[id(self)] = min(_SATURATED, total)
        return total


@dataclass(frozen=True, slots=True)
class _Factor:
    """How many objects a field may answer with: a number, or what a variable says, or another factor."""

    count: int
    variable: str | None = None
    default: Any = None
    most: int = 0
    otherwise: "_Factor | None" = None

    def resolve(self, variables: Mapping[str, Any]) -> int:
        """Return the number for these variables."""
        if self.variable is None or self.otherwise is None:
            return self.count
        count = _bounded_count(variables.get(self.variable, self.default), self.most)
        return self.otherwise.resolve(variables) if count is None else count


_ONCE: Final = _Factor(1)


@dataclass(frozen=True, slots=True)
class _Tally:
    depth: int
    fields: int
    aliases: int
    cost: _Cost


_NOTHING: Final = _Tally(0, 0, 0, _Cost())


class OperationMeasure:
    """What one operation asks for: levels, fields and aliases after fragments are expanded, and its cost."""

    __slots__ = ("_cost", "aliases", "depth", "fields", "max_cost")

    def __init__(self, tally: _Tally, limits: Limits) -> None:
        self.depth = tally.depth
        self.fields = tally.fields
        self.aliases = tally.aliases
        self.max_cost = limits.max_cost
        self._cost = tally.cost

    def cost(self, variables: Mapping[str, Any] | None) -> int:
        """Return the number of objects the operation may have to find, with these variables."""
        return self._cost.evaluate(variables or {}, {})

    def check_cost(self, variables: Mapping[str, Any] | None) -> int:
        """Return the cost. Refuses: `LimitExceeded` when it is over the limit."""
        cost = self.cost(variables)
        if cost > self.max_cost:
            raise LimitExceeded(f"The operation costs {cost}; at most {self.max_cost} is allowed.")
        return cost


def measure_document(
    document: DocumentNode, schema: GraphQLSchema, limits: Limits
) -> dict[str | None, OperationMeasure]:
    """Return the measure of each operation by its name, each fragment being read once.

    Refuses: `LimitExceeded` for too many operations, levels, fields or aliases.
    """
    try:
        return _DocumentReader(document, schema, limits).measure()
    except RecursionError:
        raise LimitExceeded("The document is nested too deeply to be read.") from None


class _DocumentReader:
    """One pass over a document; what a fragment asks for is remembered, so chains of them stay cheap."""

    def __init__(self, document: DocumentNode, schema: GraphQLSchema, limits: Limits) -> None:
        definitions = document.definitions
        self._operations = [d for d in definitions if isinstance(d, OperationDefinitionNode)]
        self._fragments = {d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)}
        self._schema = schema
        self._limits = limits
        self._tallies: dict[str, _Tally | None] = {}
        self._defaults: dict[str, Any] = {}

    def measure(self) -> dict[str | None, OperationMeasure]:
        limits = self._limits
        if len(self._operations) > limits.max_operations:
            raise LimitExceeded(f"The document has more than {limits.max_operations} operations.")
        measures: dict[str | None, OperationMeasure] = {}
        for operation in self._operations:
            # Defaults belong to an operation, so what fragments cost under another one's is forgotten.
            self._defaults = _defaults_of(operation)
            self._tallies.clear()
            root = self._schema.get_root_type(operation.operation)
            tally = self._selection_set(operation.selection_set, root)
            self._check(tally, introspection=_only_introspects(operation))
            name = operation.name.value if operation.name else None
            measures[name] = OperationMeasure(tally, limits)
        # Fragments nobody spreads are validated all the same.
        for name in self._fragments:
            self._check(self._fragment(name), introspection=True)
        return measures

    def _check(self, tally: _Tally, *, introspection: bool) -> None:
        limits = self._limits
        max_depth = limits.max_introspection_depth if introspection else limits.max_depth
        if tally.depth > max_depth:
            raise LimitExceeded(f"The operation is nested deeper than {max_depth} levels.")
        if tally.fields > limits.max_fields:
            raise LimitExceeded(f"The operation asks for more than {limits.max_fields} fields.")
        if tally.aliases > limits.max_aliases:
            raise LimitExceeded(f"The operation has more than {limits.max_aliases} aliases.")

    def _selection_set(self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None) -> _Tally:
        depth = fields = aliases = 0
        cost = _Cost()
        for selection in selection_set.selections:
            tally = self._selection(selection, parent)
            depth = max(depth, tally.depth)
            fields = min(_SATURATED, fields + tally.fields)
            aliases = min(_SATURATED, aliases + tally.aliases)
            cost.add(_ONCE, tally.cost)
        return _Tally(depth, fields, aliases, cost)

    def _selection(self, selection: SelectionNode, parent: GraphQLNamedType | None) -> _Tally:
        if isinstance(selection, FieldNode):
            return self._field(selection, parent)
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value)
        if isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            inner = self._schema.get_type(condition.name.value) if condition else parent
            return self._selection_set(selection.selection_set, inner)
        return _NOTHING

    def _fragment(self, name: str) -> _Tally:
        if name in self._tallies:
            # None while it is being read: a fragment that spreads itself, which validation refuses.
            return self._tallies[name] or _NOTHING
        fragment = self._fragments.get(name)
        if fragment is None:
            return _NOTHING
        self._tallies[name] = None
        parent = self._schema.get_type(fragment.type_condition.name.value)
        tally = self._tallies[name] = self._selection_set(fragment.selection_set, parent)
        return tally

    def _field(self, field: FieldNode, parent: GraphQLNamedType | None) -> _Tally:
        name = field.name.value
        aliased = int(field.alias is not None and field.alias.value != name)
        introspects = name in _INTROSPECTION_ROOTS
        definition = _definition_of(parent, name)
        named = get_named_type(definition.type) if definition else None
        selection_set = field.selection_set
        below = self._selection_set(selection_set, named) if selection_set else _NOTHING
        cost = _Cost()
        if not introspects and definition is not None and is_composite_type(named):
            factor = self._factor(field, definition)
            if "ids" in definition.args:
                # A list by ids: each of its objects is one, with what is asked of it.
                each = _Cost()
                each.constant = 1
                each.add(_ONCE, below.cost)
                cost.add(factor, each)
            else:
                cost.constant = 0 if name in _PAGE_WRAPPERS else 1 + declared_cost(definition)
                cost.add(factor, below.cost)
        return _Tally(below.depth + 1, below.fields + 1, below.aliases + aliased, cost)

    def _factor(self, field: FieldNode, definition: GraphQLField) -> _Factor:
        given = {a.name.value: a.value for a in field.arguments or ()}
        factor = _ONCE
        if "first" in definition.args:
            default = definition.args["first"].default_value
            factor = _Factor(default if isinstance(default, int) else self._limits.default_page)
        most = self._limits.max_page
        # The first that says how many counts; one that is null says nothing.
        for name in ("ids", "last", "first"):
            value = given.get(name) if name in definition.args else None
            if isinstance(value, IntValueNode):
                factor = _Factor(max(0, min(most, int(value.value[:12]))))
            elif isinstance(value, ListValueNode):
                factor = _Factor(min(most, len(value.values)))
            elif isinstance(value, VariableNode):
                variable = value.name.value
                factor = _Factor(0, variable, self._defaults.get(variable), most, factor)
        return factor


def _definition_of(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
        definition: GraphQLField | None = parent.fields.get(name)
        return definition
    return None


def _defaults_of(operation: OperationDefinitionNode) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    for definition in operation.variable_definitions or ():
        value = definition.default_value
        if isinstance(value, IntValueNode):
            defaults[definition.variable.name.value] = int(value.value[:12])
        elif isinstance(value, ListValueNode):
            defaults[definition.variable.name.value] = value.values
    return defaults


def _bounded_count(value: Any, most: int) -> int | None:
    # A page over the limit is refused where it is read, with its own code; here it counts as a full one.
    if isinstance(value, list | tuple):
        return min(most, len(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(max(0, min(most, value)))


def _only_introspects(operation: OperationDefinitionNode) -> bool:
    return all(
        isinstance(selection, FieldNode) and selection.name.value.startswith("__")
        for selection in operation.selection_set.selections
    )
