"""Fixtures of the tests of transport: servers and clients."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from transport_desk import Desk, MakeDesk, desk_of, people, serving

from refundgql.gql.limits import Limits


@pytest.fixture(scope="session")
def plain_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return the one server that all tests without wishes of their own share."""
    limits = Limits(requests_per_minute=None)
    with serving(desk_of(tmp_path_factory.mktemp("desk"), limits=limits)) as desk:
        yield desk


@pytest.fixture
def serve(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeDesk]:
    """Return a factory of running servers; without wishes it is a shared one, as good as new."""
    with contextlib.ExitStack() as stack:

        def make(**parts: Any) -> Desk:
            if parts:
                options = {name: parts.pop(name) for name in ("port", "ping_seconds", "pong_seconds") if name in parts}
                return stack.enter_context(serving(desk_of(tmp_path, **parts), **options))
            desk: Desk = request.getfixturevalue("plain_desk")
            desk.people.clear()
            desk.people.update(people())
            desk.loads.clear()
            return desk

        yield make


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Return a client with no headers of its own beyond httpx's."""
    async with httpx.AsyncClient(timeout=15) as client:
        yield client
