"""The command that copies a SQLite database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refundgql.bootstrap import CannotRun
from refundgql.cli.terminal import settings_of
from refundgql.storage.backups import copy_sqlite
from refundgql.storage.faults import StorageError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Copy the SQLite database to a new file, while the server runs."""
    settings = settings_of()
    if settings.on_postgres:
        raise CannotRun("PostgreSQL is backed up by pg_dump: see docs/operations.md.")
    from refundgql.storage.sqlite_client import path_of  # what one database needs is not imported for the other

    try:
        copy_sqlite(Path(path_of(settings.database_url)), target)
    except StorageError as error:
        raise CannotRun(f"The database cannot be copied: {error}.") from error
    print(f"Copied to {target}.")
