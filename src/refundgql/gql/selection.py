"""Which child fields an operation asks for below one field, so that statements fetch no more than needed."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    is_abstract_type,
    is_object_type,
)

from refundgql.gql.ports import (
    BACKREF,
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    VariableValues,
    collect_subfields,
)


class Document:
    """What reading selections needs to know of one operation: schema, fragments, flags."""

    __slots__ = ("fragments", "operation", "schema", "variables")

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        operation: OperationDefinitionNode,
        variables: VariableValues,
    ) -> None:
        self.schema = schema
        self.fragments = {name: FragmentDetails(node) for name, node in fragments.items()}
        self.operation = operation
        self.variables = variables

    def fields_of(self, type_: GraphQLObjectType, details: FieldDetailsList) -> GroupedFieldSet:
        """Merge the selection sets of all of one field's nodes, for one object type."""
        return collect_subfields(
            self.schema, self.fragments, self.variables, self.operation, type_, details
        ).grouped_field_set

    def object_types_of(self, type_: GraphQLNamedType) -> Sequence[GraphQLObjectType]:
        """List the object types a value of a type may have; none for a leaf."""
        if is_abstract_type(type_):
            return self.schema.get_possible_types(type_)
        return (type_,) if is_object_type(type_) else ()


class Selection(Mapping[str, "Selection"]):
    """The child fields asked for, by their Python (snake_case) names; fragments, @include and @skip applied.

    Below an interface or union it holds the fields of all possible types; `on("Book")` narrows it to one.
    `__typename` is left out, a field asked for under several aliases stands here once with the union of its
    children, and a leaf maps to an empty selection. It is cheap to ask again: the answers are kept.
    """

    __slots__ = ("_children", "_details", "_document", "_narrow", "_type", "derived")

    def __init__(self, document: Document, type_: GraphQLNamedType, details: FieldDetailsList) -> None:
        self._document = document
        self._type = type_
        self._details = details
        self._children: dict[str, Selection] | None = None
        self._narrow: dict[str, Selection] = {}
        self.derived: dict[Hashable, Any] = {}
        """What others worked out from it, to be found again at the next execution; the plan's life bounds it."""

    def at(self, *names: str) -> "Selection":
        """Walk down some names; an empty selection where one of them is not asked for."""
        found = self
        for name in names:
            found = found._fields().get(name, EMPTY)
        return found

    def has(self, *names: str) -> bool:
        """Say whether a path of names is asked for: `has("edges", "node")`."""
        return not names or names[-1] in self.at(*names[:-1])._fields()

    def on(self, type_name: str) -> "Selection":
        """Keep what is asked for of one object type; all of it when the field's type is that type."""
        if type_name == getattr(self._type, "name", None) or self is EMPTY:
            return self
        if type_name not in self._narrow:
            narrow = self._document.schema.get_type(type_name)
            self._narrow[type_name] = (
                Selection(self._document, narrow, self._details) if is_object_type(narrow) else EMPTY
            )
        return self._narrow[type_name]

    def _fields(self) -> "dict[str, Selection]":
        if self._children is None:
            self._children = self._collect()
        return self._children

    def _collect(self) -> "dict[str, Selection]":
        merged: dict[str, tuple[GraphQLNamedType, FieldDetailsList]] = {}
        seen: set[tuple[str, int]] = set()
        for object_type in self._document.object_types_of(self._type):
            for details in self._document.fields_of(object_type, self._details).values():
                name = details[0].node.name.value
                field = object_type.fields.get(name)
                if field is None:  # __typename
                    continue
                definition = (field.extensions or {}).get(BACKREF)
                python_name = getattr(definition, "python_name", None) or name
                _, into = merged.setdefault(python_name, (get_named_type(field.type), []))
                for one in details:
                    if (python_name, id(one.node)) not in seen:
                        seen.add((python_name, id(one.node)))
                        into.append(one)
        return {
            name: Selection(self._document, type_, details) if self._document.object_types_of(type_) else EMPTY
            for name, (type_, details) in merged.items()
        }

    def __getitem__(self, name: str) -> "Selection":
        return self._fields()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._fields()

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields())

    def __len__(self) -> int:
        return len(self._fields())

    def __repr__(self) -> str:
        return f"Selection({', '.join(f'{k}: {dict(v)!r}' if v else k for k, v in self._fields().items())})"


def _empty() -> Selection:
    empty = Selection.__new__(Selection)
    empty._children, empty._narrow, empty._details, empty.derived = {}, {}, [], {}
    empty._type = None  # type: ignore[assignment]  # the empty selection is never below a type
    return empty


EMPTY = _empty()
