"""Streams: one text for all who read the same, nothing missed or doubled, everything bounded, and each by itself."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
from box_world import codes
from graphql import OperationDefinitionNode, parse

from patience import PATIENCE_SECONDS
from refundgql.gql import streams
from refundgql.gql.documents import Prepared
from refundgql.gql.feeds import read_document
from refundgql.gql.streams import Stream
from toy_schema import Context, Person, Toy, toy_engine
from toy_streams import Answers

QUERY = "subscription($after: String, $tag: String) { log(after: $after, tag: $tag) { number cursor text } }"


@asynccontextmanager
async def following(toy: Toy, who: str = "ada", query: str = QUERY, **variables: Any) -> AsyncIterator[Answers]:
    """Follow the toy's log and take the present state."""
    prepared = toy.engine.prepare(query)
    assert isinstance(prepared, Prepared), prepared
    stream = await toy.engine.subscribe(prepared, variables, Context(Person(who), toy))
    assert isinstance(stream, Stream), stream
    answers = Answers(stream)
    try:
        assert number_of(await anext(answers)) == 0
        yield answers
    finally:
        await answers.aclose()


def number_of(answer: Any) -> int:
    """Return the number of an update."""
    number: int = answer["data"]["log"]["number"]
    return number


async def numbers(answers: Answers, count: int) -> list[int]:
    """Return the next numbers."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [number_of(await anext(answers)) for _ in range(count)]


async def test_the_same_readers_share_a_text() -> None:
    """An event is judged once and encoded once for those with the same document, variables and readers."""
    toy = toy_engine()
    readers = [("ada", "x", None), ("ada", "x", "0.0"), ("sam", "x", None), ("ada", "y", None)]
    async with following(toy, tag="x"), following(toy, tag="x"):
        opened = [following(toy, who, tag=tag, after=after) for who, tag, after in readers]
        streams_ = [await one.__aenter__() for one in opened]
        before, judged = toy.encoded, toy.log.judged
        toy.log.append()
        assert [await numbers(one, 1) for one in streams_] == [[1]] * 4
        first, resumed, other, tagged = [one.texts[-1] for one in streams_]
        assert first is resumed
        assert first is not other
        assert first is not tagged
        assert toy.encoded - before == 3
        assert toy.log.judged - judged == 1
        for one in opened:
            await one.__aexit__(None, None, None)
    assert toy.log.listeners == {}
    assert toy.log.fanout._rooms == {}


async def test_nobody_waits_behind_all_that_another_follows() -> None:
    """An event is encoded in turns: each reader's cheapest document first, however many others follow it with."""
    toy, order, every = toy_engine(), list[str](), list[Answers]()
    dear = "subscription($tag: String) { log(tag: $tag) { number things(first: 90) { edges { node { id } } } } }"
    followed = [
        *(("ada", dear, f"{n}") for n in range(9)),
        ("ada", QUERY, "light"),
        ("sam", dear, "dear"),
        ("sam", QUERY, "light"),
    ]

    async with AsyncExitStack() as stack:
        for who, query, tag in followed:
            answers = await stack.enter_async_context(following(toy, who, query, tag=tag))
            answers.told = partial(order.append, f"{who} {tag}")
            every.append(answers)
        toy.log.append()
        for answers in every:
            assert await numbers(answers, 1) == [1]
    assert set(order[:2]) == {"ada light", "sam light"}
    assert {name.split()[0] for name in order[2:4]} == {"ada", "sam"}


async def test_a_stream_that_raises_ends_alone() -> None:
    """What raises for one reader ends their streams, masked, with their cursor; all others hear on."""
    toy = toy_engine()
    async with following(toy, "sam") as sam, following(toy, "ada") as ada:
        toy.log.append()
        assert await numbers(sam, 1) == await numbers(ada, 1) == [1]
        toy.log.broken_for.add("sam")
        toy.log.append()
        end = await anext(sam)
        assert codes(end["errors"]) == ["INTERNAL_SERVER_ERROR"]
        assert end["errors"][0]["extensions"]["after"] == "0.1"
        assert "secret" not in str(end)
        toy.log.append()
        assert await numbers(ada, 2) == [2, 3]


