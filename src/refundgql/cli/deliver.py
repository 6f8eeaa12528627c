"""The command that sends webhooks."""

from __future__ import annotations

import asyncio
import json

import typer

from refundgql import bootstrap
from refundgql.cli.terminal import Json, settings_of

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def deliver(as_json: Json = False) -> None:
    """Send the webhooks that are due once; the server also does it by itself."""
    attempts = asyncio.run(bootstrap.deliver(settings_of()))
    print(json.dumps({"attempts": attempts}) if as_json else f"Made {attempts} attempts.")
