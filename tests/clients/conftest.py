"""A real demo server for the clients of a module, and the way to it through a real nginx.

It must not stand in for either.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from cut_line import CutLine
from demo_server import DemoServer
from nginx import proxied

from ports import free_port


@pytest.fixture(scope="module")
def page_port() -> int:
    """Name the port of a module's page, whose origin the demo lets in."""
    return free_port()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(page_port: int, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoServer]:
    """Run a demo until the module's tests are done."""
    origin = f"http://127.0.0.1:{page_port}"
    server = DemoServer(tmp_path_factory.mktemp("demo"), environment={"REFUNDGQL_ALLOWED_ORIGINS": origin})
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(demo: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CutLine]:
    """Give a line that leads to the demo through nginx, and can be cut."""
    async with proxied(tmp_path_factory.mktemp("nginx"), demo.port) as port, CutLine.to(port) as line:
        yield line
