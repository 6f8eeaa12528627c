"""Operations as streams of server-sent events, on real sockets."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from test_ws import cut_off

from patience import PATIENCE_SECONDS, until
from toy_server import Desk, MakeDesk, begun, finished_by_itself, let_tokens_run_out, slow_acts, somebody
from wide_limits import patient

JSON = {"content-type": "application/json", "accept": "text/event-stream"}


@dataclass
class Event:
    """One event as a browser would understand it."""

    name: str
    data: Any
    id: str | None


@contextlib.asynccontextmanager
async def streaming(
    http: httpx.AsyncClient, desk: Desk, query: str, path: str = "/graphql/stream", **options: Any
) -> AsyncIterator[httpx.Response]:
    headers = {**JSON, **options.pop("headers", {})}
    content = json.dumps({"query": query, **options})
    async with http.stream("POST", desk.url + path, content=content, headers=headers) as answer:
        yield answer


async def events(answer: httpx.Response) -> AsyncIterator[Event]:
    """Read events until the stream ends, comments left out."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
        elif "event" in fields:
            data = fields.get("data")
            yield Event(fields["event"], json.loads(data) if data else None, fields.get("id"))
            fields = {}


async def everything(http: httpx.AsyncClient, desk: Desk, query: str, **options: Any) -> list[Event]:
    async with streaming(http, desk, query, **options) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        return [event async for event in events(answer)]


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream"])
async def test_subscription_is_streamed(path: str, serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Every result is an event numbered by its cursor, and complete ends the stream."""
    heard = await everything(http, serve(), "subscription { counts(to: 3) { number } }", path=path)
    assert [e.data["data"]["counts"]["number"] for e in heard[:-1]] == [1, 2, 3]
    assert (heard[-1].name, heard[-1].data) == ("complete", None)


async def test_events_carry_the_cursor(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """The id of an event is the cursor of its update."""
    heard = await everything(http, serve(), "subscription { counts(to: 3) { number cursor } }")
    assert [e.id for e in heard] == ["1", "2", "3", None]


async def test_last_event_id_resumes(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A client that comes back with its last event's id goes on after it, whatever its arguments say."""
    query = 'subscription { counts(to: 5, after: "1") { number cursor resumedAfter } }'
    heard = await everything(http, serve(), query, headers={"last-event-id": "3"})
    assert [e.id for e in heard] == ["4", "5", None]
    assert heard[0].data["data"]["counts"]["resumedAfter"] == "3"


async def test_nonsense_as_last_event_id_is_400(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A last event id that no stream can have given is refused before the stream begins."""
    async with streaming(http, serve(), "{ hello }", headers={"last-event-id": "a b"}) as answer:
        assert answer.status_code == 400


@pytest.mark.parametrize("query", ["{ hello }", "mutation { act }"])
async def test_single_results_are_streamed_too(query: str, serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A query or mutation is one result and the end."""
    heard = await everything(http, serve(), query)
    assert [e.name for e in heard] == ["next", "complete"]
    assert "errors" not in heard[0].data


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello } query B { hello }", "OPERATION_RESOLUTION_FAILURE"),
        ("subscription($to: Int!) { counts(to: $to) { number } }", "BAD_USER_INPUT"),
        ("subscription { refused { number } }", "UNAUTHENTICATED"),
    ],
)
async def test_errors_are_told_by_the_protocol(query: str, code: str, serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """What cannot run is told in an event of a stream that begins and completes."""
    heard = await everything(http, serve(), query)
    assert [e.name for e in heard] == ["next", "complete"]
    assert heard[0].data["errors"][0]["extensions"]["code"] == code
    assert "data" not in heard[0].data


async def test_source_that_breaks_completes(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A source that fails ends with a masked error and complete."""
    heard = await everything(http, serve(), "subscription { breaks { number } }")
    assert [e.name for e in heard] == ["next", "next", "complete"]
    assert heard[1].data["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert "secret" not in json.dumps(heard[1].data)


async def test_only_streams_where_streams_are(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """The address of streams serves nothing else; bad bodies are plain refusals, a bad token is told in the stream."""
    desk = serve()
    url = f"{desk.url}/graphql/stream"
    content = json.dumps({"query": "{ hello }"})
    json_only = await http.post(url, content=content, headers={**JSON, "accept": "application/json"})
    assert json_only.status_code == 406
    assert (await http.post(url, content="x", headers=JSON)).status_code == 400
    signed_out = await http.post(url, content=content, headers={**JSON, "authorization": "Bearer x"})
    assert (signed_out.status_code, '"UNAUTHENTICATED"' in signed_out.text) == (200, True)
    assert signed_out.text.endswith("event: complete\ndata:\n\n")
    assert (await http.post(url, content=content, headers={"accept": "text/event-stream"})).status_code == 415


async def test_quiet_stream_is_kept_alive(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """While nothing happens, comments come often enough that no proxy gives up."""
    desk = serve(keep_alive_seconds=0.1)
    async with streaming(http, desk, "subscription { quiet { number } }") as answer:
        comments = 0
        async for line in answer.aiter_lines():
            comments += line == ": keep-alive"
            if comments == 3:
                break


async def test_left_stream_closes_its_source(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """When the client goes away its source of events is closed."""
    desk = serve(limits=patient())  # by itself: sources of other tests close when they like
    async with streaming(http, desk, "subscription { counts(to: 1000, delay: 0.01) { number } }") as answer:
        async for _ in events(answer):
            break
    await until(lambda: desk.toy.closed == 1)


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream"])
async def test_mutation_is_finished_when_its_client_leaves(path: str, serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Leaving the stream does not cut a mutation in two."""
    desk = slow_acts(serve())
    async with streaming(http, desk, "mutation { actWhenTold }", path):
        await begun(desk)
    await finished_by_itself(desk, http)


@pytest.mark.parametrize("how", ["expires", "gone", "role"])
async def test_lost_access_completes_the_stream(
    how: str, serve: MakeDesk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the token runs out or the account goes, the stream says so and completes."""
    desk = serve()
    async with streaming(http, desk, "subscription { quiet { number } }", headers=desk.bearer()) as answer:
        if how == "gone":
            del desk.people["ada"]
        elif how == "role":
            desk.people["ada"] = somebody("ada")
        else:
            let_tokens_run_out(monkeypatch)
        heard = [event async for event in events(answer)]
    assert [e.name for e in heard] == ["next", "complete"]
    assert heard[0].data["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_restart_breaks_off_without_complete(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A server that stops ends its streams at once and without complete, so that clients come back."""
    desk = serve(shutdown_seconds=60)
    async with streaming(http, desk, "subscription { counts(to: 1000, delay: 0.3) { number cursor } }") as answer:
        heard = []
        async for event in events(answer):
            heard.append(event.name)
            desk.server.should_exit = True
    assert heard[0] == "next"
    assert "complete" not in heard


async def test_streams_of_an_account_are_limited(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """Streams count with sockets to what an account may have open."""
    desk = serve(limits=patient(max_sockets_per_account=1))
    query = "subscription { quiet { number } }"
    async with streaming(http, desk, query, headers=desk.bearer("ada")):
        async with streaming(http, desk, query, headers=desk.bearer("ada")) as second:
            assert (second.status_code, second.headers["retry-after"]) == (429, "5")
        async with streaming(http, desk, query, headers=desk.bearer("sam")) as other:
            assert other.status_code == 200


async def test_slow_reader_is_cut_off_and_others_are_not(serve: MakeDesk, http: httpx.AsyncClient) -> None:
    """A reader that stops reading loses its stream; others hear everything."""
    desk = serve(stall_seconds=0.5)
    body = json.dumps({"query": "subscription { counts(to: 3000, size: 20000) { number text } }"}).encode()
    head = (
        b"POST /graphql/stream HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"accept: text/event-stream\r\nconnection: close\r\ncontent-length: " + str(len(body)).encode() + b"\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port, limit=1024)
    writer.write(head + body)
    heard = await everything(http, desk, "subscription { counts(to: 20, delay: 0.05) { number } }")
    assert len(heard) == 21
    await until(lambda: cut_off(desk))
    received = await asyncio.wait_for(reader.read(-1), PATIENCE_SECONDS)
    assert b"event: complete" not in received
    assert received.count(b"event: next") < 2900
    writer.close()
