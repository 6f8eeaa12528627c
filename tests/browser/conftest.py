"""A real demo server and a real Chromium for the tests of the page."""

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from browser_notes import PATIENCE_MS, Demo, Watched, open_context
from demo_process import DemoProcess
from playwright.async_api import Browser, Page, async_playwright, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Root in a container has no user namespaces for the sandbox; the rest keeps Chromium from calling home.
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
expect.set_options(timeout=PATIENCE_MS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoProcess]:
    """Return the module's demo server, not started yet; it is stopped when the module's tests are done."""
    process = DemoProcess(tmp_path_factory.mktemp("demo"))
    yield process
    await process.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(demo_process: DemoProcess) -> Demo:
    """Run `refundgql demo` on a free port until the module's tests are done."""
    return await demo_process.start()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Run headless Chromium until the module's tests are done."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=list(CHROMIUM_ARGUMENTS)
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def watched() -> Watched:
    """Return the notes on this test's pages."""
    return Watched()


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Browser, demo: Demo, watched: Watched) -> AsyncIterator[Page]:
    """Open the page in a fresh browser profile; afterwards nothing may have complained or gone elsewhere."""
    context = await open_context(
        chromium,
        viewport={"width": 1440, "height": 900},
        color_scheme="light",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.on("page", watched.follow)
    page = await context.new_page()
    await page.goto(f"{demo.address}/graphql")
    yield page
    await context.close()
    assert watched.complaints == []
    own = (demo.address + "/", demo.address.replace("http", "ws", 1) + "/", "data:")
    assert [address for address in watched.addresses if not address.startswith(own)] == []
