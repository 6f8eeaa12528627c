"""Streams that several follow in the same way are run once, and nobody misses, doubles or reorders anything."""

import asyncio
import random
from typing import Any

import httpx
import pytest
from graphql import OperationDefinitionNode, parse
from test_sse import events, streaming
from test_ws import ask, hear, ready
from transport_desk import Desk, MakeDesk
from transport_stub import StubEngine

from refundgql.gql.limits import Limits
from refundgql.gql.sharing import position_of, shareable_variables

QUERY = "subscription($after: String, $tag: String) { log(after: $after, tag: $tag) { number cursor } }"
UNBOUND = Limits(requests_per_minute=None, max_sockets_per_account=10_000, max_operations_per_socket=1_000)


def happen(desk: Desk) -> None:
    assert desk.loop is not None
    desk.loop.call_soon_threadsafe(desk.engine.log.append)


async def number_of(ws: Any) -> int:
    number: int = (await hear(ws))["payload"]["data"]["log"]["number"]
    return number


async def test_shared_events_are_read_once(serve: MakeDesk) -> None:
    """What fifty subscribers of one account follow is read and encoded once for all of them."""
    desk = serve(limits=UNBOUND)
    token = {"token": desk.token("ada")}
    async with ready(desk, token) as first, ready(desk, token) as second:
        for number in range(25):
            for ws in (first, second):
                await ask(ws, QUERY, str(number))
                assert await number_of(ws) == 0
        happen(desk)
        for ws in (first, second):
            assert {await number_of(ws) for _ in range(25)} == {1}
        await asyncio.sleep(0.1)
        before = desk.engine.encoded
        for number in range(2, 42):
            happen(desk)
            for ws in (first, second):
                assert [await number_of(ws) for _ in range(25)] == [number] * 25
        assert desk.engine.encoded - before == 40
        assert len(desk.engine.log.inboxes) == 1
    await asyncio.sleep(0.2)
    assert desk.engine.log.inboxes == []


@pytest.mark.parametrize("difference", ["account", "variables", "document"])
async def test_only_the_same_is_shared(difference: str, serve: MakeDesk) -> None:
    """Another account, other variables or another document have a stream of their own."""
    desk = serve(limits=UNBOUND)
    other = "sam" if difference == "account" else "ada"
    async with (
        ready(desk, {"token": desk.token("ada")}) as first,
        ready(desk, {"token": desk.token(other)}) as second,
    ):
        await ask(first, QUERY, variables={"tag": "x"})
        text = QUERY + " # another" if difference == "document" else QUERY
        await ask(second, text, variables={"tag": "y" if difference == "variables" else "x"})
        assert (await number_of(first), await number_of(second)) == (0, 0)
        for number in range(1, 5):
            happen(desk)
            assert (await number_of(first), await number_of(second)) == (number, number)
        assert len(desk.engine.log.inboxes) == 2


async def test_lone_subscriber_has_one_stream(serve: MakeDesk) -> None:
    """A subscriber that is alone is served by its own stream and no other."""
    desk = serve(limits=UNBOUND)
    async with ready(desk) as ws:
        await ask(ws, QUERY)
        assert await number_of(ws) == 0
        assert len(desk.engine.log.inboxes) == 1


async def test_end_of_a_shared_stream_ends_it_for_all(serve: MakeDesk) -> None:
    """When the source ends, everybody who shares it is told that it is complete."""
    desk = serve(limits=UNBOUND)
    assert desk.loop is not None
    async with ready(desk) as ws:
        for number in range(5):
            await ask(ws, QUERY, str(number))
            assert await number_of(ws) == 0
        happen(desk)
        assert [await number_of(ws) for _ in range(5)] == [1] * 5
        desk.loop.call_soon_threadsafe(desk.engine.log.end)
        assert [(await hear(ws))["type"] for _ in range(5)] == ["complete"] * 5


