"""The command that makes the first administrator and the marketplace's account."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from refundgql import bootstrap
from refundgql.bootstrap import CannotRun
from refundgql.cli.terminal import settings_of
from refundgql.commands.accounts import give_role
from refundgql.domain.refusals import Refused
from refundgql.domain.vocabulary import Role
from refundgql.settings import Settings

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class FirstRole(StrEnum):
    """The roles that somebody has to have before records can be sent."""

    ADMIN = "ADMIN"
    SERVICE = "SERVICE"


@app.callback()
def _account() -> None:
    """Make the first accounts; all others come with the marketplace's records."""


@app.command()
def create(
    ref: Annotated[str, typer.Argument(help="externalRef of the account: what its tokens name as `sub`.")],
    role: Annotated[FirstRole, typer.Option(help="ADMIN, or SERVICE for the marketplace's systems.")],
    name: Annotated[str | None, typer.Option(help="What people see; the externalRef by default.")] = None,
) -> None:
    """Give an account a role, and make the account when there is none; it is recorded and safe to repeat."""
    changed = asyncio.run(_create(settings_of(), ref, Role(role.value), name))
    print(f"{ref} has the role {role.value} now." if changed else f"{ref} has the role {role.value} already.")


async def _create(settings: Settings, ref: str, role: Role, name: str | None) -> bool:
    async with bootstrap.open_application(settings) as application:
        try:
            return await give_role(application.uow, ref, role, name)
        except Refused as refused:
            raise CannotRun(str(refused)) from refused
