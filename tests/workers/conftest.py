"""Receivers and the marketplace with webhooks, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from receiver import Receiver, receiving
from webhook_desk import WebhookDesk

from refundgql.storage.database import Database


@pytest.fixture
async def hooks(database: Database) -> AsyncIterator[WebhookDesk]:
    """Give the marketplace, once for each kind of database."""
    desk = await WebhookDesk.open(database)
    yield desk
    await desk.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Give a receiver."""
    async with receiving() as found:
        yield found


@pytest.fixture
async def other_receiver() -> AsyncIterator[Receiver]:
    """Give a second receiver."""
    async with receiving() as found:
        yield found
