"""Fixtures of the tests of transport: servers and clients."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from transport_desk import Desk, MakeDesk, desk_of

from toy_server import serving


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[MakeDesk]:
    """Return a factory of running servers."""
    with contextlib.ExitStack() as stack:

        def make(**parts: Any) -> Desk:
            made: Desk = stack.enter_context(serving(desk_of(tmp_path, **parts)))
            return made

        yield make


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Return a client with no headers of its own beyond httpx's."""
    async with httpx.AsyncClient() as client:
        yield client
