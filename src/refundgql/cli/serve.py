"""The command that serves for real."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from refundgql.cli.terminal import settings_of
from refundgql.settings import SettingsError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


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
    settings = settings_of(warn=False, **{name: value for name, value in given.items() if value is not None})
    if settings.test_clock is not None and not allow_test_clock:
        raise SettingsError("REFUNDGQL_TEST_CLOCK is set: pass --allow-test-clock, or unset it in production.")
    serving.run(settings)
