"""The engine's contract: what it refuses, what it hides, what it keeps, and how it streams."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import strawberry
from graphql import GraphQLError
from strawberry.extensions.field_extension import FieldExtension
from strawberry.permission import BasePermission

from refundgql.api.execution import (
    ApiError,
    Checked,
    ErrorCode,
    GraphQLEngine,
    Level,
    LevelInfo,
    Prepared,
    RequestErrors,
    leaf,
    level,
)

EXECUTORS = {"graphql-core": 10**9, "compiled": 0}


@dataclass(slots=True)
class BoxRow:
    """A box of boxes."""

    id: str
    size: int
    TYPENAME: ClassVar[str] = "Box"


class Log:
    """The context of these tests: notes what resolvers did."""

    def __init__(self) -> None:
        self.notes: list[Any] = []


SHARED_FAULT = RuntimeError("the database said something secret")


@strawberry.interface
class Node:
    id: strawberry.ID = leaf(lambda row: f"{row.TYPENAME}_{row.id}")


@strawberry.input
class Wish:
    size: int = 1
    name: str | None = None


class OnlySmall(BasePermission):
    """Lets only rows of size 0 through."""

    error_class = staticmethod(lambda *_, **__: ApiError("Too big.", ErrorCode.FORBIDDEN))  # type: ignore[assignment]

    async def has_permission(self, source: Any, info: strawberry.Info, **kwargs: Any) -> bool:
        await asyncio.sleep(0)
        return bool(source.size == 0)


class Shout(FieldExtension):
    """Makes text loud."""

    def resolve(self, next_: Any, source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        return next_(source, info, **kwargs).upper()


@strawberry.type
class Box(Node):
    size: int

    @level
    @staticmethod
    async def inside(
        rows: list[BoxRow], info: LevelInfo, first: int | None = None, wish: Wish | None = None
    ) -> Level[list["Box"]]:
        info.context.notes.append((len(rows), first, wish, sorted(info.selection)))  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        return [[BoxRow(f"{row.id}{i}", i) for i in range(first or 2)] for row in rows]

    @level
    @staticmethod
    async def grid(rows: list[BoxRow], info: LevelInfo) -> Level[list[list["Box"]]]:
        return [[[BoxRow(row.id, i + 1) for i in range(row.size)] for _ in range(row.size)] for row in rows]

    @level
    @staticmethod
    async def note_rows(rows: list[BoxRow], info: LevelInfo) -> Level[int]:
        info.context.notes.append(len(rows))  # type: ignore[attr-defined]  # the context is a log
        return [row.size for row in rows]

    @level
    @staticmethod
    async def secret(rows: list[BoxRow], info: LevelInfo) -> Level[int | None]:
        raise SHARED_FAULT

    @level
    @staticmethod
    async def forbidden(rows: list[BoxRow], info: LevelInfo) -> Level[int | None]:
        return [ApiError("Not yours.", ErrorCode.FORBIDDEN, {"box": row.id}) for row in rows]

    @level
    @staticmethod
    async def short(rows: list[BoxRow], info: LevelInfo) -> Level[int | None]:
        return [1]

    @strawberry.field(permission_classes=[OnlySmall])
    def guarded(self) -> int | None:
        return self.size

    @strawberry.field(extensions=[Shout()])
    def shouted(self) -> str:
        return f"box {self.size}"

    @level
    @staticmethod
    async def waits(rows: list[BoxRow], info: LevelInfo) -> Level[int]:
        return await visit(info, "waits", rows)

    @level
    @staticmethod
    async def waits_too(rows: list[BoxRow], info: LevelInfo) -> Level[int]:
        return await visit(info, "waits_too", rows)


async def visit(info: LevelInfo, name: str, rows: list[BoxRow]) -> list[int]:
    """Note when a level begins and ends."""
    info.context.notes.append(f"{name} begins")  # type: ignore[attr-defined]  # the context is a log
    await asyncio.sleep(0.001)
    info.context.notes.append(f"{name} ends")  # type: ignore[attr-defined]  # the context is a log
    return [row.size for row in rows]


@strawberry.type
class Checking:
    """A type with a check of its own, which only graphql-core asks."""

    size: int

    @classmethod
    def is_type_of(cls, obj: Any, info: Any) -> bool:
        return isinstance(obj, BoxRow) and obj.size < 2


@strawberry.type
class Crate(Node):
    lid: str


@strawberry.type
class Query:
    @level
    @staticmethod
    async def boxes(rows: list[None], info: LevelInfo, n: int = 3) -> Level[list[Box]]:
        return [[BoxRow(str(i), i) for i in range(n)]]

    @level
    @staticmethod
    async def node(rows: list[None], info: LevelInfo) -> Level[Node | None]:
        getattr(info.context, "look", lambda _: None)(info.selection)
        return [BoxRow("n", 7)]

    @level
    @staticmethod
    async def checking(rows: list[None], info: LevelInfo, size: int) -> Level[Checking | None]:
        return [BoxRow("c", size)]

    @level
    @staticmethod
    async def echo(rows: list[None], info: LevelInfo, text: str) -> Level[str]:
        return [text]

    @level
    @staticmethod
    async def sleep(rows: list[None], info: LevelInfo) -> Level[int | None]:
        await asyncio.sleep(30)
        return [1]

    @strawberry.field
    async def own_fault(self) -> int | None:
        raise KeyError("password")


@strawberry.type
class Mutation:
    @level
    @staticmethod
    async def add(rows: list[None], info: LevelInfo, name: str, fail: bool = False) -> Level[Box]:
        info.context.notes.append(f"{name} begins")  # type: ignore[attr-defined]  # the context is a log
        await asyncio.sleep(0.001)
        info.context.notes.append(f"{name} ends")  # type: ignore[attr-defined]  # the context is a log
        return [ApiError("No.", "FORBIDDEN") if fail else BoxRow(name, 1)]


async def ticks(info: strawberry.Info, n: int = 2, fail: bool = False) -> AsyncGenerator[Box, None]:
    """Yield rows, fail at the end if told so."""
    try:
        for i in range(n):
            yield BoxRow(str(i), i)  # type: ignore[misc]  # rows travel
        if fail:
            raise ApiError("Gone.", "UNAUTHENTICATED")
    finally:
        info.context.notes.append("closed")


async def guarded(info: strawberry.Info) -> AsyncGenerator[Box, None]:
    """Refuse before the stream begins."""
    raise ApiError("Who are you?", ErrorCode.UNAUTHENTICATED)


@strawberry.type
class Subscription:
    ticks: Box = strawberry.subscription(resolver=ticks)
    guarded: Box = strawberry.subscription(resolver=guarded)


def build_schema() -> strawberry.Schema:
    """Build the schema of these tests."""
    return strawberry.Schema(Query, mutation=Mutation, subscription=Subscription, types=[Box, Crate])


def make_engine(**options: Any) -> GraphQLEngine:
    """Make an engine of its own."""
    return GraphQLEngine(build_schema(), **options)


@pytest.fixture(params=EXECUTORS.values(), ids=EXECUTORS.keys())
def engine(request: pytest.FixtureRequest) -> GraphQLEngine:
    """Give an engine for each executor."""
    return make_engine(compile_after=request.param, on_fault=lambda error, fault_id: None)


def ready(engine: GraphQLEngine, query: str, name: str | None = None) -> Prepared:
    """Prepare a document that must be fine."""
    prepared = engine.prepare(query, name)
    assert isinstance(prepared, Prepared), prepared
    return prepared


def refused(engine: GraphQLEngine, query: str, name: str | None = None) -> list[dict[str, Any]]:
    """Prepare a document that must not be."""
    prepared = engine.prepare(query, name)
    assert isinstance(prepared, RequestErrors)
    assert prepared.response() == {"errors": prepared.errors}
    return prepared.errors


async def run(engine: GraphQLEngine, query: str, variables: dict[str, Any] | None = None, log: Any = None) -> Any:
    """Prepare and execute."""
    return await engine.execute(ready(engine, query), variables, log or Log())


def codes(errors: list[dict[str, Any]]) -> list[str]:
    """List the codes of errors."""
    return [error["extensions"]["code"] for error in errors]


# --- documents ------------------------------------------------------------------------------------------------------


def test_syntax_errors_have_their_code() -> None:
    """A document that does not parse is GRAPHQL_PARSE_FAILED with its place."""
    (error,) = refused(make_engine(), "{ boxes {")
    assert error["extensions"] == {"code": "GRAPHQL_PARSE_FAILED"}
    assert error["locations"] == [{"line": 1, "column": 10}]


def test_suggestions_are_hidden_unless_asked_for() -> None:
    """A misspelt field is GRAPHQL_VALIDATION_FAILED and names no other field."""
    (error,) = refused(make_engine(), "{ boxs { id } }")
    assert codes([error]) == ["GRAPHQL_VALIDATION_FAILED"]
    assert "Did you mean" not in error["message"]
    assert "Did you mean 'boxes'" in refused(make_engine(suggestions=True), "{ boxs { id } }")[0]["message"]


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
    engine = make_engine(
        check_source=lambda text: [GraphQLError("too long")] if len(text) > 40 else [],
        check_document=lambda document: [GraphQLError("no")] if len(document.definitions) > 1 else [],
        max_tokens=12,
    )
    assert refused(engine, "{" * 50)[0]["message"] == "too long"
    assert refused(engine, "query A { x } query B { x }")[0]["message"] == "no"
    assert codes(refused(engine, "{" * 50)) == codes(refused(engine, "{ x } { x }")) == ["LIMIT_EXCEEDED"]
    assert codes(refused(engine, "{a b c d e f g h i j k l m n}")) == ["LIMIT_EXCEEDED"]


async def test_what_the_limits_measured_goes_along() -> None:
    """Extensions of the limits hook are in every answer, and the measure is at the prepared operation."""

    class Cheap:
        def check_cost(self, variables: Any) -> int:
            return 3

    engine = make_engine(check_document=lambda _: Checked(extensions={"cost": 3}, measures={"A": Cheap()}))
    prepared = ready(engine, "query A { boxes(n: 0) { id } }")
    assert prepared.measure is not None
    assert prepared.measure.check_cost(None) == 3
    assert await engine.execute(prepared, None, Log()) == {"data": {"boxes": []}, "extensions": {"cost": 3}}


async def test_documents_are_kept_within_bounds() -> None:
    """The least recently used documents are forgotten, by number and by length of text."""
    engine = make_engine(max_documents=3, max_source_chars=200)
    first = engine.prepare("{ a1: boxes { id } }")
    assert engine.prepare("{ a1: boxes { id } }") is first
    for i in range(2, 5):
        engine.prepare(f"{{ a{i}: boxes {{ id }} }}")
        engine.prepare("{ a1: boxes { id } }")
    assert len(engine.documents) == 3
    assert engine.prepare("{ a1: boxes { id } }") is first
    engine.prepare("{ long: boxes { id } }" + " " * 150)
    assert engine.documents.source_chars <= 200
    engine.prepare("{ longer: boxes { id } }" + " " * 500)
    assert engine.documents.source_chars <= 200
    assert len(engine.documents) >= 1


async def test_unknown_operation_names_are_not_remembered() -> None:
    """Asking for many operation names does not fill the memory."""
    engine = make_engine()
    for i in range(50):
        refused(engine, "query A { boxes { id } }", f"name{i}")
    (valid,) = engine.documents._known.values()
    assert len(valid.prepared) == 0


# --- execution ------------------------------------------------------------------------------------------------------


async def test_bad_variables_are_the_clients_fault(engine: GraphQLEngine) -> None:
    """Variables that do not fit are BAD_USER_INPUT without data, before anything runs."""
    response = await run(engine, "query ($t: String!) { echo(text: $t) }", {"t": 3})
    assert "data" not in response
    assert codes(response["errors"]) == ["BAD_USER_INPUT"]


async def test_bad_arguments_are_the_clients_fault(engine: GraphQLEngine) -> None:
    """A null for a non-null argument that only shows at execution is BAD_USER_INPUT at its field."""
    response = await run(engine, "query ($n: Int = 2) { boxes(n: $n) { id } }", {"n": None})
    assert response["data"] is None
    assert codes(response["errors"]) == ["BAD_USER_INPUT"]
    assert response["errors"][0]["path"] == ["boxes"]


async def test_api_errors_reach_the_client(engine: GraphQLEngine) -> None:
    """An ApiError is told with its message, code and extensions, at its position."""
    response = await run(engine, "{ boxes(n: 2) { size forbidden } }")
    assert response["data"] == {"boxes": [{"size": 0, "forbidden": None}, {"size": 1, "forbidden": None}]}
    assert response["errors"][1] == {
        "message": "Not yours.",
        "locations": [{"line": 1, "column": 22}],
        "path": ["boxes", 1, "forbidden"],
        "extensions": {"code": "FORBIDDEN", "box": "1"},
    }


@pytest.mark.parametrize("compile_after", EXECUTORS.values(), ids=EXECUTORS.keys())
async def test_faults_are_masked_and_told_to_the_operator(compile_after: int) -> None:
    """Any other exception is INTERNAL_SERVER_ERROR with an id, and handed over once with that id."""
    told: list[tuple[BaseException, str]] = []
    engine = make_engine(compile_after=compile_after, on_fault=lambda error, i: told.append((error, i)))
    response = await run(engine, "{ boxes(n: 3) { secret } ownFault }")
    assert {error["message"] for error in response["errors"]} == {"Something went wrong on our side."}
    assert codes(response["errors"]) == ["INTERNAL_SERVER_ERROR"] * 4
    assert told[0][0] is SHARED_FAULT
    assert isinstance(told[1][0], KeyError)
    assert [i for _, i in told] == list(dict.fromkeys(e["extensions"]["id"] for e in response["errors"]))
    assert "secret said" not in str(response)
    assert "password" not in str(response)


async def test_a_level_of_the_wrong_length_is_a_fault(engine: GraphQLEngine) -> None:
    """A level function that loses rows is a masked fault, never a shifted answer."""
    response = await run(engine, "{ boxes(n: 2) { short } }")
    assert response["data"] == {"boxes": [{"short": None}, {"short": None}]}
    assert codes(response["errors"]) == ["INTERNAL_SERVER_ERROR"] * 2


async def test_errors_of_lower_layers_can_be_translated() -> None:
    """The translate hook turns an exception into what the client sees."""
    engine = make_engine(translate=lambda e: ApiError("Later.", "RATE_LIMITED") if e is SHARED_FAULT else None)
    response = await run(engine, "{ boxes(n: 1) { secret } }")
    assert (response["errors"][0]["message"], codes(response["errors"])) == ("Later.", ["RATE_LIMITED"])


async def test_errors_are_cut(engine: GraphQLEngine) -> None:
    """An answer shows the first five errors in the order of the response."""
    response = await run(engine, "{ boxes(n: 50) { forbidden } }")
    assert [error["path"][1] for error in response["errors"]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("compile_after", EXECUTORS.values(), ids=EXECUTORS.keys())
async def test_an_operation_has_a_deadline(compile_after: int) -> None:
    """What takes too long is cancelled and answered."""
    engine = make_engine(compile_after=compile_after, deadline_s=0.05)
    response = await run(engine, "{ sleep }")
    assert response["data"] is None
    assert codes(response["errors"]) == ["LIMIT_EXCEEDED"]


async def test_introspection_can_be_switched_off() -> None:
    """Introspection works, however often, unless the engine is told otherwise."""
    engine = make_engine(compile_after=0)
    for _ in range(3):
        response = await run(engine, "{ __schema { queryType { name } } boxes(n: 1) { id } }")
        assert response["data"] == {"__schema": {"queryType": {"name": "Query"}}, "boxes": [{"id": "Box_0"}]}
    closed = make_engine(introspection=False)
    assert set(codes(refused(closed, "{ __schema { queryType { name } } }"))) == {"GRAPHQL_VALIDATION_FAILED"}


# --- levels ---------------------------------------------------------------------------------------------------------


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


async def test_siblings_wait_at_the_same_time_only_when_told() -> None:
    """Sibling levels take turns, unless the engine is told to run them concurrently."""
    query = "{ boxes(n: 2) { waits waitsToo } }"
    one_by_one, at_once = Log(), Log()
    expected = {"data": {"boxes": [{"waits": 0, "waitsToo": 0}, {"waits": 1, "waitsToo": 1}]}}
    assert await run(make_engine(compile_after=0), query, log=one_by_one) == expected
    assert await run(make_engine(compile_after=0, concurrent=True), query, log=at_once) == expected
    assert one_by_one.notes == ["waits begins", "waits ends", "waits_too begins", "waits_too ends"]
    assert at_once.notes == ["waits begins", "waits_too begins", "waits ends", "waits_too ends"]


@pytest.mark.parametrize("compile_after", EXECUTORS.values(), ids=EXECUTORS.keys())
async def test_mutations_run_one_after_the_other(compile_after: int) -> None:
    """A mutation's fields take turns in their order, and a lost non-null one ends the operation."""
    engine = make_engine(compile_after=compile_after, concurrent=True)
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


