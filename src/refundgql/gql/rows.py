"""Check row classes against the GraphQL types whose fields are read from them, when a schema is built.

What a type is read from is said by `@row(AccountRow)` above it, by the first parameter of its level functions
(`rows: list[AccountRow]`), or by the annotation of a row's attribute that holds it. A field that is read from an
attribute must find one there whose annotation its type takes; `Any` is not looked into.
"""

import enum
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from refundgql.gql.declare import IN_LIST, LEAF, LEVEL
from refundgql.gql.ports import BACKREF, StrawberryField, core_schema

Class = TypeVar("Class", bound=type)

_ROWS: Final = "__graphql_rows__"
_BUILT_IN: Final[dict[str, tuple[type, ...]]] = {
    "String": (str,),
    "ID": (str,),
    "Int": (int,),
    "Float": (float, int),
    "Boolean": (bool,),
}
_UNKNOWN: Final = (Any, object, inspect.Parameter.empty)


class RowMismatch(TypeError):
    """A field cannot be read from the rows of its type; the message says which, and why."""


def row(*classes: type | str) -> Callable[[Class], Class]:
    """Say which classes the rows of a GraphQL type have, by name where they are defined further down."""

    def mark(type_: Class) -> Class:
        setattr(type_, _ROWS, classes)
        return type_

    return mark


def check_rows(schema: strawberry.Schema) -> dict[str, set[type]]:
    """Return the row classes of each object type. Refuses: RowMismatch for the first field that cannot be read."""
    return _RowsCheck(schema).run()


class _RowsCheck:
    def __init__(self, schema: strawberry.Schema) -> None:
        self._types = core_schema(schema).type_map
        self._scalars = {one.name: python for python, one in schema.config.scalar_map.items()}
        self._rows: dict[str, set[type]] = {}
        self._waiting: list[tuple[GraphQLObjectType, type]] = []

    def run(self) -> dict[str, set[type]]:
        for type_ in self._types.values():
            if is_object_type(type_) and not type_.name.startswith("__"):
                self._begin(type_)
        while self._waiting:
            self._read(*self._waiting.pop())
        return self._rows

    def _begin(self, type_: GraphQLObjectType) -> None:
        definition = (type_.extensions or {}).get(BACKREF)
        origin = getattr(definition, "origin", None)
        for class_ in getattr(origin, _ROWS, ()):
            self._found(type_, _resolved(class_, sys.modules[origin.__module__].__dict__))
        for name, field in _fields(type_):
            function = field.metadata.get(LEVEL)
            if function is not None:
                self._found(type_, *_row_parameter(function))
                given = type_.fields[name].type
                if is_leaf_type(get_named_type(given)) and not field.metadata[IN_LIST]:
                    where = f"{type_.name}.{name}"
                    raise RowMismatch(
                        f"{where} gives {given}: let it return list[...], to which type checkers hold it."
                    )

    def _found(self, type_: GraphQLNamedType, *classes: Any) -> None:
        known = self._rows.setdefault(type_.name, set())
        for class_ in classes:
            if isinstance(class_, type) and class_ not in known and class_ not in _UNKNOWN:
                known.add(class_)
                self._waiting.append((typing.cast(GraphQLObjectType, type_), class_))

    def _read(self, type_: GraphQLObjectType, class_: type) -> None:
        for name, field in _fields(type_):
            if field.is_basic_field and not {LEVEL, LEAF} & field.metadata.keys():
                where = f"{type_.name}.{name}"
                hint = _attribute(class_, field.python_name)
                if hint is None:
                    raise RowMismatch(f"{where} cannot be read: {class_.__name__} has no {field.python_name}.")
                self._fit(f"{where}, read from {class_.__name__},", type_.fields[name].type, hint)

    def _fit(self, where: str, type_: Any, hint: Any) -> None:
        bare = type_.of_type if is_non_null_type(type_) else type_
        for one in _members(hint):
            if one in _UNKNOWN:
                continue
            if one is type(None):
                if bare is not type_:
                    raise RowMismatch(f"{where} is {type_} but may be None.")
            elif isinstance(one, type) and issubclass(one, Exception):
                continue
            elif is_list_type(bare):
                self._fit_list(where, type_, bare.of_type, one)
            elif is_leaf_type(bare):
                if not issubclass(typing.get_origin(one) or one, self._taken(bare)):
                    raise RowMismatch(f"{where} is {type_} but gives {_name(one)}.")
            elif is_abstract_type(bare):
                if not hasattr(one, "TYPENAME") and "TYPENAME" not in getattr(one, "__annotations__", {}):
                    raise RowMismatch(f"{where} is {type_} but {_name(one)} does not say which: give it a TYPENAME.")
            else:
                self._found(bare, one)

    def _fit_list(self, where: str, type_: Any, item: Any, hint: Any) -> None:
        origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
        if not issubclass(origin, Sequence | set | frozenset) or origin is str:
            raise RowMismatch(f"{where} is {type_} but gives {_name(hint)}.")
        for one in arguments or (Any,):
            if one is not ...:
                self._fit(where, item, one)

    def _taken(self, type_: Any) -> tuple[type, ...]:
        """Return the classes whose values a leaf type takes."""
        if isinstance(type_, GraphQLEnumType):
            return (str, enum.Enum)
        serialize = type_.coerce_output_value
        usual = getattr(serialize, "gives", None)
        python = self._scalars.get(type_.name)
        supertype = getattr(python, "__supertype__", python)
        classes = (*_BUILT_IN.get(type_.name, ()), *getattr(serialize, "passes", ()), *(usual[:1] if usual else ()))
        return (*classes, supertype) if isinstance(supertype, type) else classes


