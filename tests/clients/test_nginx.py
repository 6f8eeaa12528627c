"""The nginx lines of docs/operations.md, run as they stand there: every road, compressed, with true addresses."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from demo_server import DemoServer
from nginx import Certificate, proxied
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SUPPORT = "support-ivy"
REQUESTS_A_MINUTE = 100
SOCKETS: dict[str, Any] = {
    "subprotocols": ["graphql-transport-ws"],
    "open_timeout": PATIENCE_SECONDS,
    "ping_interval": None,
}
FOLLOW = """subscription($id: ID!, $after: String) { refundCaseUpdates(refundCaseId: $id, after: $after) {
  cursor event { sequence } } }"""
WIDE = (
    "{ refundWorkflow(kind: INVOICE) { states { state description } transitions { action fromState toState rules } } }"
)


@dataclass(frozen=True)
class Way:
    """The way through nginx to a demo, and whom to believe."""

    url: str
    trusted: ssl.SSLContext
    demo: DemoServer

    def http(self, **options: Any) -> httpx.AsyncClient:
        """Return a client of the way."""
        transport = httpx.AsyncHTTPTransport(verify=self.trusted, local_address=options.pop("local_address", None))
        return httpx.AsyncClient(base_url=self.url, transport=transport, timeout=PATIENCE_SECONDS, **options)

    async def socket(self, token: str) -> ClientConnection:
        """Return a socket that was let in."""
        url = f"{self.url.replace('https', 'wss')}/graphql"
        socket = await connect(url, ssl=self.trusted, **SOCKETS)
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        return socket


def own_certificate(folder: Path) -> Certificate:
    """Make a certificate for this machine's loopback address."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "refunds.example")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = built.add_extension(here, critical=False).sign(key, hashes.SHA256())
    made = Certificate(folder / "refunds.example.pem", folder / "refunds.example.key")
    made.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made.key.write_bytes(key.private_bytes(*form))
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoServer]:
    """Run a demo that believes its proxy."""
    believes = {"REFUNDGQL_TRUSTED_PROXIES": "127.0.0.1", "REFUNDGQL_REQUESTS_PER_MINUTE": str(REQUESTS_A_MINUTE)}
    server = DemoServer(tmp_path_factory.mktemp("demo"), environment=believes)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def way(demo: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Way]:
    """Lead through nginx, by TLS."""
    folder = tmp_path_factory.mktemp("nginx")
    certificate = own_certificate(folder)
    async with proxied(folder, demo.port, tls=certificate) as port:
        trusted = ssl.create_default_context(cafile=str(certificate.certificate))
        yield Way(f"https://127.0.0.1:{port}", trusted, demo)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_answers_are_compressed(way: Way, coding: str) -> None:
    """An answer of some size arrives in the coding that was asked for, once, and says what it says plainly."""
    async with way.http(headers={"accept-encoding": coding}) as http:
        answer = await http.post("/graphql", json={"query": WIDE})
    assert answer.headers["content-encoding"] == coding
    async with httpx.AsyncClient() as http:
        plain = await http.post(f"{way.demo.url}/graphql", json={"query": WIDE})
    if coding == "gzip":  # what httpx reads without more packages
        assert answer.json()["data"] == plain.json()["data"]
    assert int(answer.headers.get("content-length", 0)) < len(plain.content)


