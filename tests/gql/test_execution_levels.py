"""How level functions and ordinary resolvers are called, in either executor."""

from typing import Any

import pytest
from box_world import EXECUTORS, Log, build_schema, make_engine, run

from refundgql.gql.declare import Level, level
from refundgql.gql.engine import GraphQLEngine


@pytest.fixture(params=EXECUTORS.values(), ids=EXECUTORS.keys())
def engine(request: pytest.FixtureRequest) -> GraphQLEngine:
    """Give an engine for each executor."""
    return make_engine(compile_after=request.param)


async def test_a_level_is_one_call_in_either_executor(engine: GraphQLEngine) -> None:
    """However many rows there are, a field's level function is called once for each level."""
    log = Log()
    query = "{ boxes(n: 5) { inside(first: 3) { inside { inside(first: 1) { size } } } } }"
    response = await run(engine, query, log=log)
    assert len(response["data"]["boxes"][4]["inside"][2]["inside"]) == 2
    assert [note[0] for note in log.notes] == [5, 15, 30]


async def test_rows_reached_at_different_times_are_one_level(engine: GraphQLEngine) -> None:
    """Rows below lists of different lengths, which graphql-core reaches one after the other, are one call."""
    log = Log()
    query = "{ boxes(n: 5) { grid { grid { noteRows own: noteRows } size noteRows } noteRows } }"
    response = await run(engine, query, log=log)
    assert [len(box["grid"]) for box in response["data"]["boxes"]] == [0, 1, 2, 3, 4]
    assert sorted(log.notes) == [5, 30, 173, 173]


async def test_permissions_and_field_extensions_apply(engine: GraphQLEngine) -> None:
    """Strawberry's permissions and field extensions guard and change ordinary fields in either executor."""
    response = await run(engine, "{ boxes(n: 2) { guarded shouted size } }")
    assert response["data"] == {
        "boxes": [{"guarded": 0, "shouted": "BOX 0", "size": 0}, {"guarded": None, "shouted": "BOX 1", "size": 1}]
    }
    assert [(error["path"], error["extensions"]["code"]) for error in response["errors"]] == [
        (["boxes", 1, "guarded"], "FORBIDDEN")
    ]


async def test_a_selection_can_be_narrowed() -> None:
    """`at`, `has` and `on` look down, along paths and at one member of an interface."""
    seen: list[Any] = []
    log = Log()
    log.look = seen.append  # type: ignore[attr-defined]  # only this test looks
    query = "{ node { id ... on Box { size inside { ...F } } ... on Crate { lid } } } fragment F on Node { id }"
    await run(make_engine(compile_after=0), query, log=log)
    (selection,) = seen
    assert sorted(selection) == ["id", "inside", "lid", "size"]
    assert sorted(selection.on("Box")) == ["id", "inside", "size"]
    assert sorted(selection.on("Crate")) == ["id", "lid"]
    assert sorted(selection.on("Nothing")) == []
    assert selection.has("inside", "id")
    assert not selection.has("inside", "size")
    assert not selection.has("lid", "size", "id")
    assert selection.at("inside") == selection["inside"]
    assert len(selection.at("nowhere", "at", "all")) == 0


def test_an_argument_without_default_is_shown_without_one() -> None:
    """A Python default of None is no default in the schema."""
    assert "inside(first: Int, wish: Wish): [Box!]!" in build_schema().as_str()
    assert "boxes(n: Int! = 3): [Box!]!" in build_schema().as_str()


async def test_arguments_reach_a_level_as_declared(engine: GraphQLEngine) -> None:
    """Left-out arguments take the Python default, inputs become their class, variables are looked up."""
    log = Log()
    query = (
        "query ($f: Int, $s: Int!) { boxes(n: 1) { a: inside(first: $f, wish: { size: $s }) { id } b: inside { id } } }"
    )
    await run(engine, query, {"f": 1, "s": 9}, log)
    await run(engine, query, {"s": 9}, log)
    seen = sorted((str(first), str(wish)) for _, first, wish, _ in log.notes)
    wish = "Wish(size=9, name=None)"
    assert [(first, w.replace("Wish", "Wish")[-len(wish) :]) for first, w in seen] == [
        ("1", wish),
        ("None", "None"),
        ("None", "None"),
        ("None", wish),
    ]


async def test_selection_tells_what_is_asked_for(engine: GraphQLEngine) -> None:
    """The selection sees through fragments and aliases, honours @skip and @include, and omits __typename."""
    log = Log()
    query = """query ($no: Boolean!) { boxes(n: 1) { inside { ...F x: id ... on Node { __typename } } } }
    fragment F on Box { size @skip(if: $no) short @include(if: $no) waits @include(if: true) }"""
    await run(engine, query, {"no": False}, log)
    await run(engine, query, {"no": True}, log)
    assert [note[3] for note in log.notes if isinstance(note, tuple)] == [
        ["id", "size", "waits"],
        ["id", "short", "waits"],
    ]


async def test_siblings_take_turns() -> None:
    """Sibling levels wait one after the other."""
    query = "{ boxes(n: 2) { waits waitsToo } }"
    one_by_one = Log()
    expected = {"data": {"boxes": [{"waits": 0, "waitsToo": 0}, {"waits": 1, "waitsToo": 1}]}}
    assert await run(make_engine(compile_after=0), query, log=one_by_one) == expected
    assert one_by_one.notes == ["waits begins", "waits ends", "waits_too begins", "waits_too ends"]


@pytest.mark.parametrize("compile_after", EXECUTORS.values(), ids=EXECUTORS.keys())
async def test_mutations_run_one_after_the_other(compile_after: int) -> None:
    """A mutation's fields take turns in their order, and a lost non-null one ends the operation."""
    engine = make_engine(compile_after=compile_after)
    log = Log()
    query = 'mutation { a: add(name: "a") { id } b: add(name: "b", fail: true) { id } c: add(name: "c") { id } }'
    response = await run(engine, query, log=log)
    assert response["data"] is None
    assert response["errors"][0]["path"] == ["b"]
    assert log.notes == ["a begins", "a ends", "b begins", "b ends"]


def test_a_level_must_say_what_it_returns() -> None:
    """A level function without Level[...] or without rows and info is refused when it is declared."""
    with pytest.raises(TypeError, match="Level"):
        level(lambda rows, info: [])
    with pytest.raises(TypeError, match="rows, info"):

        @level
        def bad(rows: list[Any]) -> Level[int]:
            return []
