"""Documents made from the schema by hypothesis-graphql: right ones, wrong ones, and right ones with hostile text.

Most ask one root or act alone, which is quick to make and reaches each of them as often as any other; some ask many at
once.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphql import GraphQLInterfaceType
from hostile_values import SCHEMA
from hypothesis import strategies as st
from hypothesis_graphql import Mode, from_schema, mutations, nodes, queries

_NODE = SCHEMA.type_map["Node"]
assert isinstance(_NODE, GraphQLInterfaceType)
NODE_TYPES = sorted(one.name for one in SCHEMA.get_possible_types(_NODE))


def _place_of(type_name: str) -> str:
    return f"@@{type_name}@@"


# Where a random text would be refused at the door, mostly what gets further in.
_SCALARS = {
    "ID": st.sampled_from([*map(_place_of, NODE_TYPES), "RefundCase_0", ""]).map(nodes.String),
    "Int": st.sampled_from([1, 2, 5, 20, 100, 0, -1, 101, 2**31 - 1]).map(nodes.Int),
    "DateTime": st.sampled_from(["2026-03-04T12:00:00Z", "2016-12-31T23:59:60Z", "x"]).map(nodes.String),
    "Date": st.sampled_from(["2026-03-02", "2026-02-30"]).map(nodes.String),
    "Decimal": st.sampled_from(["1.00", "5.00", "-1", "1e400", "NaN", "0.001"]).map(nodes.String),
    "CurrencyCode": st.sampled_from(["USD", "USD", "JPY", "XXX", ""]).map(nodes.String),
}


def _documents() -> st.SearchStrategy[str]:
    query, mutation = SCHEMA.query_type, SCHEMA.mutation_type
    assert query
    assert mutation
    one_root = [
        *(queries(SCHEMA, fields=[name], custom_scalars=_SCALARS) for name in query.fields),
        *(mutations(SCHEMA, fields=[name], custom_scalars=_SCALARS) for name in mutation.fields),
    ]
    many_roots = [
        from_schema(SCHEMA, custom_scalars=_SCALARS),
        from_schema(SCHEMA, custom_scalars=_SCALARS, mode=Mode.NEGATIVE),
        from_schema(SCHEMA, custom_scalars=_SCALARS, codec=None),
    ]
    return st.one_of(*one_root, *many_roots)


documents: st.SearchStrategy[str] = st.deferred(_documents)
"""They are prepared when the first is asked for, and not wherever tests are collected."""


def filled(document: str, ids: Mapping[str, str]) -> str:
    """Return the document with a real id in the place of each type's, as far as there is one."""
    for name, one in ids.items():
        document = document.replace(_place_of(name), one)
    return document
