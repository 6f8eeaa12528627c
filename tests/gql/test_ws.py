"""Operations over WebSockets: every message, every close code, on real sockets."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from patience import PATIENCE_SECONDS, until
from refundgql.gql import hardening
from toy_server import Desk, MakeDesk, begun, finished_by_itself, let_tokens_run_out, slow_acts, somebody
from wide_limits import patient

PROTOCOL = [Subprotocol("graphql-transport-ws")]


@contextlib.asynccontextmanager
async def socket(desk: Desk, **options: Any) -> AsyncIterator[ClientConnection]:
    options.setdefault("subprotocols", PROTOCOL)
    # A client that stops reading its backlog cannot hear the end of its own good-bye.
    options.setdefault("max_queue", None)
    async with connect(f"ws://127.0.0.1:{desk.port}/graphql", compression=None, **options) as ws:
        yield ws


@contextlib.asynccontextmanager
async def ready(desk: Desk, payload: Any = None) -> AsyncIterator[ClientConnection]:
    """Open a socket that is past its acknowledgement."""
    async with socket(desk) as ws:
        await say(ws, type="connection_init", **({} if payload is None else {"payload": payload}))
        assert await hear(ws) == {"type": "connection_ack"}
        yield ws


async def say(ws: ClientConnection, **message: Any) -> None:
    await ws.send(json.dumps(message))


async def ask(ws: ClientConnection, query: str, operation_id: str = "1", **payload: Any) -> None:
    await say(ws, id=operation_id, type="subscribe", payload={"query": query, **payload})


async def hear(ws: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(ws.recv(), PATIENCE_SECONDS))


async def closed(ws: ClientConnection) -> tuple[int, str]:
    """Read until the server closes and return its code and reason."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await asyncio.wait_for(ws.recv(), PATIENCE_SECONDS)
    assert ws.close_code is not None
    return ws.close_code, ws.close_reason or ""


async def test_query_mutation_and_subscription(serve: MakeDesk) -> None:
    """All three kinds of operation run over one socket, each answered under its id."""
    async with ready(serve()) as ws:
        await ask(ws, "{ hello }", "q")
        assert await hear(ws) == {
            "id": "q",
            "type": "next",
            "payload": {"data": {"hello": "world"}, "extensions": {"cost": 0}},
        }
        assert await hear(ws) == {"id": "q", "type": "complete"}
        await ask(ws, "mutation { act }", "m")
        assert (await hear(ws))["payload"]["data"] == {"act": "done"}
        assert await hear(ws) == {"id": "m", "type": "complete"}
        await ask(ws, "subscription { counts(to: 3) { number } }", "s")
        numbers = [(await hear(ws))["payload"]["data"]["counts"]["number"] for _ in range(3)]
        assert numbers == [1, 2, 3]
        assert await hear(ws) == {"id": "s", "type": "complete"}


async def test_ping_is_answered_at_any_time(serve: MakeDesk) -> None:
    """A ping has its pong before and after the acknowledgement; a pong needs no answer."""
    async with socket(serve()) as ws:
        await say(ws, type="ping")
        assert await hear(ws) == {"type": "pong"}
        await say(ws, type="pong", payload={"x": 1})
        await say(ws, type="connection_init", payload=None)
        assert await hear(ws) == {"type": "connection_ack"}
        await say(ws, type="ping", payload={"x": 1})
        assert await hear(ws) == {"type": "pong"}


