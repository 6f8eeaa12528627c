"""The command that takes everything out."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from typing import Annotated

import typer

from refundgql import bootstrap
from refundgql.cli.terminal import settings_of
from refundgql.settings import SettingsError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class ExportFormat(StrEnum):
    """How rows are exported."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command()
def export(
    output_format: Annotated[ExportFormat, typer.Option("--format", help="jsonl or csv.")] = ExportFormat.JSONL,
    what: Annotated[str, typer.Option(help="cases, events, postings, or all (jsonl only).")] = "all",
) -> None:
    """Write every case, event and posting to standard output, streaming."""
    if what not in {"cases", "events", "postings", "all"} or (what == "all" and output_format is ExportFormat.CSV):
        raise SettingsError("--what is one of cases, events, postings; all goes with --format jsonl.")
    settings = settings_of()
    asyncio.run(bootstrap.export(settings, what=what, output_format=output_format.value, out=sys.stdout))
