"""A real demo server for the clients of a module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from demo_server import DemoServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoServer]:
    """Run a demo until the module's tests are done."""
    server = DemoServer(tmp_path_factory.mktemp("demo"))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
