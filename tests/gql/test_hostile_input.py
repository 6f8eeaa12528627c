"""Whatever is sent, the server answers at once, in the protocol's terms, and goes on serving."""

import asyncio
import json
import os
import random
import time
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ws import ask, hear, ready, socket
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from patience import PATIENCE_SECONDS
from toy_server import Desk, MakeDesk

JSON_HEADERS = {"content-type": "application/json"}
CLOSE_CODES = {1000, 1002, 1003, 1007, 1009, 4400, 4401, 4403, 4409, 4429}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
queries = st.sampled_from(
    ["{ hello }", "{", "{ nothing }", "mutation { act }", "query A { hello } query B { hello }", "{ echo(text: $x) }"]
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "query": queries | values,
        "operationName": st.sampled_from(["A", "B", None]) | values,
        "variables": values,
        "extensions": values,
        "documentId": values,
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["connection_init", "ping", "pong", "subscribe", "complete", "next", "error"]) | values,
        "id": st.sampled_from(["1", "2"]) | values,
        "payload": requests | values,
    },
)


def mutated(data: bytes, seed: int) -> bytes:
    """Return the bytes with a few of them changed, doubled, cut out or cut off."""
    chance = random.Random(seed)
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        if not out:
            break
        at = chance.randrange(len(out))
        match chance.randrange(4):
            case 0:
                out[at] = chance.randrange(256)
            case 1:
                out[at:at] = out[at : at + chance.randint(1, 9)]
            case 2:
                del out[at : at + chance.randint(1, 9)]
            case _:
                del out[at:]
    return bytes(out)


FEW = settings(max_examples=int(os.environ.get("REFUNDGQL_FUZZ_EXAMPLES", "150")))


@pytest.fixture(scope="module")
def loop_runner() -> Any:
    with asyncio.Runner() as runner:
        yield runner.run


def check_answer(desk: Desk, content: bytes) -> None:
    # The server runs in this process: its processor time tells, also on a machine busy with other things.
    started_at = time.process_time()
    answer = httpx.post(f"{desk.url}/graphql", content=content, headers=JSON_HEADERS)
    assert time.process_time() - started_at < 10
    assert answer.status_code in (200, 400, 401, 406), answer.text
    body = answer.json()
    assert "data" in body or body["errors"]
    assert all(e["extensions"]["code"] != "INTERNAL_SERVER_ERROR" for e in body.get("errors", []))


@pytest.mark.slow
@FEW
@given(request=requests)
def test_requests_of_any_shape(request: Any, plain_desk: Desk) -> None:
    """A request of any shape is answered within a second, never with a fault."""
    check_answer(plain_desk, json.dumps(request).encode())


@pytest.mark.slow
@FEW
@given(request=requests, seed=st.integers(0, 2**32))
def test_damaged_requests(request: Any, seed: int, plain_desk: Desk) -> None:
    """A request damaged on its way is answered within a second, never with a fault."""
    check_answer(plain_desk, mutated(json.dumps(request).encode(), seed))


async def converse(desk: Desk, sent: list[str | bytes], *, acknowledged: bool) -> None:
    """Say all of it on one socket: the server answers in the protocol's terms or closes by one of its codes."""
    async with ready(desk) if acknowledged else socket(desk) as ws:
        try:
            for message in sent:
                await ws.send(message)
            await ws.send('{"type":"ping"}')
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    answer = json.loads(await ws.recv())
                    assert answer["type"] in ("connection_ack", "next", "error", "complete", "pong")
                    assert "INTERNAL_SERVER_ERROR" not in json.dumps(answer)
                    if answer["type"] == "pong":
                        break
        except ConnectionClosed:
            assert ws.close_code in CLOSE_CODES


@pytest.mark.slow
@FEW
@given(sent=st.lists(messages, max_size=5), acknowledged=st.booleans())
def test_messages_of_any_shape(sent: list[Any], acknowledged: bool, plain_desk: Desk, loop_runner: Any) -> None:
    """Messages of any shape, in any order, are answered or close the socket by the protocol."""
    texts: list[str | bytes] = [json.dumps(message) for message in sent]
    loop_runner(converse(plain_desk, texts, acknowledged=acknowledged))


