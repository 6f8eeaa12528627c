"""Streams that hand their results over: one loop for all subscribers, each within its bounds."""

import asyncio
import json

import httpx
import pytest
from test_sse import events, streaming
from test_ws import ask, closed, hear, ready, say
from transport_desk import Desk, MakeDesk
from transport_stub import StubEngine

QUERY = "subscription Pushed { quiet { number } }"


async def subscribed(desk: Desk, number: int) -> None:
    for _ in range(200):
        if len(desk.engine.pushed) == number:
            return
        await asyncio.sleep(0.02)
    pytest.fail("not everybody is subscribed")


def deliver(engine: StubEngine, number: int, text: str = "") -> None:
    """Hand one result to everybody, as a source of events does."""
    result = json.dumps({"data": {"quiet": {"number": number, "text": text}}})
    for stream in list(engine.pushed):
        stream.sink.deliver(result, f"0.{number}")


async def test_delivered_to_everybody_in_order(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Sockets and event streams hear what is delivered, in order, under their own ids, until it is finished."""
    desk = serve()
    assert desk.loop is not None
    async with ready(desk) as first, ready(desk) as second, streaming(http, desk, QUERY) as answer:
        await ask(first, QUERY, 'a"b')
        await ask(second, QUERY, "2")
        await subscribed(desk, 3)
        for number in range(50):
            desk.loop.call_soon_threadsafe(deliver, desk.engine, number)
        for ws, operation_id in ((first, 'a"b'), (second, "2")):
            for number in range(50):
                message = await hear(ws)
                assert (message["id"], message["type"]) == (operation_id, "next")
                assert message["payload"]["data"]["quiet"]["number"] == number
        streams = list(desk.engine.pushed)
        desk.loop.call_soon_threadsafe(streams[0].sink.finish, None)
        desk.loop.call_soon_threadsafe(streams[1].sink.finish, [{"message": "no more"}])
        desk.loop.call_soon_threadsafe(streams[2].sink.finish, [{"message": "no more"}])
        heard = [event async for event in events(answer)]
        ends = [await hear(first), await hear(second)]
    assert sorted(end["type"] for end in ends) in (["complete", "error"], ["error", "error"])
    assert [e.id for e in heard[:50]] == [f"0.{n}" for n in range(50)]
    assert heard[-1].name == "complete"
    assert desk.engine.pushed == []


async def test_left_subscriber_is_let_go(serve: MakeDesk) -> None:
    """A subscriber that completes or leaves is closed at its source."""
    desk = serve()
    async with ready(desk) as ws:
        await ask(ws, QUERY, "1")
        await ask(ws, QUERY, "2")
        await subscribed(desk, 2)
        await say(ws, type="complete", id="1")
        await subscribed(desk, 1)
    await subscribed(desk, 0)


async def test_who_falls_behind_is_cut_off(serve: MakeDesk) -> None:
    """A subscriber that does not read is cut off when its bounds are passed; who reads hears everything."""
    desk = serve()
    assert desk.loop is not None
    from websockets.asyncio.client import connect
    from websockets.typing import Subprotocol

    url = f"ws://127.0.0.1:{desk.port}/graphql"
    protocols = [Subprotocol("graphql-transport-ws")]
    async with ready(desk) as reader, connect(url, subprotocols=protocols, compression=None, max_queue=1) as slow:
        await say(slow, type="connection_init")
        await ask(slow, QUERY)
        await ask(reader, QUERY)
        await subscribed(desk, 2)
        for number in range(1500):
            desk.loop.call_soon_threadsafe(deliver, desk.engine, number, "x" * 20_000)
            assert (await hear(reader))["payload"]["data"]["quiet"]["number"] == number
            if len(desk.engine.pushed) == 1:
                break
        assert len(desk.engine.pushed) == 1
        assert await closed(slow) == (1013, "Too slow; connect again and resume")
