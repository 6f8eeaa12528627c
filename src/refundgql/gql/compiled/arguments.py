"""Prepares a field's arguments once for a document, so that an execution only looks variables up."""

import contextlib
from typing import Any

import strawberry
from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    Undefined,
    VariableNode,
    Visitor,
    is_non_null_type,
    is_required_argument,
    visit,
)

from refundgql.gql.compiled.inputs import Step, Unusual, conversion, literal
from refundgql.gql.core.adapter import Arguments as Convert
from refundgql.gql.core.adapter import argument_converter
from refundgql.gql.ports import StrawberryField, VariableValues, coerce_argument, get_argument_values

NOTHING: dict[str, Any] = {}


class FieldArguments:
    """The arguments of one field of one document."""

    def __init__(self, field: GraphQLField, node: FieldNode) -> None:
        self._field = field
        self._node = node
        self._fixed: dict[str, Any] = {}
        self._looked_up: list[tuple[str, str, bool, Any]] = []
        self._built: list[tuple[str, Step]] = []
        self._plain = self._split() if field.args else True
        self.constant = self._plain and not self._looked_up and not self._built

    def _split(self) -> bool:
        """Sort the arguments into fixed values, variables, and values with variables in them; False for others."""
        nodes = {a.name.value: a for a in self._node.arguments or ()}
        for name, definition in self._field.args.items():
            given = nodes.get(name)
            out_name = definition.out_name or name
            try:
                if given is not None and isinstance(given.value, VariableNode):
                    default: dict[str, Any] = {}
                    if not is_required_argument(definition):
                        self._coerce(default, name, definition, None)
                    fallback = default.get(out_name, Undefined)
                    variable = given.value.name.value
                    self._looked_up.append((variable, out_name, is_non_null_type(definition.type), fallback))
                elif given is not None and _has_variables(given.value):
                    self._built.append((out_name, literal(given.value, definition.type)))
                else:
                    self._coerce(self._fixed, name, definition, given)
            except Exception:  # the error belongs into the execution, with its path
                return False
        return True

    def _coerce(self, into: dict[str, Any], name: str, definition: GraphQLArgument, given: Any) -> None:
        coerce_argument(into, self._node, name, definition, given, None, None)

    def coerced(self, variables: VariableValues) -> dict[str, Any]:
        """Give the arguments as graphql-core hands them to a resolver."""
        if not self._field.args:
            return NOTHING
        if not self._plain:
            return get_argument_values(self._field, self._node, variables)
        result = self._fixed.copy()
        values = variables.coerced
        for variable, out_name, non_null, fallback in self._looked_up:
            value = values.get(variable, Undefined)
            if value is Undefined:
                value = fallback
                if value is Undefined:
                    if non_null:
                        return get_argument_values(self._field, self._node, variables)
                    continue
            elif value is None and non_null:
                return get_argument_values(self._field, self._node, variables)
            result[out_name] = value
        try:
            for out_name, build in self._built:
                result[out_name] = build(values)
        except Unusual:
            return get_argument_values(self._field, self._node, variables)
        return result


class LevelArguments:
    """The keyword arguments of a level function in one document."""

    def __init__(self, schema: strawberry.Schema, definition: StrawberryField, arguments: FieldArguments) -> None:
        self._arguments = arguments
        self._convert: Convert = argument_converter(schema, definition)
        name_of = schema.config.name_converter.from_argument
        self._names: dict[str, tuple[str, Step | None]] | None = None
        with contextlib.suppress(Unusual):
            self._names = {name_of(a): (a.python_name, conversion(schema, a.type)) for a in definition.arguments}
        self._constant: dict[str, Any] | None = None
        # Values that are handed on as they are may be the same for all calls; others are made anew for each.
        shared = self._names is not None and all(step is None for _, step in self._names.values())
        if arguments.constant and shared:
            self._constant = self._keywords(arguments.coerced(VariableValues({}, {})))

    def _keywords(self, coerced: dict[str, Any]) -> dict[str, Any]:
        if self._names is None:
            return self._convert(coerced)
        keywords: dict[str, Any] = {}
        for name, value in coerced.items():
            python_name, step = self._names[name]
            keywords[python_name] = value if step is None or value is None else step(value)
        return keywords

    def __call__(self, variables: VariableValues) -> dict[str, Any]:
        """Give the keyword arguments for one call."""
        return self._constant if self._constant is not None else self._keywords(self._arguments.coerced(variables))


class _VariableFinder(Visitor):
    found = False

    def enter_variable(self, *_: Any) -> None:
        """Note that there is a variable."""
        self.found = True


def _has_variables(node: Any) -> bool:
    finder = _VariableFinder()
    visit(node, finder)
    return finder.found