async def test_more_than_a_room_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who follows a flood is cut off at the cursor it has come to, and goes on after it with nothing missing."""
    monkeypatch.setattr(streams, "ROOM_EVENTS", 10)
    toy = toy_engine()
    async with following(toy) as ada:
        toy.log.append(10)
        assert await numbers(ada, 10) == list(range(1, 11))
        toy.log.append(11)
        (end,) = [answer async for answer in ada]
        assert end["errors"][0]["extensions"] == {"code": "LIMIT_EXCEEDED", "after": "0.10"}
    async with following(toy, after="0.10") as ada:
        assert await numbers(ada, 11) == list(range(11, 22))
        toy.log.append()
        assert await numbers(ada, 1) == [22]


async def test_memory_of_a_room_is_bounded() -> None:
    """Half a million events in a room that tells none of them leave nothing behind but its bound."""
    toy = toy_engine()
    async with following(toy) as ada:
        (room,) = toy.log.fanout._rooms.values()
        for _ in range(500):
            toy.log.append(1_000)  # nobody gets a turn in between
            assert len(room.events) <= streams.ROOM_EVENTS
        assert [codes(answer["errors"]) async for answer in ada] == [["LIMIT_EXCEEDED"]]


async def test_the_end_of_a_log_completes_everybody() -> None:
    """A verdict that it is over completes all streams of a topic."""
    toy = toy_engine()
    async with following(toy) as ada, following(toy, "sam") as sam:
        toy.log.end()
        assert [answer async for answer in ada] == []
        assert [answer async for answer in sam] == []


@pytest.mark.parametrize("seed", range(3))
async def test_nobody_misses_doubles_or_reorders(seed: int) -> None:
    """Twenty who come and go while events happen hear every event after their first, once and in order."""
    toy, chance, last = toy_engine(), random.Random(seed), 400

    async def visit(mine: random.Random) -> list[int]:
        heard: list[int] = []
        after: str | None = None
        while not heard or heard[-1] < last:
            async with following(toy, after=after) as answers:
                after = answers.cursors[-1]
                if not heard:  # the present state: what comes next follows it
                    heard.append(int(str(after).partition(".")[2]))
                for _ in range(mine.choice((1, 3, 20, 10_000))):
                    if heard[-1] == last:
                        break
                    heard += await numbers(answers, 1)
                    after = f"0.{heard[-1]}"
            await asyncio.sleep(mine.random() / 50)
        return heard

    visitors = [asyncio.create_task(visit(random.Random(seed * 100 + n))) for n in range(20)]
    while toy.log.head < last:
        toy.log.append(min(chance.choice((1, 1, 2, 10)), last - toy.log.head))
        await asyncio.sleep(chance.random() / 50)
    for heard in await asyncio.wait_for(asyncio.gather(*visitors), PATIENCE_SECONDS):
        assert heard == list(range(heard[0], last + 1))
    assert toy.log.listeners == {}


@pytest.mark.parametrize(
    ("text", "variables", "same"),
    [
        ("subscription { log { number } }", {"undeclared": 1}, "{}"),
        ("subscription($t: String) { log(tag: $t) { number } }", {"t": 1}, '{"t":1}'),
        ("subscription($a: String, $t: String) { log(after: $a, tag: $t) { number } }", {"a": "1", "t": 2}, '{"t":2}'),
        ("subscription($a: String) { log(after: $a, tag: $a) { number } }", {"a": "1"}, '{"a":"1"}'),
        (
            "subscription($a: String) { ...F } fragment F on Subscription { log(after: $a) { number } }",
            {"a": "1"},
            '{"a":"1"}',
        ),
    ],
)
def test_what_answers_depend_on(text: str, variables: Any, same: str) -> None:
    """Answers depend on declared variables, but for the one that only says where to go on."""
    operation, *fragments = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    reading = read_document(operation, {str(n): one for n, one in enumerate(fragments)})
    assert reading.same(variables) == same
