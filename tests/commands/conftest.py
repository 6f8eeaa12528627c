"""Fixtures for commands: each test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from command_world import World

from databases import DIALECTS, LIMITS, drop_database, new_database_url
from refundgql.storage.database import Database


@pytest.fixture(params=DIALECTS)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A fresh marketplace on one of the databases; whatever a test did to it, its ledger is sound afterwards."""
    url = new_database_url(request.param, tmp_path)
    database = await Database.open(url, LIMITS)
    try:
        world = World(database)
        yield world
        await world.check_ledger()
    finally:
        await database.close()
        drop_database(url)
