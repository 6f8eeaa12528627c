"""What a server imports before it answers: nothing that only other commands or settings need."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = "import sys, refundgql.cli, refundgql.serving, refundgql.storage.postgres_client; print(*sys.modules)"


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """Return the modules that serving on PostgreSQL imports."""
    found = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=60)
    return set(found.stdout.split())


@pytest.mark.parametrize("module", ["tortoise", "httpx", "rich", "aiosqlite"])
def test_a_server_does_not_import_what_it_does_not_need(imported: set[str], module: str) -> None:
    """Tortoise is for migrations, httpx for an issuer's keys and webhooks: a third of a start, together."""
    assert "refundgql.transport.app" in imported
    assert module not in imported
