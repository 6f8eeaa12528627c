"""A demo as a process of its own, which can be killed and started again where it was."""

import asyncio
import base64
import json
import os
import shutil
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from patience import PATIENCE_SECONDS
from ports import free_port
from refundgql import serving
from refundgql.settings import Settings
from refundgql.web.keys import LocalKey
from refundgql.web.tokens import TokenIssuer

_TIMES = (
    "REFUNDGQL_OPERATION_TIMEOUT_SECONDS",
    "REFUNDGQL_BODY_TIMEOUT_SECONDS",
    "REFUNDGQL_CONNECTION_INIT_TIMEOUT_SECONDS",
)
"""What a client is given up after; a busy machine takes longer than that for nothing."""
CLOCKED = Path(__file__).parent / "clocked.py"


@dataclass
class DemoServer:
    """`refundgql demo` on a port and in a folder that outlive it."""

    folder: Path
    port: int = field(default_factory=free_port)
    people: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self._set_ahead(self._ahead())
        clean = {name: value for name, value in os.environ.items() if not name.startswith("REFUNDGQL_")}
        clean |= dict.fromkeys(_TIMES, str(PATIENCE_SECONDS))
        clean |= {"REFUNDGQL_REQUESTS_PER_MINUTE": "10000000"} | self.environment
        log = self.folder / "server.log"
        with log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(CLOCKED), str(self._clock)),
                *("demo", "--port", str(self.port), "--folder", str(self.folder)),
                stdout=out,
                stderr=out,
                env=clean,
            )
        async with httpx.AsyncClient() as http, asyncio.timeout(PATIENCE_SECONDS):
            while True:
                assert self._process.returncode is None, log.read_text()
                with suppress(httpx.TransportError):
                    answer = await http.get(f"{self.url}/graphiql/people.json")
                    if answer.is_success:
                        self.people = {one["role"]: one["token"] for one in reversed(answer.json())}
                        return
                await asyncio.sleep(0.1)

    async def token(self, external_ref: str, lifetime_seconds: int = 3_600) -> str:
        """Return a token of the demo's own key that is good for so long by the demo's clock."""
        settings = Settings(database_url=f"sqlite:///{self.folder / 'demo.sqlite3'}", key_file=self.folder / "key.pem")
        (key, rules), ahead = serving.keys_of(settings), self._ahead()
        assert isinstance(key, LocalKey)
        issuer = TokenIssuer(key, rules, now=lambda: time.time() + ahead)
        return issuer.issue_token(external_ref, lifetime_seconds=lifetime_seconds)

    async def run_out(self, token: str) -> None:
        """Set the demo's clock ahead to the end of a token, and wait until the token is not taken any more.

        However slow a client is, its token lasts as long as the test wants.
        """
        payload = token.split(".")[1]
        expires_at = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        self._set_ahead(max(self._ahead(), expires_at + 1 - time.time()))
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE_SECONDS) as http:
            while True:
                answer = await http.post(f"{self.url}/graphql", json={"query": "{ viewer { id } }"})
                if answer.status_code == httpx.codes.UNAUTHORIZED:
                    return
                await asyncio.sleep(0.1)

    def _ahead(self) -> float:
        return float(self._clock.read_text()) if self._clock.exists() else 0.0

    def _set_ahead(self, seconds: float) -> None:
        written = self._clock.with_suffix(".new")
        written.write_text(str(seconds))
        written.rename(self._clock)

    @property
    def _clock(self) -> Path:
        return self.folder / "seconds-ahead"

    async def kill(self) -> None:
        """End it at once, without a word to anybody."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """End it as a person would."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.terminate()
        await asyncio.wait_for(self._process.wait(), PATIENCE_SECONDS)

    def keep_copy(self) -> None:
        """Copy the database of a demo that does not run."""
        for file in self.folder.glob("demo.sqlite3*"):
            shutil.copy(file, self.folder / f"copy.{file.name}")

    def restore_copy(self) -> None:
        """Put the copy back in the place of the database of a demo that does not run."""
        for file in self.folder.glob("demo.sqlite3*"):
            file.unlink()
        for file in self.folder.glob("copy.*"):
            file.rename(self.folder / file.name.removeprefix("copy."))

    async def run(self, role: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run an operation as the demo's person with a role."""
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
            answer = await http.post(
                f"{self.url}/graphql",
                json={"query": query, "variables": variables or {}},
                headers={"authorization": f"Bearer {self.people[role]}"},
            )
        body: dict[str, Any] = answer.json()
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    async def open_case(self) -> dict[str, Any]:
        """Have the professional report a lead that was just bought, and return the case's id and number."""
        ref, bought = f"lead-{uuid.uuid4()}", datetime.now(UTC) - timedelta(days=5)
        lead: dict[str, Any] = {
            "externalRef": ref,
            "pro": "pro-ada",
            "customer": "customer-cleo",
            "title": "Mend a roof",
        }
        lead |= {"category": "Roofing", "location": "Leeds", "chargedAt": bought.isoformat()}
        lead["price"] = {"amount": "12.00", "currencyCode": "USD"}
        fed = await self.run(
            "SERVICE",
            "mutation ($input: SyncRecordsInput!) { syncRecords(input: $input) { refusals { message } } }",
            {"input": {"records": [{"lead": lead}]}},
        )
        assert fed["syncRecords"]["refusals"] == []
        found = await self.run("SERVICE", f'{{ byExternalRef(kind: LEAD, externalRefs: ["{ref}"]) {{ id }} }}')
        given = {"leadId": found["byExternalRef"][0]["id"], "reason": "JOB_CHANGED"}
        given["reasonDetail"] = "DIFFERENT_LOCATION"
        answer = await self.run(
            "PRO",
            "mutation ($input: RequestLeadRefundInput!) { requestLeadRefund(input: $input) "
            "{ refundCase { id number } refusals { message } } }",
            {"input": {**given, "idempotencyKey": str(uuid.uuid4())}},
        )
        case: dict[str, Any] = answer["requestLeadRefund"]["refundCase"]
        return case

    async def state_something(self, case_id: str) -> None:
        """Add a statement to a case as support: one more event that changes no state."""
        answer = await self.run(
            "SUPPORT",
            "mutation ($input: AddStatementInput!) { addStatement(input: $input) { refusals { message } } }",
            {"input": {"refundCaseId": case_id, "text": f"Looked at it: {uuid.uuid4()}."}},
        )
        assert answer["addStatement"]["refusals"] == []