GOOD = {"id": "1", "type": "subscribe", "payload": {"query": "{ hello }"}}
INVALID: dict[str, Any] = {
    "not JSON": "hello",
    "empty": "",
    "cut off": '{"type":"ping"',
    "null": "null",
    "number": "1",
    "huge number": "9" * 5000,
    "text": '"ping"',
    "array": "[]",
    "array of messages": '[{"type":"ping"}]',
    "nested without end": "[" * 60_000,
    "lone surrogate": '{"type":"\\ud800"}',
    "no type": "{}",
    "type null": '{"type":null}',
    "type number": '{"type":1}',
    "type list": '{"type":["ping"]}',
    "unknown type": '{"type":"start"}',
    "type of the older protocol": '{"type":"GQL_START"}',
    "server's type": '{"id":"1","type":"next","payload":{}}',
    "server's acknowledgement": '{"type":"connection_ack"}',
    "type twice": '{"type":"ping","type":"pong"}',
    "binary": b'{"type":"ping"}',
    "ping with text payload": '{"type":"ping","payload":"x"}',
    "pong with list payload": '{"type":"pong","payload":[]}',
    "init with text payload": '{"type":"connection_init","payload":"x"}',
    "no id": {**GOOD, "id": None},
    "empty id": {**GOOD, "id": ""},
    "number as id": {**GOOD, "id": 1},
    "id too long": {**GOOD, "id": "x" * 300},
    "no payload": {"id": "1", "type": "subscribe"},
    "list as payload": {**GOOD, "payload": []},
    "no query": {**GOOD, "payload": {}},
    "query number": {**GOOD, "payload": {"query": 1}},
    "variables list": {**GOOD, "payload": {"query": "{ hello }", "variables": []}},
    "variables text": {**GOOD, "payload": {"query": "{ hello }", "variables": "{}"}},
    "operationName number": {**GOOD, "payload": {"query": "{ hello }", "operationName": 1}},
    "extensions number": {**GOOD, "payload": {"query": "{ hello }", "extensions": 1}},
    "complete without id": {"type": "complete"},
    "complete with number": {"type": "complete", "id": 1},
}


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("name", INVALID)
async def test_invalid_message_closes_4400(name: str, acknowledged: bool, serve: MakeDesk) -> None:
    """What the protocol does not specify closes the socket with 4400, before and after the acknowledgement."""
    content = INVALID[name]
    async with ready(serve()) if acknowledged else socket(serve()) as ws:
        await ws.send(json.dumps(content) if isinstance(content, dict) else content)
        code, reason = await closed(ws)
        assert code == 4400
        assert reason.startswith(("Message", "Only text", "The parameter"))


async def test_message_over_the_limit_closes(serve: MakeDesk) -> None:
    """A message over 64 KiB closes the socket before it is held in memory."""
    async with ready(serve()) as ws:
        await ask(ws, "{ hello }" + " " * 65_536)
        assert (await closed(ws))[0] == 1009


async def test_text_that_is_not_utf8_closes(serve: MakeDesk) -> None:
    """A text message that is not UTF-8 closes the socket by WebSocket's own code."""
    async with ready(serve()) as ws:
        await ws.send(b"\xff\xfe", text=True)
        assert (await closed(ws))[0] == 1007


async def test_subscribe_before_acknowledgement_closes_4401(serve: MakeDesk) -> None:
    """An operation before the acknowledgement closes the socket with 4401."""
    async with socket(serve()) as ws:
        await ask(ws, "{ hello }")
        assert await closed(ws) == (4401, "Unauthorized")


async def test_second_init_closes_4429(serve: MakeDesk) -> None:
    """A second initialisation closes the socket with 4429."""
    async with ready(serve()) as ws:
        await say(ws, type="connection_init")
        assert await closed(ws) == (4429, "Too many initialisation requests")


async def test_missing_init_closes_4408(serve: MakeDesk) -> None:
    """A socket that is not initialised in time closes with 4408, pings or not."""
    async with socket(serve(limits=patient(init_seconds=0.3))) as ws:
        with contextlib.suppress(ConnectionClosed):  # a machine that stood still comes too late
            await say(ws, type="ping")
        assert await closed(ws) == (4408, "Connection initialisation timeout")


@pytest.mark.parametrize("protocols", [None, ["graphql-ws"], ["chat"]])
async def test_other_subprotocol_closes_4406(protocols: Any, serve: MakeDesk) -> None:
    """A socket that speaks another protocol closes with 4406."""
    async with socket(serve(), subprotocols=protocols) as ws:
        assert await closed(ws) == (4406, "Subprotocol not acceptable")


async def test_subprotocol_is_chosen_among_several(serve: MakeDesk) -> None:
    """Of several offered protocols ours is chosen."""
    async with socket(serve(), subprotocols=["graphql-ws", *PROTOCOL]) as ws:
        assert ws.subprotocol == "graphql-transport-ws"


async def test_id_in_use_closes_4409(serve: MakeDesk) -> None:
    """An id that is in use closes the socket with 4409, whatever kind of operation has it."""
    async with ready(serve()) as ws:
        await ask(ws, "subscription { quiet { number } }", "same")
        await ask(ws, "{ hello }", "same")
        assert await closed(ws) == (4409, "Subscriber for same already exists")


