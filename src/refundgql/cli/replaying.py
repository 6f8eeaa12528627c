"""Stories told to the whole engine: each to a desk on a fresh database of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from refundgql import bootstrap, scenarios
from refundgql.api.context import Application
from refundgql.cli.terminal import EXIT_DIFFERS, Json
from refundgql.clocks import SetClock
from refundgql.commands.sweep import sweep_due
from refundgql.scenarios import Difference, Story, StoryApplication
from refundgql.scenarios import replay as replay_stories
from refundgql.settings import Settings, SettingsError
from refundgql.web.evidence_tickets import UPLOADS, EvidenceTickets

if TYPE_CHECKING:
    from refundgql.gql.engine import GraphQLEngine

_STORY_SECONDS: Final = 3_600.0

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def replay_(
    stories: Annotated[list[Path], typer.Argument(help="Story files, or folders of them.")],
    as_json: Json = False,
) -> None:
    """Tell given/when/then stories to a fresh desk and say what differs."""
    paths = [path for given in stories for path in scenarios.find_stories(given)]
    if not paths:
        raise SettingsError("No story was found there; give .yaml files or a folder that holds some.")
    told: list[dict[str, Any]] = []

    def report(story: scenarios.Story, differences: list[scenarios.Difference]) -> None:
        told.append({"story": str(story.path), "differences": [f"{one.step}: {one.what}" for one in differences]})
        if not as_json:
            print(f"{'differs' if differences else 'ok     '}  {story.name}")
            for one in differences:
                print(f"         {story.path}, {one.step}: {one.what}")

    try:
        failed = asyncio.run(replay(paths, report))
    except scenarios.StoryError as error:
        raise SettingsError(str(error)) from error
    print(
        json.dumps({"told": told, "differ": failed}) if as_json else f"{len(paths) - failed} as told, {failed} differ."
    )
    raise typer.Exit(EXIT_DIFFERS if failed else 0)


class StoryDesk:
    """A fresh desk on a database of its own, for one story: the whole engine, without sockets."""

    def __init__(
        self,
        application: Application,
        engine: GraphQLEngine,
        clock: SetClock,
        tickets: EvidenceTickets | None = None,
    ) -> None:
        """Keep the parts; without tickets no file can be sent."""
        self._application = application
        self._engine = engine
        self._clock = clock
        self._tickets = tickets

    async def seed(self, records: list[dict[str, Any]]) -> None:
        """Import the first accounts, before anybody can sign in."""
        from refundgql.commands.import_records import import_lines

        await import_lines(self._application.uow, records)

    async def execute(self, as_ref: str | None, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Run one operation as an account, or as nobody."""
        from refundgql.gql.documents import RequestErrors

        viewer = None if as_ref is None else await self._application.load_viewer(as_ref)
        prepared = self._engine.prepare(document, None)
        if isinstance(prepared, RequestErrors):
            return {"errors": prepared.errors}
        return await self._engine.execute(prepared, variables, self._application.context(viewer))

    async def send(self, address: str, content: bytes) -> None:
        """Send a file to the address that its announcement was answered with."""
        from refundgql.commands.evidence_files import find_announced, receive_file

        if self._tickets is None:
            raise LookupError("this desk announces no files")
        uow = self._application.uow
        ticket = self._tickets.read(UPLOADS, address.rpartition("/")[2], uow.clock.now())
        viewer = await self._application.load_viewer(ticket.account_ref)
        if viewer is None:
            raise LookupError(f"{ticket.account_ref} announced a file and is gone")
        await receive_file(uow, viewer, await find_announced(uow, viewer, ticket.id), BytesIO(content))

    async def sweep(self) -> None:
        """Act on every due clock once."""
        await sweep_due(self._application.uow)

    def set_time(self, at: datetime) -> None:
        """Set the domain's clock."""
        self._clock.at = at

    def set_policy(self, overrides: dict[str, Any]) -> None:
        """Put other rules in force, as a new start would."""
        policy = self._application.policy.with_overrides(overrides)
        self._application = replace(self._application, policy=policy, uow=replace(self._application.uow, policy=policy))


async def replay(paths: list[Path], report: Callable[[Story, list[Difference]], None]) -> int:
    """Tell stories, each to a desk on a fresh database, and return how many differ."""
    engine = bootstrap.make_engine(unhurried(Settings()))
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refundgql-")))
        migrated = folder / "migrated.sqlite3"
        await bootstrap.migrate(_story_settings(migrated))
        opened = 0

        async def open_desk() -> StoryApplication:
            nonlocal opened
            opened += 1
            path = folder / f"story-{opened}.sqlite3"
            shutil.copyfile(migrated, path)
            settings = _story_settings(path)
            clock = SetClock(datetime.now(UTC))
            application = await stack.enter_async_context(bootstrap.open_application(settings, clock=clock))
            return StoryDesk(application, engine, clock)

        return await replay_stories(paths, open_desk, report)


def unhurried(settings: Settings) -> Settings:
    """Return settings for stories: nobody waits for an operation, and a slow machine tells them to the end, too."""
    return settings.model_copy(update={"operation_timeout_seconds": _STORY_SECONDS})


def _story_settings(path: Path) -> Settings:
    return unhurried(Settings(database_url=f"sqlite:///{path}", bus="memory", policy={}, test_clock=None))
