"""What the whole application writes to its log in a day's work: who, what and how long, and nothing that was said."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from hostile_values import HOSTILE, Place
from real_desk import MARKETPLACE, RealDesk, real_desk
from test_ws import ask, closed, hear, ready, say, socket

from refundgql.gql.observability import MAX_TEXT_LENGTH, JsonLines
from refundgql.storage.sqlite_client import SqliteDatabase

SECRET = "Sesame-4711"
"""Stands in everything that people write; in no line of the log may it be found."""


@pytest.fixture
def desk(tmp_path: Any) -> Iterator[RealDesk]:
    """Return a server of its own."""
    with real_desk(tmp_path) as desk:
        yield desk


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Return what the log says from INFO on, line by line as operators get it, also of libraries."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def act(desk: RealDesk, ref: str, mutation: str, **given: Any) -> dict[str, Any]:
    """Run a mutation and return its payload."""
    name = mutation[0].upper() + mutation[1:] + "Input"
    document = f"mutation Act($input: {name}!) {{ {mutation}(input: $input) {{ refusals {{ code message }} "
    document += "refundCase { id } } }" if mutation not in {"sendCaseMessage", "syncRecords"} else "} }"
    payload: dict[str, Any] = desk.ask(ref, document, input=given)["data"][mutation]
    assert payload["refusals"] == [], payload
    return payload


def session(desk: RealDesk) -> list[str]:
    """Do a day's work with a secret in every text, and return the tokens and ids that were used for it."""
    pro, support, client = (desk.with_role(role) for role in ("PRO", "SUPPORT", "CLIENT"))
    leads = desk.ask(pro, "{ leads { edges { node { id externalRef refundAction { enabled } } } } }")["data"]["leads"]
    lead = next(edge["node"] for edge in leads["edges"] if edge["node"]["refundAction"]["enabled"])
    message = {"externalRef": "m-x", "lead": lead["externalRef"], "author": pro, "body": f"{SECRET} said"}
    act(desk, MARKETPLACE, "syncRecords", records=[{"message": {**message, "sentAt": "2026-01-01T00:00:00Z"}}])
    asked = {"leadId": lead["id"], "reason": "OTHER", "explanation": f"{SECRET} happened"}
    case = act(desk, pro, "requestLeadRefund", **asked, idempotencyKey=f"{SECRET}-key")["refundCase"]["id"]
    act(desk, pro, "addStatement", refundCaseId=case, text=f"{SECRET} stated")
    act(desk, pro, "sendCaseMessage", refundCaseId=case, body=f"{SECRET} written", audience="EVERYONE")
    act(desk, support, "sendCaseMessage", refundCaseId=case, body=f"{SECRET} inside", audience="INTERNAL")
    declined = {"message": f"{SECRET} no", "internalNote": f"{SECRET} note", "idempotencyKey": "no"}
    act(desk, support, "declineRefund", refundCaseId=case, **declined)
    desk.ask(client, "query($t: String) { refundCases(filter: { text: $t }) { totalCount } }", t=SECRET)
    return [case]


async def sockets(desk: RealDesk) -> None:
    """Follow by socket and by events, with a good token and a bad one."""
    pro = desk.with_role("PRO")
    async with ready(desk, {"authorization": f"Bearer {desk.token(pro)}", "note": SECRET}) as ws:
        await ask(ws, f'{{ refundCaseByNumber(number: "{SECRET}") {{ id }} }}')
        assert "data" in (await hear(ws))["payload"]
        await ask(ws, "subscription { viewerRefundUpdates { cursor } }", "2")
        await asyncio.sleep(0.1)
        await ws.send(f'{{"type": "{SECRET}"}}')
        assert (await closed(ws))[0] == 4400
    async with socket(desk) as ws:
        await say(ws, type="connection_init", payload={"authorization": f"Bearer {SECRET}.a.b"})
        assert (await closed(ws))[0] == 4403


