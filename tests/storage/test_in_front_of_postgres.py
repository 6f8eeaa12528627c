"""PostgreSQL is reached through what stands in front of it: poolers, several hosts, TLS with a private authority."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from test_secure_lines import certificate

from databases import LIMITS
from patience import PATIENCE_SECONDS, until
from ports import free_port
from refundgql import bootstrap, serving
from refundgql.bootstrap import CannotRun
from refundgql.settings import Settings, in_force
from refundgql.storage import time as storage_time
from refundgql.storage.database import Database

_SSL_REQUEST = 80_877_103
# What PgBouncer takes in a session's beginning, as its manual lists it; it refuses everything else.
_TAKEN = {"user", "database", "client_encoding", "datestyle", "timezone", "standard_conforming_strings"}
_TAKEN |= {"application_name", "options"}


class Front:
    """Something that listens on TCP in front of the server, as a pooler in session mode does, with TLS or without."""

    def __init__(self, url: str, certificate_file: Path | None = None) -> None:
        """Stand in front of the server of a URL."""
        self.folder = parse_qs(urlsplit(url).query)["host"][0]
        self.name = urlsplit(url).path.lstrip("/")
        self.context: ssl.SSLContext | None = None
        if certificate_file is not None:
            self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.context.load_cert_chain(certificate_file)
        self.refused: set[str] = set()
        self.encrypted = 0
        self.port = 0

    def url(self, *hosts: str, more: str = "") -> str:
        """Return the address that leads here, after others."""
        listed = ",".join((*hosts, f"localhost:{self.port}"))
        return f"postgres://postgres@{listed}/{self.name}{more}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one session: TLS when it is asked for, then its parameters, then everything as it comes."""
        first = await self._message(reader)
        if struct.unpack("!I", first[4:8])[0] == _SSL_REQUEST:
            writer.write(b"S" if self.context else b"N")
            if self.context is not None:
                await writer.start_tls(self.context)
                self.encrypted += 1
            first = await self._message(reader)
        words = first[8:].split(b"\0")
        given = {word.decode().lower() for word in words[:-2:2]}
        if given - _TAKEN:
            self.refused |= given - _TAKEN
            text = b"SFATAL\0C08P01\0Munsupported startup parameter\0\0"
            writer.write(b"E" + struct.pack("!I", len(text) + 4) + text)
            writer.close()
            return
        behind_reader, behind = await asyncio.open_unix_connection(f"{self.folder}/.s.PGSQL.5432")
        behind.write(first)
        await asyncio.gather(_pipe(reader, behind), _pipe(behind_reader, writer))

    async def _message(self, reader: asyncio.StreamReader) -> bytes:
        size = await reader.readexactly(4)
        return size + await reader.readexactly(struct.unpack("!I", size)[0] - 4)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def in_front(front: Front) -> AsyncIterator[Front]:
    """Let it listen until the block ends."""
    server = await asyncio.start_server(front.serve, "localhost", 0, family=socket.AF_INET)
    front.port = server.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        server.close()


async def _works(url: str) -> None:
    """Open the whole application, with its bus, read and write."""
    settings = Settings(database_url=url, operation_timeout_seconds=PATIENCE_SECONDS)
    async with bootstrap.open_application(settings) as application:
        await until(lambda: application.bus.connected)
        async with application.database.transaction() as tx:
            await tx.execute("UPDATE write_probe SET at = 1")
        assert await application.database.fetch_value("SELECT at FROM write_probe") == 1
        assert await application.database.fetch_value("SHOW statement_timeout") == f"{PATIENCE_SECONDS / 60:.0f}min"
        assert await application.database.fetch_value("SHOW default_transaction_read_only") == "on"


async def test_a_pooler_in_session_mode_takes_the_sessions(postgres_url: str) -> None:
    """Nothing is asked for at a session's beginning that PgBouncer refuses, and all settings hold nevertheless."""
    async with in_front(Front(postgres_url)) as front:
        await _works(front.url())
        assert front.refused == set()


async def test_of_several_hosts_the_one_that_answers_is_taken(postgres_url: str) -> None:
    """A host that is gone is passed over, by the pools and by the bus."""
    gone = f"127.0.0.1:{free_port()}"
    async with in_front(Front(postgres_url)) as front:
        await _works(front.url(gone))


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("postgres://a,b/c", "postgres://a,b/c?target_session_attrs=primary"),
        ("postgres://a,b/c?sslmode=require", "postgres://a,b/c?sslmode=require&target_session_attrs=primary"),
        ("postgres://a,b/c?target_session_attrs=any", "postgres://a,b/c?target_session_attrs=any"),
        ("postgres://a/c", "postgres://a/c"),
        ("sqlite://a,b", "sqlite://a,b"),
    ],
)
def test_of_several_hosts_the_primary_is_meant(given: str, address: str) -> None:
    """A standby takes nothing: unless it is said otherwise, the driver looks for the one that does."""
    assert Settings(database_url=given).database_address == address


async def test_a_private_authority_is_trusted_when_it_is_named(postgres_url: str, tmp_path: Path) -> None:
    """With its certificate in the address the line is encrypted and the name verified; without it, it is refused."""
    mine, other = certificate("localhost", tmp_path), certificate("elsewhere", tmp_path)
    async with in_front(Front(postgres_url, mine)) as front:
        await _works(front.url(more=f"?sslmode=verify-full&sslrootcert={mine}"))
        assert front.encrypted > 0
        for roots in (other, tmp_path / "nothing.pem"):
            with pytest.raises(CannotRun, match="REFUNDGQL_DATABASE_URL"):
                await _works(front.url(more=f"?sslmode=verify-full&sslrootcert={roots}"))


async def test_a_server_without_tls_is_refused_where_tls_is_required(postgres_url: str) -> None:
    """`sslmode=require` never sends a word in the clear."""
    async with in_front(Front(postgres_url)) as front:
        with pytest.raises(CannotRun, match="REFUNDGQL_DATABASE_URL"):
            await _works(front.url(more="?sslmode=require"))


async def test_clocks_that_differ_are_measured_and_warned_of(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A machine that is a minute ahead is told so; one that is right is not."""
    database = await Database.open(postgres_url, LIMITS)
    try:
        assert abs(await storage_time.measure_skew(database)) < 30
        now = storage_time.time.time
        monkeypatch.setattr(storage_time.time, "time", lambda: now() + 60)
        assert 30 < await storage_time.measure_skew(database) < 90
        assert "synchronize both with NTP" in caplog.text
        caplog.clear()
        await serving._check(Settings(database_url=postgres_url, key_file=tmp_path / "key.pem"))
        assert "synchronize both with NTP" in caplog.text, "a server says so at its start, whoever scrapes it"
    finally:
        await database.close()


def test_passwords_of_several_hosts_are_masked() -> None:
    """Whatever stands between the name and the first host."""
    shown = in_force(Settings(database_url="postgres://a:s3cret@b:1,c:2/d"))
    assert shown["REFUNDGQL_DATABASE_URL"] == "postgres://a:***@b:1,c:2/d"
