"""The command line: parse, boot, call one command or query, print; each command has a file, imported when it is called.

Exit codes: 0 done; 1 refused or something differs (bad import lines, a broken ledger, a story that differs, migrations
missing); 2 the command or the settings cannot be used; 130 interrupted.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from refundgql import __version__, bootstrap
from refundgql.cli.terminal import EXIT_INTERRUPTED, EXIT_UNUSABLE
from refundgql.settings import SettingsError

COMMANDS = {
    "demo": "demo",
    "serve": "serve",
    "migrate": "migrate",
    "import": "importing",
    "export": "export",
    "token": "token",
    "sweep": "sweep",
    "deliver": "deliver",
    "replay": "replaying",
    "backup": "backup",
    "restored": "restored",
    "account": "account",
    "person": "person",
    "ledger": "ledger",
    "workflow": "workflow",
    "schema": "schema",
    "cache-keys": "cache_keys",
    "texts": "texts",
    "settings": "settings",
    "config": "config",
}
"""The commands in the order in which help lists them, each with its file."""


class Commands(TyperGroup):
    """The commands by name; the file of one is imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or nothing for a name that is none."""
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(import_module(f"{__name__}.{COMMANDS[cmd_name]}").app)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="refundgql",
    cls=Commands,
    help="The refund desk of a marketplace as a GraphQL backend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line; every expected failure is one sentence on standard error and an exit code."""
    try:
        app()
    except (SettingsError, bootstrap.CannotRun) as error:
        print(f"refundgql: {error}", file=sys.stderr)
        sys.exit(EXIT_UNUSABLE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; there is nobody left to tell
        sys.exit(0)


def _version(given: bool) -> None:
    if given:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Hold the options that stand before a command."""
