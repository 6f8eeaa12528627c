"""Messages say values as clients wrote them, in JSON and not in Python."""

import json
from typing import Any

import pytest
from box_world import Log, make_engine, ready, refused

from refundgql.gql.answers import RequestRefused
from refundgql.gql.bodies import parse_request
from refundgql.gql.wording import shown

VALUES: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    (False, "false"),
    ("it's", '"it\'s"'),
    ('q"', '"q\\""'),
    ("ü", '"ü"'),
    (1, "1"),
    (1.5, "1.5"),
    ([], "[]"),
    ({}, "{}"),
    ([None, True], "[null, true]"),
    ({"a": None, "b": [{"c": 1}]}, '{"a": null, "b": [{...}]}'),
    (list(range(12)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]"),
    ("x" * 999, '"' + "x" * 236 + "..."),
    ("\ud800", '"\ud800"'),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_values_are_shown_as_json(value: Any, text: str) -> None:
    """A value stands in a message as in the request's body, cut where it is long or deep."""
    assert shown(value) == text


TEXT = "query ($v: String!) { echo(text: $v) }"
NUMBER = "query ($v: Int!) { boxes(n: $v) { size } }"
WISH = "query ($v: Wish) { boxes { inside(wish: $v) { size } } }"
FLAG = "query ($v: Boolean = true) { boxes { size @include(if: $v) } }"

MISTAKES: list[tuple[str, Any, str]] = [
    (TEXT, None, "Expected value of non-null type 'String!' not to be null."),
    (TEXT, True, "String cannot represent a non string value: true"),
    (TEXT, {"a": None}, 'String cannot represent a non string value: {"a": null}'),
    (NUMBER, [False], "Int cannot represent non-integer value: [false]"),
    (WISH, {"b": None}, "Expected value of type 'Wish' not to include unknown field 'b', found: {\"b\": null}."),
    (FLAG, None, "Expected variable '$v' provided to non-null type 'Boolean!' not to be null."),
]


@pytest.mark.parametrize(("document", "value", "message"), MISTAKES)
async def test_mistakes_in_variables_are_told_in_json(document: str, value: Any, message: str) -> None:
    """What was wrong with a variable is said without a word of Python."""
    engine = make_engine()
    for _ in range(2):
        answer = await engine.execute(ready(engine, document), {"v": value}, Log())
        assert answer["errors"][0]["message"].endswith(f" has invalid value: {message}")


def test_mistakes_in_literals_are_told_in_json() -> None:
    """So it is with a null written in the document."""
    (error,) = refused(make_engine(), "{ echo(text: null) }")
    assert error["message"] == "Expected value of non-null type 'String!' not to be null."


@pytest.mark.parametrize("name", ["it's", 'a "quoted" one', "line\nbreak", "back\\slash", "ä\u200b"])
def test_names_are_quoted_as_clients_write_them(name: str) -> None:
    """The name of an operation that is not there is told in JSON, not as Python would print it."""
    (error,) = refused(make_engine(), "query A { __typename }", name)
    assert error["message"] == f"Unknown operation named {json.dumps(name, ensure_ascii=False)}."


def test_a_body_that_is_no_text_is_told_without_python() -> None:
    """What is wrong with bytes is said of the body; no type of Python's is named."""
    with pytest.raises(RequestRefused) as refused_body:
        parse_request(b'{"query":"\xff"}')
    assert refused_body.value.message == "The body is not valid JSON: not valid UTF-8 at line 1 column 1."
