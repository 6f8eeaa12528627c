"""Subscriptions as the parts of a multipart, as Apollo's clients for phones ask for them, on real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from toy_server import Desk, MakeDesk, let_tokens_run_out

# As Apollo Kotlin, Apollo iOS and Apollo Client write it.
APOLLO = [
    "multipart/mixed;subscriptionSpec=1.0, application/graphql-response+json, application/json",
    "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json",
    'multipart/mixed;boundary="graphql";subscriptionSpec="1.0",application/json',
    "multipart/mixed;subscriptionSpec=1.0",
]
HEADERS = {"content-type": "application/json", "accept": APOLLO[0]}


@dataclass
class Part:
    """One part of the body: its content, and the cursor in its head."""

    content: Any
    cursor: str | None


async def parts(answer: httpx.Response) -> AsyncIterator[Part]:
    """Read parts as Apollo's clients do: a part is whole when the boundary behind it is there."""
    kind, *parameters = (one.strip() for one in answer.headers["content-type"].split(";"))
    assert (kind, parameters) == ("multipart/mixed", ['boundary="graphql"', "subscriptionSpec=1.0"])
    buffer, boundary, begun = b"", b"\r\n--graphql", False
    async for chunk in answer.aiter_bytes():
        buffer += chunk
        while boundary in buffer:
            part, _, buffer = buffer.partition(boundary)
            if begun:
                head, blank, body = part.partition(b"\r\n\r\n")
                lines = [line for line in head.decode().split("\r\n") if line]
                assert blank
                assert lines[0] == "Content-Type: application/json"
                yield Part(json.loads(body), dict(line.split(": ") for line in lines).get("Content-ID"))
            begun = True
    assert buffer == b"--\r\n"


async def everything(http: httpx.AsyncClient, desk: Desk, query: str, **headers: str) -> list[Part]:
    """Read a stream to its end."""
    body = {"content": json.dumps({"query": query}), "headers": {**HEADERS, **headers}}
    async with http.stream("POST", f"{desk.url}/graphql", **body) as answer:
        assert answer.status_code == 200
        return [part async for part in parts(answer)]


@pytest.mark.parametrize("accept", APOLLO)
async def test_each_event_is_a_part(accept: str, serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A subscription's results come one a part below `payload`, with the cursor in the head, and then the end."""
    heard = await everything(http, serve(), "subscription { counts(to: 3) { number cursor } }", accept=accept)
    assert [part.content for part in heard] == [
        {"payload": {"data": {"counts": {"number": n, "cursor": str(n)}}}} for n in (1, 2, 3)
    ]
    assert [part.cursor for part in heard] == ["1", "2", "3"]


async def test_queries_of_the_same_client_are_json(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """What is no stream is answered in the other media type that the client takes."""
    url = f"{serve().url}/graphql"
    for accept in APOLLO[:3]:
        answer = await http.post(url, content='{"query":"{ hello }"}', headers={**HEADERS, "accept": accept})
        assert answer.json()["data"] == {"hello": "world"}
    either = {**HEADERS, "accept": "text/event-stream, multipart/mixed;q=0.5"}
    content = '{"query":"subscription { counts(to: 1) { number } }"}'
    answer = await http.post(url, content=content, headers=either)
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_cursor_resumes(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A client that comes back with the last part's cursor goes on after it."""
    query = "subscription { counts(to: 5) { number resumedAfter } }"
    heard = await everything(http, serve(), query, **{"last-event-id": "3"})
    assert [part.content["payload"]["data"]["counts"]["number"] for part in heard] == [4, 5]


async def test_a_quiet_stream_has_heartbeats(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """While nothing happens empty parts come, which clients take for a sign of life."""
    desk = serve(keep_alive_seconds=0.1)
    body = {"content": '{"query":"subscription { quiet { number } }"}', "headers": HEADERS}
    async with http.stream("POST", f"{desk.url}/graphql", **body) as answer:
        heard = []
        async for part in parts(answer):
            heard.append(part.content)
            if len(heard) == 3:
                break
    assert heard == [{}, {}, {}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription($to: Int!) { counts(to: $to) { number } }", "BAD_USER_INPUT"),
        ("subscription { refused { number } }", "UNAUTHENTICATED"),
    ],
)
async def test_what_cannot_begin_is_told_in_a_part(
    query: str, code: str, serve: MakeDesk, http: httpx.AsyncClient
) -> None:
    """A client that takes nothing but parts is told in one what is wrong."""
    (part,) = await everything(http, serve(), query, accept=APOLLO[3])
    assert part.content["payload"]["errors"][0]["extensions"]["code"] == code
    assert "data" not in part.content["payload"]


async def test_tokens_that_are_not_good_any_more(
    serve: MakeDesk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad token is told in a part, and so is one that runs out while the stream is open."""
    desk = serve()
    query = "subscription { counts(to: 1000000, delay: 0.1) { number } }"
    (part,) = await everything(http, desk, query, accept=APOLLO[3], authorization="Bearer x")
    assert part.content["payload"]["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    body = {"content": json.dumps({"query": query}), "headers": {**HEADERS, **desk.bearer()}}
    async with http.stream("POST", f"{desk.url}/graphql", **body) as answer:
        stream = parts(answer)
        assert (await anext(stream)).content["payload"]["data"] == {"counts": {"number": 1}}
        let_tokens_run_out(monkeypatch)
        *_, last = [part async for part in stream]
    assert last.content["payload"]["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
