"""Tokens and roles on the whole application: forged ones by every way in, streams that end, keys that rotate."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from real_desk import MARKETPLACE, RealDesk, real_desk
from test_tokens import FORGERIES, Forge
from test_ws import closed, hear, ready, say, socket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from patience import PATIENCE_SECONDS
from refundgql import serving
from refundgql.gql import connections as presence
from refundgql.settings import Settings
from refundgql.web.keys import IssuerKeys, LocalKey
from toy_server import let_tokens_run_out, standing_minute

__all__ = ["standing_minute"]

FOLLOW = "subscription { viewerRefundUpdates { cursor } }"
ME = "{ viewer { externalRef } }"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDesk]:
    """Return the server of this file."""
    with real_desk(tmp_path_factory.mktemp("access")) as desk:
        yield desk


def forged(desk: RealDesk, name: str) -> str:
    """Return a forged token that is right for this server in everything but one thing."""
    assert desk.settings.key_file is not None
    forge = Forge(LocalKey.load_or_create(desk.settings.key_file))
    forge.claims |= {
        "iss": desk.settings.token_issuer,
        "aud": desk.settings.token_audience,
        "sub": desk.with_role("ADMIN"),
    }
    right = forge.signed()
    assert desk.ask(None, "{ __typename }") == {"data": {"__typename": "Query"}}
    answer = httpx.post(f"{desk.url}/graphql", json={"query": ME}, headers={"authorization": f"Bearer {right}"})
    assert answer.json()["data"]["viewer"]["externalRef"] == desk.with_role("ADMIN")
    token: str = FORGERIES[name](forge)
    return token


# Header values can hold no others; the verifier itself is tested with every forgery.
SENDABLE = [name for name in FORGERIES if name not in {"not text of a token", "empty"}]


@pytest.mark.parametrize("name", SENDABLE)
async def test_forged_tokens_by_every_way_in(name: str, desk: RealDesk) -> None:
    """A forged token opens nothing over HTTP, server-sent events and WebSocket, and is told no more than that."""
    token = forged(desk, name)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    async with httpx.AsyncClient() as http:
        for path, query, accept in (
            ("/graphql", ME, "application/json"),
            ("/graphql", FOLLOW, "text/event-stream"),
            ("/graphql/stream", FOLLOW, "text/event-stream"),
        ):
            content = json.dumps({"query": query})
            answer = await http.post(desk.url + path, content=content, headers={**headers, "accept": accept})
            assert answer.status_code == (401 if accept == "application/json" else 200), (path, answer.text)
            assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
            assert '"code":"UNAUTHENTICATED"' in answer.text
            assert '"data"' not in answer.text
            assert token[-30:] not in answer.text
    async with socket(desk) as ws:
        await say(ws, type="connection_init", payload={"authorization": f"Bearer {token}"})
        code, reason = await closed(ws)
        assert code == 4403, reason


async def follow_by_socket(desk: RealDesk, token: str, change: Callable[[], Awaitable[None]]) -> Any:
    """Follow one's cases over a WebSocket, change something, and return its end."""
    async with ready(desk, {"authorization": f"Bearer {token}"}) as ws:
        await say(ws, id="1", type="subscribe", payload={"query": FOLLOW})
        await asyncio.sleep(0.1)
        await change()
        code, _ = await closed(ws)
        return code


async def follow_by_events(desk: RealDesk, token: str, change: Callable[[], Awaitable[None]]) -> Any:
    """Follow one's cases by server-sent events, change something, and return its end."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json", "accept": "text/event-stream"}
    async with (
        httpx.AsyncClient() as http,
        http.stream("POST", f"{desk.url}/graphql", content=json.dumps({"query": FOLLOW}), headers=headers) as answer,
    ):
        assert answer.status_code == 200
        await change()
        text = "".join([part async for part in answer.aiter_text()])
        return 4403 if "UNAUTHENTICATED" in text or "FORBIDDEN" in text else text


@pytest.mark.parametrize("follow", [follow_by_socket, follow_by_events])
@pytest.mark.parametrize("how", ["expired", "revoked"])
async def test_streams_end_with_access(follow: Any, how: str, desk: RealDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that expires, and a role that is taken away in the database, end a running stream."""
    client = desk.with_role("CLIENT")
    roles = [str(role) for role in desk.people[client].roles]

    async def change() -> None:
        if how == "expired":
            let_tokens_run_out(monkeypatch)
        else:
            await asyncio.to_thread(desk.give_roles, client, "CUSTOMER")

    try:
        assert await follow(desk, desk.token(client), change) == 4403
    finally:
        if how == "revoked":
            await asyncio.to_thread(desk.give_roles, client, *roles)


def test_nobody_has_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when nobody looks, the bus tells of a role that is taken."""
    monkeypatch.setattr(presence, "CHECK_SECONDS", 10.0**6)
    with real_desk(tmp_path) as desk:
        client = desk.with_role("CLIENT")

        async def change() -> None:
            await asyncio.to_thread(desk.give_roles, client, "CUSTOMER")

        assert asyncio.run(follow_by_events(desk, desk.token(client), change)) == 4403


class Issuer(ThreadingHTTPServer):
    """An issuer of tokens on a loopback port: it publishes its keys and counts who asks."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _KeySet)
        self.keys: dict[str, Any] = {}
        self.asked = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def rotate(self, key_id: str) -> None:
        """Publish one new key in place of all others."""
        self.keys = {key_id: ec.generate_private_key(ec.SECP256R1())}

    def token(self, key_id: str, private: Any, subject: str) -> str:
        """Return a token signed with a key."""
        claims = {"iss": "refundgql", "aud": "refundgql", "sub": subject, "exp": time.time() + 3_600}
        return jwt.encode(claims, private, "ES256", headers={"kid": key_id, "typ": "at+jwt"})


