"""A demo as a process of its own, which can be killed and started again where it was."""

import asyncio
import os
import shutil
import socket
import sys
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

STARTUP_SECONDS = 180


@dataclass
class DemoServer:
    """`refundgql demo` on a port and in a folder that outlive it."""

    folder: Path
    port: int = field(default_factory=lambda: free_port())
    people: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it and wait until it answers."""
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith("REFUNDGQL_")
        } | self.environment
        log = self.folder / "server.log"
        with log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "refundgql", "demo", "--port", str(self.port), "--folder", str(self.folder)),
                stdout=out,
                stderr=out,
                env=clean | self.environment,
            )
        async with httpx.AsyncClient() as http:
            for _ in range(STARTUP_SECONDS * 10):
                assert self._process.returncode is None, log.read_text()
                with suppress(httpx.TransportError):
                    answer = await http.get(f"{self.url}/graphiql/people.json")
                    if answer.is_success:
                        self.people = {one["role"]: one["token"] for one in reversed(answer.json())}
                        return
                await asyncio.sleep(0.1)
        raise AssertionError(log.read_text())

    async def token(self, external_ref: str, lifetime_seconds: int) -> str:
        """Return a token of the demo's own key that is good for so long."""
        settings = {
            "REFUNDGQL_DATABASE_URL": f"sqlite:///{self.folder / 'demo.sqlite3'}",
            "REFUNDGQL_KEY_FILE": str(self.folder / "key.pem"),
        }
        command = ("token", "--as", external_ref, "--lifetime-seconds", str(lifetime_seconds))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "refundgql", *command, stdout=asyncio.subprocess.PIPE, env=os.environ | settings
        )
        told, _ = await process.communicate()
        assert process.returncode == 0
        return told.decode().strip()

    async def run_out(self, token: str) -> None:
        """Wait until a token is not taken any more."""
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}) as http, asyncio.timeout(120):
            while True:
                answer = await http.post(f"{self.url}/graphql", json={"query": "{ viewer { id } }"})
                if answer.status_code == httpx.codes.UNAUTHORIZED:
                    return
                await asyncio.sleep(0.1)

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
        await asyncio.wait_for(self._process.wait(), 20)

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
        async with httpx.AsyncClient(timeout=30) as http:
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
        """Have the professional report a lead, and return the case's id and number."""
        leads = await self.run("PRO", "{ leads(first: 100) { edges { node { id refundAction { enabled } } } } }")
        lead = next(edge["node"] for edge in leads["leads"]["edges"] if edge["node"]["refundAction"]["enabled"])
        given = {"leadId": lead["id"], "reason": "JOB_CHANGED", "reasonDetail": "DIFFERENT_LOCATION"}
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


def free_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