async def test_id_is_free_after_the_end(serve: MakeDesk) -> None:
    """An id can be used again after either side has completed its operation; unknown ids are ignored."""
    desk = serve()
    async with ready(desk) as ws:
        for _ in range(3):
            await ask(ws, "{ hello }")
            assert [(await hear(ws))["type"], (await hear(ws))["type"]] == ["next", "complete"]
        await say(ws, id="nobody", type="complete")
        for _ in range(3):
            await ask(ws, "subscription { quiet { number } }")
            await say(ws, id="1", type="complete")
        await ask(ws, "{ hello }")
        assert (await hear(ws))["payload"]["data"] == {"hello": "world"}


async def test_completed_subscription_stops_at_its_source(serve: MakeDesk) -> None:
    """After the client's complete nothing more is sent and the source of events is closed."""
    desk = serve(limits=patient())  # by itself: sources of other tests close when they like
    async with ready(desk) as ws:
        await ask(ws, "subscription { counts(to: 1000, delay: 0.01) { number } }")
        assert (await hear(ws))["type"] == "next"
        await say(ws, id="1", type="complete")
        await ask(ws, "{ hello }", "2")
        while (message := await hear(ws))["id"] != "2":
            assert message["type"] == "next"
        await until(lambda: desk.toy.closed == 1)


async def test_left_socket_closes_its_sources(serve: MakeDesk) -> None:
    """When a client goes away, with or without good-bye, its sources of events are closed."""
    desk = serve(limits=patient())
    async with ready(desk) as ws:
        await ask(ws, "subscription { counts(to: 1000, delay: 0.01) { number } }", "a")
        await hear(ws)
    async with ready(desk) as ws:
        await ask(ws, "subscription { counts(to: 1000, delay: 0.01) { number } }", "a")
        await hear(ws)
        ws.transport.abort()
    await until(lambda: desk.toy.closed == 2)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": ""}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query A { hello } query B { hello }"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": "query($id: ID!) { node(id: $id) { id } }"}, "BAD_USER_INPUT"),
        ({"query": "subscription($to: Int!) { counts(to: $to) { number } }"}, "BAD_USER_INPUT"),
        ({"query": "subscription { refused { number } }"}, "UNAUTHENTICATED"),
        ({"query": "{ " + "hello " * 1500 + "}"}, None),
        (
            {"query": "{ page(first: 100) { nodes { things(first: 100) { nodes { id } } } } }"},
            "LIMIT_EXCEEDED",
        ),
        (
            {
                "query": "subscription { counts(to: 1) { things(first: 100) { nodes { things(first: 100)"
                " { nodes { id } } } } } }"
            },
            "LIMIT_EXCEEDED",
        ),
    ],
)
async def test_bad_document_ends_its_operation_only(payload: Any, code: str | None, serve: MakeDesk) -> None:
    """A document that cannot run is answered with error under its id, and the socket goes on."""
    async with ready(serve()) as ws:
        await say(ws, id="bad", type="subscribe", payload=payload)
        answer = await hear(ws)
        assert (answer["id"], answer["type"]) == ("bad", "error")
        if code is not None:
            assert answer["payload"][0]["extensions"]["code"] == code
        await ask(ws, "{ hello }", "bad")
        assert (await hear(ws))["type"] == "next"


