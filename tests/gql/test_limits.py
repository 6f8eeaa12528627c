"""Limits: what documents may ask for, and that finding out is cheap however they are built."""

import time
from typing import Any

import pytest
from graphql import build_schema, get_introspection_query, parse, validate

from refundgql.gql.documents import Documents, RequestErrors
from refundgql.gql.limits import LimitExceeded, Limits, OperationMeasure, measure_document

SCHEMA = build_schema("""
interface Node { id: ID! }
type Query {
  hello: String
  case(id: ID!): Case
  cases(first: Int, after: String, last: Int, before: String): CaseConnection!
  nodes(ids: [ID!]!): [Node]!
  node(id: ID!): Node
}
type Case implements Node {
  id: ID! number: String requester: Account!
  events(first: Int, after: String, last: Int, before: String): EventConnection!
}
type CaseEdge { cursor: String! node: Case! }
type PageInfo { hasNextPage: Boolean! }
type CaseConnection { edges: [CaseEdge!]! pageInfo: PageInfo! totalCount: Int! }
type Event { id: ID! case: Case! }
type EventEdge { cursor: String! node: Event! }
type EventConnection { edges: [EventEdge!]! pageInfo: PageInfo! }
type Account { name: String cases(first: Int, last: Int): CaseConnection! }
type Mutation { act: Case }
""")

LIMITS = Limits()


def measure(text: str, limits: Limits = LIMITS, name: str | None = None) -> OperationMeasure:
    return measure_document(parse(text), SCHEMA, limits)[name]


def refused(text: str, limits: Limits = LIMITS) -> str:
    """Return the one sentence with which a text is refused, without work that grows faster than the text."""
    started_at = time.process_time()
    found = Documents(SCHEMA, limits, introspection=True).prepare(text, None)
    assert time.process_time() - started_at < 10
    assert isinstance(found, RequestErrors), "the document was let through"
    message: str = found.errors[0]["message"]
    return message


@pytest.mark.parametrize(
    ("text", "depth", "fields", "aliases"),
    [
        ("{ hello }", 1, 1, 0),
        ("{ a: hello hello: hello }", 1, 2, 1),
        ('{ case(id: "1") { requester { name } } }', 3, 3, 0),
        ('{ ... on Query { case(id: "1") { ... { number } } } }', 2, 2, 0),
        ("{ ...A ...A } fragment A on Query { ...B x: hello } fragment B on Query { hello }", 1, 4, 2),
        (
            '{ case(id: "1") { ...C } } fragment C on Case { requester { ...N } } fragment N on Account { n: name }',
            3,
            3,
            1,
        ),
    ],
)
def test_fragments_are_counted_where_they_are_spread(text: str, depth: int, fields: int, aliases: int) -> None:
    """Levels, fields and aliases are those of the operation with every fragment in its place."""
    measured = measure(text)
    assert (measured.depth, measured.fields, measured.aliases) == (depth, fields, aliases)


