"""The schema: the snapshot is what the code prints, everything is described, and breaking changes are announced."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from graphql import GraphQLEnumType, GraphQLObjectType, GraphQLSchema, build_schema, find_breaking_changes
from graphql import print_schema as print_core_schema

from refundgql import __version__
from refundgql.api.schema import build_schema as build_desk
from refundgql.api.schema import print_schema_text
from refundgql.domain import vocabulary
from refundgql.domain.history import SYSTEM_ROLE
from refundgql.domain.machines.table import ROWS
from refundgql.gql.rows import check_rows

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
    told = " ".join("\n".join(sections).split())
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


DAY = re.compile(r"^(?P<instead>\S.*); stays until (?P<day>\d{4}-\d{2}-\d{2})\.$")
"""What the reason of a deprecation says: what to use instead, and until when there is time to do so."""


def deprecated(of: GraphQLSchema) -> dict[str, str]:
    """Return what a schema marks as deprecated, and why."""
    found: dict[str, str] = {}
    for name, type_ in of.type_map.items():
        for member, it in {**getattr(type_, "fields", {}), **getattr(type_, "values", {})}.items():
            marked = {f"{name}.{member}": it} | {
                f"{name}.{member}.{a}": one for a, one in getattr(it, "args", {}).items()
            }
            found |= {where: one.deprecation_reason for where, one in marked.items() if one.deprecation_reason}
    return found


def unkept(old: str, new: str, today: date) -> list[str]:
    """Return what the rules of docs/evolution.md forbid from the first release on."""
    then, now = deprecated(build_schema(old)), deprecated(build_schema(new))
    found = [f"{where}: {reason}" for where, reason in now.items() if not DAY.match(reason)]
    year_from_now = today + timedelta(days=365)
    for where, reason in now.items():
        day = DAY.match(reason)
        if day is not None and where not in then and date.fromisoformat(day["day"]) < year_from_now:
            found.append(f"{where}: less than a year")
    for change in find_breaking_changes(build_schema(old), build_schema(new)):
        marks = [reason for where, reason in then.items() if where in change.description]
        days = [day["day"] for reason in marks if (day := DAY.match(reason)) is not None]
        if not days or date.fromisoformat(max(days)) > today:
            found.append(change.description)
    return found


def test_the_schema_changes_as_the_docs_promise() -> None:
    """Deprecations name a day a year away and what to use instead; from 1.0 on nothing goes before its day."""
    old, new = RELEASED.read_text(encoding="utf-8"), print_schema_text()
    found = unkept(old, new, datetime.now(UTC).date())
    if __version__.startswith("0."):
        told = breaking(old, new)
        found = [one for one in found if one not in told]
    assert found == []


def test_what_goes_too_early_is_found() -> None:
    """The rules catch a removal without a mark, one before its day, a reason without a day and a year cut short."""
    today, mark = date(2027, 1, 1), '@deprecated(reason: "Use b; stays until %s.")'
    plain, gone = "type Query { a: Int b: Int }", "type Query { b: Int }"
    assert unkept(plain, gone, today) == ["Field Query.a was removed."]
    assert unkept(f"type Query {{ a: Int {mark % '2027-06-01'} b: Int }}", gone, today) == [
        "Field Query.a was removed."
    ]
    assert unkept(f"type Query {{ a: Int {mark % '2026-12-31'} b: Int }}", gone, today) == []
    assert unkept(plain, f"type Query {{ a: Int {mark % '2028-01-01'} b: Int }}", today) == []
    assert unkept(plain, f"type Query {{ a: Int {mark % '2027-06-01'} b: Int }}", today) == [
        "Query.a: less than a year"
    ]
    assert unkept(plain, 'type Query { a: Int @deprecated(reason: "Old.") b: Int }', today) == ["Query.a: Old."]


def test_every_event_that_machines_write_has_a_name() -> None:
    """Each row of each kind's table, and each name of an event beside them, is a value of the clients' enum."""
    rows = {row.event for rows in ROWS.values() for row in rows}
    beside = {value for name, value in vars(vocabulary).items() if name.isupper() and isinstance(value, str)} - {
        SYSTEM_ROLE
    }
    assert (rows | beside) - set(vocabulary.RefundEventName) == set()
    assert {str(role) for role in vocabulary.Role} | {SYSTEM_ROLE} == set(vocabulary.ActorRole)


@pytest.mark.parametrize("connection", ["LeadConnection", "RefundCaseConnection", "TransactionConnection"])
def test_connections_follow_relay(connection: str) -> None:
    """Connections have edges with cursors, and page information."""
    text = print_core_schema(schema())
    assert f"type {connection}" in text
    type_ = schema().type_map[connection]
    assert {"edges", "pageInfo", "totalCount"} <= set(type_.fields)  # type: ignore[attr-defined]


def test_every_type_has_rows_that_were_checked() -> None:
    """No object type of the desk is read from rows that the check does not know; see `gql/rows.py`."""
    found, core = check_rows(build_desk()), build_desk()._schema
    roots = {core.query_type, core.mutation_type, core.subscription_type}
    for name, type_ in core.type_map.items():
        if isinstance(type_, GraphQLObjectType) and type_ not in roots and not name.startswith("__"):
            assert found.get(name), name
