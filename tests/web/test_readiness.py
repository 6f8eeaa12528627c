"""A server that cannot do its work says so: the disk full, the database read-only, the issuer's keys out of reach."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fleet import Fleet, running
from real_desk import real_desk
from test_secure_lines import certificate
from test_tokens import key_set

from databases import LIMITS, new_database_url
from patience import PATIENCE_SECONDS, until
from ports import free_port
from refundgql.storage.database import Database
from refundgql.web.keys import IssuerKeys, KeysUnavailable, LocalKey

SYNC = "mutation($input: SyncRecordsInput!) { syncRecords(input: $input) { created refusals { message } } }"


class Desk:
    """One server process, and the marketplace that feeds it."""

    def __init__(self, fleet: Fleet) -> None:
        """Ask as the marketplace."""
        self.fleet = fleet
        self.people = 0
        self.client = httpx.AsyncClient(trust_env=False, headers={"authorization": self.bearer("market")})

    def bearer(self, ref: str) -> str:
        """Return a header's value."""
        return f"Bearer {self.fleet.token(ref)}"

    async def feed(self) -> tuple[int, str]:
        """Tell of one more person and return the status, and the error's code if there is one."""
        self.people += 1
        record = {"account": {"externalRef": f"person-{self.people}", "name": "x" * 200, "roles": ["PRO"]}}
        body = {"query": SYNC, "variables": {"input": {"records": [record]}}}
        answer = await self.client.post(f"{self.fleet.urls[0]}/graphql", json=body)
        errors = answer.json().get("errors") or [{}]
        return answer.status_code, errors[0].get("extensions", {}).get("code", "")

    async def reads(self) -> int:
        """Return the status of a question that writes nothing."""
        answer = await self.client.post(f"{self.fleet.urls[0]}/graphql", json={"query": "{ viewer { name } }"})
        return answer.status_code

    async def readiness(self) -> tuple[int, dict[str, str]]:
        """Return what /readyz says."""
        answer = await self.client.get(f"{self.fleet.urls[0]}/readyz")
        return answer.status_code, answer.json()["checks"]

    async def until_ready(self, status: int = 200) -> dict[str, str]:
        """Ask until it is ready again, or not ready: what was found out is good for two seconds."""
        told: list[tuple[int, dict[str, str]]] = []

        async def asked() -> bool:
            told.append(await self.readiness())
            return told[-1][0] == status

        await until(asked)
        return told[-1][1]


@contextlib.asynccontextmanager
async def serving(folder: Path, url: str) -> AsyncIterator[Desk]:
    """Serve a desk whose marketplace has an account."""
    database = await Database.open(url, LIMITS)
    async with database.transaction() as tx:
        await tx.execute(
            "INSERT INTO account (id, external_ref, name, roles, created_at) VALUES (?, 'market', 'M', 'SERVICE', 1)",
            ("01920000-0000-7000-8000-000000000001",),
        )
    await database.close()
    async with running(Fleet.prepare(folder, url, "memory", datetime(2026, 3, 1, tzinfo=UTC), 1)) as fleet:
        desk = Desk(fleet)
        try:
            assert await desk.feed() == (200, "")
            yield desk
        finally:
            await desk.client.aclose()


@pytest.mark.slow
async def test_a_full_disk_is_no_fault_of_whoever_asks(tmp_path: Path) -> None:
    """While no file may grow, writes are 503 and the process is not ready; questions are answered, and it recovers."""
    async with serving(tmp_path, new_database_url("sqlite", tmp_path)) as desk:
        process = desk.fleet.servers[0].process
        assert process is not None
        before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4_096, resource.RLIM_INFINITY))
        assert await desk.feed() == (503, "SERVICE_UNAVAILABLE")
        assert (await desk.until_ready(503))["database"] == "failed"
        assert await desk.reads() == 200
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)
        await desk.until_ready()
        assert await desk.feed() == (200, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sqlstate", "what"), [("25006", "read-only"), ("53100", "disk is full"), ("42501", "rights were taken away")]
)
async def test_postgres_that_takes_nothing_is_told(tmp_path: Path, postgres_url: str, sqlstate: str, what: str) -> None:
    """Whatever keeps PostgreSQL from writing is 503 and not ready, found by the probe as well as by a command."""
    async with serving(tmp_path, postgres_url) as desk:
        database = await Database.open(postgres_url, LIMITS)
        async with database.transaction() as tx:
            await tx.execute(
                "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" RAISE EXCEPTION '{what}' USING ERRCODE = '{sqlstate}'; END $$"
            )
            for table in ("write_probe", "account"):
                await tx.execute(f"CREATE TRIGGER broken BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION broken()")

        async def told() -> bool:
            return (await desk.until_ready(503))["database"] == "failed" and what in desk.fleet.logged()

        await until(told)  # a busy machine may first be too slow for the check
        assert await desk.feed() == (503, "SERVICE_UNAVAILABLE")
        assert await desk.reads() == 200
        async with database.transaction() as tx:
            await tx.execute("DROP FUNCTION broken CASCADE")
        await database.close()
        await desk.until_ready()
        assert await desk.feed() == (200, "")


@pytest.fixture
def nobody() -> int:
    """Return a port where nobody listens."""
    return free_port()


def test_without_the_issuers_keys_a_server_is_not_ready(
    tmp_path: Path, nobody: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could sign in: 503, with the reason in the log and not in the answer."""
    monkeypatch.setattr("refundgql.web.health.CHECK_SECONDS", PATIENCE_SECONDS)
    with real_desk(tmp_path, jwks_url=f"http://127.0.0.1:{nobody}/keys") as desk:
        answer = httpx.get(f"{desk.url}/readyz")
    found: dict[str, Any] = answer.json()["checks"]
    assert (answer.status_code, found["keys"], found["database"]) == (503, "failed", "ok")
    assert "ConnectError" not in answer.text
    assert (
        "readiness check keys failed: There is no key to check tokens with: the key set cannot be read" in caplog.text
    )


async def test_an_issuer_that_is_not_trusted_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of nobody's known authority is the reason; with the authority in SSL_CERT_FILE there are keys."""
    file = certificate("localhost", tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    body = orjson.dumps(key_set(LocalKey.load_or_create(tmp_path / "key.pem")))
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "localhost", 0, family=socket.AF_INET, ssl=context)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/keys"
    strange = IssuerKeys(url)
    with pytest.raises(KeysUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await strange.check()
    await strange.aclose()
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    known = IssuerKeys(url)
    await known.check()
    await known.aclose()
    server.close()
