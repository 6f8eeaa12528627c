"""The command that changes the schema."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from refundgql import bootstrap
from refundgql.cli.terminal import EXIT_DIFFERS, settings_of

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def migrate(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 when migrations are missing.")] = False,
    contract: Annotated[
        bool, typer.Option("--contract", help="Also remove what only versions before this one use.")
    ] = False,
) -> None:
    """Expand the database's schema while it is used, forward only; processes of the version before go on serving."""
    settings = settings_of()
    if check:
        missing = asyncio.run(bootstrap.pending_migrations(settings, contract=contract))
        if missing:
            print(f"{len(missing)} migrations are missing: {', '.join(missing)}. Run refundgql migrate.")
            raise typer.Exit(EXIT_DIFFERS)
        print("The schema is up to date.")
        return
    done = asyncio.run(bootstrap.migrate(settings, contract=contract, tell=lambda line: print(line, flush=True)))
    print(f"Applied {len(done)} migrations." if done else "The schema is up to date.")