# --- compiling ------------------------------------------------------------------------------------------------------


async def test_operations_are_compiled_when_used_again() -> None:
    """The first execution is graphql-core's, the second is compiled, and both answer the same."""
    engine = make_engine()
    first = await run(engine, "{ boxes { id } }")
    assert len(engine.plans) == 0
    assert await run(engine, "{ boxes { id } }") == first
    (plan,) = engine.plans._known.values()
    assert await run(engine, "{ boxes { id } }") == first
    assert [known is plan for known in engine.plans._known.values()] == [True]


async def test_plans_are_kept_within_bounds() -> None:
    """Each set of flags has its plan, and the least recently used ones are forgotten."""
    engine = make_engine(compile_after=0, max_plans=3)
    query = "query ($a: Boolean!, $b: Boolean!) { boxes(n: 1) { id @skip(if: $a) size @include(if: $b) } }"
    answers = [
        (await run(engine, query, {"a": a, "b": b}))["data"]["boxes"][0] for a in (True, False) for b in (True, False)
    ]
    assert [sorted(answer) for answer in answers] == [["size"], [], ["id", "size"], ["id"]]
    assert len(engine.plans) == 3
    small = make_engine(compile_after=0, max_plan_chars=1_000)
    for i in range(6):
        await run(small, f"{{ boxes(n: 1) {{ id a{i}: size }} }}")
        assert 0 < small.plans.source_chars <= 1_000
    await run(small, "{ " + " ".join(f"a{i}: boxes {{ id }}" for i in range(20)) + " }")
    assert small.plans.source_chars <= 1_000