async def test_socket_and_event_stream_share(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """The road does not matter: a socket and an event stream share, and events keep their cursors."""
    desk = serve(limits=UNBOUND)
    async with ready(desk) as ws, streaming(http, desk, QUERY) as answer:
        await ask(ws, QUERY)
        assert await number_of(ws) == 0
        stream = events(answer)
        assert (await anext(stream)).id == "0.0"
        for number in range(1, 6):
            happen(desk)
            assert await number_of(ws) == number
            assert (await anext(stream)).id == f"0.{number}"
        assert len(desk.engine.log.inboxes) == 1


class Visitor:
    """A client that comes and goes, resumes where it was, and notes what it heard."""

    def __init__(self, desk: Desk, seed: int, last: int) -> None:
        self.desk = desk
        self.chance = random.Random(seed)
        self.last = last
        self.heard: list[int] = []

    async def run(self) -> list[int]:
        after: str | None = None
        while not self.heard or self.heard[-1] < self.last:
            stay = self.chance.choice((1, 3, 20, 10_000))
            async with ready(self.desk, {"token": self.desk.token("ada")}) as ws:
                await ask(ws, QUERY, variables={"after": after})
                while stay and (not self.heard or self.heard[-1] < self.last):
                    update = (await hear(ws))["payload"]["data"]["log"]
                    after = update["cursor"]
                    if update["number"]:
                        self.heard.append(update["number"])
                        stay -= 1
                    elif not self.heard:
                        # The present state: what comes next follows it.
                        self.heard.append(int(after.partition(".")[2]))
            await asyncio.sleep(self.chance.random() / 50)
        return self.heard


@pytest.mark.parametrize("seed", range(3))
async def test_nobody_misses_doubles_or_reorders(seed: int, serve: MakeDesk) -> None:
    """Twenty clients that come and go while events happen hear every event after their first, once and in order."""
    desk = serve(limits=UNBOUND)
    chance = random.Random(seed)
    last = 400
    visitors = [asyncio.create_task(Visitor(desk, seed * 100 + n, last).run()) for n in range(20)]
    while desk.engine.log.head < last:
        for _ in range(min(chance.choice((1, 1, 2, 10)), last - desk.engine.log.head)):
            happen(desk)
        await asyncio.sleep(chance.random() / 50)
    for heard in await asyncio.wait_for(asyncio.gather(*visitors), 60):
        assert heard == list(range(heard[0], last + 1))
    await asyncio.sleep(0.2)
    assert desk.engine.log.inboxes == []


@pytest.mark.parametrize(
    ("text", "variables", "shared"),
    [
        ("subscription { log { number } }", None, {}),
        ("subscription($t: String) { log(tag: $t) { number } }", {"t": 1}, {"t": 1}),
        ("subscription($a: String, $t: String) { log(after: $a, tag: $t) { number } }", {"a": "1", "t": 2}, {"t": 2}),
        ('subscription { log(after: "0.1") { number } }', None, None),
        ("subscription { ...F } fragment F on Subscription { log { number } }", None, None),
        ("subscription { log { number } quiet { number } }", None, None),
    ],
)
def test_what_can_be_shared(text: str, variables: Any, shared: Any) -> None:
    """A stream is shared by everything but the variable it resumes by; one that resumes by its text is not."""
    operation = parse(text).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    assert shareable_variables(operation, variables) == shared


@pytest.mark.parametrize(
    ("cursor", "position"), [("0.10", (0, 10)), ("7.2", (7, 2)), ("5", (5,)), ("x", None), ("", None), (None, None)]
)
def test_cursors_are_compared_as_numbers(cursor: str | None, position: Any) -> None:
    """A cursor is compared number by number; what is no cursor is not compared."""
    assert position_of(cursor) == position


def test_stub_is_the_engine_of_these_tests() -> None:
    """The log that these tests follow starts empty for each server."""
    assert StubEngine().log.head == 0
