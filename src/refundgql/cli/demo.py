"""The demo: a fresh desk with people and stories, on one machine, with nothing to configure.

It must not be reachable from other machines: it hands out tokens to whoever asks.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from base64 import b32encode
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from refundgql import bootstrap, serving
from refundgql.cli.replaying import StoryDesk, unhurried
from refundgql.clocks import LateClock, SetClock
from refundgql.commands.demo_dataset import demo_steps
from refundgql.domain.viewers import Viewer
from refundgql.scenarios import Story, tell
from refundgql.settings import Settings
from refundgql.storage.accounts import find_viewers_by_ref
from refundgql.web.graphiql import DemoPerson
from refundgql.web.keys import LocalKey
from refundgql.web.tokens import TokenIssuer

app = typer.Typer(rich_markup_mode=None, add_completion=False)

POLICY = {"decision_limit_minor": {"USD": "400.00"}}
"""What support decides alone in the demo, so that some decisions wait for a second signature (D23)."""

TOKEN_SECONDS = 12 * 3_600
"""A demo's tokens last a working day."""

_FRIDAY = 4

_ON_A_WEEKEND = """
The demo's day is Friday, {today:%Y-%m-%d}: on weekends nobody can dispute last week's hours, and you may want to."""

_TRY = """
Each line ends with a token, for GraphiQL and for the header. Try this in a browser:
  - at the desk: {url}/graphql#person=support-ivy shows the queue; open a case and decide it
  - as a professional: {url}/graphql#person=pro-ada, report a lead; the desk shows it at once
  - as a client: {url}/graphql#person=client-eva, ask for money back; as the expert: decline;
    as the client: escalate

or on the command line:
  curl -s {url}/graphql -H 'Content-Type: application/json' -H 'Authorization: Bearer TOKEN' \\
    -d '{{"query":"{{ viewer {{ name balances {{ purpose available {{ amount currencyCode }} }} }} }}"}}'

Stop with Ctrl-C; {kept}
"""


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port on localhost; 0 takes a free one.")] = 8000,
    folder: Annotated[
        Path | None, typer.Option(help="Keep the database here instead of in a temporary folder.")
    ] = None,
) -> None:
    """Serve a fresh demo on localhost: people, stories, tokens and GraphiQL; nothing to configure."""
    run(port=port, folder=folder)


def run(*, port: int, folder: Path | None) -> None:
    """Serve the demo until interrupted; the database goes with it unless a folder was given.

    Refuses: CannotRun when the port is taken or the folder cannot be used.
    """
    with ExitStack() as stack:
        folder = folder and folder.absolute()  # the addresses below have no other form for it
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
            policy=POLICY | Settings().policy,
        )
        behind = days_behind(datetime.now(UTC).date())
        clock = LateClock(timedelta(days=behind))
        # What happened so far was decided by the demo's own policy; what was set holds from its start, as on any desk.
        people = asyncio.run(prepare(settings.model_copy(update={"policy": POLICY}), clock.now()))
        issuer, key = serving.issuer_of(settings), LocalKey.load_or_create(home / "key.pem")
        listed = [_person(viewer, issuer, key) for viewer in people]

        def started(url: str) -> None:
            print(f"refundgql demo at {url}/graphql\n")
            for person in listed:
                who = f"{person.name} ({person.external_ref})"
                print(f"{person.role:<14} {who:<32} {person.short_token}")
            if behind:
                print(_ON_A_WEEKEND.format(today=clock.now()))
            print(_TRY.format(url=url, kept=kept), flush=True)

        serving.run(settings, demo_people=listed, clock=clock, on_started=started)
        print("The demo has ended.", flush=True)


def days_behind(today: date) -> int:
    """Return how many days a demo's clock is behind: none from Monday to Friday, else as many as it takes to Friday.

    On Saturdays and Sundays no week's hours can be disputed (C25, C28), and nobody could try that.
    """
    return max(today.weekday() - _FRIDAY, 0)


async def prepare(settings: Settings, now: datetime) -> list[Viewer]:
    """Fill a database with the demo's people and stories as of now, unless they are there; return the people.

    Refuses: CannotRun when a story does not go as it is told.
    """
    settings = unhurried(settings)
    await bootstrap.migrate(settings)
    accounts, steps = demo_steps(now)
    refs = [shape["account"]["externalRef"] for shape in accounts]
    clock = SetClock(now)
    keys, _ = serving.keys_of(settings)
    tickets = serving.tickets_of(settings, keys)
    async with bootstrap.open_application(settings, clock=clock, tickets=tickets) as application:
        if not await find_viewers_by_ref(application.database, refs):
            story = Story(
                path=Path("the demo's stories"),
                name="The demo",
                rules=[],
                at=min(step["at"] for step in steps),
                given=[],
                steps=steps,
                people=accounts,
                reader="support-ivy",
                service="marketplace",
            )
            differences = await tell(story, StoryDesk(application, bootstrap.make_engine(settings), clock, tickets))
            if differences:
                raise bootstrap.CannotRun(f"The demo's stories: {differences[0].step}: {differences[0].what}")
        viewers = await find_viewers_by_ref(application.database, refs)
    return [viewers[ref] for ref in refs if ref in viewers]


def _person(viewer: Viewer, issuer: TokenIssuer, key: LocalKey) -> DemoPerson:
    ref = viewer.external_ref
    return DemoPerson(
        name=viewer.name,
        role=", ".join(sorted(viewer.roles)),
        external_ref=ref,
        token=issuer.issue_token(ref, lifetime_seconds=TOKEN_SECONDS),
        # Of the key, so that a demo in the same folder takes it again; short, for it is only known on this machine.
        short_token=f"{ref}.{b32encode(key.derive(f'demo {ref}'))[:10].decode().lower()}",
    )


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
