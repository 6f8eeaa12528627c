"""Parses and validates documents once, keeps them within bounds, and picks the operation to run."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    NamedTypeNode,
    NonNullTypeNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    TypeNode,
    VariableNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)

from refundgql.gql.compiled.variables import PlainVariables
from refundgql.gql.errors import ErrorCode
from refundgql.gql.given import unusable_literals
from refundgql.gql.limits import LimitExceeded, Limits, OperationMeasure, measure_document
from refundgql.gql.ports import PARSER_STOPPED, MaybeNullValidationRule
from refundgql.gql.responses import request_errors
from refundgql.gql.wording import shown

Flags = tuple[bool | None, ...]
"""The values of the variables that decide which fields are asked for."""

MAX_DOCUMENTS = 1_000
MAX_SOURCE_CHARS = 400_000
"""Of all documents that are kept; a document takes about 110 bytes of memory for each character."""

MAX_VALIDATION_ERRORS = 20
"""Validation stops here; an answer shows fewer, and a hostile document costs no more."""


@dataclass(slots=True, frozen=True)
class RequestErrors:
    """A document refused before execution; `response()` is the whole answer, without `data`."""

    errors: list[dict[str, Any]]

    def response(self) -> dict[str, Any]:
        """Give the answer's body, ready for a JSON encoder."""
        return {"errors": self.errors}


@dataclass(slots=True, eq=False)
class Prepared:
    """One operation of one valid document, ready to be executed any number of times."""

    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    flags: tuple[str, ...]
    """The operation's variables whose values decide which fields are asked for."""
    variables: PlainVariables
    measure: OperationMeasure
    uses: dict[Flags, int] = field(default_factory=dict)
    """How often it was executed without a plan, by the values of its flags."""
    compilable: bool = True
    """Whether nobody has found yet that only graphql-core can execute it."""

    @property
    def operation_type(self) -> str:
        """Say "query", "mutation" or "subscription"."""
        return self.operation.operation.value

    @property
    def operation_name(self) -> str | None:
        """Give the operation's own name, if it has one."""
        return self.operation.name.value if self.operation.name else None


@dataclass(slots=True)
class _Valid:
    """A document that passed every check, with those of its operations that were asked for."""

    operations: list[OperationDefinitionNode]
    fragments: dict[str, FragmentDefinitionNode]
    measures: dict[str | None, OperationMeasure]
    flags: tuple[str, ...]
    prepared: dict[str | None, Prepared]


class Documents:
    """The documents one schema knows, the least recently used forgotten first."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, introspection: bool) -> None:
        self._schema = schema
        self._limits = limits
        self._rules = [*specified_rules, MaybeNullValidationRule]
        if not introspection:
            self._rules.append(NoSchemaIntrospectionCustomRule)
        self._known: OrderedDict[str, _Valid] = OrderedDict()
        self._source_chars = 0

    def __len__(self) -> int:
        return len(self._known)

    def prepare(self, query: str, operation_name: str | None) -> Prepared | RequestErrors:
        """Parse and validate a document, or remember it, and pick the operation by name.

        Refuses: what the limits, the parser or the rules refuse; several operations without a name; an
        unknown name.
        """
        valid = self._known.get(query)
        if valid is None:
            checked = self._check(query)
            if isinstance(checked, RequestErrors):
                return checked
            valid = checked
            self._keep(query, valid)
        else:
            self._known.move_to_end(query)
        prepared = valid.prepared.get(operation_name)
        return prepared if prepared is not None else self._pick(valid, operation_name)

    def _refused(self, errors: Sequence[GraphQLError], code: ErrorCode) -> RequestErrors:
        return RequestErrors(request_errors(errors[: self._limits.max_errors], code))

    def _check(self, query: str) -> _Valid | RequestErrors:
        limits = self._limits
        if len(query) > limits.max_body_bytes:
            too_long = GraphQLError(f"The document is longer than {limits.max_body_bytes} characters.")
            return self._refused([too_long], ErrorCode.LIMIT_EXCEEDED)
        try:
            document = parse(
                query,
                max_lexical_tokens=limits.max_tokens,
                max_comments=limits.max_tokens,
                allow_empty_selection_sets=False,
            )
        except GraphQLError as error:
            stopped = PARSER_STOPPED in error.message
            return self._refused([error], ErrorCode.LIMIT_EXCEEDED if stopped else ErrorCode.GRAPHQL_PARSE_FAILED)
        if unusable := unusable_literals(query, document):
            return self._refused(unusable, ErrorCode.BAD_USER_INPUT)
        try:
            measures = measure_document(document, self._schema, limits)
        except LimitExceeded as exceeded:
            return self._refused([GraphQLError(exceeded.message)], ErrorCode.LIMIT_EXCEEDED)
        invalid = validate(
            self._schema,
            document,
            self._rules,
            max_errors=MAX_VALIDATION_ERRORS,
            hide_suggestions=True,
        )
        if invalid:
            return self._refused(invalid, ErrorCode.GRAPHQL_VALIDATION_FAILED)
        definitions = document.definitions
        return _Valid(
            [d for d in definitions if isinstance(d, OperationDefinitionNode)],
            {d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)},
            measures,
            flag_names(document),
            {},
        )

    def _keep(self, query: str, valid: _Valid) -> None:
        if len(query) > MAX_SOURCE_CHARS:
            return
        self._known[query] = valid
        self._source_chars += len(query)
        while len(self._known) > MAX_DOCUMENTS or self._source_chars > MAX_SOURCE_CHARS:
            forgotten, _ = self._known.popitem(last=False)
            self._source_chars -= len(forgotten)

    def _pick(self, valid: _Valid, operation_name: str | None) -> Prepared | RequestErrors:
        named = [
            o
            for o in valid.operations
            if operation_name is None or (o.name is not None and o.name.value == operation_name)
        ]
        if len(named) != 1:
            if operation_name is not None:
                message = f"Unknown operation named {shown(operation_name)}."
            elif named:
                message = "The document has several operations: say which with operationName."
            else:
                message = "The document has no operation."
            return self._refused([GraphQLError(message)], ErrorCode.OPERATION_RESOLUTION_FAILURE)
        operation = named[0]
        prepared = Prepared(
            operation=operation,
            fragments=valid.fragments,
            flags=flags_of(operation, valid.flags),
            variables=PlainVariables(self._schema, operation),
            measure=valid.measures[operation.name.value if operation.name else None],
        )
        if operation_name is None or len(valid.prepared) < len(valid.operations) + 1:
            valid.prepared[operation_name] = prepared
        return prepared


class _FlagNames(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: Any, *_: Any) -> None:
        """Note the variables of one @include or @skip."""
        if node.name.value in ("include", "skip"):
            self.names.update(a.value.name.value for a in node.arguments if isinstance(a.value, VariableNode))


def flag_names(document: DocumentNode) -> tuple[str, ...]:
    """List the variables used in @include and @skip anywhere in a document."""
    visitor = _FlagNames()
    visit(document, visitor)
    return tuple(sorted(visitor.names))


def flags_of(operation: OperationDefinitionNode, names: tuple[str, ...]) -> tuple[str, ...]:
    """List which of a document's flags are flags of one operation: others may use the same name for another type."""
    booleans = {d.variable.name.value for d in operation.variable_definitions or () if _is_boolean(d.type)}
    return tuple(name for name in names if name in booleans)


def _is_boolean(type_: TypeNode) -> bool:
    bare = type_.type if isinstance(type_, NonNullTypeNode) else type_
    return isinstance(bare, NamedTypeNode) and bare.name.value == "Boolean"