async def test_only_booleans_make_new_plans() -> None:
    """A variable that is a flag elsewhere in the document does not multiply the plans by its values."""
    engine = make_engine(compile_after=0)
    query = "query A($x: String!) { echo(text: $x) } query B($x: Boolean!) { boxes { id @skip(if: $x) } }"
    for i in range(5):
        assert await engine.execute(ready(engine, query, "A"), {"x": f"t{i}"}, Log()) == {"data": {"echo": f"t{i}"}}
    assert len(engine.plans) == 1


async def test_checks_of_authors_are_asked() -> None:
    """A type with an is_type_of of its own is executed by graphql-core, which asks it, however often it is used."""
    engine = make_engine(compile_after=0, on_fault=lambda error, fault_id: None)
    query = "{ good: checking(size: 1) { size } bad: checking(size: 2) { size } }"
    for _ in range(3):
        response = await run(engine, query)
        assert response["data"] == {"good": {"size": 1}, "bad": None}
        assert [error["path"] for error in response["errors"]] == [["bad"]]
    assert len(engine.plans) == 0


HOSTILE = [
    'a"b', "a'b", "\\", "\\n", "'''", "{x}", "%s", "]) or __import__('os').system('x') #", "\u2028", "😀",
    "\x7f", "é\u0301", "${", "`",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
async def test_client_text_is_only_data(text: str) -> None:
    """Strings of the client, literal or variable, come back as they were and never stand in the source bare."""
    engine = make_engine(compile_after=0)
    quoted = "".join(c if c.isalnum() else "".join(f"\\u{ord(u):04x}" for u in _units(c)) for c in text)
    response = await run(engine, f'query ($t: String!) {{ a: echo(text: "{quoted}") b: echo(text: $t) }}', {"t": text})
    assert response == {"data": {"a": text, "b": text}}
    (plan,) = engine.plans._known.values()
    assert "__import__" not in plan.source


def _units(character: str) -> list[str]:
    data = character.encode("utf-16-be")
    return [chr(int.from_bytes(data[i : i + 2], "big")) for i in range(0, len(data), 2)]


ALIASES = [
    "None",
    "class",
    "__class__",
    "import",
    "X",
    "rows",
    "outs",
    "s",
    "v",
    "w1",
    "_",
    "__init__",
    "print",
    "P",
    "S1",
]


async def test_aliases_are_only_keys() -> None:
    """Aliases that are Python keywords or names of the generated code are plain keys."""
    engine = make_engine(compile_after=0)
    fields = " ".join(f"{alias}: boxes(n: 1) {{ {alias}: size x{alias}: id }}" for alias in ALIASES)
    response = await run(engine, f"{{ {fields} }}")
    assert response == {"data": {alias: [{alias: 0, f"x{alias}": "Box_0"}] for alias in ALIASES}}


# --- subscriptions --------------------------------------------------------------------------------------------------


async def collect(stream: Any) -> list[Any]:
    """Read a stream to its end."""
    assert isinstance(stream, AsyncIterator)
    return [response async for response in stream]


async def test_subscriptions_execute_each_event(engine: GraphQLEngine) -> None:
    """Each row of the source becomes an answer, levels included, and the source is closed at the end."""
    log = Log()
    prepared = ready(engine, "subscription ($n: Int!) { ticks(n: $n) { id inside(first: 1) { id } } }")
    answers = await collect(await engine.subscribe(prepared, {"n": 2}, log))
    assert answers == [{"data": {"ticks": {"id": f"Box_{i}", "inside": [{"id": f"Box_{i}0"}]}}} for i in range(2)]
    assert log.notes[-1] == "closed"


async def test_a_subscription_refused_before_it_began(engine: GraphQLEngine) -> None:
    """A root resolver that raises, or variables that do not fit, give errors instead of a stream."""
    answer = await engine.subscribe(ready(engine, "subscription { guarded { id } }"), None, Log())
    assert isinstance(answer, dict)
    assert codes(answer["errors"]) == ["UNAUTHENTICATED"]
    assert "data" not in answer
    prepared = ready(engine, "subscription ($n: Int!) { ticks(n: $n) { id } }")
    answer = await engine.subscribe(prepared, {}, Log())
    assert isinstance(answer, dict)
    assert codes(answer["errors"]) == ["BAD_USER_INPUT"]


async def test_a_source_that_fails_ends_the_stream(engine: GraphQLEngine) -> None:
    """An exception of the source is a last answer without data."""
    prepared = ready(engine, "subscription { ticks(n: 1, fail: true) { id } }")
    answers = await collect(await engine.subscribe(prepared, None, Log()))
    assert answers[0] == {"data": {"ticks": {"id": "Box_0"}}}
    assert [sorted(answer) for answer in answers] == [["data"], ["errors"]]
    assert codes(answers[1]["errors"]) == ["UNAUTHENTICATED"]


async def test_leaving_a_stream_closes_its_source(engine: GraphQLEngine) -> None:
    """Whoever stops reading closes the source at once."""
    log = Log()
    stream: Any = await engine.subscribe(ready(engine, "subscription { ticks(n: 9) { id } }"), None, log)
    assert await anext(stream) == {"data": {"ticks": {"id": "Box_0"}}}
    await stream.aclose()
    assert log.notes == ["closed"]


async def test_each_event_may_have_its_own_context(engine: GraphQLEngine) -> None:
    """`renew` gives the context an event is executed with."""
    first, contexts = Log(), [Log(), Log()]
    remaining = iter(contexts)
    prepared = ready(engine, "subscription { ticks { inside { id } } }")
    await collect(await engine.subscribe(prepared, None, first, renew=lambda: next(remaining)))
    assert [len(context.notes) for context in contexts] == [1, 1]


async def test_an_event_can_be_encoded_once_for_many(engine: GraphQLEngine) -> None:
    """encode_event gives what the stream would, and open gives the raw rows."""
    prepared = ready(engine, "subscription { t: ticks { size } }")
    rows: Any = await engine.open(prepared, None, Log())
    answers = [await engine.encode_event(prepared, None, Log(), row) async for row in rows]
    assert answers == [{"data": {"t": {"size": 0}}}, {"data": {"t": {"size": 1}}}]


async def test_each_operation_has_its_own_road(engine: GraphQLEngine) -> None:
    """A subscription cannot be executed and a query cannot be subscribed to."""
    answer = await engine.execute(ready(engine, "subscription { ticks { id } }"), None, Log())
    assert codes(answer["errors"]) == ["OPERATION_RESOLUTION_FAILURE"]
    other = await engine.subscribe(ready(engine, "{ boxes { id } }"), None, Log())
    assert isinstance(other, dict)
    assert codes(other["errors"]) == ["OPERATION_RESOLUTION_FAILURE"]
