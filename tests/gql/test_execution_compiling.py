"""Which operations are compiled, what is kept of them, and that client text is only data."""

import pytest
from box_world import Log, codes, make_engine, ready, run

from refundgql.gql.compiled import plans
from toy_streams import collected


async def test_operations_are_compiled_when_used_again() -> None:
    """The first execution is graphql-core's, the second is compiled, and both answer the same."""
    engine = make_engine()
    first = await run(engine, "{ boxes { id } }")
    assert len(engine.plans) == 0
    assert await run(engine, "{ boxes { id } }") == first
    (plan,) = engine.plans._known.values()
    assert await run(engine, "{ boxes { id } }") == first
    assert [known is plan for known in engine.plans._known.values()] == [True]


async def test_plans_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each set of flags has its plan, and the least recently used ones are forgotten."""
    monkeypatch.setattr(plans, "MAX_PLANS", 3)
    engine = make_engine(compile_after=0)
    query = "query ($a: Boolean!, $b: Boolean!) { boxes(n: 1) { id @skip(if: $a) size @include(if: $b) } }"
    answers = [
        (await run(engine, query, {"a": a, "b": b}))["data"]["boxes"][0] for a in (True, False) for b in (True, False)
    ]
    assert [sorted(answer) for answer in answers] == [["size"], [], ["id", "size"], ["id"]]
    assert len(engine.plans) == 3
    monkeypatch.setattr(plans, "MAX_SOURCE_CHARS", 1_000)
    small = make_engine(compile_after=0)
    for i in range(6):
        await run(small, f"{{ boxes(n: 1) {{ id a{i}: size }} }}")
        assert 0 < small.plans._source_chars <= 1_000
    await run(small, "{ " + " ".join(f"a{i}: boxes {{ id }}" for i in range(20)) + " }")
    assert small.plans._source_chars <= 1_000


async def test_only_booleans_make_new_plans() -> None:
    """A variable that is a flag elsewhere in the document does not multiply the plans by its values."""
    engine = make_engine(compile_after=0)
    query = "query A($x: String!) { echo(text: $x) } query B($x: Boolean!) { boxes { id @skip(if: $x) } }"
    for i in range(5):
        assert await engine.execute(ready(engine, query, "A"), {"x": f"t{i}"}, Log()) == {"data": {"echo": f"t{i}"}}
    assert len(engine.plans) == 1


NULL_FLAGS = [
    ("query ($a: Boolean = true) { boxes { size @include(if: $a) } }", ["boxes", 0]),
    ("query ($a: Boolean = true) { boxes @skip(if: $a) { size } }", None),
    (
        "query ($a: Boolean = false) { boxes { inside { ...F } } } fragment F on Box { size @skip(if: $a) }",
        ["boxes", 0],
    ),
    (
        'mutation ($b: Boolean = true) { add(name: "n") { id size @skip(if: $b) } }',
        ["add"],
    ),
]


@pytest.mark.parametrize(("query", "path"), NULL_FLAGS)
async def test_flags_that_are_null_are_the_clients_mistake(query: str, path: list[str | int] | None) -> None:
    """A null for a flag with a default is refused alike at every use, and does not hinder those who send a value."""
    engine = make_engine()
    name = "b" if "$b" in query else "a"
    refused = [await run(engine, query, {name: None}) for _ in range(3)]
    assert refused[0] == refused[1] == refused[2]
    assert refused[0]["data"] is None
    (error,) = refused[0]["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert error["path"][: len(path)] == path if path else "path" not in error
    assert len(engine.plans) == 0
    for given in {}, {name: True}, {name: False}:
        answers = [await run(engine, query, given) for _ in range(3)]
        assert answers[0] == answers[1] == answers[2]
        assert "errors" not in answers[0]
    assert len(engine.plans) == 2
    assert await run(engine, query, {name: None}) == refused[0]


async def test_operations_that_fail_to_compile_are_answered_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect of the compiler costs speed and a line in the log, never an answer."""
    engine = make_engine(compile_after=0)
    monkeypatch.setattr(plans, "compile_plan", lambda *_: 1 // 0)
    for _ in range(3):
        assert await run(engine, "{ boxes(n: 1) { size } }") == {"data": {"boxes": [{"size": 0}]}}
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_streams_with_flags_that_are_null_say_so_at_each_event() -> None:
    """Each event of a subscription whose flag is null is answered as its first one is."""
    engine = make_engine()
    prepared = ready(engine, "subscription ($a: Boolean = true) { ticks(n: 3) { size @include(if: $a) } }")
    answers = await collected(await engine.subscribe(prepared, {"a": None}, Log()))
    assert len(answers) == 3
    assert answers[0] == answers[1] == answers[2]
    assert codes(answers[0]["errors"]) == ["BAD_USER_INPUT"]


async def test_checks_of_authors_are_asked() -> None:
    """A type with an is_type_of of its own is executed by graphql-core, which asks it, however often it is used."""
    engine = make_engine(compile_after=0)
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