def mistakes(desk: RealDesk) -> None:
    """Make every kind of mistake a client can make, with the secret in it."""
    pro = desk.with_role("PRO")
    url, headers = f"{desk.url}/graphql", desk.headers(pro)
    place = Place("", "query($id: ID!) { node(id: $id) { id } }", {"id": "@@here@@"})
    contents = [
        b"",
        b"[1",
        b"\xff\xfe",
        f"{{{SECRET}".encode(),
        json.dumps({"query": f"{{ {SECRET}"}).encode(),
        json.dumps({"query": f'{{ nothing(a: "{SECRET}") }}'}).encode(),
        json.dumps({"query": "query($a: Int!) { viewer { id } }", "variables": {"a": SECRET}}).encode(),
        json.dumps({"query": "{ supportQueue { totalCount } }", "operationName": SECRET}).encode(),
        json.dumps({"query": f'{{ leads(after: "{SECRET}") {{ totalCount }} }}'}).encode(),
        *(place.body(raw) for raw in HOSTILE if len(raw) < 100_000),
    ]
    for content in contents:
        assert httpx.post(url, content=content, headers=headers).status_code < 500
    for given in ({"authorization": f"Bearer {SECRET}"}, {"authorization": SECRET}, {"content-type": "text/plain"}):
        assert httpx.post(url, content=b"{}", headers={**headers, **given}).status_code in {400, 401, 415}
    assert httpx.get(f"{desk.url}/{SECRET}?token={SECRET}").status_code == 404
    assert httpx.post(url, content=b"x" * 200_000, headers=headers).status_code == 413


def test_a_session_leaves_nothing_that_was_said(desk: RealDesk, lines: io.StringIO) -> None:
    """No token, text, key or variable of a whole session is in the log, and no client's mistake is an error in it."""
    tokens: list[str] = []
    original = desk.token

    def token(external_ref: str, lifetime_seconds: int = 3600) -> str:
        tokens.append(original(external_ref, lifetime_seconds))
        return tokens[-1]

    desk.token = token  # type: ignore[method-assign]
    session(desk)
    asyncio.run(sockets(desk))
    mistakes(desk)
    written = lines.getvalue()
    served = [json.loads(line) for line in written.splitlines()]
    ours = [line for line in served if line["logger"].startswith("refundgql")]
    assert sum(line["logger"] == "refundgql.access" for line in ours) > 60
    assert [line for line in served if line["level"] not in {"info", "debug"}] == []
    own = "\n".join(line for line in written.splitlines() if '"logger":"httpx"' not in line)
    assert SECRET not in own
    assert tokens
    for one in set(tokens):
        header, claims, signature = one.split(".")
        assert signature not in written
        assert claims not in written
        assert header not in written


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_a_fault_is_masked(transport: str, desk: RealDesk, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours is told as an id and nothing else, and stands in the log once under that id."""
    fetch = SqliteDatabase.fetch
    inside = "no such column: secret_column in /srv/refundgql/storage.py, 'utf-8' codec can't decode byte"

    async def failing(self: SqliteDatabase, sql: str, parameters: Sequence[Any] = ()) -> Any:
        if "FROM contract" in sql:
            raise sqlite3.OperationalError(inside)
        return await fetch(self, sql, parameters)

    query = "{ contracts { edges { node { id } } } }"
    client = desk.with_role("CLIENT")
    monkeypatch.setattr(SqliteDatabase, "fetch", failing)
    if transport == "http":
        answer = desk.ask(client, query)
    else:

        async def over_socket() -> Any:
            async with ready(desk, {"authorization": f"Bearer {desk.token(client)}"}) as ws:
                await ask(ws, query)
                return (await hear(ws))["payload"]

        answer = asyncio.run(over_socket())
    error = answer["errors"][0]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    fault_id = error["extensions"]["id"]
    assert len(fault_id) >= 16
    told = json.dumps(answer)
    for word in ("secret_column", "SELECT", "storage", "codec", "Traceback", "sqlite", ".py", "OperationalError"):
        assert word not in told
    errors = [json.loads(line) for line in lines.getvalue().splitlines() if '"level":"error"' in line]
    named = [line for line in errors if fault_id in line["message"]]
    assert len(named) == 1
    assert inside in named[0]["exception"]


@pytest.mark.parametrize(("character", "shown"), [("\u202e", "\\u202e"), ("\x9b", "\\u009b"), ("\x7f", "\\u007f")])
def test_a_terminal_does_not_obey_a_line(character: str, shown: str) -> None:
    """What would turn text round or begin a command is written as JSON escapes it, and reads back as it was."""
    record = logging.LogRecord("desk", logging.INFO, "", 1, f"a{character}b", None, None)
    line = JsonLines().format(record)
    assert f"a{shown}b" in line
    assert json.loads(line)["message"] == f"a{character}b"


@pytest.mark.parametrize("length", [MAX_TEXT_LENGTH - 1, MAX_TEXT_LENGTH, MAX_TEXT_LENGTH + 1, MAX_TEXT_LENGTH * 3])
def test_a_line_is_bounded(length: int) -> None:
    """All of a text that fits, and both ends of a longer one."""
    record = logging.LogRecord("desk", logging.INFO, "", 1, f"a{'b' * (length - 2)}c", None, None)
    shown = json.loads(JsonLines().format(record))["message"]
    assert (shown[0], shown[-1], len(shown)) == ("a", "c", min(length, MAX_TEXT_LENGTH + 1))