def _fields(type_: GraphQLObjectType) -> Iterator[tuple[str, StrawberryField]]:
    for name, field in type_.fields.items():
        definition = (field.extensions or {}).get(BACKREF)
        if isinstance(definition, StrawberryField) and not definition.is_subscription:
            yield name, definition


def _row_parameter(function: Any) -> tuple[Any, ...]:
    first = next(iter(inspect.signature(function).parameters.values()))
    hint = _resolved(first.annotation, sys.modules[function.__module__].__dict__)
    return tuple(one for argument in typing.get_args(hint) for one in _members(argument))


def _attribute(class_: type, name: str) -> Any:
    """Return the annotation of an attribute, Any where it has none; nothing when there is no such attribute."""
    for one in class_.__mro__:
        namespace = sys.modules[one.__module__].__dict__
        hints = inspect.get_annotations(one)
        if name in hints:
            return _resolved(hints[name], namespace)
        member = one.__dict__.get(name)
        if isinstance(member, property):
            return _resolved(inspect.signature(member.fget).return_annotation, namespace)  # type: ignore[arg-type]
        if member is not None:
            parameters = inspect.signature(one).parameters if name in getattr(one, "__slots__", ()) else {}
            return _resolved(parameters[name].annotation, namespace) if name in parameters else Any
    return None


def _resolved(hint: Any, namespace: dict[str, Any]) -> Any:
    """Evaluate what is written as text; Any for names that are only there for type checkers."""
    if isinstance(hint, typing.ForwardRef):
        hint = hint.__forward_arg__
    if isinstance(hint, str):
        try:
            hint = eval(hint, dict(namespace))  # noqa: S307 - annotations of our own code
        except NameError:
            return Any
    if typing.get_origin(hint) in (typing.ClassVar, typing.Final, typing.Annotated):
        return _resolved(typing.get_args(hint)[0], namespace)
    arguments = typing.get_args(hint)
    if any(isinstance(one, str | typing.ForwardRef) for one in arguments):
        resolved = tuple(_resolved(one, namespace) for one in arguments)
        return types.GenericAlias(typing.get_origin(hint), resolved)
    return getattr(hint, "__supertype__", hint)


def _members(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
