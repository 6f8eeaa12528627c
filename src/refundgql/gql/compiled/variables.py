"""Takes the variables of an operation, prepared once for each document, without asking graphql-core at every use."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLID,
    GraphQLInputType,
    GraphQLInt,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    Undefined,
    is_non_null_type,
)

from refundgql.gql.compiled.inputs import Step, Unusual, coercion
from refundgql.gql.ports import GraphQLVariableSignature, VariableValues, VariableValueSource, get_variable_signature

CLASSES = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool, GraphQLInt: int}
"""The class whose instances a type takes unchanged; integers must also fit into 32 bits."""


class PlainVariables:
    """The variable definitions of one operation, read once."""

    __slots__ = ("_definitions",)

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._definitions: list[tuple[str, GraphQLVariableSignature, type | None, Step | None, bool]] | None = []
        for node in operation.variable_definitions or ():
            signature = get_variable_signature(schema, node)
            type_: GraphQLInputType | None = getattr(signature, "type", None)
            non_null = is_non_null_type(type_)
            class_ = CLASSES.get(type_.of_type if is_non_null_type(type_) else type_)  # type: ignore[arg-type]
            try:
                step = None if class_ is not None else coercion(type_)
            except Unusual:
                self._definitions = None
                return
            if not isinstance(signature, GraphQLVariableSignature):
                self._definitions = None
                return
            self._definitions.append((signature.name, signature, class_, step, non_null))

    def coerce(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Give the variables as graphql-core would, or None when it has to look at them itself."""
        if self._definitions is None:
            return None
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, signature, class_, step, non_null in self._definitions:
            value: Any = given.get(name, Undefined)
            if type(value) is class_ and (class_ is not int or -(2**31) <= value < 2**31):  # type: ignore[operator]
                coerced[name] = value
            elif value is Undefined:
                if non_null or signature.default is not None:
                    return None
                sources[name] = VariableValueSource(signature)
                continue
            elif value is None and not non_null:
                coerced[name] = None
            elif step is None:
                return None
            else:
                try:
                    coerced[name] = step(value)
                except Unusual:
                    return None
            sources[name] = VariableValueSource(signature, value)
        return VariableValues(sources, coerced)
