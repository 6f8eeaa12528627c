"""The schema: the snapshot is what the code prints, everything is described, and breaking changes are announced."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import GraphQLEnumType, GraphQLSchema, build_schema, find_breaking_changes
from graphql import print_schema as print_core_schema

from refundgql.api.schema import print_schema_text

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = ROOT / "schema.graphql"
CHANGELOG = ROOT / "CHANGELOG.md"
RELEASED = Path(__file__).parent / "released-schema.graphql"
"""The schema of the last release, which clients were built against; each release replaces it."""
BUILT_IN = {"Int", "Float", "String", "Boolean", "ID"}


def schema() -> GraphQLSchema:
    """Return the schema as clients see it."""
    return build_schema(print_schema_text())


def test_the_snapshot_is_what_the_code_prints() -> None:
    """`refundgql schema > schema.graphql` was run after the last change."""
    assert SNAPSHOT.read_text(encoding="utf-8") == print_schema_text()


def undescribed(of: GraphQLSchema) -> list[str]:
    """Return everything in a schema that has no description."""
    found = []
    for name, type_ in of.type_map.items():
        if name.startswith("__") or name in BUILT_IN:
            continue
        found += [name] if not type_.description else []
        for field_name, field in getattr(type_, "fields", {}).items():
            found += [f"{name}.{field_name}"] if not field.description else []
            arguments = getattr(field, "args", {}).items()
            found += [f"{name}.{field_name}({one})" for one, argument in arguments if not argument.description]
        if isinstance(type_, GraphQLEnumType):
            found += [f"{name}.{one}" for one, value in type_.values.items() if not value.description]
    return found


def test_everything_is_described() -> None:
    """Every type, field, argument and enum value says what it is."""
    assert undescribed(schema()) == []


def breaking(old: str, new: str) -> list[str]:
    """Return what a change of the schema breaks for clients, in words."""
    return [change.description for change in find_breaking_changes(build_schema(old), build_schema(new))]


def unannounced(old: str, new: str, changelog: str) -> list[str]:
    """Return the breaking changes that the changelog does not name under "Breaking"."""
    sections = re.findall(r"^### Breaking\n(.*?)(?=^##|\Z)", changelog, re.MULTILINE | re.DOTALL)
    told = "\n".join(sections)
    return [change for change in breaking(old, new) if change not in told]


def test_breaking_changes_are_announced() -> None:
    """What breaks clients of the released schema stands word for word under "Breaking" in the changelog."""
    old = RELEASED.read_text(encoding="utf-8")
    assert unannounced(old, print_schema_text(), CHANGELOG.read_text(encoding="utf-8")) == []


def test_a_breaking_change_without_a_word_is_found() -> None:
    """Taking a field away is found, unless the changelog says so."""
    old = "type Query { a: Int b: Int }"
    new = "type Query { a: Int }"
    assert unannounced(old, new, "# Changelog\n") == ["Field Query.b was removed."]
    assert unannounced(old, new, "## [2.0]\n### Breaking\n- Field Query.b was removed.\n## [1.0]\n") == []


@pytest.mark.parametrize("connection", ["LeadConnection", "RefundCaseConnection", "TransactionConnection"])
def test_connections_follow_relay(connection: str) -> None:
    """Connections have edges with cursors, and page information."""
    text = print_core_schema(schema())
    assert f"type {connection}" in text
    type_ = schema().type_map[connection]
    assert {"edges", "pageInfo", "totalCount"} <= set(type_.fields)  # type: ignore[attr-defined]
