"""Fixtures of the API's tests: the marketplace behind the whole engine, on both databases.

It must not fake any layer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from api_world import Desk, ids, marketplace
from refundgql.storage.database import Database


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    """Give the marketplace, once for each kind of database."""
    opened = await Desk.open(database)
    await opened.seed(*marketplace())
    yield opened
    await opened.close()


@pytest.fixture
async def small_desk(sqlite: Database) -> AsyncIterator[Desk]:
    """Give the marketplace on SQLite alone, for what does not depend on the database."""
    opened = await Desk.open(sqlite)
    await opened.seed(*marketplace())
    yield opened
    await opened.close()


@pytest.fixture
async def things(desk: Desk) -> dict[str, str]:
    """Give the ids of the marketplace's things by reference."""
    return await ids(desk)
