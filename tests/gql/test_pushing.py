"""Streams on real sockets: one loop hands results to all subscribers, each within its bounds."""

import asyncio
import time

import httpx
import pytest
from starlette.types import Message
from test_sse import events, streaming
from test_ws import ask, closed, hear, ready, say
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from patience import PATIENCE_SECONDS
from refundgql.gql import hardening
from refundgql.gql.outbox import Outbox
from toy_server import Desk, MakeDesk

QUERY = "subscription { log { number } }"


async def followed_by(desk: Desk, number: int) -> None:
    """Wait until so many streams follow the log."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while sum(room.users for room in desk.toy.log.fanout._rooms.values()) != number:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.02)


def happen(desk: Desk) -> None:
    """Let one more event happen."""
    assert desk.loop is not None
    desk.loop.call_soon_threadsafe(desk.toy.log.append)


async def test_delivered_to_everybody_in_order(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Sockets and event streams hear what happens, in order, under their own ids, until it is over."""
    desk = serve(stall_seconds=PATIENCE_SECONDS)
    assert desk.loop is not None
    async with ready(desk) as first, ready(desk) as second, streaming(http, desk, QUERY) as answer:
        await ask(first, QUERY, 'a"b')
        await ask(second, QUERY, "2")
        for ws in (first, second):
            assert (await hear(ws))["payload"]["data"]["log"]["number"] == 0
        stream = events(answer)
        assert (await anext(stream)).id == "0.0"
        for _ in range(50):
            happen(desk)
        for ws, operation_id in ((first, 'a"b'), (second, "2")):
            for number in range(1, 51):
                message = await hear(ws)
                assert (message["id"], message["type"]) == (operation_id, "next")
                assert message["payload"]["data"]["log"]["number"] == number
        desk.loop.call_soon_threadsafe(desk.toy.log.end)
        heard = [event async for event in stream]
        ends = [await hear(first), await hear(second)]
    assert [end["type"] for end in ends] == ["complete", "complete"]
    assert [e.id for e in heard[:50]] == [f"0.{n}" for n in range(1, 51)]
    assert heard[-1].name == "complete"


async def test_left_subscriber_is_let_go(serve: MakeDesk) -> None:
    """A subscriber that completes or leaves is closed at its source."""
    desk = serve(stall_seconds=PATIENCE_SECONDS)
    async with ready(desk) as ws:
        await ask(ws, QUERY, "1")
        await ask(ws, QUERY, "2")
        await followed_by(desk, 2)
        await say(ws, type="complete", id="1")
        await followed_by(desk, 1)
    await followed_by(desk, 0)


async def test_a_process_that_stood_still_cuts_nobody_off() -> None:
    """A reader who takes everything is not too slow when it was this process that did nothing for a while."""
    sent, cut_off = [], []

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    outbox = Outbox(send, lambda: cut_off.append(True), stall_seconds=0.05)
    outbox.put({"type": "websocket.send", "text": "hello"}, 5)
    time.sleep(0.1)  # noqa: ASYNC251  # nobody gets a turn
    await outbox.taken()
    assert (len(sent), cut_off) == (1, [])


async def test_who_falls_behind_is_cut_off(serve: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscriber that does not read is cut off when its bounds are passed; who reads hears everything."""
    monkeypatch.setattr(hardening, "BLOCKED_SECONDS", PATIENCE_SECONDS)
    desk = serve(stall_seconds=PATIENCE_SECONDS)
    query = f'subscription {{ log(tag: "{"x" * 20_000}") {{ number text }} }}'
    url = f"ws://127.0.0.1:{desk.port}/graphql"
    protocols = [Subprotocol("graphql-transport-ws")]
    async with ready(desk) as reader, connect(url, subprotocols=protocols, compression=None, max_queue=1) as slow:
        await say(slow, type="connection_init")
        for ws in (slow, reader):
            await ask(ws, query)
        await followed_by(desk, 2)
        for number in range(1500):
            assert (await hear(reader))["payload"]["data"]["log"]["number"] == number
            if sum(room.users for room in desk.toy.log.fanout._rooms.values()) == 1:
                break
            happen(desk)
        await followed_by(desk, 1)
        assert await closed(slow) == (1013, "Too slow; connect again and resume")
