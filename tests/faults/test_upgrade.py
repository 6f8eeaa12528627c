"""An upgrade as docs/operations.md tells it, with the release before beside this one, while people act.

`former_release.tar.xz` is the last release's package, without the files that browsers get; when a release is made, its
package takes this place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from docs_blocks import block, done
from fleet import Fleet, Program

from databases import DIALECTS, PATIENCE_MS, drop_database, empty_database_url
from patience import PATIENCE_SECONDS
from refundgql.web import health

pytestmark = pytest.mark.slow

FORMER = Path(__file__).parent / "former_release.tar.xz"
PEOPLE = 6
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEADS = 40
INVOICES = 40
THOUGHT_SECONDS = 0.2
"""Before each act: there is something to do to the end, and processors are left to what is tried."""


def records_before(suffix: str = "") -> list[dict[str, Any]]:
    """Return what the marketplace had told before: leads and paid invoices of a few people, with names of their own."""
    at = (NOW - timedelta(days=3)).isoformat().replace("+00:00", "Z")

    def account(ref: str, role: str) -> dict[str, Any]:
        return {"account": {"externalRef": ref, "name": ref, "roles": [role]}}

    records = [account("ivy", "SUPPORT"), account("customer", "CUSTOMER")]
    for place in range(PEOPLE):
        number = f"{suffix}{place}"
        pro, client, expert = f"pro-{number}", f"client-{number}", f"expert-{number}"
        records += [account(pro, "PRO"), account(client, "CLIENT"), account(expert, "EXPERT")]
        for one in range(LEADS):
            lead = {"externalRef": f"lead-{number}-{one}", "pro": pro, "customer": "customer", "title": "Fence"}
            lead |= {"category": "Painting", "location": "Leeds", "chargedAt": at}
            records.append({"lead": lead | {"price": {"amount": "18.00", "currencyCode": "USD"}}})
        contract = {"externalRef": f"contract-{number}", "kind": "FIXED_PRICE", "client": client, "expert": expert}
        contract |= {"title": "Logo", "status": "OPEN", "startedAt": at, "currencyCode": "USD"}
        records.append({"contract": contract})
        for one in range(INVOICES):
            invoice = {"externalRef": f"invoice-{number}-{one}", "contract": f"contract-{number}"}
            invoice |= {"number": f"{number}-{one}", "issuedAt": at, "paidAt": at}
            records.append({"invoice": invoice | {"amount": {"amount": "50.00", "currencyCode": "USD"}}})
    return records


ASK_LEADS = "{ leads(first: 100) { edges { node { id } } } }"
ASK_INVOICES = "{ contracts { edges { node { invoices(first: 100) { edges { node { id } } } } } } }"
PAYLOAD = "{ refundCase { id state } refusals { code message } }"


def _mutation(name: str) -> str:
    return f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {PAYLOAD} }}"


@dataclass
class People:
    """People who act on whatever servers there are, one act after another, and note every answer that is none."""

    fleet: Fleet
    suffix: str = ""
    urls: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.client = httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False)
        self.turn = 0

    async def ask(self, who: str, query: str, variables: dict[str, Any] | None = None) -> Any:
        """Send an operation to one server after another until one answers; a cut connection is no answer."""
        token = self.tokens.setdefault(who, self.fleet.token(who))
        while True:
            self.turn += 1
            url = self.urls[self.turn % len(self.urls)]
            try:
                answer = await self.client.post(
                    f"{url}/graphql",
                    json={"query": query, "variables": variables or {}},
                    headers={"Authorization": f"Bearer {token}"},
                )
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code != 200 or "errors" in answer.json():
                self.wrong.append(f"{who}: {answer.status_code} {answer.text[:300]}")
            return answer.json().get("data")

    async def act(self, who: str, name: str, **given: Any) -> str:
        """Do something under a key of its own and return the case."""
        await asyncio.sleep(THOUGHT_SECONDS)
        self.acts[name] += 1
        key = f"{name}-{self.acts[name]}"
        answer = await self.ask(who, _mutation(name), {"input": {**given, "idempotencyKey": key}})
        payload = (answer or {}).get(name) or {}
        if payload.get("refusals") != [] or not payload.get("refundCase"):
            self.wrong.append(f"{who} {name}: {payload}")
            return ""
        return str(payload["refundCase"]["id"])

    async def ask_for_leads(self, number: int) -> None:
        """Ask for one lead after another; support approves and declines in turn."""
        pro = f"pro-{self.suffix}{number}"
        leads = await self.ask(pro, ASK_LEADS)
        for place, edge in enumerate(leads["leads"]["edges"]):
            if self.stopped.is_set():
                return
            given = {"leadId": edge["node"]["id"], "reason": "OTHER", "explanation": "Not it."}
            case = await self.act(pro, "requestLeadRefund", **given)
            await self.act(pro, "addStatement", refundCaseId=case, text="Please.")
            if place % 2:
                await self.act("ivy", "approveRefund", refundCaseId=case)
            else:
                await self.act("ivy", "declineRefund", refundCaseId=case, message="It stands.")

    async def ask_for_invoices(self, number: int) -> None:
        """Ask for a part of one invoice after another; the expert approves."""
        client, expert = f"client-{self.suffix}{number}", f"expert-{self.suffix}{number}"
        answer = await self.ask(client, ASK_INVOICES)
        for edge in answer["contracts"]["edges"][0]["node"]["invoices"]["edges"]:
            if self.stopped.is_set():
                return
            given = {"invoiceId": edge["node"]["id"], "amount": {"amount": "5.00", "currencyCode": "USD"}}
            case = await self.act(client, "requestInvoiceRefund", **given)
            await self.act(expert, "approveRefund", refundCaseId=case)

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """Return what everybody does."""
        everybody = range(PEOPLE)
        return [*map(self.ask_for_leads, everybody), *map(self.ask_for_invoices, everybody)]

    @contextlib.asynccontextmanager
    async def acting(self) -> AsyncIterator[None]:
        """Let everybody act meanwhile."""
        tasks = [asyncio.create_task(one) for one in self.work()]
        try:
            yield
            self.stopped.set()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await self.client.aclose()

    async def more(self, acts: int) -> None:
        """Wait until so many more acts have been begun, or everybody is through."""
        target = min(self.acts.total() + acts, PEOPLE * (3 * LEADS + 2 * INVOICES))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if self.acts.total() >= target:
                    return
                await asyncio.sleep(0.02)


def _be_patient(limits: Path) -> None:
    """Let the release before wait for its database on a busy machine: no setting of its own gives it more time."""
    text = limits.read_text(encoding="utf-8")
    assert text.count("_timeout_ms: int = 5_000") == 3
    patient = f"_timeout_ms: int = {PATIENCE_MS}"
    limits.write_text(text.replace("_timeout_ms: int = 5_000", patient), encoding="utf-8")


class Upgrade:
    """One database, and servers of both releases on it."""

    def __init__(self, folder: Path, url: str) -> None:
        """Unpack the former release; nothing runs yet."""
        self.folder = folder
        with tarfile.open(FORMER) as archive:
            archive.extractall(folder / "former", filter="data")
        _be_patient(folder / "former" / "src" / "refundgql" / "storage" / "database.py")
        self.fleet = Fleet.prepare(folder, url, "", NOW, 2)
        for settings in (self.fleet.settings, *(server.environment for server in self.fleet.servers)):
            del settings["REFUNDGQL_POLICY"]  # the release before does not know all of it
        self.former, self.new = self.fleet.servers
        self.former_path = {"PYTHONPATH": str(folder / "former" / "src")}
        self.former.environment |= self.former_path
        self.settings = {name: value for name, value in self.fleet.settings.items() if name != "REFUNDGQL_BUS"}

    def of_former(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the former release."""
        command = [sys.executable, "-m", "refundgql", *arguments]
        return subprocess.run(
            command,
            env=self.former.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def import_before(self, records: list[dict[str, Any]]) -> None:
        """Let the former release make its schema and take records in."""
        lines = "".join(f"{json.dumps(one)}\n" for one in records)
        (self.folder / "records.jsonl").write_text(lines, encoding="utf-8")
        for arguments in (("migrate",), ("import", "records.jsonl")):
            made = self.of_former(*arguments)
            assert made.returncode == 0, (made.stdout + made.stderr)[-2_000:]

    async def by_the_page(self, begins: str) -> str:
        """Run a block of docs/operations.md, word for word, and return what it printed."""
        return await asyncio.to_thread(done, block("operations.md", begins).text, self.folder, **self.settings)

    async def ready(self, server: Program) -> None:
        """Wait until one server serves."""
        url = self.fleet.urls[self.fleet.servers.index(server)]
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{url}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def staying_ready(self, server: Program) -> AsyncIterator[None]:
        """Ask a server all the time whether it is ready, which it has to say each time.

        A busy machine may take longer over an answer than a server waits for its database; a wrong schema is said at
        once.
        """
        url = self.fleet.urls[self.fleet.servers.index(server)]
        answers: list[str] = []
        heard = asyncio.Event()

        async def look() -> None:
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
                while True:
                    began = time.monotonic()
                    answer = await client.get(f"{url}/readyz")
                    if answer.status_code == 200 or time.monotonic() - began < health.CHECK_SECONDS:
                        answers.append(f"{answer.status_code} {answer.text}")
                        heard.set()
                    await asyncio.sleep(0.05)

        task = asyncio.create_task(look())
        try:
            yield
            await asyncio.wait_for(heard.wait(), PATIENCE_SECONDS)  # what is quick is over before the first answer
        finally:
            task.cancel()
        assert [one for one in answers if not one.startswith("200")] == []


@pytest.fixture(params=DIALECTS)
def upgrade(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Upgrade]:
    """Give a database of the former release with a marketplace in it, and a server of that release's to start."""
    url = empty_database_url(request.param, tmp_path)
    prepared = Upgrade(tmp_path, url)
    prepared.import_before(records_before())
    yield prepared
    for server in prepared.fleet.servers:
        server.kill()
    drop_database(url)


async def test_nobody_notices_an_upgrade(upgrade: Upgrade) -> None:
    """Expanded under load, the old process stays ready and comes back when killed; both serve side by side; after the
    contraction the old one refuses to start. No act fails, and the books are sound."""
    people = People(upgrade.fleet)
    former_url, new_url = upgrade.fleet.urls
    beside = "sqlite" not in upgrade.settings["REFUNDGQL_DATABASE_URL"]  # several processes need PostgreSQL
    upgrade.former.start()
    await upgrade.ready(upgrade.former)
    people.urls = [former_url]
    async with people.acting():
        await people.more(30)
        async with upgrade.staying_ready(upgrade.former):
            told = await upgrade.by_the_page("refundgql migrate")
            await people.more(30)
        assert "done in" in told
        upgrade.former.kill()
        upgrade.former.start()
        await upgrade.ready(upgrade.former)
        await people.more(30)
        if beside:
            upgrade.new.start()
            await upgrade.ready(upgrade.new)
            people.urls = [former_url, new_url]
            async with upgrade.staying_ready(upgrade.former), upgrade.staying_ready(upgrade.new):
                await people.more(90)
        people.urls = [new_url]
        upgrade.former.kill()
        if not beside:
            upgrade.new.start()
            await upgrade.ready(upgrade.new)
        async with upgrade.staying_ready(upgrade.new):
            await upgrade.by_the_page("refundgql migrate --contract")
            await people.more(30)
    assert people.wrong == []
    refused = upgrade.of_former("serve", "--allow-test-clock", "--port", "0")
    assert (refused.returncode, "newer than this version" in refused.stderr) == (2, True)
    assert "every invariant holds" in await upgrade.by_the_page("refundgql ledger verify")
