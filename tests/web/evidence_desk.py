"""Whole servers over one database and one evidence store, with a case to send files to."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from api_world import START, at, marketplace
from patience import PATIENCE_SECONDS
from refundgql import bootstrap, serving
from refundgql.commands.import_records import import_lines
from refundgql.gql.server import Serving, make_config
from refundgql.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 40
UPLOAD = """mutation($input: CreateEvidenceUploadInput!) { createEvidenceUpload(input: $input) {
  uploadUrl expiresAt replayed refusals { code message field } } }"""
CASE = """query($id: ID!) { refundCase(id: $id) { version events { edges { node { name } } }
  evidence { __typename id sha256 addedBy { name } ... on FileEvidence { fileName contentType sizeBytes url } } } }"""
MEDIA = {"content-type": "application/json"}


@contextlib.contextmanager
def server(settings: Settings) -> Iterator[str]:
    """Serve from a thread and give the URL; the settings' own URL is that one."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = serving.make_app(settings.model_copy(update={"public_url": settings.public_url or url}))
    config = make_config(lambda: app, Serving(shutdown_seconds=2), lambda: None)
    running = uvicorn.Server(config)

    def run() -> None:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(running.serve(sockets=[listener]))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive()
        threading.Event().wait(0.01)
    try:
        yield url
    finally:
        running.should_exit = True
        thread.join(PATIENCE_SECONDS)


@dataclass
class EvidenceDesk:
    """One server, its people, and Paula's case."""

    settings: Settings
    folder: Path
    url: str = ""
    case_id: str = ""
    http: httpx.Client = field(default_factory=lambda: httpx.Client())

    def set_time(self, instant: datetime) -> None:
        """Set the rules' clock."""
        assert self.settings.test_clock is not None
        self.settings.test_clock.write_text(at(instant))

    def token(self, ref: str) -> str:
        """Return a person's token."""
        return serving.issuer_of(self.settings).issue_token(ref, lifetime_seconds=600)

    def run(self, ref: str, query: str, **variables: Any) -> Any:
        """Return the data of an operation of a person."""
        headers = {**MEDIA, "authorization": f"Bearer {self.token(ref)}"}
        answer = self.http.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, headers=headers
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def announce(self, content: bytes = PNG, ref: str = "paula", **given: Any) -> Any:
        """Announce a file and return the payload."""
        announced = {
            "refundCaseId": self.case_id,
            "fileName": "Café 1.png",
            "contentType": "image/png",
            "sizeBytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            **given,
        }
        return self.run(ref, UPLOAD, input=announced)["createEvidenceUpload"]

    def address(self, content: bytes = PNG, ref: str = "paula", **given: Any) -> str:
        """Announce a file and return where to send it."""
        payload = self.announce(content, ref, **given)
        assert payload["refusals"] == [], payload["refusals"]
        return str(payload["uploadUrl"])

    def send(self, address: str, content: Any = PNG) -> tuple[int, str | None]:
        """Send a file and return status and code."""
        answer = self.http.put(address, content=content)
        return answer.status_code, None if answer.status_code == 201 else code_of(answer)

    def evidence(self, ref: str = "paula") -> list[Any]:
        """Return the case's files as a person sees them; the chat that was frozen with the request is left out."""
        found = self.run(ref, CASE, id=self.case_id)["refundCase"]["evidence"]
        return [one for one in found if one["__typename"] == "FileEvidence"]

    def events(self) -> list[str]:
        """Return the names of the case's events."""
        edges = self.run("paula", CASE, id=self.case_id)["refundCase"]["events"]["edges"]
        return [edge["node"]["name"] for edge in edges]

    def stored(self) -> list[Path]:
        """Return every file that the evidence store has, whole or half."""
        return [path for path in self.folder.rglob("*") if path.is_file()]


def code_of(answer: httpx.Response) -> str:
    """Return the code of a refusal."""
    return str(answer.json()["errors"][0]["extensions"]["code"])


@contextlib.contextmanager
def open_desk(database_url: str, folder: Path, **more: Any) -> Iterator[EvidenceDesk]:
    """Serve a marketplace in which Paula has asked for a refund."""
    clock = folder / "clock"
    clock.write_text(at(START))
    given: dict[str, Any] = {
        "evidence_store": f"file://{folder / 'evidence'}",
        "key_file": folder / "key.pem",
        "operation_timeout_seconds": PATIENCE_SECONDS,
        "body_timeout_seconds": PATIENCE_SECONDS,
        "requests_per_minute": 10_000_000,
        **more,
    }
    settings = Settings(database_url=database_url, database_pool_size=4, test_clock=clock, **given)

    async def seed() -> None:
        async with bootstrap.open_application(settings) as application:
            await import_lines(application.uow, marketplace())

    asyncio.run(seed())
    with server(settings) as url:
        desk = EvidenceDesk(settings, folder / "evidence", url)
        leads = desk.run("paula", "{ leads { edges { node { id } } } }")["leads"]["edges"]
        request = """mutation($input: RequestLeadRefundInput!) {
          requestLeadRefund(input: $input) { refundCase { id } refusals { message } } }"""
        given = {
            "leadId": leads[0]["node"]["id"],
            "reason": "JOB_CHANGED",
            "reasonDetail": "DIFFERENT_LOCATION",
            "idempotencyKey": "ask",
        }
        desk.case_id = desk.run("paula", request, input=given)["requestLeadRefund"]["refundCase"]["id"]
        yield desk
        desk.http.close()
