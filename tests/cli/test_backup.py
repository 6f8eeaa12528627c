"""Backup, restore and upgrade, with the very commands of docs/operations.md, while the desk is written to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command_line import ask, run
from docs_blocks import block, done
from real_desk import real_desk

from databases import LIMITS, drop_database, empty_database_url, new_database_url
from patience import PATIENCE_SECONDS, until_now
from refundgql import bootstrap
from refundgql.cli.replaying import StoryDesk
from refundgql.clocks import SetClock
from refundgql.settings import Settings
from refundgql.storage.database import Database
from refundgql.storage.events import Cursor, read_stream, stream_head
from refundgql.storage.ledger_checks import verify
from refundgql.storage.migrating import migrate

pytestmark = pytest.mark.slow

SQLITE_BACKUP = "refundgql backup copy.sqlite3"
SQLITE_RESTORE = "rm -f refundgql.sqlite3 refundgql.sqlite3-wal refundgql.sqlite3-shm"
POSTGRES_BACKUP = 'pg_dump --format=custom --file=copy.dump "$REFUNDGQL_DATABASE_URL"'
POSTGRES_RESTORE = 'pg_restore --no-owner --exit-on-error --dbname="$RESTORED_URL" copy.dump'
WITHDRAW = """mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) {
  withdrawal { id } refusals { code } } }"""
NOTE = """mutation($input: AddStatementInput!) { addStatement(input: $input) { refusals { code message } } }"""
# A case takes so many statements and no more; of messages it takes any number, however fast the desk answers.
MESSAGE = """mutation($input: SendCaseMessageInput!) { sendCaseMessage(input: $input) {
  message { id } refusals { code message } } }"""


@dataclass
class Writer:
    """Somebody who writes to a running desk as fast as it answers, and notes what was acknowledged."""

    url: str
    tokens: dict[str, str]
    case_id: str = ""
    messages: list[str] = field(default_factory=list)
    withdrawals: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def open_case(self) -> None:
        """Ask for money back, so that there is a case to write on."""
        found = ask(self.url, self.tokens["pro"], "{ leads { edges { node { id refundAction { enabled } } } } }")
        lead = next(e["node"]["id"] for e in found["data"]["leads"]["edges"] if e["node"]["refundAction"]["enabled"])
        given = {"leadId": lead, "reason": "OTHER", "explanation": "Not it.", "idempotencyKey": "case"}
        query = "mutation($input: RequestLeadRefundInput!) { requestLeadRefund(input: $input) { refundCase { id } } }"
        made = ask(self.url, self.tokens["pro"], query, {"input": given})
        self.case_id = made["data"]["requestLeadRefund"]["refundCase"]["id"]

    def wait_for(self, messages: int = 0, withdrawals: int = 0) -> None:
        """Wait until so much is acknowledged."""
        until_now(lambda: len(self.messages) >= messages and len(self.withdrawals) >= withdrawals)

    def write(self) -> None:
        """Write events and postings until told to stop."""
        number = 0
        while not self.stop.is_set():
            number += 1
            given: dict[str, Any] = {"refundCaseId": self.case_id, "body": f"Message {number}"}
            sent = ask(self.url, self.tokens["pro"], MESSAGE, {"input": given})["data"]["sendCaseMessage"]
            self.messages.append(sent["message"]["id"])
            given = {"amount": {"amount": "0.01", "currencyCode": "USD"}, "idempotencyKey": f"w{number}"}
            paid = ask(self.url, self.tokens["client"], WITHDRAW, {"input": given})["data"]["requestWithdrawal"]
            if paid["withdrawal"]:
                self.withdrawals.append(paid["withdrawal"]["id"])


@contextmanager
def written_to(folder: Path, url: str) -> Iterator[Writer]:
    """Serve a desk with the demo's records and write to it until the block ends."""
    asyncio.run(bootstrap.migrate(Settings(database_url=url)))
    with real_desk(folder, database_url=url) as desk:
        writer = Writer(desk.url, {"pro": desk.token("pro-ada"), "client": desk.token("client-eva")})
        writer.open_case()
        thread = threading.Thread(target=writer.write, daemon=True)
        thread.start()
        try:
            yield writer
        finally:
            writer.stop.set()
            thread.join(PATIENCE_SECONDS)


async def looked_at(url: str) -> tuple[int, int, list[str], Cursor, Cursor]:
    """Return events, withdrawals, broken invariants, the last event's cursor and the head of a database."""
    database = await Database.open(url, LIMITS)
    try:
        broken = [one.invariant async for one in verify(database)]
        events = await database.fetch_value("SELECT COUNT(*) FROM refund_event")
        withdrawals = await database.fetch_value("SELECT COUNT(*) FROM withdrawal")
        row = await database.fetch_row(
            "SELECT commit_order, position FROM refund_event ORDER BY 1 DESC, 2 DESC LIMIT 1"
        )
        assert row is not None
        return events, withdrawals, broken, Cursor(row[0], row[1]), await stream_head(database)
    finally:
        await database.close()