async def test_source_that_breaks_ends_its_operation_only(serve: MakeDesk) -> None:
    """A source of events that fails ends its operation with a masked error, and the socket goes on."""
    async with ready(serve()) as ws:
        await ask(ws, "subscription { breaks { number } }")
        assert (await hear(ws))["type"] == "next"
        answer = await hear(ws)
        assert answer["type"] == "error"
        assert "secret" not in json.dumps(answer)
        assert answer["payload"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        await ask(ws, "{ hello }")
        assert (await hear(ws))["type"] == "next"


@pytest.mark.parametrize("style", ["authorization", "Authorization", "AUTHORIZATION", "token"])
async def test_token_in_the_first_message(style: str, serve: MakeDesk) -> None:
    """The token travels in the first message, as a header's value or by itself."""
    desk = serve()
    token = desk.token("sam")
    payload = {style: token if style == "token" else f"Bearer {token}"}
    async with ready(desk, payload) as ws:
        await ask(ws, "{ me }")
        assert (await hear(ws))["payload"]["data"] == {"me": "sam"}


@pytest.mark.parametrize("payload", [{"token": "x.y.z"}, {"token": 1}, {"authorization": "Basic x"}, {"token": ""}])
async def test_bad_token_closes_4403(payload: Any, serve: MakeDesk) -> None:
    """A token that proves nothing closes the socket with 4403, not as nobody's."""
    async with socket(serve()) as ws:
        await say(ws, type="connection_init", payload=payload)
        assert (await closed(ws))[0] == 4403


async def test_two_tokens_are_nobodys(serve: MakeDesk) -> None:
    """Tokens under two names speak for nobody, whoever they speak for."""
    desk = serve()
    ada, sam = desk.token("ada"), desk.token("sam")
    for payload in (
        {"token": ada, "authorization": f"Bearer {sam}"},
        {"authorization": f"Bearer {ada}", "Authorization": f"Bearer {ada}"},
        {"Token": ada, "token": 1},
    ):
        async with socket(desk) as ws:
            await say(ws, type="connection_init", payload=payload)
            assert await closed(ws) == (4403, "The token is given twice.")
    async with ready(desk, {"token": ada, "authorization": None}) as ws:
        await ask(ws, "{ me }")
        assert (await hear(ws))["payload"]["data"] == {"me": "ada"}


async def test_expired_token_ends_the_socket(serve: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the token runs out the socket closes with 4403; one without a token stays open."""
    desk = serve()
    async with ready(desk, {"token": desk.token("ada")}) as ws, ready(desk) as other:
        await ask(ws, "subscription { quiet { number } }")
        let_tokens_run_out(monkeypatch)
        assert await closed(ws) == (4403, "The token has expired.")
        await ask(other, "{ hello }")
        assert (await hear(other))["payload"]["data"] == {"hello": "world"}


@pytest.mark.parametrize("change", ["gone", "role"])
async def test_lost_access_ends_the_socket(change: str, serve: MakeDesk) -> None:
    """When the account goes or its roles change the socket closes with 4403; others stay."""
    desk = serve()
    async with ready(desk, {"token": desk.token("ada")}) as ws, ready(desk, {"token": desk.token("sam")}) as other:
        await ask(ws, "subscription { quiet { number } }")
        await asyncio.sleep(0.2)
        if change == "gone":
            del desk.people["ada"]
        else:
            desk.people["ada"] = somebody("ada", "CLIENT")
        assert (await closed(ws))[0] == 4403
        await ask(other, "{ me }")
        assert (await hear(other))["payload"]["data"] == {"me": "sam"}


async def test_roles_are_read_for_every_operation(serve: MakeDesk) -> None:
    """An operation asks the database who its viewer is; an account that has gone gets no answer."""
    desk = serve()
    async with ready(desk, {"token": desk.token("ada")}) as ws:
        desk.people["ada"] = somebody("ada", "PRO", "EXPERT")
        await ask(ws, "{ roles }")
        assert (await hear(ws))["payload"]["data"] == {"roles": "EXPERT PRO"}
        assert (await hear(ws))["type"] == "complete"
        del desk.people["ada"]
        await ask(ws, "{ me }")
        assert (await closed(ws))[0] == 4403


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        (None, True),
        ("same", True),
        ("https://desk.test", True),
        ("https://evil.test", False),
        ("https://desk.test.evil.test", False),
        ("null", False),
        ("http://127.0.0.1:1", False),
        ("http://[::1", False),
    ],
)
async def test_pages_of_other_sites_cannot_connect(origin: str | None, accepted: bool, serve: MakeDesk) -> None:
    """A handshake from a page of another site is refused unless its origin is listed."""
    desk = serve(allowed_origins=("https://desk.test",))
    given = f"http://127.0.0.1:{desk.port}" if origin == "same" else origin
    if accepted:
        async with socket(desk, origin=given) as ws:
            assert ws.subprotocol
        return
    with pytest.raises(InvalidStatus) as refused:
        async with socket(desk, origin=given):
            pass
    assert refused.value.response.status_code == 403
    assert b"FORBIDDEN" in (refused.value.response.body or b"")


async def test_operations_of_a_socket_are_limited(serve: MakeDesk) -> None:
    """The operation over the limit is refused by itself; those that run go on."""
    async with ready(serve(limits=patient(max_operations_per_socket=3))) as ws:
        for number in range(3):
            await ask(ws, "subscription { quiet { number } }", str(number))
        await ask(ws, "{ hello }", "more")
        answer = await hear(ws)
        assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "LIMIT_EXCEEDED")
        await say(ws, id="0", type="complete")
        await ask(ws, "{ hello }", "more")
        assert (await hear(ws))["type"] == "next"


async def test_sockets_of_an_account_are_limited(serve: MakeDesk) -> None:
    """The socket over the account's limit closes; other accounts, and a place made free, are not affected."""
    desk = serve(limits=patient(max_sockets_per_account=2))
    ada = {"token": desk.token("ada")}
    async with ready(desk, ada):
        async with ready(desk, ada), socket(desk) as third:
            await say(third, type="connection_init", payload=ada)
            assert await closed(third) == (1013, "More than 2 sockets for one account")
            async with ready(desk, {"token": desk.token("sam")}):
                pass

        async def let_in() -> bool:
            async with socket(desk) as again:
                await say(again, type="connection_init", payload=ada)
                try:
                    return bool((await hear(again))["type"] == "connection_ack")
                except ConnectionClosed:
                    return False

        await until(let_in)


@pytest.mark.usefixtures("standing_minute")
async def test_rate_is_shared_by_all_roads(serve: MakeDesk) -> None:
    """Operations over a socket count to the account's minute; beyond it they are refused one by one."""
    desk = serve(limits=patient(requests_per_minute=2))
    async with ready(desk, {"token": desk.token("ada")}) as ws:
        for _ in range(2):
            await ask(ws, "{ me }")
            assert [(await hear(ws))["type"], (await hear(ws))["type"]] == ["next", "complete"]
        await ask(ws, "{ me }")
        answer = await hear(ws)
        assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "RATE_LIMITED")


async def test_restart_closes_1012(serve: MakeDesk) -> None:
    """A server that stops closes its sockets with 1012 and says why."""
    desk = serve(shutdown_seconds=60)
    async with ready(desk) as ws:
        await ask(ws, "subscription { quiet { number } }")
        desk.server.should_exit = True
        assert await closed(ws) == (1012, "service restart")


async def test_mutation_is_finished_when_its_client_leaves(serve: MakeDesk) -> None:
    """Leaving does not cut a mutation in two, nor does completing it, after which nothing more of it is heard."""
    desk = slow_acts(serve())
    async with ready(desk) as ws:
        await ask(ws, "mutation { actWhenTold }", "m")
        await begun(desk)
        await say(ws, id="m", type="complete")
        await ask(ws, "{ hello }", "q")
        assert [(await hear(ws))["id"] for _ in range(2)] == ["q", "q"]
        await ask(ws, "mutation { actWhenTold }", "n")
        await begun(desk, 2)
    async with httpx.AsyncClient() as http:
        await finished_by_itself(desk, http, 2)


async def cut_off(desk: Desk) -> bool:
    """Tell whether the server has given up on a reader."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{desk.url}/metrics")).text
    return 'refundgql_streams_ended_total{reason="slow"} 1.0' in text


async def test_slow_reader_is_cut_off_and_others_are_not(serve: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that stops reading is cut off with 1013, which it finds when it reads on; others hear all."""
    monkeypatch.setattr(hardening, "BLOCKED_SECONDS", PATIENCE_SECONDS)
    desk = serve(stall_seconds=0.5)
    query = "subscription { counts(to: 2000, size: 20000) { number text } }"
    async with (
        connect(f"ws://127.0.0.1:{desk.port}/graphql", subprotocols=PROTOCOL, compression=None, max_queue=1) as slow,
        ready(desk) as other,
    ):
        await say(slow, type="connection_init")
        await ask(slow, query)
        await ask(other, "subscription { counts(to: 20, delay: 0.05) { number } }")
        numbers = [(await hear(other))["payload"]["data"]["counts"]["number"] for _ in range(20)]
        assert numbers == list(range(1, 21))
        await until(lambda: cut_off(desk))
        assert await closed(slow) == (1013, "Too slow; connect again and resume")


async def test_whoever_answers_is_asked_again(serve: MakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    """A pong ends the wait for it: the socket is open still, and the next ping comes."""
    caplog.set_level(logging.DEBUG, "websockets.client")
    async with ready(serve(ping_seconds=0.05, pong_seconds=PATIENCE_SECONDS)):
        await until(lambda: sum(one.getMessage().startswith("< PING") for one in caplog.records) >= 3)