@pytest.mark.parametrize(
    ("text", "variables", "cost"),
    [
        ("{ hello }", None, 0),
        ('{ case(id: "1") { number } }', None, 1),
        ('{ case(id: "1") { number requester { name } } }', None, 2),
        ("{ cases { edges { node { number } } pageInfo { hasNextPage } totalCount } }", None, 21),
        ("{ cases(first: 3) { edges { node { number } } } }", None, 4),
        ("{ cases(last: 3) { edges { node { number requester { name } } } } }", None, 7),
        ("{ cases(first: 0) { edges { node { number } } } }", None, 1),
        ("{ cases(first: null) { edges { node { number } } } }", None, 21),
        ("{ cases(first: 1000) { edges { node { number } } } }", None, 101),
        ("query($n: Int) { cases(first: $n) { edges { node { id } } } }", None, 21),
        ("query($n: Int) { cases(first: $n) { edges { node { id } } } }", {"n": 7}, 8),
        ("query($n: Int) { cases(first: $n) { edges { node { id } } } }", {"n": None}, 21),
        ("query($n: Int) { cases(first: $n) { edges { node { id } } } }", {"n": "7"}, 21),
        ("query($n: Int) { cases(first: $n) { edges { node { id } } } }", {"n": -7}, 1),
        ("query($n: Int) { cases(first: $n) { edges { node { id } } } }", {"n": 1e300}, 101),
        ("query($n: Int = 5) { cases(first: $n) { edges { node { id } } } }", None, 6),
        ("query($n: Int = 5) { cases(first: $n) { edges { node { id } } } }", {"n": 2}, 3),
        ("query($n: Int) { cases(first: $n, last: 100) { edges { node { id } } } }", {"n": None}, 101),
        ("query($n: Int) { cases(first: $n, last: 100) { edges { node { id } } } }", None, 101),
        ("query($n: Int = 5) { cases(last: 100, first: $n) { edges { node { id } } } }", {"n": None}, 101),
        ("query($n: Int = null, $m: Int = 7) { cases(first: $n, last: $m) { edges { node { id } } } }", None, 8),
        ("query($n: Int, $m: Int) { cases(first: $n, last: $m) { edges { node { id } } } }", {"m": 90}, 91),
        ("query($n: Int, $m: Int) { cases(first: $n, last: $m) { edges { node { id } } } }", {"n": 3}, 4),
        ("{ cases(first: null, last: 100) { edges { node { id } } } }", None, 101),
        ("{ cases(first: -5) { edges { node { id } } } }", None, 1),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": "1"}, 1),
        ('{ nodes(ids: "1") { id } }', None, 1),
        ('{ nodes(ids: ["1", "2"]) { id } }', None, 2),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["1", "2", "3"]}, 3),
        ("{ __schema { types { fields { name } } } }", None, 0),
        ("mutation { act { number } }", None, 1),
        (
            "query($n: Int, $m: Int) { ...F } fragment F on Query { cases(first: $n) { edges { node { ...E ...E } } } }"
            " fragment E on Case { events(first: $m) { edges { node { id } } } }",
            {"n": 2, "m": 3},
            1 + 2 * (1 + 2 * (1 + 3)),
        ),
    ],
)
def test_cost_is_the_number_of_objects(text: str, variables: Any, cost: int) -> None:
    """An object costs one, a page as many as it may hold by its argument, its variable, or twenty."""
    assert measure(text).cost(variables) == cost


def test_cost_over_the_limit_is_refused() -> None:
    """A hundred pages of a hundred are refused with both figures; the same document with a small page is not."""
    text = "query($n: Int) { cases(first: 100) { edges { node { events(first: $n) { edges { node { id } } } } } } }"
    measured = measure(text)
    assert measured.check_cost({"n": 20}) == 2201
    with pytest.raises(LimitExceeded, match=r"^The operation costs 10201; at most 5000 is allowed\.$"):
        measured.check_cost({"n": 100})


def test_defaults_belong_to_their_operation() -> None:
    """Two operations that share a fragment each have their own default in it."""
    text = (
        "query A($n: Int = 1) { ...F } query B($n: Int = 9) { ...F }"
        " fragment F on Query { cases(first: $n) { edges { node { id } } } }"
    )
    measures = measure_document(parse(text), SCHEMA, LIMITS)
    assert (measures["A"].cost(None), measures["B"].cost(None)) == (2, 10)


def chain(length: int, spreads: int, inner: str = "hello") -> str:
    """Return fragments each of which spreads the next one several times."""
    parts = ["{ ...F0 }"]
    for number in range(length):
        parts.append(f"fragment F{number} on Query {{ {f'...F{number + 1} ' * spreads}}}")
    parts.append(f"fragment F{length} on Query {{ {inner} }}")
    return " ".join(parts)


def deep(levels: int) -> str:
    return '{ case(id: "1") ' + "{ requester { cases { edges { node " * levels + "{ id }" + "} } } } " * levels + "}"


