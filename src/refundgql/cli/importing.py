"""Import on the command line: progress on a terminal, plain lines elsewhere, one line for every bad record."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from refundgql.bootstrap import CannotRun, open_application
from refundgql.cli.terminal import Json, settings_of
from refundgql.commands.import_reading import ImportStopped
from refundgql.commands.import_records import ImportReport, Phase, Tell, import_files
from refundgql.commands.import_records import Progress as Done
from refundgql.settings import Settings

SECONDS_BETWEEN_LINES = 10.0
"""Where nobody watches a bar, a line now and then shows that work goes on."""


app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def import_(
    files: Annotated[list[str], typer.Argument(help="JSON Lines files, one record a line; - for standard input.")],
    as_json: Json = False,
) -> None:
    """Check every line, then write all of them in batches; a rerun after an interruption continues."""
    raise typer.Exit(asyncio.run(run(settings_of(), files, as_json=as_json)))


async def run(settings: Settings, files: Sequence[str], *, as_json: bool) -> int:
    """Import the files and return the exit code: 0 when everything was taken in, 1 when a line is bad.

    Refuses: CannotRun when a file cannot be read.
    """
    async with open_application(settings) as application:
        try:
            with _telling(quiet=as_json) as tell:
                report = await import_files(application.uow, files, stdin=sys.stdin.buffer, tell=tell)
        except ImportStopped as error:
            raise CannotRun(str(error)) from error
    if as_json:
        print(json.dumps(_as_json(report)))
    else:
        _print(report)
    return 0 if report.ok else 1


def _as_json(report: ImportReport) -> dict[str, object]:
    bad = [{"file": one.file, "line": one.line, "field": one.field, "why": one.why} for one in report.bad_lines]
    return {
        "ok": report.ok,
        "lines": report.lines,
        "created": report.counts.created,
        "updated": report.counts.updated,
        "unchanged": report.counts.unchanged,
        "stale": report.counts.stale,
        "seconds": round(report.seconds, 3),
        "bad": report.bad_count,
        "badLines": bad,
    }


def _print(report: ImportReport) -> None:
    for bad in report.bad_lines:
        print(bad, file=sys.stderr)
    if not report.ok:
        hidden = report.bad_count - len(report.bad_lines)
        more = f" ({hidden} of them not shown)" if hidden else ""
        print(f"{report.bad_count} bad lines{more}; nothing was written. Mend them and import again.", file=sys.stderr)
        return
    counts, rate = report.counts, report.lines / max(report.seconds, 0.001)
    print(
        f"{report.lines} records in {report.seconds:.1f} s ({rate:,.0f} a second): "
        f"{counts.created} created, {counts.updated} updated, {counts.unchanged} unchanged, {counts.stale} stale."
    )


@contextmanager
def _telling(*, quiet: bool) -> Iterator[Tell | None]:
    console = Console(stderr=True)
    if quiet:
        yield None
    elif console.is_terminal:
        with _bar(console) as tell:
            yield tell
    else:
        yield _plain_lines()


@contextmanager
def _bar(console: Console) -> Iterator[Tell]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        tasks: dict[Phase, TaskID] = {}

        def tell(done: Done) -> None:
            if done.phase not in tasks:
                tasks[done.phase] = progress.add_task(done.phase.value.capitalize(), total=done.bytes_total)
            shown = f"{done.phase.value.capitalize()}, {done.lines_per_second:,.0f} records/s"
            progress.update(tasks[done.phase], completed=done.bytes_done, description=shown)

        yield tell


def _plain_lines() -> Tell:
    last = time.monotonic()

    def tell(done: Done) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            share = 100 * done.bytes_done // max(done.bytes_total, 1)
            print(
                f"{done.phase.value}: {done.lines} records, {share} %, {done.lines_per_second:,.0f} a second",
                file=sys.stderr,
                flush=True,
            )

    return tell
