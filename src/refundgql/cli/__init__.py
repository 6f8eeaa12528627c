"""The command line: parse, boot, call one command or query, print.

It must not decide anything about refunds. Exit codes: 0 done; 1 refused or something differs (bad import lines, a
broken ledger, a story that differs, migrations missing); 2 the command or the settings cannot be used; 130 interrupted.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from refundgql import __version__, bootstrap
from refundgql.settings import Settings, SettingsError, read_settings

T = TypeVar("T")

app = typer.Typer(
    name="refundgql",
    help="The refund desk of a marketplace as a GraphQL backend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
ledger_app = typer.Typer(help="Look after the ledger.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(ledger_app, name="ledger")

EXIT_DIFFERS = 1
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")]


class WorkflowFormat(StrEnum):
    """How the machines are printed."""

    TABLE = "table"
    MERMAID = "mermaid"
    PAGE = "page"


class ExportFormat(StrEnum):
    """How rows are exported."""

    JSONL = "jsonl"
    CSV = "csv"


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


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port on localhost; 0 takes a free one.")] = 8000,
    folder: Annotated[
        Path | None, typer.Option(help="Keep the database here instead of in a temporary folder.")
    ] = None,
) -> None:
    """Serve a fresh demo on localhost: people, stories, tokens and GraphiQL; nothing to configure."""
    from refundgql.cli.demo import run  # not from the package: there, `demo` is this command

    run(port=port, folder=folder)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes; more than one needs PostgreSQL.")] = None,
    allow_test_clock: Annotated[
        bool, typer.Option(help="Let REFUNDGQL_TEST_CLOCK set domain time; for tests and demos only.")
    ] = False,
) -> None:
    """Serve for real, with the settings of the environment."""
    gc.disable()  # until the server has settled: what is made till then stays
    from refundgql import serving

    given = {"host": host, "port": port, "workers": workers}
    settings = read_settings(**{name: value for name, value in given.items() if value is not None})
    if settings.test_clock is not None and not allow_test_clock:
        raise SettingsError("REFUNDGQL_TEST_CLOCK is set: pass --allow-test-clock, or unset it in production.")
    serving.run(settings)


@app.command()
def migrate(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 when migrations are missing.")] = False,
    contract: Annotated[
        bool, typer.Option("--contract", help="Also remove what only versions before this one use.")
    ] = False,
) -> None:
    """Expand the database's schema while it is used, forward only; processes of the version before go on serving."""
    settings = read_settings()
    if check:
        missing = _run(bootstrap.pending_migrations(settings, contract=contract))
        if missing:
            print(f"{len(missing)} migrations are missing: {', '.join(missing)}. Run refundgql migrate.")
            raise typer.Exit(EXIT_DIFFERS)
        print("The schema is up to date.")
        return
    done = _run(bootstrap.migrate(settings, contract=contract, tell=lambda line: print(line, flush=True)))
    print(f"Applied {len(done)} migrations." if done else "The schema is up to date.")


@app.command("import")
def import_(
    files: Annotated[list[str], typer.Argument(help="JSON Lines files, one record a line; - for standard input.")],
    as_json: Json = False,
) -> None:
    """Check every line, then write all of them in batches; a rerun after an interruption continues."""
    from refundgql.cli import importing

    settings = read_settings()
    raise typer.Exit(_run(importing.run(settings, files, as_json=as_json)))


@app.command()
def export(
    output_format: Annotated[ExportFormat, typer.Option("--format", help="jsonl or csv.")] = ExportFormat.JSONL,
    what: Annotated[str, typer.Option(help="cases, events, postings, or all (jsonl only).")] = "all",
) -> None:
    """Write every case, event and posting to standard output, streaming."""
    if what not in {"cases", "events", "postings", "all"} or (what == "all" and output_format is ExportFormat.CSV):
        raise SettingsError("--what is one of cases, events, postings; all goes with --format jsonl.")
    settings = read_settings()
    _run(bootstrap.export(settings, what=what, output_format=output_format.value, out=sys.stdout))


@app.command()
def token(
    as_ref: Annotated[str, typer.Option("--as", help="externalRef of the account the token speaks for.")],
    lifetime_seconds: Annotated[int, typer.Option(help="How long it is valid.", min=1)] = 3_600,
) -> None:
    """Print a signed token for local use."""
    from refundgql import serving

    print(_run(serving.issue_token(read_settings(), as_ref, lifetime_seconds)))


