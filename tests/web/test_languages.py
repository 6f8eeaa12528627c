"""Every road speaks the language that is asked for: HTTP, WebSocket, event streams and multipart, on real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from real_desk import RealDesk, real_desk
from websockets.asyncio.client import connect

PRO = "pro-ada"
FOLLOW = "subscription($id: ID!) { refundCaseUpdates(refundCaseId: $id) { refundCase { clocks { whenItRunsOut } } } }"
GERMAN = "Der Fall wird als überfällig markiert und steht vorn; entschieden ist damit nichts."
SPANISH = "El caso se marca"
ENGLISH = "The case is flagged as overdue"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDesk]:
    """Serve one desk to the module."""
    with real_desk(tmp_path_factory.mktemp("languages")) as desk:
        yield desk


@pytest.fixture(scope="module")
def case_id(desk: RealDesk) -> str:
    """Return a case that waits for support."""
    leads = desk.ask(PRO, "{ leads(first: 100) { edges { node { id refundAction { enabled } } } } }")["data"]["leads"]
    lead = next(one["node"]["id"] for one in leads["edges"] if one["node"]["refundAction"]["enabled"])
    act = "mutation($i: RequestLeadRefundInput!) { requestLeadRefund(input: $i) { refundCase { id } } }"
    given = {"leadId": lead, "reason": "CHARGED_IN_ERROR", "idempotencyKey": "k"}
    made = desk.ask(PRO, act, i={**given, "reason": "OTHER", "explanation": "It is a test."})
    return str(made["data"]["requestLeadRefund"]["refundCase"]["id"])


async def first_of_socket(desk: RealDesk, case_id: str, header: str | None, **payload: Any) -> str:
    """Return what a new socket is told first."""
    headers = {} if header is None else {"accept-language": header}
    url = f"{desk.url.replace('http', 'ws')}/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"], additional_headers=headers) as socket:  # type: ignore[list-item]  # a name
        authorization = f"Bearer {desk.token(PRO)}"
        await socket.send(
            json.dumps({"type": "connection_init", "payload": {"authorization": authorization, **payload}})
        )
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        body = {"query": FOLLOW, "variables": {"id": case_id}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": body}))
        told = json.loads(await socket.recv())
        return str(told["payload"]["data"]["refundCaseUpdates"]["refundCase"]["clocks"][0]["whenItRunsOut"])


@pytest.mark.parametrize(
    ("header", "payload", "told"),
    [
        (None, {}, ENGLISH),
        ("de-AT,en;q=0.5", {}, GERMAN),
        (None, {"acceptLanguage": "es"}, SPANISH),
        ("de", {"Accept-Language": "es"}, SPANISH),
        ("de", {"acceptLanguage": ["es"]}, GERMAN),
        ("de", {"acceptLanguage": None}, GERMAN),
    ],
)
async def test_sockets(desk: RealDesk, case_id: str, header: str | None, payload: dict[str, Any], told: str) -> None:
    """A socket speaks its handshake's language, or the one that connection_init names; nonsense counts for nothing."""
    assert (await first_of_socket(desk, case_id, header, **payload)).startswith(told)


@pytest.mark.parametrize("accept", ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"])
@pytest.mark.parametrize(("language", "told"), [("en", ENGLISH), ("de", GERMAN), ("es-MX", SPANISH)])
async def test_streams_over_http(desk: RealDesk, case_id: str, accept: str, language: str, told: str) -> None:
    """Event streams and multipart streams speak the language of their request."""
    headers = {**desk.headers(PRO), "accept": accept, "accept-language": language}
    body = {"query": FOLLOW, "variables": {"id": case_id}}
    async with (
        httpx.AsyncClient() as http,
        http.stream("POST", f"{desk.url}/graphql", json=body, headers=headers) as answer,
    ):
        read = ""
        async for text in answer.aiter_text():
            read += text
            if '"whenItRunsOut"' in read:
                break
    assert f'"whenItRunsOut":"{told}' in read


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("de", "Es ist keine Richtlinie dieser Version bekannt"),
        ("es", "No se conoce"),
        ("en", "No policy of this version"),
    ],
)
def test_errors_that_a_person_can_cause(desk: RealDesk, language: str, told: str) -> None:
    """An error of the desk is said in the language of the request; its code is the same in all."""
    body = {"query": '{ refundPolicy(version: "nonsense") { version } }'}
    answer = httpx.post(f"{desk.url}/graphql", json=body, headers={"accept-language": language}).json()
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["message"].startswith(told)


def test_files_that_are_refused(desk: RealDesk) -> None:
    """An address of a file that is none says so in the language of the request."""
    headers = {"accept-language": "de"}
    answer = httpx.put(f"{desk.url}/evidence/uploads/nonsense", content=b"x", headers=headers)
    assert answer.json()["errors"][0]["message"] == "Unter dieser Adresse ist nichts."