async def events_of(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """Yield the updates of a stream over HTTP, in either framing, as they arrive."""
    async for line in answer.aiter_lines():
        text = line.removeprefix("data: ")
        if text.startswith(('{"data"', '{"payload"')):
            told = json.loads(text)
            update: dict[str, Any] = told.get("payload", told)["data"]["refundCaseUpdates"]
            yield update


@pytest.mark.parametrize("accept", ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"])
async def test_streams_are_passed_on_as_they_happen(way: Way, accept: str) -> None:
    """Event streams and multipart streams are neither compressed nor collected, and go on after a cursor."""
    case, token = await way.demo.open_case(), await way.demo.token(SUPPORT)
    headers = {"authorization": f"Bearer {token}", "accept": accept, "accept-encoding": "gzip, br, zstd"}
    body: dict[str, Any] = {"query": FOLLOW, "variables": {"id": case["id"]}}
    async with way.http(headers=headers) as http:
        async with http.stream("POST", "/graphql", json=body) as answer:
            assert "content-encoding" not in answer.headers
            events = events_of(answer)
            assert (await anext(events))["event"] is None
            cursor = ""
            for sequence in (2, 3):
                await way.demo.state_something(case["id"])
                update = await anext(events)
                assert update["event"]["sequence"] == sequence
                cursor = cursor or update["cursor"]
        async with http.stream("POST", "/graphql", json=body, headers={"last-event-id": cursor}) as answer:
            events = events_of(answer)
            assert (await anext(events))["event"] is None  # the present state begins every stream of a case
            assert (await anext(events))["event"]["sequence"] == 3


async def follow(way: Way, case_id: str, tokens: list[str], heard: asyncio.Queue[Any]) -> None:
    """Follow a case as docs/clients.md says: come back with the cursor, with another token after 4403."""
    cursor = None
    while tokens:
        try:
            socket = await way.socket(tokens[0])
            variables = {"id": case_id} | ({} if cursor is None else {"after": cursor})
            payload = {"query": FOLLOW, "variables": variables}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            while True:
                update = json.loads(await socket.recv())["payload"]["data"]["refundCaseUpdates"]
                cursor = update["cursor"]
                # The present state begins the stream: what happened before is in it, what happens after comes.
                await heard.put("following" if update["event"] is None else update["event"]["sequence"])
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == 4403:
                tokens.pop(0)
        except (OSError, InvalidHandshake):
            pass  # nginx has nobody behind it, which is a 502
        await asyncio.sleep(0.1)


async def test_a_socket_loses_nothing_over_a_token_and_a_restart(way: Way) -> None:
    """Over a token that runs out, a killed server and a new one each event comes once, in order."""
    demo, case = way.demo, await way.demo.open_case()
    short, last = await demo.token(SUPPORT), await demo.token(SUPPORT, 36_000)
    heard: asyncio.Queue[Any] = asyncio.Queue()
    follower = asyncio.create_task(follow(way, case["id"], [short, last], heard))
    told = []

    async def until(wanted: Any) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (one := await heard.get()) != wanted:
                told.append(one)
            told.append(one)

    try:
        await until("following")
        await demo.state_something(case["id"])
        await until(2)
        await demo.run_out(short)
        await demo.state_something(case["id"])
        await until(3)
        await demo.kill()
        await demo.start()
        await demo.state_something(case["id"])
        await until(4)
    finally:
        follower.cancel()
    assert [one for one in told if one != "following"] == [2, 3, 4]


async def test_an_invented_address_does_not_count(way: Way) -> None:
    """Whatever a caller writes into X-Forwarded-For, its requests are counted by the address that nginx sees."""
    body = {"query": "{ __typename }"}
    async with way.http(local_address="127.0.0.2") as http:
        statuses: set[int] = set()

        async def send(number: int) -> None:
            forged = {"x-forwarded-for": f"203.0.113.{number}", "x-real-ip": "203.0.113.1"}
            statuses.add((await http.post("/graphql", json=body, headers=forged)).status_code)

        while 429 not in statuses:  # a slow machine is let in for longer
            await asyncio.gather(*map(send, range(REQUESTS_A_MINUTE // 2)))
        assert statuses == {200, 429}
    async with way.http(local_address="127.0.0.3") as other:
        assert (await other.post("/graphql", json=body, headers={"x-forwarded-for": "127.0.0.2"})).status_code == 200


async def test_below_a_path(demo: DemoServer, tmp_path: Path) -> None:
    """With the location below a path operations, sockets and the page with its files answer there."""
    async with proxied(tmp_path, demo.port, prefix="/refunds") as port:
        url = f"http://127.0.0.1:{port}/refunds"
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
            assert (await http.post(f"{url}/graphql", json={"query": "{ __typename }"})).json()["data"]
            page = await http.get(f"{url}/graphql", headers={"accept": "text/html"})
            icon = page.text.partition('href="')[2].partition('"')[0]
            assert (await http.get(page.url.join(icon))).status_code == 200
        address = f"{url.replace('http', 'ws')}/graphql"
        async with connect(address, **SOCKETS) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
