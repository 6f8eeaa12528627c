"""The command that prints schema.graphql."""

from __future__ import annotations

import typer

from refundgql.api.schema import print_schema_text

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def schema() -> None:
    """Print schema.graphql."""
    print(print_schema_text(), end="")