class _KeySet(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        issuer = self.server
        assert isinstance(issuer, Issuer)
        issuer.asked += 1
        keys = [
            {**json.loads(ECAlgorithm.to_jwk(private.public_key())), "kid": key_id, "alg": "ES256", "use": "sig"}
            for key_id, private in issuer.keys.items()
        ]
        body = json.dumps({"keys": keys}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_keys_rotate_at_a_real_issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server fetches the issuer's keys over a real socket, finds a new one, forgets the old, and lets go."""
    closed_clients: list[bool] = []
    clock = [0.0]
    original = IssuerKeys.aclose

    class Keys(IssuerKeys):
        def __init__(self, url: str) -> None:
            super().__init__(url, monotonic=lambda: clock[0])

        async def aclose(self) -> None:
            await original(self)
            closed_clients.append(self._client.is_closed)

    monkeypatch.setattr(serving, "IssuerKeys", Keys)
    issuer = Issuer()
    issuer.rotate("one")
    url = f"http://127.0.0.1:{issuer.server_address[1]}/keys"
    try:
        with real_desk(tmp_path, jwks_url=url) as desk:
            ref, old = desk.with_role("PRO"), issuer.keys["one"]

            def status(key_id: str, private: Any) -> int:
                headers = {"authorization": f"Bearer {issuer.token(key_id, private, ref)}"}
                return httpx.post(f"{desk.url}/graphql", json={"query": ME}, headers=headers).status_code

            assert [status("one", old) for _ in range(5)] == [200] * 5
            assert issuer.asked == 1
            issuer.rotate("two")
            assert status("two", issuer.keys["two"]) == 401
            clock[0] = 31.0
            assert status("two", issuer.keys["two"]) == 200
            assert status("one", old) == 401
            assert [status("invented", old) for _ in range(20)] == [401] * 20
            assert issuer.asked == 2
            assert closed_clients == []
    finally:
        issuer.shutdown()
        issuer.server_close()
    assert closed_clients == [True]


@pytest.mark.usefixtures("standing_minute")
def test_proxies_are_believed_only_when_named(tmp_path: Path) -> None:
    """Anonymous requests count by the address that a trusted proxy tells, and by the connection's for all others."""
    body = {"query": "{ refundPolicy { version } }"}
    for number, (host, proxies, served) in enumerate(
        (("127.0.0.1", "127.0.0.1", 3), ("::", "127.0.0.1", 3), ("127.0.0.1", "10.0.0.1, 10.1.0.0/16", 1))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with real_desk(folder, host=host, requests_per_minute=1, trusted_proxies=proxies) as desk:
            answers = [
                httpx.post(f"{desk.url}/graphql", json=body, headers={"x-forwarded-for": f"192.0.2.{number}"})
                for number in range(3)
            ]
            assert [answer.status_code for answer in answers] == [200] * served + [429] * (3 - served)
    assert Settings(trusted_proxies="10.0.0.1, 10.1.0.0/16").trusted_proxies == ("10.0.0.1", "10.1.0.0/16")
    assert serving.serving_of(Settings(trusted_proxies="::1")).trusted_proxies == ("::1",)


@pytest.mark.usefixtures("standing_minute")
def test_an_address_that_a_caller_invents_is_not_believed(tmp_path: Path) -> None:
    """The proxy adds the address it sees behind what it was given, and that one counts (docs/operations.md)."""
    body = {"query": "{ refundPolicy { version } }"}
    with real_desk(tmp_path, requests_per_minute=1, trusted_proxies="127.0.0.1") as desk:
        answers = [
            httpx.post(f"{desk.url}/graphql", json=body, headers={"x-forwarded-for": f"198.51.100.{number}, 192.0.2.7"})
            for number in range(3)
        ]
        assert [answer.status_code for answer in answers] == [200, 429, 429]


@pytest.mark.usefixtures("standing_minute")
def test_sockets_count_by_the_address_that_a_proxy_tells(tmp_path: Path) -> None:
    """They are told apart as requests are, also where the server listens to both protocols."""
    body = {"id": "1", "type": "subscribe", "payload": {"query": "{ refundPolicy { version } }"}}
    answers = []
    with real_desk(tmp_path, host="::", requests_per_minute=1, trusted_proxies="127.0.0.1") as desk:
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            with connect(
                f"ws://127.0.0.1:{desk.port}/graphql",
                subprotocols=[Subprotocol("graphql-transport-ws")],
                additional_headers={"x-forwarded-for": address},
            ) as asking:
                asking.send('{"type":"connection_init"}')
                asking.recv(PATIENCE_SECONDS)
                asking.send(json.dumps(body))
                answers.append(json.loads(asking.recv(PATIENCE_SECONDS))["type"])
    assert answers == ["next", "next", "error"]


async def test_other_sites_cannot_open_sockets(desk: RealDesk) -> None:
    """A page of another site cannot open a socket in the name of whoever looks at it."""
    with pytest.raises(InvalidStatus) as refused:
        async with socket(desk, origin="https://evil.test"):
            pass
    assert refused.value.response.status_code == 403
    assert MARKETPLACE not in str(refused.value)
    async with socket(desk, origin=desk.url) as ws:
        await say(ws, type="connection_init")
        assert (await hear(ws))["type"] == "connection_ack"
