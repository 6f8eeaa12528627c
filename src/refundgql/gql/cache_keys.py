"""What normalising caches want to know of a schema: the types that have no id, and what interfaces and unions hold.

Both forms are modules of JavaScript that a client's build may keep beside its generated types.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final

from graphql import GraphQLObjectType, GraphQLSchema, is_abstract_type, is_object_type

_KNOWN_TO_CACHES: Final = ("Connection", "Edge", "PageInfo")
"""How the names of types end that caches for Relay's pages know to have no key."""


def types_without_key(schema: GraphQLSchema) -> list[str]:
    """Return the object types that are values, or parts of what shows them, by name."""
    roots = {schema.query_type, schema.mutation_type, schema.subscription_type}
    return sorted(
        name
        for name, type_ in schema.type_map.items()
        if is_object_type(type_)
        and type_ not in roots
        and not name.startswith("__")
        and not name.endswith(_KNOWN_TO_CACHES)
        and not _has_id(type_)
    )


def possible_types(schema: GraphQLSchema) -> dict[str, list[str]]:
    """Return which object types each interface and union stands for."""
    return {
        name: sorted(one.name for one in schema.get_possible_types(type_))
        for name, type_ in sorted(schema.type_map.items())
        if is_abstract_type(type_) and not name.startswith("__")
    }


def _has_id(type_: GraphQLObjectType) -> bool:
    return "id" in type_.fields


def for_graphcache(schema: GraphQLSchema) -> str:
    """Return the `keys` of urql's graphcache: every type with an `id` is kept under it, and these are not."""
    lines = [f"  {name}: () => null," for name in types_without_key(schema)]
    return "\n".join(["export const keys = {", *lines, "};", ""])


def for_apollo(schema: GraphQLSchema) -> str:
    """Return `possibleTypes` and `typePolicies` of Apollo's InMemoryCache: parts are merged into what holds them."""
    policies = {name: {"keyFields": False, "merge": True} for name in types_without_key(schema)}
    return (
        f"export const possibleTypes = {json.dumps(possible_types(schema), indent=2)};\n"
        f"export const typePolicies = {json.dumps(policies, indent=2)};\n"
    )


FORMS: Final[Mapping[str, Callable[[GraphQLSchema], str]]] = {"graphcache": for_graphcache, "apollo": for_apollo}
"""The caches that are known, by the name of their client's package."""
