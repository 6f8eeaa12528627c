"""Files as evidence over real sockets: in once and as announced, out to those who see the case, and nothing between."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from command_line import running, wait_until_ready
from evidence_desk import PNG, EvidenceDesk, code_of, open_desk, server

from api_world import START
from databases import new_database_url
from patience import PATIENCE_SECONDS, until_now
from ports import free_port
from refundgql import bootstrap
from refundgql.commands.evidence_files import clear_abandoned
from refundgql.web import evidence_files
from refundgql.web.evidence_tickets import DOWNLOAD_SECONDS, UPLOAD_SECONDS


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[EvidenceDesk]:
    """Give a server over SQLite."""
    with open_desk(new_database_url("sqlite", tmp_path), tmp_path) as opened:
        yield opened


def test_a_file_becomes_evidence(database_url: str, tmp_path: Path) -> None:
    """What was announced arrives once, is an event and evidence of the case, and comes back byte for byte."""
    with open_desk(database_url, tmp_path) as desk:
        address = desk.address()
        assert desk.evidence() == []
        answer = desk.http.put(address, content=PNG)
        assert answer.status_code == 201
        assert answer.json()["refundCaseId"] == desk.case_id
        (piece,) = desk.evidence()
        assert (piece["__typename"], piece["fileName"], piece["contentType"], piece["sizeBytes"]) == (
            "FileEvidence",
            "Café 1.png",
            "image/png",
            len(PNG),
        )
        assert desk.events() == ["REQUEST", "ADD_EVIDENCE"]
        assert len(desk.stored()) == 1
        (seen,) = desk.evidence("sam")
        for url in (piece["url"], seen["url"]):
            fetched = desk.http.get(url)
            assert (fetched.status_code, fetched.content) == (200, PNG)
            assert fetched.headers["content-disposition"] == "attachment; filename*=UTF-8''Caf%C3%A9%201.png"
            assert fetched.headers["content-type"] == "image/png"
            assert fetched.headers["x-content-type-options"] == "nosniff"
            assert fetched.headers["cache-control"] == "no-store"
            assert "default-src 'none'" in fetched.headers["content-security-policy"]


def test_an_address_works_once(desk: EvidenceDesk) -> None:
    """The second use is refused and adds nothing, also when the announcement itself is repeated."""
    address = desk.address(idempotencyKey="file-1")
    assert desk.send(address) == (201, None)
    assert desk.send(address) == (410, "GONE")
    again = desk.announce(idempotencyKey="file-1")
    assert (again["replayed"], again["uploadUrl"]) == (True, address)
    assert desk.send(again["uploadUrl"]) == (410, "GONE")
    assert (len(desk.evidence()), len(desk.stored())) == (1, 1)


def test_copies_at_the_same_moment_are_one_file(database_url: str, tmp_path: Path) -> None:
    """Of many copies sent at once to two servers exactly one is taken, and every server reads every ticket."""
    with (
        open_desk(database_url, tmp_path, public_url="http://files.test") as desk,
        server(desk.settings) as other,
        ThreadPoolExecutor(8) as pool,
    ):
        path = urlsplit(desk.address()).path
        sent = list(pool.map(desk.send, [desk.url + path, other + path] * 4))
        assert sorted(status for status, _ in sent)[0] == 201
        assert [status for status, _ in sent].count(201) == 1
        assert {status for status, _ in sent} <= {201, 409, 410}
        (piece,) = desk.evidence()
        assert desk.http.get(other + urlsplit(piece["url"]).path).content == PNG
        assert len(desk.stored()) == 1
        assert desk.events() == ["REQUEST", "ADD_EVIDENCE"]


def test_addresses_expire(desk: EvidenceDesk) -> None:
    """An address works until its instant and not at it, for sending and for fetching."""
    early, late = desk.address(), desk.address()
    desk.set_time(START + timedelta(seconds=UPLOAD_SECONDS, microseconds=-1))
    assert desk.send(early) == (201, None)
    desk.set_time(START + timedelta(seconds=UPLOAD_SECONDS))
    assert desk.send(late) == (410, "GONE")
    url = desk.evidence()[0]["url"]
    desk.set_time(START + timedelta(seconds=UPLOAD_SECONDS + DOWNLOAD_SECONDS))
    gone = desk.http.get(url)
    assert (gone.status_code, code_of(gone)) == (410, "GONE")
    assert len(desk.evidence()) == 1


@pytest.mark.parametrize(
    ("announced", "sent", "refused"),
    [
        ({}, PNG[:-1] + b"!", (422, "EVIDENCE_REJECTED")),
        ({}, PNG[:-1], (422, "EVIDENCE_REJECTED")),
        ({}, PNG + b"!", (413, "EVIDENCE_REJECTED")),
        ({}, b"", (422, "EVIDENCE_REJECTED")),
        ({"contentType": "application/pdf"}, PNG, (422, "EVIDENCE_REJECTED")),
        ({"contentType": "text/plain"}, PNG, (422, "EVIDENCE_REJECTED")),
    ],
)
@pytest.mark.parametrize("counted", [True, False])
def test_only_what_was_announced_is_taken(
    announced: dict[str, Any], sent: bytes, refused: tuple[int, str], counted: bool, desk: EvidenceDesk
) -> None:
    """Other content, size or type leaves nothing behind, with a length in front or not, and can be sent again right."""
    address = desk.address(**announced)
    assert desk.send(address, sent if counted else iter([sent[:100], sent[100:]])) == refused
    assert (desk.evidence(), desk.stored(), desk.events()) == ([], [], ["REQUEST"])
    if not announced:
        assert desk.send(address) == (201, None)


def test_announcements_of_what_is_not_taken_are_refused(desk: EvidenceDesk) -> None:
    """A file that is too large or of a type that browsers run gets no address, with a sentence that says why."""
    for given, field, word in (
        ({"sizeBytes": desk.settings.evidence_max_bytes + 1}, "sizeBytes", "bytes"),
        ({"contentType": "text/html"}, "contentType", "Send one of"),
        ({"contentType": "image/svg+xml"}, "contentType", "Send one of"),
    ):
        payload = desk.announce(**given)
        (refusal,) = payload["refusals"]
        assert (payload["uploadUrl"], refusal["code"], refusal["field"]) == (None, "EVIDENCE_REJECTED", [field])
        assert word in refusal["message"]


def test_strangers_get_nothing(desk: EvidenceDesk) -> None:
    """Who does not see the case cannot announce, nor fetch: not with a forged, changed or swapped ticket either."""
    assert [one["code"] for one in desk.announce(ref="peter")["refusals"]] == ["NOT_FOUND"]
    address = desk.address()
    assert desk.send(address) == (201, None)
    url = desk.evidence()[0]["url"]
    ticket = url.rpartition("/")[2]
    tampered = url[:-2] + ("AA" if not url.endswith("AA") else "BB")
    swapped = f"{desk.url}/evidence/files/{address.rpartition('/')[2]}"
    unknown = f"{desk.url}/evidence/files/x.y.z"
    answers = [desk.http.get(one) for one in (tampered, swapped, unknown)]
    answers.append(desk.http.put(f"{desk.url}/evidence/uploads/{ticket}", content=PNG))
    assert {(one.status_code, one.content) for one in answers} == {(404, answers[0].content)}
    assert code_of(answers[0]) == "NOT_FOUND"
    assert desk.http.put(url, content=PNG).status_code == 405


def test_who_no_longer_sees_the_case_no_longer_fetches(desk: EvidenceDesk) -> None:
    """Visibility is looked at when a file is fetched or sent: a role taken away ends both, in the words for unknown."""
    assert desk.send(desk.address()) == (201, None)
    url, address = desk.evidence("sam")[0]["url"], desk.address(ref="sam")
    assert desk.http.get(url).status_code == 200
    sync = "mutation($r: [SyncRecord!]!) { syncRecords(input: { records: $r }) { updated refusals { message } } }"
    record = {"account": {"externalRef": "sam", "name": "Sam Support", "roles": ["CUSTOMER"]}}
    assert desk.run("market", sync, r=[record])["syncRecords"]["updated"] == 1
    gone, unknown = desk.http.get(url), desk.http.get(f"{desk.url}/evidence/files/x")
    assert (gone.status_code, gone.content) == (unknown.status_code, unknown.content)
    assert desk.send(address) == (404, "NOT_FOUND")
    assert len(desk.stored()) == 1


def _begin(address: str, size: int, content: bytes) -> socket.socket:
    parts = urlsplit(address)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0))
    head = f"PUT {parts.path} HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection


def test_a_client_that_leaves_leaves_nothing(desk: EvidenceDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that breaks in the middle of a file leaves no file and no evidence, and the address still works."""
    address, begun = desk.address(), threading.Event()
    receive = evidence_files.EvidenceFiles._receive

    async def noted(*given: Any) -> None:
        begun.set()
        await receive(*given)

    monkeypatch.setattr(evidence_files.EvidenceFiles, "_receive", noted)
    with _begin(address, len(PNG), PNG[:50]):
        assert begun.wait(PATIENCE_SECONDS)
        assert desk.send(address) == (409, "CONFLICT")
    answers: list[tuple[int, str | None]] = []
    until_now(lambda: answers.append(desk.send(address)) or answers[-1][0] != 409)
    assert answers[-1][0] == 201
    assert (len(desk.evidence()), len(desk.stored())) == (1, 1)


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    """A server killed in the middle of a file leaves no file, and the next one takes it by the same address."""
    with open_desk(new_database_url("sqlite", tmp_path), tmp_path, public_url="http://files.test") as desk:
        path = urlsplit(desk.address()).path
        given = {
            "REFUNDGQL_DATABASE_URL": desk.settings.database_url,
            "REFUNDGQL_KEY_FILE": str(desk.settings.key_file),
            "REFUNDGQL_EVIDENCE_STORE": desk.settings.evidence_store,
            "REFUNDGQL_TEST_CLOCK": str(desk.settings.test_clock),
            "REFUNDGQL_LOG_LEVEL": "WARNING",
            "TMPDIR": str(tmp_path / "spool"),
        }
        (tmp_path / "spool").mkdir()
        port = free_port()
        with running(tmp_path, "serve", "--allow-test-clock", "--port", str(port), **given) as served:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url)
            with _begin(url + path, len(PNG), PNG[:200]):
                time.sleep(0.3)
                served.process.kill()
                served.process.wait()
        assert list((tmp_path / "spool").iterdir()) == []
        assert (desk.evidence(), desk.stored()) == ([], [])
        assert desk.send(desk.url + path) == (201, None)


