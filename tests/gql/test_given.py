"""What no operation can take is refused before it is looked at further, on every road."""

from typing import Any

import pytest
from box_world import Log, codes, make_engine, ready, refused

from refundgql.gql.given import MAX_DEPTH

ECHO = "query ($text: String!) { echo(text: $text) }"
WISH = "query ($wish: Wish) { boxes { inside(wish: $wish) { size } } }"


def nested(depth: int, inmost: Any = 1) -> Any:
    """Return lists and objects in turn, so many levels deep."""
    value = inmost
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        (ECHO, {"text": "\0"}),
        (ECHO, {"text": "a\0b"}),
        (WISH, {"wish": {"name": "a\0"}}),
        (WISH, {"wish": None, "undeclared": [["x", {"y": "\0"}]]}),
        ("{ boxes { size } }", {"undeclared": "\0"}),
        (ECHO, {"text": "x", "undeclared": nested(MAX_DEPTH + 1)}),
        ("{ boxes { size } }", {"undeclared": nested(254)}),
        (WISH, {"wish": nested(100_000)}),
    ],
)
async def test_variables_that_nothing_can_take_are_refused(document: str, variables: dict[str, Any]) -> None:
    """U+0000 anywhere in the variables, or nesting without an end, is the client's mistake at every use."""
    engine = make_engine()
    prepared = ready(engine, document)
    answers = [await engine.execute(prepared, variables, Log()) for _ in range(3)]
    assert codes(answers[0]["errors"]) == ["BAD_USER_INPUT"]
    assert "data" not in answers[0]
    assert answers[0] == answers[1] == answers[2]


async def test_streams_refuse_such_variables_before_they_begin() -> None:
    """A subscription with such variables is refused as a query is."""
    engine = make_engine()
    prepared = ready(engine, "subscription { ticks { size } }")
    for undeclared in "\0", nested(254):
        answer = await engine.subscribe(prepared, {"undeclared": undeclared}, Log())
        assert isinstance(answer, dict)
        assert codes(answer["errors"]) == ["BAD_USER_INPUT"]


async def test_nesting_has_an_exact_bound() -> None:
    """So many levels are taken, one more is not."""
    engine = make_engine()
    prepared = ready(engine, ECHO)
    for depth, taken in (MAX_DEPTH, True), (MAX_DEPTH + 1, False):
        answer = await engine.execute(prepared, {"text": "x", "other": nested(depth)}, Log())
        assert ("data" in answer) is taken


@pytest.mark.parametrize("text", ["\\u0000", "a\\u0000b", "\\u{0}", "\\u{0000}", "\\u0041\\u{00}"])
@pytest.mark.parametrize(
    "document",
    [
        '{ echo(text: "%s") }',
        'query ($text: String! = "%s") { echo(text: $text) }',
        '{ boxes { inside(wish: {name: "%s"}) { size } } }',
        '{ ...F } fragment F on Query { echo(text: "%s") }',
    ],
)
def test_literals_with_nul_are_refused(document: str, text: str) -> None:
    """However U+0000 is written in a document, it is refused as it is in a variable."""
    errors = refused(make_engine(), document % text)
    assert codes(errors) == ["BAD_USER_INPUT"]
    assert errors[0]["locations"]


async def test_other_control_characters_are_taken() -> None:
    """Escapes of other characters, and a backslash before a u, are texts like any other."""
    engine = make_engine()
    for written, text in (("\\u0001", "\x01"), ("\\\\u0000", "\\u0000"), ("\\u{1F600}", "\U0001f600")):
        answer = await engine.execute(ready(engine, f'{{ echo(text: "{written}") }}'), None, Log())
        assert answer == {"data": {"echo": text}}
