"""The command that takes everything out."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from refundgql import bootstrap
from refundgql.cli.terminal import settings_of
from refundgql.queries.export import Exported, ExportFormat, export_lines
from refundgql.settings import Settings, SettingsError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def export(
    output_format: Annotated[ExportFormat, typer.Option("--format", help="jsonl or csv.")] = ExportFormat.JSONL,
    what: Annotated[str, typer.Option(help="cases, events, postings, or all (jsonl only).")] = "all",
) -> None:
    """Write every case, event and posting to standard output, streaming."""
    if what not in {"cases", "events", "postings", "all"} or (what == "all" and output_format is ExportFormat.CSV):
        raise SettingsError("--what is one of cases, events, postings; all goes with --format jsonl.")
    asyncio.run(_write(settings_of(), Exported(what), output_format))


async def _write(settings: Settings, what: Exported, output_format: ExportFormat) -> None:
    async with bootstrap.database_of(settings) as database:
        async for line in export_lines(database, what, output_format, bootstrap.clock_of(settings).now()):
            sys.stdout.write(line)