def test_a_client_that_says_nothing_is_not_waited_for(desk: EvidenceDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose bytes stop coming is refused in time and leaves nothing."""
    monkeypatch.setattr(evidence_files, "SILENT_SECONDS", 0.2)
    with server(desk.settings) as url, _begin(url + urlsplit(desk.address()).path, len(PNG), PNG[:50]) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        assert connection.recv(20_000).startswith(b"HTTP/1.1 408")
    assert (desk.evidence(), desk.stored()) == ([], [])


def test_pages_of_allowed_sites_may_send_files(tmp_path: Path) -> None:
    """A browser's page of an allowed site may PUT a file, and reads the answer; other sites may not."""
    site = "https://desk.example"
    with open_desk(new_database_url("sqlite", tmp_path), tmp_path, allowed_origins=(site,)) as desk:
        address = desk.address()
        asking = {"access-control-request-method": "PUT", "access-control-request-headers": "content-type"}
        for origin, allowed in ((site, 200), ("https://other.example", 400)):
            assert desk.http.options(address, headers={"origin": origin, **asking}).status_code == allowed
        answer = desk.http.put(address, content=PNG, headers={"origin": site, "content-type": "image/png"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (201, site)


def test_a_file_that_never_became_evidence_is_removed(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stored by a process that died before its commit goes with its announcement; evidence stays."""
    with open_desk(database_url, tmp_path) as desk:
        address = desk.address()
        with monkeypatch.context() as broken:

            async def die(*_: Any) -> None:
                raise SystemError("killed here")

            broken.setattr("refundgql.commands.evidence_files.add_file_evidence", die)
            assert desk.send(address)[0] == 500
        assert (len(desk.stored()), desk.evidence()) == (1, [])
        assert desk.send(desk.address()) == (201, None)

        async def clear() -> int:
            async with bootstrap.open_application(desk.settings) as application:
                return await clear_abandoned(application.uow)

        assert asyncio.run(clear()) == 0
        desk.set_time(START + timedelta(hours=2))
        assert asyncio.run(clear()) == 1
        assert asyncio.run(clear()) == 0
        assert desk.send(address) == (410, "GONE")
        (piece,), (kept,) = desk.evidence(), desk.stored()
        assert desk.http.get(piece["url"]).content == kept.read_bytes() == PNG


def test_without_a_secret_no_files_are_taken(desk: EvidenceDesk, tmp_path: Path) -> None:
    """A server whose keys are somebody else's says that it takes no files until it is given a secret of its own."""
    from refundgql.serving import tickets_of
    from refundgql.web.keys import IssuerKeys

    keys = IssuerKeys("https://issuer.test/keys")
    assert tickets_of(desk.settings, keys) is None
    given = desk.settings.model_copy(update={"signing_key": None})
    assert tickets_of(given, keys) is None
    from refundgql.settings import Settings

    secret = Settings(signing_key="s" * 32)
    assert tickets_of(secret, keys) is not None


def test_a_large_file_streams(desk: EvidenceDesk) -> None:
    """A file of the largest size arrives in pieces and comes back whole."""
    content = PNG + bytes(desk.settings.evidence_max_bytes - len(PNG))

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), 1_000_000):
            yield content[start : start + 1_000_000]

    assert desk.send(desk.address(content), pieces()) == (201, None)
    with httpx.stream("GET", desk.evidence()[0]["url"]) as answer:
        assert b"".join(answer.iter_bytes()) == content