@app.command()
def sweep(as_json: Json = False) -> None:
    """Act on every due clock once; the server also does it by itself."""
    acted = _run(bootstrap.sweep(read_settings()))
    print(json.dumps({"acted": acted}) if as_json else f"Acted on {acted} due clocks.")


@app.command()
def deliver(as_json: Json = False) -> None:
    """Send the webhooks that are due once; the server also does it by itself."""
    attempts = _run(bootstrap.deliver(read_settings()))
    print(json.dumps({"attempts": attempts}) if as_json else f"Made {attempts} attempts.")


@app.command()
def replay(
    stories: Annotated[list[Path], typer.Argument(help="Story files, or folders of them.")],
    as_json: Json = False,
) -> None:
    """Tell given/when/then stories to a fresh desk and say what differs."""
    from refundgql import scenarios
    from refundgql.cli import replaying

    paths = [path for given in stories for path in scenarios.find_stories(given)]
    if not paths:
        raise SettingsError("No story was found there; give .yaml files or a folder that holds some.")
    told: list[dict[str, Any]] = []

    def report(story: scenarios.Story, differences: list[scenarios.Difference]) -> None:
        told.append({"story": str(story.path), "differences": [f"{one.step}: {one.what}" for one in differences]})
        if not as_json:
            print(f"{'differs' if differences else 'ok     '}  {story.name}")
            for one in differences:
                print(f"         {story.path}, {one.step}: {one.what}")

    try:
        failed = _run(replaying.replay(paths, report))
    except scenarios.StoryError as error:
        raise SettingsError(str(error)) from error
    print(
        json.dumps({"told": told, "differ": failed}) if as_json else f"{len(paths) - failed} as told, {failed} differ."
    )
    raise typer.Exit(EXIT_DIFFERS if failed else 0)


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Copy the SQLite database to a new file, while the server runs."""
    from refundgql.cli import restoring

    restoring.backup(read_settings(), target)
    print(f"Copied to {target}.")


@app.command()
def restored() -> None:
    """Prepare a database that was restored from a backup: clients' cursors stay good, whenever they got them."""
    from refundgql.cli import restoring

    _run(restoring.restored(read_settings()))
    print("Streams go on after every cursor that clients may hold.")


@ledger_app.command("verify")
def ledger_verify(as_json: Json = False) -> None:
    """Check every invariant of the ledger from its raw postings."""
    offending = _run(bootstrap.verify_ledger(read_settings()))
    if as_json:
        print(json.dumps({"ok": not offending, "offending": offending}))
    elif offending:
        for line in offending:
            print(f"{line['invariant']}: {line['row']}")
        print(f"The ledger is broken in {len(offending)} places.")
    else:
        print("The ledger is sound: every invariant holds.")
    raise typer.Exit(EXIT_DIFFERS if offending else 0)


@app.command()
def workflow(
    kind: Annotated[str | None, typer.Option(help="LEAD, INVOICE, ESCROW or TIMESHEET; all by default.")] = None,
    output_format: Annotated[
        WorkflowFormat, typer.Option("--format", help="table, mermaid or page.")
    ] = WorkflowFormat.TABLE,
) -> None:
    """Print the state machines; all of them as a page is docs/workflow.md."""
    print(bootstrap.workflow_text(kind, output_format.value))


@app.command()
def schema() -> None:
    """Print schema.graphql."""
    print(bootstrap.schema_text(), end="")


@app.command("cache-keys")
def cache_keys(client: Annotated[str, typer.Argument(help="graphcache or apollo.")]) -> None:
    """Print what a client's cache wants to know of the schema, as a module of JavaScript."""
    from refundgql.cli.cache_keys import cache_keys_text

    print(cache_keys_text(client), end="")


@app.command()
def settings() -> None:
    """Print every setting with its default, as the README's table."""
    print(settings_table())


def settings_table() -> str:
    """Return the settings as a Markdown table, printed from the fields themselves."""
    lines = ["| variable | default | what it is |", "|---|---|---|"]
    for name, found in Settings.model_fields.items():
        default = found.get_default(call_default_factory=True)
        if isinstance(default, tuple):
            default = ",".join(map(str, default))
        shown = "" if default in (None, "", {}) else f"`{default}`"
        lines.append(f"| `REFUNDGQL_{name.upper()}` | {shown} | {found.description} |")
    return "\n".join(lines)
