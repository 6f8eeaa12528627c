"""The command that signs a token."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from refundgql.cli.terminal import settings_of

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def token(
    as_ref: Annotated[str, typer.Option("--as", help="externalRef of the account the token speaks for.")],
    lifetime_seconds: Annotated[int, typer.Option(help="How long it is valid.", min=1)] = 3_600,
) -> None:
    """Print a signed token for local use."""
    from refundgql import serving

    print(asyncio.run(serving.issue_token(settings_of(), as_ref, lifetime_seconds)))
