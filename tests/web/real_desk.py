"""The whole application on a SQLite file with the demo's people, served on a loopback port of this process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from databases import new_database_url
from patience import PATIENCE_SECONDS, until_now
from refundgql import bootstrap, serving
from refundgql.commands.demo_dataset import demo_records
from refundgql.commands.import_records import import_lines
from refundgql.domain.viewers import Viewer
from refundgql.gql.server import bind, make_config
from refundgql.settings import Settings
from refundgql.storage.accounts import find_viewers_by_ref
from refundgql.web.tokens import TokenIssuer

MARKETPLACE = "the-marketplace"


@dataclass
class RealDesk:
    """A running server, who can sign in there, and short ways to use it."""

    settings: Settings
    url: str
    port: int
    people: dict[str, Viewer]
    issuer: TokenIssuer | None
    loop: asyncio.AbstractEventLoop

    def token(self, external_ref: str, lifetime_seconds: int = 3600) -> str:
        """Return a token for a person."""
        assert self.issuer is not None
        return self.issuer.issue_token(external_ref, lifetime_seconds=lifetime_seconds)

    def headers(self, external_ref: str | None) -> dict[str, str]:
        """Return the headers a person sends, or nobody."""
        bearer = {"authorization": f"Bearer {self.token(external_ref)}"} if external_ref else {}
        return {"content-type": "application/json", **bearer}

    def with_role(self, role: str) -> str:
        """Return somebody who has a role."""
        return next(ref for ref, viewer in self.people.items() if role in viewer.roles)

    def ask(self, external_ref: str | None, query: str, **variables: Any) -> dict[str, Any]:
        """Send one operation and return the answer, without what it says about its cost."""
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.url}/graphql", json=body, headers=self.headers(external_ref))
        found: dict[str, Any] = answer.json()
        found.pop("extensions", None)
        return found

    def is_well(self) -> None:
        """Check that everybody is still served and that the books are right."""
        # A check that a busy machine does not answer in time has failed; the next one need not.
        until_now(lambda: httpx.get(f"{self.url}/readyz").json()["status"] == "ok")
        for ref in (self.with_role("PRO"), self.with_role("ADMIN")):
            answer = self.ask(ref, "{ viewer { externalRef } }")
            assert answer == {"data": {"viewer": {"externalRef": ref}}}, answer
        assert asyncio.run(bootstrap.verify_ledger(self.settings)) == []

    def give_roles(self, external_ref: str, *roles: str) -> None:
        """Feed an account in with other roles, as the marketplace does."""
        record = {"externalRef": external_ref, "name": self.people[external_ref].name, "roles": list(roles)}
        document = "mutation($input: SyncRecordsInput!) { syncRecords(input: $input) { updated refusals { message } } }"
        answer = self.ask(MARKETPLACE, document, input={"records": [{"account": record}]})
        assert answer == {"data": {"syncRecords": {"updated": 1, "refusals": []}}}


@contextlib.contextmanager
def real_desk(folder: Path, **given: Any) -> Iterator[RealDesk]:
    """Serve the application from a thread of this process until the block ends."""
    if "jwks_url" not in given:
        given.setdefault("key_file", folder / "key.pem")
    settings = Settings(
        **{
            "database_url": new_database_url("sqlite", folder),
            "bus": "memory",
            "requests_per_minute": 10_000_000,
            "operation_timeout_seconds": PATIENCE_SECONDS,
            "body_timeout_seconds": PATIENCE_SECONDS,
            "connection_init_timeout_seconds": PATIENCE_SECONDS,
            "evidence_store": f"file://{folder / 'evidence'}",
            **given,
        }
    )
    if "database_url" in given:  # else it is a copy of a migrated one
        asyncio.run(bootstrap.migrate(settings))
    people = asyncio.run(_prepare(settings))
    app = serving.make_app(settings)
    listener = bind(settings.host, 0)
    config = make_config(lambda: app, replace(serving.serving_of(settings), shutdown_seconds=2), lambda: None)
    server = uvicorn.Server(config)
    loops: list[asyncio.AbstractEventLoop] = []

    def run() -> None:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            loops.append(runner.get_loop())
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        threading.Event().wait(0.01)
    port = listener.getsockname()[1]
    issuer = None if settings.jwks_url else serving.issuer_of(settings)
    try:
        yield RealDesk(settings, f"http://127.0.0.1:{port}", port, people, issuer, loops[0])
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "the server did not stop"


async def _prepare(settings: Settings) -> dict[str, Viewer]:
    async with bootstrap.open_application(settings) as application:
        market = {"account": {"externalRef": MARKETPLACE, "name": "The Marketplace", "roles": ["SERVICE"]}}
        records = [*demo_records(application.clock.now().date()), market]
        await import_lines(application.uow, records)
        refs = [shape["account"]["externalRef"] for shape in records if "account" in shape]
        return await find_viewers_by_ref(application.database, refs)
