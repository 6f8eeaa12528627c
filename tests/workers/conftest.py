"""Receivers and the marketplace with webhooks, on both databases."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from receiver import Receiver, receiving
from webhook_desk import WebhookDesk

from refundgql.storage.database import Database
from refundgql.workers import webhook_requests


@pytest.fixture
async def hooks(database: Database) -> AsyncIterator[WebhookDesk]:
    """Give the marketplace, once for each kind of database."""
    desk = await WebhookDesk.open(database)
    yield desk
    await desk.close()


@pytest.fixture(autouse=True)
def _one_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `localhost` be the address where receivers listen: on many machines another one comes first."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *given: Any, **named: Any) -> Any:
        return resolve("127.0.0.1" if host == "localhost" else host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


@pytest.fixture
def kept_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections be kept however long a machine stands still between two requests, or within an answer."""
    monkeypatch.setattr(webhook_requests, "KEEP_ALIVE_SECONDS", 3_600.0)
    monkeypatch.setattr(webhook_requests, "READ_SECONDS", 3_600.0)


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
