"""The command that acts on due clocks."""

from __future__ import annotations

import asyncio
import json

import typer

from refundgql import bootstrap
from refundgql.cli.terminal import Json, settings_of

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def sweep(as_json: Json = False) -> None:
    """Act on every due clock once; the server also does it by itself."""
    acted = asyncio.run(bootstrap.sweep(settings_of()))
    print(json.dumps({"acted": acted}) if as_json else f"Acted on {acted} due clocks.")
