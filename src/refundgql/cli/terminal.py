"""What commands have in common: the environment's settings, exit codes, output for scripts."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from refundgql.settings import Settings, read_settings, unknown_settings

EXIT_DIFFERS = 1
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")]


def settings_of(*, warn: bool = True, **given: Any) -> Settings:
    """Read the environment, and say on standard error which of its names are no setting.

    Refuses: SettingsError.
    """
    for sentence in unknown_settings(os.environ) if warn else ():
        print(f"refundgql: {sentence}", file=sys.stderr)
    return read_settings(**given)
