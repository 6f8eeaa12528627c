"""Over TLS the name is verified though the address is called; secrets stand in no log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from receiver import Receiver, receiving
from webhook_desk import WebhookDesk

from refundgql.workers import webhook_requests


def certificate(name: str, folder: Path) -> Path:
    """Return a file with a key and a certificate for a host, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextlib.asynccontextmanager
async def in_front(receiver: Receiver, path: Path) -> AsyncIterator[int]:
    """Take TLS off in front of a receiver and give the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind = await asyncio.open_connection("127.0.0.1", receiver.port)
        await asyncio.gather(pipe(reader, behind), pipe(behind_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def attempt(hooks: WebhookDesk, url: str) -> tuple[int | None, str | None]:
    """Send an event to a URL and return status and error of the attempt."""
    endpoint, _ = await hooks.endpoint(url)
    await hooks.cases()
    await hooks.sender().deliver_due()
    (found,) = (await hooks.log(endpoint))[0]["attempts"]
    return found["status"], found["error"]


async def test_the_name_is_verified(
    hooks: WebhookDesk, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trusted certificate for the URL's host is accepted; one for another host, or of nobody known, is not."""
    own, foreign = certificate("localhost", tmp_path), certificate("elsewhere.example", tmp_path)
    refused = (None, "The receiver's certificate is not accepted.")
    async with in_front(receiver, own) as port, in_front(receiver, foreign) as other_port:
        assert await attempt(hooks, f"https://localhost:{port}/") == refused
        context = ssl.create_default_context()
        for path in (own, foreign):
            context.load_verify_locations(path)
        monkeypatch.setattr(webhook_requests, "trusted", lambda: context)
        assert await attempt(hooks, f"https://localhost:{port}/") == (200, None)
        assert await attempt(hooks, f"https://localhost:{other_port}/") == refused
        assert receiver.received[-1].headers["host"] == f"localhost:{port}"


@pytest.mark.usefixtures("kept_lines")
async def test_endpoints_behind_one_address_have_lines_of_their_own(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Two hosts of one address never share a connection, nor does a new host get the old one's."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    await hooks.endpoint(f"http://localhost:{receiver.port}/")
    async with hooks.sending():
        await hooks.cases(2)
        await receiver.until(4)
        assert receiver.connections == 2
        await hooks.act(
            "updateWebhookEndpoint", webhookEndpointId=endpoint, url=f"http://localhost:{receiver.port}/moved"
        )
        await hooks.cases()
        await receiver.until(6)
    assert receiver.connections == 3


async def test_no_log_line_holds_a_secret(hooks: WebhookDesk, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever happens, neither secrets nor URLs are logged as a server logs."""
    from refundgql.serving import quieten_libraries

    quieten_libraries()
    with caplog.at_level(logging.DEBUG):
        async with receiving() as receiver:
            receiver.answers.extend([500, 410])
            _, secret = await hooks.endpoint(f"{receiver.url}?key=Sesame-4711")
            gone, _ = await hooks.endpoint("http://127.0.0.1:1/?key=Sesame-4711")
            rotated = (await hooks.act("rotateWebhookSecret", webhookEndpointId=gone))["secret"]
            async with hooks.sending():
                await hooks.cases()
                await receiver.until(1)
                await asyncio.sleep(0.2)
            hooks.time.ahead += timedelta(days=1)
            await hooks.sender().deliver_due()
    told = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records)
    assert told
    for word in (secret, rotated, "whsec_", "Sesame-4711"):
        assert word not in told
