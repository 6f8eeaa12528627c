"""The marketplace behind the whole engine, its streams pulled and pushed, on both databases.

It must not fake any layer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from stream_world import pushing

from api_world import Desk, marketplace, things
from refundgql.storage.database import Database

__all__ = ["desk", "things"]


@pytest.fixture(params=["pulled", "pushed"])
async def desk(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Desk]:
    """Give the marketplace, its streams asked for each update or handing them over."""
    opened = await Desk.open(database)
    await opened.seed(*marketplace())
    yield pushing(opened) if request.param == "pushed" else opened
    await opened.close()
