"""The command that prints what the caches of client libraries want to know of the schema."""

from __future__ import annotations

from typing import Annotated

import typer

from refundgql.api.schema import build_schema
from refundgql.gql.cache_keys import FORMS
from refundgql.gql.ports import core_schema
from refundgql.settings import SettingsError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def cache_keys(client: Annotated[str, typer.Argument(help="graphcache or apollo.")]) -> None:
    """Print what a client's cache wants to know of the schema, as a module of JavaScript."""
    print(cache_keys_text(client), end="")


def cache_keys_text(client: str) -> str:
    """Return a module of JavaScript for a client's build. Refuses: SettingsError for clients that are not known."""
    if client not in FORMS:
        raise SettingsError(f"There are cache keys for {' and '.join(FORMS)}, not for {client}.")
    return FORMS[client](core_schema(build_schema()))
