"""What caches are told of a schema is what the schema says."""

import json
import subprocess
import sys

import pytest
from graphql import build_schema

from refundgql.gql.cache_keys import for_apollo, for_graphcache, possible_types, types_without_key

SCHEMA = build_schema(
    """
    interface Node { id: ID! }
    type Box implements Node { id: ID! size: Size! inside: BoxConnection! }
    type Size { width: Int! unit: Unit }
    type Unit { name: String! }
    type BoxEdge { cursor: String! node: Box }
    type BoxConnection { edges: [BoxEdge!]! pageInfo: PageInfo! }
    type PageInfo { hasNextPage: Boolean! }
    union Thing = Box | Size
    type Query { node: Node thing: Thing }
    type Mutation { act: Size }
    """
)


def test_types_without_an_id_have_no_key() -> None:
    """Values and parts have none; roots, pages and what has an id are left to the cache."""
    assert types_without_key(SCHEMA) == ["Size", "Unit"]
    assert possible_types(SCHEMA) == {"Node": ["Box"], "Thing": ["Box", "Size"]}
    assert for_graphcache(SCHEMA) == "export const keys = {\n  Size: () => null,\n  Unit: () => null,\n};\n"
    policies = for_apollo(SCHEMA).partition("typePolicies = ")[2].rstrip(";\n")
    assert json.loads(policies) == {name: {"keyFields": False, "merge": True} for name in ("Size", "Unit")}


@pytest.mark.slow
@pytest.mark.parametrize(("client", "code"), [("graphcache", 0), ("apollo", 0), ("relay", 2)])
def test_the_command_prints_them(client: str, code: int) -> None:
    """`refundgql cache-keys` prints them for the desk's own schema, and names the clients it knows."""
    found = subprocess.run(
        [sys.executable, "-m", "refundgql", "cache-keys", client], capture_output=True, text=True, check=False
    )
    assert found.returncode == code, found.stderr
    assert ("Money" in found.stdout) is (code == 0)
    assert ("graphcache and apollo" in found.stderr) is (code == 2)
