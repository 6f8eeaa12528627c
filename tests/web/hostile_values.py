"""Every input and argument of the schema, one leaf at a time, and values that break careless servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    get_named_type,
    is_composite_type,
    is_enum_type,
    is_required_argument,
    is_required_input_field,
)

from refundgql.api.schema import build_schema

SCHEMA = build_schema()._schema
HERE = "@@here@@"
NESTED = 400

HOSTILE = [
    # As they stand in the body: some of it is no JSON at all.
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "-0", "0.1", "1e3", "[]", "{}", "null", "true"),
    *(str(2**31), str(2**53), str(2**63), str(-(2**63) - 1), str(2**64), "9" * 5000),
    *('"\\ud800"', '"a\\udfffb"', '"\\ud83d"', '"\\u0000"', '"a\\u0000b"', '"\\u202e\\u2066gnp.exe\\u2069"'),
    *('"\\ufeff"', '"\\r\\nSet-Cookie: a=b"', '"%00%s%n{{7*7}}"', '"\' OR 1=1 --"', '"../../etc/passwd"', '""', '" "'),
    *('"2016-12-31T23:59:60Z"', '"2026-02-29T00:00:00Z"', '"0001-01-01T00:00:00+23:59"', '"9999-12-31T23:59:59-23:59"'),
    *('"10000-01-01T00:00:00Z"', '"2026-03-29T02:30:00+25:00"', '"2026-01-01T00:00:00.0000000000000001Z"'),
    *('"2026-02-30"', '"-0001-01-01"', '"NaN"', '"sNaN"', '"Infinity"', '"1e400"', '"1E+999999999"', '"1e-999999999"'),
    *('"-0.00"', '"0x10"', '"١٢٫٥"', '"1_000"', '"0.00000000000000000001"', '"9007199254740993.00"', '"USD"', '"XXX"'),
    *('"RefundCase_"', '"RefundCase_00000000-0000-0000-0000-000000000000"', '"_"', '"\\u0661"'),
    json.dumps("0" * 100_000),
    json.dumps("x" * 1_000_000),
    json.dumps("\u0301" * 100_000),
    json.dumps({"amount": "1e400", "currencyCode": "USD"}),
    json.dumps({"amount": "5.00", "currencyCode": "usd\u0000"}),
    "[" * NESTED + "]" * NESTED,
    '{"a":' * NESTED + "1" + "}" * NESTED,
    "[" + ",".join(['"x"'] * 5000) + "]",
]
"""What is put in the place of one value, as raw text of the body."""


@dataclass(frozen=True)
class Place:
    """One place of one operation that takes a value: the rest of the request is as it should be."""

    name: str
    document: str
    variables: dict[str, Any]

    def body(self, raw: str) -> bytes:
        """Return the request's body with a value in that place, lone surrogates and all."""
        text = json.dumps({"query": self.document, "variables": self.variables})
        return text.replace(json.dumps(HERE), raw).encode()


def places(ids: dict[str, str]) -> Iterator[Place]:
    """Yield every place of every root and act that takes a value; `ids` gives a real id for each type."""
    for operation, type_ in (("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type)):
        assert type_
        for root, declared in type_.fields.items():
            shown = "{ __typename }" if is_composite_type(get_named_type(declared.type)) else ""
            needed = {
                name: _value(one.type, name, ids) for name, one in declared.args.items() if is_required_argument(one)
            }
            for argument, its in declared.args.items():
                for path, value in _holes(its.type, argument, ids):
                    variables = {**needed, argument: value}
                    declares = ", ".join(f"${name}: {declared.args[name].type}" for name in variables)
                    passes = ", ".join(f"{name}: ${name}" for name in variables)
                    document = f"{operation} Hostile({declares}) {{ {root}({passes}) {shown} }}"
                    yield Place(f"{root}.{path}", document, variables)


def _holes(type_: Any, name: str, ids: dict[str, str], depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield values of a type that have the hole in one place each."""
    yield name, HERE
    if "[" in str(type_):
        yield f"{name}[]", [HERE]
    named = get_named_type(type_)
    if not isinstance(named, GraphQLInputObjectType) or depth > 4:
        return
    needed = {one: _value(its.type, one, ids) for one, its in named.fields.items() if is_required_input_field(its)}
    for field, its in named.fields.items():
        for path, value in _holes(its.type, field, ids, depth + 1):
            around = {} if named.name == "SyncRecord" else needed
            whole = {**around, field: value}
            yield f"{name}.{path}", [whole] if "[" in str(type_) else whole


def _value(type_: Any, name: str, ids: dict[str, str]) -> Any:
    """Return a proper value for a place."""
    named = get_named_type(type_)
    if named.name == "SyncRecord":
        value: Any = {"account": {"externalRef": "somebody", "name": "Somebody", "roles": ["PRO"]}}
    elif isinstance(named, GraphQLInputObjectType):
        value = {one: _value(its.type, one, ids) for one, its in named.fields.items() if is_required_input_field(its)}
    elif is_enum_type(named):
        value = {"RefundReason": "OTHER", "IssueDecision": "PARTIAL"}.get(named.name) or next(iter(named.values))
    else:
        value = {
            "ID": ids.get(name, ids["id"]),
            "Int": 3,
            "Boolean": True,
            "Decimal": "1.00",
            "CurrencyCode": "USD",
            "DateTime": "2026-03-04T12:00:00Z",
            "Date": "2026-03-02",
        }.get(named.name, "Something.")
    return [value] if "[" in str(type_) else value
