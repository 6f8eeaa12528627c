"""The commands that tell what is held about a person, and forget it (D30)."""

from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path
from typing import Annotated

import orjson
import typer

from refundgql import bootstrap
from refundgql.api.context import Application
from refundgql.bootstrap import CannotRun
from refundgql.cli.terminal import EXIT_DIFFERS, settings_of
from refundgql.commands.persons import EraseAccount, erase_account
from refundgql.domain.refusals import Refused
from refundgql.domain.viewers import Viewer
from refundgql.queries.persons import everything_held, files_held
from refundgql.settings import Settings

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Reference = Annotated[str, typer.Argument(help="externalRef of the account.")]


@app.callback()
def _person() -> None:
    """Tell what is held about a person, and forget it."""


@app.command()
def export(ref: Reference, out: Annotated[Path, typer.Option(help="A new file.")] = Path("person.zip")) -> None:
    """Write everything held about a person to one archive: person.json, and the files they gave as evidence."""
    asyncio.run(_export(settings_of(), ref, out))
    print(f"Written to {out}.")


@app.command()
def erase(
    ref: Reference,
    reason: Annotated[str, typer.Option(help="Why, without anything about the person: it is kept.")],
) -> None:
    """Make everything held about a person unreadable; amounts, states, instants, hashes and the ledger stay."""
    try:
        account_id = asyncio.run(_erase(settings_of(), ref, reason))
    except Refused as refused:
        print(f"Not erased: {refused}")
        raise typer.Exit(EXIT_DIFFERS) from refused
    print(f"Erased. The account is erased-{account_id} now.")


async def _export(settings: Settings, ref: str, out: Path) -> None:
    store = bootstrap.files_of(settings)
    async with bootstrap.open_application(settings) as application:
        person = await _person_of(application, ref)
        database, held = application.database, {}
        async for kind, rows in everything_held(database, person.account_id):
            held[kind] = rows
        try:
            with zipfile.ZipFile(out, "x", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("person.json", orjson.dumps(held, option=orjson.OPT_INDENT_2))
                for name, key in await files_held(database, person.account_id):
                    with archive.open(f"files/{name}", "w", force_zip64=True) as file:
                        async for piece in await store.read(key):
                            file.write(piece)
        except OSError as error:
            raise CannotRun(f"--out: {out} cannot be written ({error.strerror}): name a new file.") from error


async def _erase(settings: Settings, ref: str, reason: str) -> str:
    async with bootstrap.open_application(settings) as application:
        person = await _person_of(application, ref)
        given = EraseAccount(account_id=person.account_id, reason=reason)
        return (await erase_account(application.uow, None, given)).account_id


async def _person_of(application: Application, ref: str) -> Viewer:
    found = await application.load_viewer(ref)
    if found is None:
        raise CannotRun(f"No account has the externalRef {ref}.")
    return found
