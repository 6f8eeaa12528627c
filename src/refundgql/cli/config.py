"""The command that prints the settings in force."""

from __future__ import annotations

import json

import typer

from refundgql.cli.terminal import Json, settings_of
from refundgql.settings import in_force

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def config(as_json: Json = False) -> None:
    """Print the settings in force, secrets masked; names that are no setting are warned of."""
    shown = in_force(settings_of())
    if as_json:
        print(json.dumps(shown))
        return
    for name, value in shown.items():
        print(f"{name}={value if isinstance(value, str) else '' if value is None else json.dumps(value)}")
