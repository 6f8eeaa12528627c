"""What a server does before it answers: nothing that only other commands need, and no looking for garbage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment, migrated

from patience import PATIENCE_SECONDS

# As `serve` does it, and as far as PostgreSQL goes without a database.
LOOK = """
import sys
from refundgql import cli, serving
from refundgql.settings import Settings
from refundgql.storage import postgres_client
serving.make_app(Settings(database_url="postgres://nobody@localhost/none"))
print(*sys.modules)
"""

# Tells which generations were collected until the server has settled, and ends there. Collecting is switched on twice:
# after the command line was imported, and when the server has settled.
COUNT = """
import gc, os, sys
collected, switched_on = [], []
enable = gc.enable
def count(phase, told):
    if phase == "start":
        collected.append(told["generation"])
def enabled():
    enable()
    switched_on.append(gc.get_freeze_count())
    if len(switched_on) == 2:
        print(*collected, *("settled" for frozen in switched_on if frozen > 10_000), flush=True)
        os._exit(0)
from refundgql import __main__
gc.enable = enabled
gc.callbacks.append(count)
sys.argv = ["refundgql", "serve", "--port", "0"]
__main__.main()
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the modules that serving on PostgreSQL imports."""
    folder = tmp_path_factory.mktemp("start")
    return set(_python(LOOK, folder).split())


def _python(program: str, folder: Path) -> str:
    command = [sys.executable, "-c", program]
    found = subprocess.run(
        command,
        env=environment(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "aiosqlite",
        "holidays",
        "httpx",
        "nats",
        "obstore",
        "opentelemetry",
        "refundgql.commands.import_records",
        "refundgql.cli.demo",
        "refundgql.cli.importing",
        "refundgql.cli.replaying",
        "refundgql.cli.backup",
        "refundgql.scenarios",
        "refundgql.storage.backups",
        "refundgql.storage.exporting",
        "refundgql.storage.ledger_checks",
        "rich",
        "standardwebhooks",
        "tortoise",
        "yaml",
    ],
)
def test_a_server_does_not_import_what_it_does_not_need(imported: set[str], module: str) -> None:
    """What other commands, settings and databases need, migrations and the first webhook, is imported by them."""
    assert {"refundgql.web.app", "refundgql.api.schema", "asyncpg"} <= imported
    assert module not in imported


@pytest.mark.slow
def test_nothing_is_collected_until_a_server_has_settled(tmp_path: Path) -> None:
    """Nearly everything made till then stays: only a few young objects of the command line itself are looked at."""
    migrated(tmp_path)
    *looked, imported, served = _python(COUNT, tmp_path).split()
    assert (imported, served) == ("settled", "settled")
    assert set(looked) <= {"0"}
    assert len(looked) <= 3
