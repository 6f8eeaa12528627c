"""Python expressions that complete one leaf value: the common class inline, the rest by graphql-core's own rules."""

from collections.abc import Callable
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLNamedType,
    GraphQLString,
    Undefined,
)

from refundgql.gql.compiled.completion import Odd, coerce_leaf
from refundgql.gql.compiled.plan import MAX_CLASSES

Bind = Callable[[str, Any], str]
"""Makes a value available to generated code; gives its name there."""

INLINE: dict[str, tuple[GraphQLNamedType, str]] = {
    "String": (GraphQLString, "type({0}) is str"),
    "ID": (GraphQLID, "type({0}) is str"),
    "Int": (GraphQLInt, "type({0}) is int and -2147483648 <= {1} <= 2147483647"),
    "Float": (GraphQLFloat, "type({0}) is float and {1} - {1} == 0.0"),
    "Boolean": (GraphQLBoolean, "({0}) is True or {1} is False"),
}
"""What is surely valid and unchanged by the type's serializer; {0} is the first mention of the value."""


def leaf_expression(bind: Bind, type_: Any, non_null: bool, read: str) -> str:
    """Give the expression for a leaf read by `read`, itself an expression or a name."""
    if isinstance(type_, GraphQLEnumType):
        return f"{bind('E', enum_names(type_, non_null))}[{read}]"
    first, value = (read, read) if read.isidentifier() else (f"v := {read}", "v")
    careful = bind("L", careful_leaf(type_, non_null))
    standard, test = INLINE.get(type_.name, (None, ""))
    or_null = "" if non_null else f" or {value} is None"
    if standard is type_:
        return f"({value} if {test.format(first, value)}{or_null} else {careful}({value}))"
    passed = getattr(type_.coerce_output_value, "passes", ())
    if passed:
        classes = "str" if passed == (str,) else bind("C", frozenset(passed))
        test = f"type({first}) {'is' if passed == (str,) else 'in'} {classes}"
        return f"({value} if {test}{or_null} else {careful}({value}))"
    usual = getattr(type_.coerce_output_value, "gives", None)
    if usual is not None:
        class_, function = usual
        or_null = "" if non_null else f"None if {value} is None else "
        return (
            f"({bind('O', function)}({value}) if type({first}) is {bind('K', class_)} else {or_null}{careful}({value}))"
        )
    known: set[type] = set()
    careful = bind("L", careful_leaf(type_, non_null, known))
    call = f"{bind('O', type_.coerce_output_value)}({value})"
    done = f"w if type({first}) in {bind('K', known)} and (w := {call}) is not None"
    return (
        f"({done} else {careful}({value}))"
        if non_null
        else f"({done} else None if {value} is None else {careful}({value}))"
    )


def enum_names(type_: GraphQLEnumType, non_null: bool) -> dict[Any, str | None]:
    """Map every internal value of an enum to its name; rows may hold the value or the Python member."""
    names: dict[Any, str | None] = {} if non_null else {None: None}
    wrapped: Any = getattr(type_, "wrapped_cls", None)
    for name, value in type_.values.items():
        names[value.value] = name
        if wrapped is not None:
            names[wrapped(value.value)] = name
    return names


def careful_leaf(type_: Any, non_null: bool, known: set[type] | None = None) -> Callable[[Any], Any]:
    """Give the function for values the inline test does not know; it notes classes that are harmless."""

    def complete(value: Any) -> Any:
        if value is None or value is Undefined or isinstance(value, Exception):
            if non_null or value is not None:
                raise Odd
            return None
        coerced = coerce_leaf(type_, value)
        if known is not None and len(known) < MAX_CLASSES:
            known.add(type(value))
        return coerced

    return complete


def unknown_object(known: set[type], non_null: bool) -> Callable[[Any], None]:
    """Give the function for objects of a class not met before; it notes classes that are harmless."""

    def complete(value: Any) -> None:
        if value is None and not non_null:
            return
        if value is not None and not isinstance(value, Exception) and len(known) < MAX_CLASSES:
            known.add(type(value))
        raise Odd

    return complete
