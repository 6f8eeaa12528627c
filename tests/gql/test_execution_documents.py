"""What the engine refuses before it executes, and what it keeps of documents."""

import pytest
from box_world import EXECUTORS, Log, codes, make_engine, ready, refused

from refundgql.gql import documents
from refundgql.gql.engine import GraphQLEngine
from refundgql.gql.wording import MAX_CHARS, shown


@pytest.fixture(params=EXECUTORS.values(), ids=EXECUTORS.keys())
def engine(request: pytest.FixtureRequest) -> GraphQLEngine:
    """Give an engine for each executor."""
    return make_engine(compile_after=request.param)


def test_syntax_errors_have_their_code() -> None:
    """A document that does not parse is GRAPHQL_PARSE_FAILED with its place."""
    (error,) = refused(make_engine(), "{ boxes {")
    assert error["extensions"] == {"code": "GRAPHQL_PARSE_FAILED"}
    assert error["locations"] == [{"line": 1, "column": 10}]


def test_suggestions_are_hidden() -> None:
    """A misspelt field is GRAPHQL_VALIDATION_FAILED and names no other field."""
    (error,) = refused(make_engine(), "{ boxs { id } }")
    assert codes([error]) == ["GRAPHQL_VALIDATION_FAILED"]
    assert "Did you mean" not in error["message"]


def test_validation_errors_are_cut() -> None:
    """No more validation errors are told than max_errors."""
    query = "{ " + " ".join(f"a{i}" for i in range(50)) + " }"
    assert len(refused(make_engine(max_errors=3), query)) == 3


@pytest.mark.parametrize("name", [None, "C", "", "\ud800"])
def test_several_operations_need_a_known_name(name: str | None) -> None:
    """Of several operations none is run by guess, and an unknown name is an error."""
    two = 'query A { echo(text: "a") } query B { echo(text: "b") }'
    assert codes(refused(make_engine(), two, name)) == ["OPERATION_RESOLUTION_FAILURE"]


async def test_the_named_operation_runs(engine: GraphQLEngine) -> None:
    """operationName picks its operation, and a single one must carry that name."""
    two = 'query A { echo(text: "a") } mutation B { add(name: "b") { id } }'
    chosen = ready(engine, two, "B")
    assert (chosen.operation_type, chosen.operation_name) == ("mutation", "B")
    assert await engine.execute(chosen, None, Log()) == {"data": {"add": {"id": "Box_b"}}}
    assert codes(refused(engine, 'query A { echo(text: "a") }', "B")) == ["OPERATION_RESOLUTION_FAILURE"]
    assert codes(refused(engine, "fragment F on Box { id }")) == ["GRAPHQL_VALIDATION_FAILED"]


def test_limits_are_asked_before_parsing_and_before_validation() -> None:
    """What the limits refuse is LIMIT_EXCEEDED, whatever else is wrong with it."""
    engine = make_engine(max_body_bytes=40, max_operations=1, max_tokens=12)
    assert refused(engine, "{" * 50)[0]["message"] == "The document is longer than 40 characters."
    message = "The document has more than 1 operations."
    assert refused(engine, "query A { x } query B { x }")[0]["message"] == message
    assert codes(refused(engine, "{" * 50)) == codes(refused(engine, "{ x } { x }")) == ["LIMIT_EXCEEDED"]
    assert codes(refused(engine, "{a b c d e f g h i j k l m n}")) == ["LIMIT_EXCEEDED"]


async def test_what_the_limits_measured_goes_along() -> None:
    """The measure of an operation is at what was prepared of it."""
    prepared = ready(make_engine(), "query A { boxes(n: 0) { id } }")
    assert (prepared.measure.depth, prepared.measure.fields, prepared.measure.check_cost(None)) == (2, 2, 1)


async def test_documents_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently used documents are forgotten, by number and by length of text."""
    monkeypatch.setattr(documents, "MAX_DOCUMENTS", 3)
    monkeypatch.setattr(documents, "MAX_SOURCE_CHARS", 200)
    engine = make_engine()
    first = engine.prepare("{ a1: boxes { id } }")
    assert engine.prepare("{ a1: boxes { id } }") is first
    for i in range(2, 5):
        engine.prepare(f"{{ a{i}: boxes {{ id }} }}")
        engine.prepare("{ a1: boxes { id } }")
    assert len(engine.documents) == 3
    assert engine.prepare("{ a1: boxes { id } }") is first
    engine.prepare("{ long: boxes { id } }" + " " * 150)
    assert engine.documents._source_chars <= 200
    engine.prepare("{ longer: boxes { id } }" + " " * 500)
    assert engine.documents._source_chars <= 200
    assert len(engine.documents) >= 1


async def test_unknown_operation_names_are_not_remembered() -> None:
    """Asking for many operation names does not fill the memory."""
    engine = make_engine()
    for i in range(50):
        refused(engine, "query A { boxes { id } }", f"name{i}")
    (valid,) = engine.documents._known.values()
    assert len(valid.prepared) == 0


@pytest.mark.parametrize("document", ["{ %s }", "query %s { nothing }", "{ ...%s }", "query($%s: Int) { box { id } }"])
def test_messages_are_cut(document: str) -> None:
    """A message quotes a name of the document only so far, however long it is."""
    name = "x" * 50_000
    for error in refused(make_engine(), document % name):
        assert len(error["message"]) <= 1_001


def test_messages_about_operation_names_are_cut() -> None:
    """So is one about a name that no operation has: it is shown as any value is."""
    answer = make_engine().prepare("query A { __typename }", "y" * 50_000)
    named = shown("y" * 50_000)
    assert answer.errors[0]["message"] == f"Unknown operation named {named}."  # type: ignore[union-attr]  # none has it
    assert len(named) == MAX_CHARS
