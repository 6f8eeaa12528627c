"""Bytes that are sent to fill memory or to keep the server busy reading are noticed early and hung up on."""

import asyncio
import json
import logging
import resource
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from test_ws import ready
from websockets.exceptions import ConnectionClosed

from patience import PATIENCE_SECONDS
from refundgql.gql import hardening as uvicorn_protocols
from toy_server import Desk, MakeDesk

HEAD = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
BODY = b'{"query":"{ hello }"}'
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
HANDSHAKE = {
    "upgrade": "websocket",
    "connection": "upgrade",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
}
UNREAD = WHOLE * 500
"""Requests whose answers nobody reads: the server is seen to read no more by waiting for it."""
ENOUGH_BYTES = 24_000_000
"""What a flood sends at most: all of it kept in memory would be seen."""


def flood(desk: Desk, begin: bytes, again: bytes) -> bytes:
    """Send the same bytes on and on until the server hangs up or reads no more; return what it said."""
    with socket.create_connection(("127.0.0.1", desk.port)) as connection:
        connection.settimeout(2 if again == UNREAD else PATIENCE_SECONDS)
        connection.sendall(begin)
        sent = 0
        try:
            while sent < ENOUGH_BYTES:
                connection.sendall(again)
                sent += len(again)
        except TimeoutError:
            return b"reads no more"
        except OSError:
            pass
        assert sent < ENOUGH_BYTES, "the server took everything"
        try:
            return connection.recv(65_536)
        except OSError:
            return b""


CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
FLOODS: dict[str, tuple[bytes, bytes, set[bytes]]] = {
    # A reset may overtake the answer, so nothing is as good as 431.
    "an address without end": (b"POST /", b"a" * 65_536, {b"HTTP/1.1 431", b""}),
    "a header without end": (HEAD + b"x-a: ", b"a" * 65_536, {b"HTTP/1.1 431", b""}),
    "headers without end": (HEAD, b"a: b\r\n" * 10_000, {b"HTTP/1.1 431", b""}),
    "trailers without end": (CHUNKED + b"1\r\n{\r\n0\r\n", b"a: b\r\n" * 10_000, {b"HTTP/1.1 431", b""}),
    "a trailer without end": (CHUNKED + b"1\r\n{\r\n0\r\na: ", b"b" * 65_536, {b"HTTP/1.1 431", b""}),
    "a chunk's line without end": (CHUNKED + b"1;a=", b"b" * 65_536, {b"HTTP/1.1 431", b""}),
    "a refused body without end": (
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n",
        b"a" * 65_536,
        {b"HTTP/1.1 415", b""},
    ),
    "requests whose answers nobody reads": (b"", UNREAD, {b"reads no more"}),
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods_over_http(name: str, plain_desk: Desk) -> None:
    """What has no end is refused or not read; it fills no memory, and others are served all the while."""
    begin, again, answers = FLOODS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = flood(plain_desk, begin, again)
    assert said[:12] in {answer[:12] for answer in answers}, said
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    # Kept, each of these would take hundreds of megabytes.
    assert grown_kib < 60_000, grown_kib
    assert httpx.get(f"{plain_desk.url}/healthz").status_code == 200


async def closed_by(desk: Desk, frames: bytes, *, begin: bytes = b"") -> int | None:
    """Send frames on and on below the WebSocket library; return the code that the server closes with."""
    async with ready(desk) as ws:
        ws.transport.write(begin)
        for _ in range(100):
            ws.transport.write(frames)
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    await ws.recv()
        except ConnectionClosed:
            return ws.close_code


NO_MASK = b"\x00" * 4
EMPTY_PIECE = b"\x00\x80" + NO_MASK


@pytest.mark.parametrize(
    ("begin", "frames", "code"),
    [
        (b"", b"\x89\x80" + NO_MASK, 1008),
        (b"", b"\x89\xfd" + NO_MASK + b"x" * 125, 1008),
        (b"", b"\x8a\xfd" + NO_MASK + b"x" * 125, 1008),
        (b"\x01\x80" + NO_MASK, EMPTY_PIECE, 1009),
    ],
    ids=["empty pings", "pings", "pongs", "empty pieces of a message"],
)
async def test_floods_of_frames(begin: bytes, frames: bytes, code: int, serve: MakeDesk) -> None:
    """More control frames in a second, or more pieces of a message, than anybody needs close the socket."""
    # A reset may overtake the close frame.
    assert await closed_by(serve(), frames * 2000, begin=begin) in {code, 1006}


async def test_some_pings_and_pieces_are_answered(serve: MakeDesk) -> None:
    """A hundred pings, and a message in a thousand pieces, are within what is taken."""
    async with ready(serve()) as ws:
        ws.transport.write((b"\x89\x80" + NO_MASK) * 50)
        text = json.dumps({"id": "1", "type": "subscribe", "payload": {"query": "{ hello }"}}).encode()
        pieces = b"".join(b"\x00\x81" + NO_MASK + text[at : at + 1] for at in range(1, len(text) - 1))
        ws.transport.write(b"\x01\x81" + NO_MASK + text[:1] + pieces + EMPTY_PIECE * 800)
        ws.transport.write(b"\x80\x81" + NO_MASK + text[-1:])
        assert json.loads(await ws.recv())["payload"]["data"] == {"hello": "world"}


async def test_headers_within_the_bounds_are_read(serve: MakeDesk) -> None:
    """A hundred headers, and one of twenty kilobytes, are no flood."""
    async with httpx.AsyncClient() as http:
        for headers in ({f"x-{n}": "a" for n in range(100)}, {"x-long": "a" * 20_000}):
            answer = await http.post(f"{serve().url}/graphql", json={"query": "{ hello }"}, headers=headers)
            assert answer.status_code == 200
        for headers in ({f"x-{n}": "a" for n in range(200)}, {"x-long": "a" * 40_000}):
            answer = await http.post(f"{serve().url}/graphql", json={"query": "{ hello }"}, headers=headers)
            assert answer.status_code == 431
            assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def exchange(desk: Desk, data: bytes, until: Callable[[bytes], bool] = lambda _: False) -> bytes:
    """Send bytes and return what comes until the server hangs up, or enough has come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(data)
    received = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not until(received):
            piece = await reader.read(65_536)
            if not piece:
                break
            received += piece
    writer.close()
    return received


async def test_a_body_in_tiny_chunks_is_no_flood(serve: MakeDesk) -> None:
    """A body may come byte by byte, with trailers behind it; what trailers say counts for nothing."""
    body = b'{"query":"{ hello me }"}' + b" " * 20_000
    chunks = b"".join(b"1\r\n" + body[at : at + 1] + b"\r\n" for at in range(len(body)))
    desk = serve()
    trailer = b"authorization: Bearer " + desk.token("ada").encode() + b"\r\n"
    answer = await exchange(desk, CHUNKED + chunks + b"0\r\n" + trailer + b"\r\n", lambda got: b"}" in got)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"ada"' not in answer


async def test_an_offer_of_http2_is_ignored(serve: MakeDesk) -> None:
    """A client that offers to go on in HTTP/2, as Java's does, is answered as if it had not."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n"
    request = HEAD + offer + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
    answer = await exchange(serve(), request, lambda got: b"}}" in got)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"hello":"world"' in answer


@pytest.mark.parametrize("rest", [b"x", b"\r\n"])
async def test_a_trickle_after_an_answer_is_not_waited_for(
    rest: bytes, serve: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection on which only a little more comes after its answer is closed like one without a request."""
    monkeypatch.setattr(uvicorn_protocols, "HEADER_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", serve().port)
    writer.write(b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n")
    await reader.readuntil(b"}]}")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not reader.at_eof():
            writer.write(rest)
            await asyncio.sleep(0.05)
    assert reader.at_eof()
    writer.close()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        (b"GET", b"/graphql", {**HANDSHAKE, "sec-websocket-key": ""}, 400),
        (b"GET", b"/graphql", {**HANDSHAKE, "sec-websocket-key": "short"}, 400),
        (b"GET", b"/graphql", {**HANDSHAKE, "sec-websocket-version": "8"}, 400),
        (b"GET", b"/graphql", {**HANDSHAKE, "origin": "https://evil.test"}, 403),
        (b"GET", b"/graphql", {**HANDSHAKE, "sec-websocket-protocol": "a, " * 5_000}, 400),
        (b"GET", b"/nothing", HANDSHAKE, 404),
        (b"GET", b"/graphql/stream", HANDSHAKE, 404),
        (b"POST", b"/graphql", HANDSHAKE, 405),
        (b"POST", b"/graphql", {**HANDSHAKE, "content-length": "5"}, 400),
        (b"GET", b"/gr\xc3\xa4phql", HANDSHAKE, 400),
    ],
)
async def test_refused_handshakes_are_json(
    method: bytes,
    path: bytes,
    headers: dict[str, str],
    status: int,
    serve: MakeDesk,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A handshake that opens no socket is answered at once as JSON and hung up on, and is no error of ours."""
    caplog.set_level(logging.INFO)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    answer = await exchange(serve(), method + b" " + path + b" HTTP/1.1\r\nhost: x\r\n" + lines + b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status), answer
    assert b"application/json" in head.lower()
    told: dict[str, Any] = json.loads(body)
    assert told["errors"][0]["message"]
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_mistakes_below_http_are_no_errors_of_ours(serve: MakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    """What is not HTTP, and a text that is not UTF-8, are logged as information, without a stack."""
    caplog.set_level(logging.INFO)
    desk = serve()
    await exchange(desk, b"nonsense\r\n\r\n")
    async with ready(desk) as ws:
        ws.transport.write(b"\x81\x82" + NO_MASK + b"\xff\xfe")
        with pytest.raises(ConnectionClosed):
            await ws.recv()
    told = [record for record in caplog.records if record.name == "uvicorn.error"]
    assert told
    assert {record.levelno for record in told} == {logging.INFO}
    assert {record.exc_info for record in told} == {None}
