"""The command that prepares a database which was restored from a backup."""

from __future__ import annotations

import asyncio

import typer

from refundgql import bootstrap
from refundgql.cli.terminal import settings_of
from refundgql.settings import Settings
from refundgql.storage.backups import move_stream_ahead

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def restored() -> None:
    """Prepare a database that was restored from a backup: clients' cursors stay good, whenever they got them."""
    asyncio.run(_move(settings_of()))
    print("Streams go on after every cursor that clients may hold.")


async def _move(settings: Settings) -> None:
    async with bootstrap.database_of(settings) as database:
        await move_stream_ahead(database)