HOSTILE: dict[str, tuple[str, str]] = {
    "fields doubling over 20 fragments": (chain(20, 2), "more than 400 fields"),
    "fields doubling over 100 fragments": (chain(100, 2), "more than 400 fields"),
    "aliases doubling": (chain(6, 2, "a: hello"), "more than 30 aliases"),
    "aliases": ("{ " + " ".join(f"a{n}: hello" for n in range(31)) + " }", "more than 30 aliases"),
    "fields": ("{ " + "hello " * 401 + "}", "more than 400 fields"),
    "depth": (deep(4), "deeper than 12 levels"),
    "depth behind fragments": (
        '{ case(id: "1") { ...A } } fragment A on Case { requester { cases { edges { node { ...B } } } } }'
        " fragment B on Case { requester { cases { edges { node { ...C } } } } }"
        " fragment C on Case { requester { cases { edges { node { id } } } } }",
        "deeper than 12 levels",
    ),
    "depth without end": ("{ case " * 400 + "}" * 400, "nest"),
    "inline fragments without end": ("{ ... " * 400 + "{ hello }" + "}" * 400, "nest"),
    "lists without end": ("{ case(id: " + "[" * 700 + "]" * 700 + ") { id } }", "nest"),
    "types without end": ("query($a: " + "[" * 700 + "Int" + "]" * 700 + ") { hello }", "nest"),
    "operations": (" ".join(f"query Q{n} {{ hello }}" for n in range(11)), "more than 10 operations"),
    "tokens": ("{ " + "hello " * 1500 + "}", "more than 1500 tokens"),
    "comments": ("#\n" * 2000 + "{ hello }", "more than 1500 comments"),
    "fragments nobody spreads": ("{ hello } fragment F on Query { " + "hello " * 401 + "}", "more than 400 fields"),
    "fragment that spreads itself": ("{ ...A } fragment A on Query { hello ...A }", "Cannot spread fragment"),
    "fragments that spread each other": (
        "{ ...A } fragment A on Query { ...B ...B } fragment B on Query { ...A ...A }",
        "Cannot spread fragment",
    ),
    "fragments all spreading all": (
        "{ ...F0 } "
        + " ".join(
            f"fragment F{n} on Query {{ hello {' '.join(f'...F{m}' for m in range(24) if m != n)} }}" for n in range(24)
        ),
        "more than 400 fields",
    ),
    "900 kB of inline fragments": ("{ " + "... on Query { hello } " * 40_000 + "}", "longer than 131072 characters"),
    "128 kB of inline fragments": ("{ " + "... on Query { hello } " * 5_600 + "}", "more than 1500 tokens"),
    "128 kB in one word": ("{ " + "a" * 131_000 + " }", "Cannot query field"),
    "128 kB in one text": ('{ case(id: "' + "a" * 131_000 + '") { nothing } }', "Cannot query field"),
    "128 kB in one block": ('{ case(id: """' + "\n  a" * 32_000 + '""") { nothing } }', "Cannot query field"),
    "same field in 400 places": (
        "{ " + " ".join(f'a: case(id: "{n}") {{ id }}' for n in range(30)) + " }",
        "conflict",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_document_is_refused_at_once(name: str) -> None:
    """A document built to be expensive is refused in one sentence that names the limit, and at once."""
    text, sentence = HOSTILE[name]
    assert sentence in refused(text)


def test_worst_document_within_the_limits_is_validated_at_once() -> None:
    """What the limits let through, validation copes with: many fields of one name in many fragments."""
    fragments = " ".join(f"fragment F{n} on Query {{ {'hello ' * 18} ...F{n + 1} }}" for n in range(19))
    text = "{ ...F0 } " + fragments + " fragment F19 on Query { hello }"
    started_at = time.process_time()
    document = parse(text, max_tokens=1500)
    measure_document(document, SCHEMA, LIMITS)
    assert validate(SCHEMA, document) == []
    assert time.process_time() - started_at < 10


def test_standard_introspection_is_within_the_limits() -> None:
    """The introspection queries of tools pass, though an ordinary operation as deep would not."""
    text = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    measured = measure(text, name="IntrospectionQuery")
    assert 12 < measured.depth <= 16
    assert (measured.fields <= 400, measured.cost(None)) == (True, 0)
    with pytest.raises(LimitExceeded, match="deeper than 12 levels"):
        measure(text.replace("__schema {", "hello __schema {", 1), name="IntrospectionQuery")


def test_unknown_names_are_left_to_validation() -> None:
    """What the schema does not have is not measured, and no reason to fail."""
    measured = measure("{ nothing { more(first: 5) { x } } ...Missing ... on Missing { y } }")
    assert (measured.depth, measured.fields, measured.cost(None)) == (3, 4, 0)


def test_every_limit_is_a_setting() -> None:
    """A limit that is set otherwise is the one that is named."""
    assert "more than 2 fields" in refused("{ a: hello b: hello c: hello }", Limits(max_fields=2))
    assert "deeper than 1 levels" in refused('{ case(id: "1") { id } }', Limits(max_depth=1))
    assert "more than 5 tokens" in refused('{ case(id: "1") { id } }', Limits(max_tokens=5))
    assert "longer than 5 characters" in refused("{ hello }", Limits(max_body_bytes=5))
