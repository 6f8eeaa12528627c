"""Writes down once what becomes of an input value of a type: graphql-core's coercion and Strawberry's conversion."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

import strawberry
from graphql import (
    GraphQLInputObjectType,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.utilities import coerce_input_literal

from refundgql.gql.ports import (
    UNSET,
    GlobalID,
    LazyType,
    StrawberryEnumDefinition,
    StrawberryList,
    StrawberryMaybe,
    StrawberryOptional,
    coerce_default_value,
    has_enum_definition,
    has_object_definition,
    is_scalar,
    scalar_registry,
)

Step = Callable[[Any], Any]
"""Takes a value to what it becomes."""

NESTED_AT_MOST = 8
"""Input types nested deeper, or in themselves, are left to the libraries, which bound how deep a value may be."""


class Unusual(Exception):
    """A value, or a type, that only the libraries' own functions can judge."""


def coercion(type_: Any, depth: int = 0) -> Step:
    """Return what graphql-core makes of a JSON value. Refuses: Unusual, here and for values that may be wrong."""
    if depth > NESTED_AT_MOST:
        raise Unusual
    if is_non_null_type(type_):
        return _not_null(coercion(type_.of_type, depth))
    if is_leaf_type(type_):
        return _or_null(_leaf(type_.coerce_input_value))
    if is_list_type(type_):
        return _or_null(_list(coercion(type_.of_type, depth + 1)))
    return _or_null(_object(type_, depth))


def _not_null(step: Step) -> Step:
    def coerce(value: Any) -> Any:
        if value is None:
            raise Unusual
        return step(value)

    return coerce


def _or_null(step: Step) -> Step:
    return lambda value: None if value is None else step(value)


def _leaf(own: Step) -> Step:
    def coerce(value: Any) -> Any:
        try:
            coerced = own(value)
        except Exception:
            raise Unusual from None
        if coerced is Undefined:
            raise Unusual
        return coerced

    return coerce


def _list(step: Step) -> Step:
    def coerce(value: Any) -> Any:
        if type(value) is not list:
            raise Unusual
        return [step(item) for item in value]

    return coerce


def _object(type_: GraphQLInputObjectType, depth: int) -> Step:
    steps = {
        name: (field.out_name or name, coercion(field.type, depth + 1), *_default(field))
        for name, field in type_.fields.items()
    }

    def coerce(value: Any) -> Any:
        if type(value) is not dict or not value.keys() <= steps.keys():
            raise Unusual
        found = {}
        for name, (out_name, step, required, default) in steps.items():
            given = value.get(name, Undefined)
            if given is not Undefined:
                found[out_name] = step(given)
            elif required:
                raise Unusual
            elif default is not Undefined:
                found[out_name] = default
        return _built(type_, found)

    return coerce


def _built(type_: GraphQLInputObjectType, found: dict[str, Any]) -> Any:
    """Return an input object as its type wants it. Refuses: Unusual for several where it takes one, or for a null."""
    if type_.is_one_of and (len(found) != 1 or None in found.values()):
        raise Unusual
    try:
        return type_.out_type(found)
    except Exception:
        raise Unusual from None


def _default(field: Any) -> tuple[bool, Any]:
    """Return whether an input field must be given, and what it is otherwise. Refuses: Unusual for a mutable default."""
    default = coerce_default_value(field)
    if isinstance(default, list | dict):
        raise Unusual
    return default is Undefined and is_non_null_type(field.type), default


def literal(node: ValueNode, type_: Any) -> Step:
    """Return what graphql-core makes of a value written in a document, given the coerced variables.

    Refuses: Unusual, here and for variables without a value.
    """
    if isinstance(node, VariableNode):
        return _variable(node.name.value)
    bare = type_.of_type if is_non_null_type(type_) else type_
    if is_list_type(bare) and isinstance(node, ListValueNode):
        items = [literal(item, bare.of_type) for item in node.values]
        return lambda variables: [item(variables) for item in items]
    if is_input_object_type(bare) and isinstance(node, ObjectValueNode):
        return _written_object(node, bare)
    if not (isinstance(node, NullValueNode) or is_leaf_type(bare)):
        raise Unusual
    return _constant(node, type_)


def _variable(name: str) -> Step:
    def look_up(variables: Mapping[str, Any]) -> Any:
        value = variables.get(name)
        if value is None:  # it may be the place of a default, or wrong here
            raise Unusual
        return value

    return look_up


def _constant(node: Any, type_: Any) -> Step:
    value = coerce_input_literal(node, type_)
    if value is Undefined:
        raise Unusual
    return lambda _: value


def _written_object(node: ObjectValueNode, type_: GraphQLInputObjectType) -> Step:
    given = {field.name.value: field.value for field in node.fields}
    if len(given) != len(node.fields) or not given.keys() <= type_.fields.keys():
        raise Unusual
    steps: list[tuple[str, Step]] = []
    defaults: dict[str, Any] = {}
    for name, field in type_.fields.items():
        out_name = field.out_name or name
        if name in given:
            steps.append((out_name, literal(given[name], field.type)))
            continue
        required, default = _default(field)
        if required:
            raise Unusual
        if default is not Undefined:
            defaults[out_name] = default

    def build(variables: Mapping[str, Any]) -> Any:
        return _built(type_, {**defaults, **{name: step(variables) for name, step in steps}})

    return build


def conversion(schema: strawberry.Schema, type_: Any, depth: int = 0) -> Step | None:
    """Return what Strawberry makes of a coerced value of a type, None when it passes it on as it is.

    Refuses: Unusual for types whose values Strawberry treats in a way of their own.
    """
    if depth > NESTED_AT_MOST or isinstance(type_, StrawberryMaybe) or type_ is GlobalID:
        raise Unusual
    if isinstance(type_, StrawberryOptional):
        step = conversion(schema, type_.of_type, depth)
        return None if step is None else _or_null(step)
    if isinstance(type_, StrawberryList):
        step = conversion(schema, type_.of_type, depth + 1)
        # The list is copied, as Strawberry does: nobody may change what others are given.
        return list if step is None else lambda value: [step(item) for item in value]
    if isinstance(type_, LazyType):
        return conversion(schema, type_.resolve_type(), depth)
    if has_object_definition(type_):
        return _input_class(schema, type_, depth)
    if isinstance(type_, StrawberryEnumDefinition) or has_enum_definition(type_):
        return None
    if not is_scalar(type_, scalar_registry(schema)):
        raise Unusual
    return None


def _input_class(schema: strawberry.Schema, class_: Any, depth: int) -> Step:
    definition = class_.__strawberry_definition__
    if definition.from_input is not None or not definition.is_input:
        raise Unusual
    name_of = schema.config.name_converter.from_field
    steps = {
        name_of(field): (
            field.python_name,
            conversion(schema, field.resolve_type(type_definition=definition), depth + 1),
        )
        for field in definition.fields
    }
    absent: dict[str, Any] = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }

    def convert(value: Any) -> Any:
        keywords = absent.copy()
        for name, given in value.items():
            python_name, step = steps[name]
            keywords[python_name] = given if step is None or given is None or given is UNSET else step(given)
        return class_(**keywords)

    return convert
