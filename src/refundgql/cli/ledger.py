"""The commands that look after the ledger."""

from __future__ import annotations

import asyncio
import json

import typer

from refundgql import bootstrap
from refundgql.cli.terminal import EXIT_DIFFERS, Json, settings_of

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback()
def _ledger() -> None:
    """Look after the ledger."""


@app.command()
def verify(as_json: Json = False) -> None:
    """Check every invariant of the ledger from its raw postings."""
    offending = asyncio.run(bootstrap.verify_ledger(settings_of()))
    if as_json:
        print(json.dumps({"ok": not offending, "offending": offending}))
    elif offending:
        for line in offending:
            print(f"{line['invariant']}: {line['row']}")
        print(f"The ledger is broken in {len(offending)} places.")
    else:
        print("The ledger is sound: every invariant holds.")
    raise typer.Exit(EXIT_DIFFERS if offending else 0)
