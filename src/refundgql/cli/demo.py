"""The demo: a fresh desk with people and stories, on one machine, with nothing to configure.

It must not be reachable from other machines: it hands out tokens to whoever asks.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from refundgql import bootstrap, serving
from refundgql.clocks import LateClock
from refundgql.commands.demo_dataset import load_demo
from refundgql.commands.unit_of_work import Clock
from refundgql.domain.viewers import Viewer
from refundgql.settings import Settings
from refundgql.web.tokens import TokenIssuer

TOKEN_SECONDS = 12 * 3_600
"""A demo's tokens last a working day."""

_FRIDAY = 4

_ON_A_WEEKEND = """
The demo's day is Friday, {today:%Y-%m-%d}: on weekends nobody can dispute last week's hours, and you may want to."""

_TRY = """
Try this in GraphiQL at {url}/graphql (pick a person there, or paste a token):
  - as a professional: MyLeads from the side panel "Ready-made operations", then report one;
    as support: approve it; as the professional: see the balance change
  - as a client: ask for money back; as the expert: decline; as the client: escalate
  - follow a case: run WatchCase, and act in a second browser window

or on the command line:
  curl -s {url}/graphql -H 'Content-Type: application/json' -H 'Authorization: Bearer TOKEN' \\
    -d '{{"query":"{{ viewer {{ name balances {{ purpose available {{ amount currencyCode }} }} }} }}"}}'

Stop with Ctrl-C; {kept}
"""


def run(*, port: int, folder: Path | None) -> None:
    """Serve the demo until interrupted; the database goes with it unless a folder was given.

    Refuses: CannotRun when the port is taken or the folder cannot be used.
    """
    with ExitStack() as stack:
        kept = f"the database stays in {folder}." if folder else "nothing is kept."
        try:
            home = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refundgql-demo-")))
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise bootstrap.CannotRun(f"--folder: {folder} cannot be used ({error.strerror}).") from error
        settings = Settings(
            database_url=f"sqlite:///{home / 'demo.sqlite3'}",
            bus="memory",
            host="127.0.0.1",
            port=_free(port),
            workers=1,
            key_file=home / "key.pem",
            jwks_url="",
            graphiql=True,
            introspection=True,
            trusted_documents=None,
            test_clock=None,
            log_level="WARNING",
            evidence_store=f"file://{home / 'evidence'}",
        )
        behind = days_behind(datetime.now(UTC).date())
        clock = LateClock(timedelta(days=behind))
        people = asyncio.run(_prepare(settings, clock))
        issuer = serving.issuer_of(settings)
        listed = [_person(viewer, issuer) for viewer in people]

        async def demo_people() -> list[dict[str, Any]]:
            return [_person(viewer, issuer) for viewer in people]

        def started(url: str) -> None:
            print(f"refundgql demo at {url}/graphql\n")
            for person in listed:
                print(f"{person['role']:<16} {person['name']} ({person['externalRef']})\n  {person['token']}")
            if behind:
                print(_ON_A_WEEKEND.format(today=clock.now()))
            print(_TRY.format(url=url, kept=kept), flush=True)

        serving.run(settings, demo_people=demo_people, clock=clock, on_started=started)
        print("The demo has ended.", flush=True)


def days_behind(today: date) -> int:
    """Return how many days a demo's clock is behind: none from Monday to Friday, else as many as it takes to Friday.

    On Saturdays and Sundays no week's hours can be disputed (C25, C28), and nobody could try that.
    """
    return max(today.weekday() - _FRIDAY, 0)


async def _prepare(settings: Settings, clock: Clock) -> Sequence[Viewer]:
    await bootstrap.migrate(settings)
    async with bootstrap.open_application(settings, clock=clock) as application:
        return await load_demo(application.uow)


def _person(viewer: Viewer, issuer: TokenIssuer) -> dict[str, Any]:
    return {
        "name": viewer.name,
        "role": ", ".join(sorted(viewer.roles)),
        "externalRef": viewer.external_ref,
        "token": issuer.issue_token(viewer.external_ref, lifetime_seconds=TOKEN_SECONDS),
    }


def _free(port: int) -> int:
    """Return the port, or 0 for any free one when somebody else has it: a demo should start, not explain itself."""
    with socket.socket() as probe:
        if os.name == "posix":
            # As the server itself will: what is left of a demo's connections does not keep the next from its port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