@pytest.mark.slow
@FEW
@given(message=messages, seed=st.integers(0, 2**32), as_text=st.booleans())
def test_damaged_messages(message: Any, seed: int, as_text: bool, plain_desk: Desk, loop_runner: Any) -> None:
    """A damaged message, as text or not, is answered or closes the socket by the protocol."""
    data = mutated(json.dumps(message).encode(), seed)
    sent: str | bytes = data.decode("utf-8", "replace") if as_text else data
    loop_runner(converse(plain_desk, [sent], acknowledged=True))


async def raw_frames(ws: ClientConnection, data: bytes) -> int | None:
    """Send bytes below the WebSocket library and return the code the server closes with."""
    ws.transport.write(data)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                await ws.recv()
    except ConnectionClosed:
        return ws.close_code


def masked(opcode: Opcode, data: bytes = b"", *, fin: bool = True, rsv1: bool = False) -> bytes:
    """Return a frame as a client sends it, with a mask of zeros, right or wrong."""
    first = opcode | (0x80 if fin else 0) | (0x40 if rsv1 else 0)
    length = len(data)
    size = bytes((0x80 | length,)) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
    return bytes((first,)) + size + b"\x00" * 4 + data


FRAMES: dict[str, tuple[bytes, set[int | None]]] = {
    "without mask": (Frame(Opcode.TEXT, b"{}").serialize(mask=False), {1002}),
    "reserved bit": (masked(Opcode.TEXT, b"{}", rsv1=True), {1002}),
    "continuation of nothing": (masked(Opcode.CONT, b"{}"), {1002}),
    "text inside a text": (masked(Opcode.TEXT, b"{", fin=False) + masked(Opcode.TEXT, b"}"), {1002}),
    "reserved opcode": (b"\x83\x80\x00\x00\x00\x00", {1002}),
    "control frame in parts": (masked(Opcode.PING, b"x", fin=False), {1002}),
    "control frame too long": (b"\x89\xfe\x00\x80" + b"\x00" * 132, {1002}),
    "declared far too long": (b"\x81\xff" + (2**40).to_bytes(8, "big") + b"\x00" * 8, {1009}),
    "parts together too long": (
        masked(Opcode.TEXT, b"x" * 60_000, fin=False) + masked(Opcode.CONT, b"x" * 60_000),
        {1009},
    ),
    "close without code": (masked(Opcode.CLOSE), {1005, 1000}),
    "close with a reserved code": (masked(Opcode.CLOSE, b"\x03\xed"), {1002}),
    "close with one byte": (masked(Opcode.CLOSE, b"\x03"), {1002}),
    "close reason not UTF-8": (masked(Opcode.CLOSE, b"\x03\xe8\xff"), {1007}),
}


@pytest.mark.parametrize("name", FRAMES)
async def test_broken_frames(name: str, serve: MakeDesk) -> None:
    """Frames that break WebSocket's own rules close the socket by its own codes; others go on."""
    data, codes = FRAMES[name]
    desk = serve()
    async with ready(desk) as ws, ready(desk) as other:
        assert await raw_frames(ws, data) in codes
        await ask(other, "{ hello }")
        assert (await hear(other))["type"] == "next"


async def test_message_in_parts_is_one_message(serve: MakeDesk) -> None:
    """A message may come in any number of parts, also within a character, with pings between them."""
    async with ready(serve()) as ws:
        text = json.dumps({"id": "1", "type": "subscribe", "payload": {"query": '{ echo(text: "für") }'}})
        data = text.replace("\\u00fc", "ü").encode()
        cut = data.index("ü".encode()) + 1
        parts = masked(Opcode.TEXT, data[:cut], fin=False) + masked(Opcode.PING) + masked(Opcode.CONT, data[cut:])
        ws.transport.write(parts)
        assert (await hear(ws))["payload"]["data"] == {"echo": "für"}
