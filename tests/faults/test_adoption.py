"""A marketplace adopts the desk as the pages tell, all at once: an upgrade, a history that moves in, payouts, a backup.

People act all the time. An importer and a server are killed in the middle. The books are equal to the cent: those of
the history as the old system added them up, and those of the people as their acts were acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from docs_blocks import block, blocks_of, tools
from fleet import show, size
from old_marketplace import Books, spoilt, tell_history
from test_upgrade import PEOPLE, People, Upgrade, records_before

from databases import drop_database, empty_database_url

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7_200)]

ROOT = Path(__file__).parents[2]
RECORDS = size("RECORDS", 1_200)
SEED = size("SEED", 7)
PATIENCE_SECONDS = 3_600
TAKE_OUT = """mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) {
  withdrawal { id } refusals { code } } }"""
CANCEL = "mutation($input: CancelWithdrawalInput!) { cancelWithdrawal(input: $input) { refusals { code } } }"


@dataclass
class Users(People):
    """People who act meanwhile, whose books are kept by what was acknowledged, and how long each act took."""

    books: Books = field(default_factory=Books)
    waits: list[float] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    upgraded: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        """Begin the books with what was paid before: forty invoices of 50.00 each for every expert."""
        for number in range(PEOPLE):
            self.books.available[f"expert-u{number}", "CONTRACTS"] = 40 * 5_000

    async def ask(self, who: str, query: str, variables: dict[str, Any] | None = None) -> Any:
        """Ask, and note how long the answer took."""
        began = time.monotonic()
        answer = await super().ask(who, query, variables)
        self.waits.append(time.monotonic() - began)
        return answer

    async def act(self, who: str, name: str, **given: Any) -> str:
        """Act, and book what was approved."""
        case = await super().act(who, name, **given)
        if name.startswith("request"):
            self.owners[case] = who
        if name == "approveRefund":
            owner = self.owners[case]
            if owner.startswith("pro"):
                self.books.available[owner, "LEADS"] += 1_800
            else:
                self.books.available[owner, "CONTRACTS"] += 500
                self.books.available[who, "CONTRACTS"] -= 500
        return case

    async def take_out(self, number: int) -> None:
        """Take cents out by hand, cancel every third payout if it was not sent yet: the release before cannot."""
        who, turn = f"expert-u{number}", 0
        await self.upgraded.wait()
        while not self.stopped.is_set():
            turn += 1
            given = {"amount": {"amount": "0.01", "currencyCode": "USD"}, "idempotencyKey": f"out-{turn}"}
            made = (await self.ask(who, TAKE_OUT, {"input": given}))["requestWithdrawal"]
            if made["refusals"]:
                self.wrong.append(f"{who}: {made}")
                return
            self.books.available[who, "CONTRACTS"] -= 1
            if turn % 3 == 0:
                given = {"withdrawalId": made["withdrawal"]["id"], "idempotencyKey": f"cancel-{turn}"}
                done = (await self.ask(who, CANCEL, {"input": given}))["cancelWithdrawal"]
                self.books.available[who, "CONTRACTS"] += 0 if done["refusals"] else 1
            await asyncio.sleep(0.5)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """Return what everybody does."""
        return [*super().work(), *(self.take_out(number) for number in range(PEOPLE))]


class Adoption(Upgrade):
    """One database, its servers, and the commands of the pages."""

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment that commands have."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REFUNDGQL_")}
        return kept | self.settings | {"PATH": tools(), "REFUNDGQL_PORT": "0"} | more

    async def started(self, text: str, **more: str) -> asyncio.subprocess.Process:
        """Start a block of a page as somebody who pastes it."""
        return await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", text),
            cwd=self.folder,
            env=self.environment(**more),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, text: str, *, refused: bool = False, **more: str) -> str:
        """Run a block to its end, which has to go through, or not, and return what it printed."""
        process = await self.started(text, **more)
        async with asyncio.timeout(PATIENCE_SECONDS):
            told, _ = await process.communicate()
        assert (process.returncode == 0) is not refused, f"{text}\n{told.decode()[-3_000:]}"
        return told.decode()

    async def killed_while_writing(self, text: str) -> None:
        """Start an import and kill it when it has written some of it."""
        process = await self.started(f"exec {text}")
        database = await asyncpg.connect(self.settings["REFUNDGQL_DATABASE_URL"])
        try:
            while True:
                if await database.fetchval("SELECT count(*) FROM account WHERE external_ref LIKE 'customer-%'") > 20:
                    break
                await asyncio.sleep(0.02)
            with contextlib.suppress(ProcessLookupError):  # a short history may be in by then
                process.kill()
        finally:
            await database.close()
        await process.communicate()


def of_moving_in(heading: str, url: str) -> str:
    """Return a block of the page about moving in, with the address of this server."""
    (found,) = [one.text for one in blocks_of(ROOT / "docs" / "moving-in.md") if one.heading == heading]
    return found.replace("http://127.0.0.1:8000", url)


@pytest.fixture
def adoption(tmp_path: Path) -> Iterator[Adoption]:
    """Give a desk of the release before, in use, and the files of the marketplace that moves in."""
    url = empty_database_url("postgres", tmp_path)
    adopted = Adoption(tmp_path, url)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    adopted.import_before(records_before("u"))
    yield adopted
    for server in adopted.fleet.servers:
        server.kill()
    drop_database(url)


@dataclass
class LockWaits:
    """The longest that a session was seen to wait for a table or a row; nobody but `migrate` waits for more."""

    url: str
    longest_ms: int = 0

    async def watch(self) -> None:
        """Look again and again until it is cancelled."""
        seen = "SELECT max(extract(epoch FROM clock_timestamp() - waitstart)) FROM pg_locks"
        seen += " WHERE NOT granted AND locktype IN ('relation', 'tuple', 'transactionid')"
        connection = await asyncpg.connect(self.url)
        try:
            while True:
                self.longest_ms = max(self.longest_ms, round((await connection.fetchval(seen) or 0) * 1_000))
                await asyncio.sleep(0.02)
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def measured(what: str, users: Users, **figures: Any) -> AsyncIterator[None]:
    """Print how long something took, how long people waited meanwhile, and how much of that for locks."""
    began, acts = time.monotonic(), len(users.waits)
    locks = LockWaits(users.fleet.settings["REFUNDGQL_DATABASE_URL"])
    watching = asyncio.create_task(locks.watch())
    yield
    watching.cancel()
    figures["lock_ms"] = locks.longest_ms
    took, waits = time.monotonic() - began, sorted(users.waits[acts:]) or [0.0]
    rate = {"records_per_s": round(figures["records"] / took)} if "records" in figures else {}
    half, most = (round(waits[int(part * (len(waits) - 1))] * 1_000) for part in (0.5, 0.99))
    longest = round(waits[-1] * 1_000)
    show(what, seconds=round(took, 1), **figures, **rate, acts=len(waits), p50_ms=half, p99_ms=most, longest_ms=longest)


async def test_a_marketplace_moves_in_and_its_books_are_equal(adoption: Adoption, tmp_path: Path) -> None:
    """Upgrade, import with a bad line, kills, payouts with SERVICE's token, backup and restore, all beside people."""
    history = tmp_path / "history.jsonl"
    books, records = tell_history(history, RECORDS, SEED)
    bad = spoilt(history, records // 2)
    former_url, url = adoption.fleet.urls
    users = Users(adoption.fleet, suffix="u")
    users.begin()
    adoption.former.start()
    await adoption.ready(adoption.former)
    users.urls = [former_url]
    people = of_moving_in("The first accounts", url).splitlines()[-1]
    moving = of_moving_in("The history", url).splitlines()[0]
    async with users.acting():
        async with measured("upgrade", users):
            await adoption.run(block("operations.md", "refundgql migrate").text)
            adoption.new.start()
            await adoption.ready(adoption.new)
            users.urls = [former_url, url]
            await users.more(30)
            users.urls = [url]
            adoption.former.kill()
            users.upgraded.set()
        await adoption.run(people)
        told = await adoption.run(moving.replace("examples/marketplace/history.jsonl", bad.name), refused=True)
        assert f"{bad.name}, line {records // 2 + 1}: invoice.amount" in told, told[-3_000:]
        moving = moving.replace("examples/marketplace/history.jsonl", history.name)
        await adoption.killed_while_writing(moving)
        async with measured("import", users, records=records):
            importing = asyncio.create_task(adoption.run(moving))
            await asyncio.sleep(1)
            adoption.new.kill()
            adoption.new.start()
            await importing
        await adoption.run("refundgql ledger verify")
        await adoption.ready(adoption.new)
        compare = of_moving_in("To the cent", url).replace("examples/marketplace/balances.csv", "balances.csv")
        books.write(tmp_path / "balances.csv")
        assert ", 0 differ." in await adoption.run(compare)
        async with measured("payouts", users):
            await adoption.run(of_moving_in("Payouts from then on", url))
        books.in_transit.clear()
        async with measured("backup", users):
            await adoption.run(block("operations.md", DUMP).text, REFUNDGQL_BUS="memory")
        async with measured("the same again", users, records=records):
            told = await adoption.run(moving)
            assert "0 created, 0 updated" in told
    assert users.wrong == []
    await adoption.run(of_moving_in("Payouts from then on", url))
    for kept, more in ((books.available, users.books.available), (books.in_transit, users.books.in_transit)):
        kept.update(more)
    books.write(tmp_path / "balances.csv")
    assert ", 0 differ." in await adoption.run(compare)
    assert "every invariant holds" in await adoption.run("refundgql ledger verify")
    await restored(adoption, tmp_path)


DUMP = 'pg_dump --format=custom --file=copy.dump "$REFUNDGQL_DATABASE_URL"'
RESTORE = 'pg_restore --no-owner --exit-on-error --dbname="$RESTORED_URL" copy.dump'


async def restored(adoption: Adoption, folder: Path) -> None:
    """Bring the backup back elsewhere: the history's books are there to the cent, and the ledger is sound."""
    other = empty_database_url("postgres", folder)
    try:
        told = await adoption.run(block("operations.md", RESTORE).text, RESTORED_URL=other, REFUNDGQL_BUS="memory")
        assert "every invariant holds" in told
        back = await asyncpg.connect(other)
        try:
            rows = await back.fetch(
                "SELECT a.external_ref, l.purpose, l.balance_minor FROM ledger_account l JOIN account a"
                " ON a.id = l.owner_id WHERE a.external_ref !~ '-u[0-9]+$' AND l.balance_minor <> 0"
            )
        finally:
            await back.close()
        expected, _ = tell_history(folder / "again.jsonl", RECORDS, SEED)
        assert {(row[0], row[1]): row[2] for row in rows} == {
            key: minor for key, minor in expected.available.items() if minor
        }
    finally:
        drop_database(other)
