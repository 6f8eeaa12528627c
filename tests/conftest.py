"""Fixtures that every test may use: real databases, both of them.

It must not fake anything; see databases.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from databases import DIALECTS, LIMITS, drop_database, new_database_url
from refundgql.storage.database import Database


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a fresh, migrated database, once for each kind."""
    url = new_database_url(request.param, tmp_path)
    yield url
    drop_database(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Give a fresh, migrated database, open, once for each kind."""
    opened = await Database.open(database_url, LIMITS)
    yield opened
    await opened.close()


@pytest.fixture
def postgres_url(tmp_path: Path) -> Iterator[str]:
    """Give the URL of a fresh, migrated PostgreSQL database."""
    url = new_database_url("postgres", tmp_path)
    yield url
    drop_database(url)


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[Database]:
    """Give a fresh, migrated PostgreSQL database, open."""
    opened = await Database.open(postgres_url, LIMITS)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a fresh, migrated SQLite database, open."""
    opened = await Database.open(new_database_url("sqlite", tmp_path), LIMITS)
    yield opened
    await opened.close()