async def goes_on(url: str, lost: Cursor, case_id: str) -> None:
    """Check that the restored desk is written to, and that a client with a cursor of lost events misses nothing new."""
    settings = Settings(database_url=url, bus="memory")
    async with bootstrap.open_application(settings) as application:
        desk = StoryDesk(application, bootstrap.make_engine(settings), SetClock(datetime.now(UTC)))
        given = {"refundCaseId": case_id, "text": "After the restore"}
        answer = await desk.execute("pro-ada", NOTE, {"input": given})
        assert answer["data"]["addStatement"]["refusals"] == []
        page = await read_stream(application.database, lost)
        assert [event.name for event in page.events] == ["ADD_EVIDENCE"]


def test_sqlite_is_backed_up_and_restored(tmp_path: Path) -> None:
    """A copy taken while the desk writes is whole, holds what was acknowledged before, and serves again."""
    url = f"sqlite:///{tmp_path / 'refundgql.sqlite3'}"
    settings = {"REFUNDGQL_DATABASE_URL": url}
    with written_to(tmp_path, url) as writer:
        writer.wait_for(withdrawals=3)
        messages, withdrawals = len(writer.messages), len(writer.withdrawals)
        done(block("operations.md", SQLITE_BACKUP).text, tmp_path, **settings)
        writer.wait_for(messages=len(writer.messages) + 5)
    *_, lost, _ = asyncio.run(looked_at(url))
    printed = done(block("operations.md", SQLITE_RESTORE).text, tmp_path, **settings)
    assert "every invariant holds" in printed
    events, paid, broken, last, head = asyncio.run(looked_at(url))
    assert broken == []
    assert events > messages
    assert paid >= withdrawals
    assert last < lost < head
    asyncio.run(goes_on(url, lost, writer.case_id))


def test_postgres_is_backed_up_and_restored(tmp_path: Path) -> None:
    """The same with pg_dump and pg_restore, into another database."""
    url, restored = empty_database_url("postgres", tmp_path), empty_database_url("postgres", tmp_path)
    settings = {"REFUNDGQL_DATABASE_URL": url, "REFUNDGQL_BUS": "memory"}
    try:
        with written_to(tmp_path, url) as writer:
            writer.wait_for(withdrawals=3)
            messages, withdrawals = len(writer.messages), len(writer.withdrawals)
            done(block("operations.md", POSTGRES_BACKUP).text, tmp_path, **settings)
            writer.wait_for(messages=len(writer.messages) + 5)
        *_, lost, _ = asyncio.run(looked_at(url))
        printed = done(block("operations.md", POSTGRES_RESTORE).text, tmp_path, RESTORED_URL=restored, **settings)
        assert "every invariant holds" in printed
        events, paid, broken, last, head = asyncio.run(looked_at(restored))
        assert broken == []
        assert events > messages
        assert paid >= withdrawals
        assert last < lost < head
        asyncio.run(goes_on(restored, lost, writer.case_id))
    finally:
        drop_database(url)
        drop_database(restored)


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_an_older_database_is_upgraded(tmp_path: Path, dialect: str) -> None:
    """What an older version left is brought up to date by the documented command, with everything in it."""
    url = empty_database_url(dialect, tmp_path)
    settings = {"REFUNDGQL_DATABASE_URL": url}
    try:
        asyncio.run(make_older(url))
        checked = run(tmp_path, "migrate", "--check", **settings)
        assert checked.returncode == 1
        with pytest.raises(bootstrap.CannotRun, match="run `refundgql migrate`"):
            asyncio.run(bootstrap.verify_ledger(Settings(database_url=url)))
        done(block("operations.md", "refundgql migrate").text, tmp_path, **settings)
        assert asyncio.run(bootstrap.pending_migrations(Settings(database_url=url))) == []
        assert asyncio.run(bootstrap.verify_ledger(Settings(database_url=url))) == []
        assert asyncio.run(found(url, "somebody-old"))
    finally:
        drop_database(url)


async def found(url: str, external_ref: str) -> bool:
    """Tell whether an account can sign in."""
    async with bootstrap.open_application(Settings(database_url=url, bus="memory")) as application:
        return await application.load_viewer(external_ref) is not None


async def make_older(url: str) -> None:
    """Bring a database to the schema of the first version only, with an account in it."""
    database = await Database.open(url, LIMITS)
    try:
        await migrate(database, until="0002_rules")
        async with database.transaction() as tx:
            await tx.execute(
                "INSERT INTO account (id, external_ref, name, roles, created_at) VALUES (?, ?, ?, ?, ?)",
                ("01920000-0000-7000-8000-000000000001", "somebody-old", "Somebody", "SUPPORT", 1_700_000_000_000_000),
            )
    finally:
        await database.close()


def test_a_backup_does_not_overwrite(tmp_path: Path) -> None:
    """An older copy is not lost to a newer one, and PostgreSQL has tools of its own."""
    settings = {"REFUNDGQL_DATABASE_URL": new_database_url("sqlite", tmp_path)}
    (tmp_path / "copy.sqlite3").write_text("precious")
    refused = run(tmp_path, "backup", "copy.sqlite3", **settings)
    assert (refused.returncode, "exists already" in refused.stderr) == (2, True)
    assert (tmp_path / "copy.sqlite3").read_text() == "precious"
    elsewhere = run(tmp_path, "backup", "x", REFUNDGQL_DATABASE_URL="postgres://a:b@127.0.0.1:1/c")
    assert (elsewhere.returncode, "pg_dump" in elsewhere.stderr) == (2, True)
