"""Without any setting the database is a file in the folder one stands in, as the README says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from refundgql import bootstrap
from refundgql.settings import Settings


@pytest.mark.slow
def test_the_default_database_lies_in_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs to be allowed to write to the root of the file system."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REFUNDGQL_DATABASE_URL", raising=False)
    asyncio.run(bootstrap.migrate(Settings()))
    assert (tmp_path / "refundgql.sqlite3").is_file()
