"""A real demo server and a real Chromium for the tests of the page.

It must not stand in for either: without Chromium the tests are skipped, without the server they fail.
"""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from browser_notes import Demo, Watched
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
STARTUP_SECONDS = 60
# Generous: a busy machine draws late, and a page that is right does not make anybody wait.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """Run `refundgql demo` on a free port until the module's tests are done."""
    port = _free_port()
    folder = tmp_path_factory.mktemp("demo")
    log = folder / "server.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFUNDGQL_")}
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "refundgql", "demo", "--port", str(port), "--folder", str(folder)),
            stdout=out,
            stderr=out,
            env=environment,
        )
        try:
            yield await _wait_for(f"http://127.0.0.1:{port}", process, folder, log)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait_for(process.wait(), 15)


async def _wait_for(address: str, process: asyncio.subprocess.Process, folder: Path, log: Path) -> Demo:
    async with httpx.AsyncClient() as client:
        for _ in range(STARTUP_SECONDS * 10):
            if process.returncode is not None:
                break
            with suppress(httpx.TransportError):
                answer = await client.get(f"{address}/graphiql/people.json")
                if answer.status_code == httpx.codes.OK:
                    people: list[dict[str, str]] = answer.json()
                    return Demo(address, {person["role"]: person for person in reversed(people)}, folder)
            await asyncio.sleep(0.1)
    said = await asyncio.to_thread(log.read_text, errors="replace")
    raise AssertionError(f"The demo did not start:\n{said[-4_000:]}")


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
    context = await chromium.new_context(
        viewport={"width": 1440, "height": 900},
        locale="en-GB",
        color_scheme="light",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(PATIENCE_MS)
    context.on("page", watched.follow)
    page = await context.new_page()
    await page.goto(f"{demo.address}/graphql")
    yield page
    await context.close()
    assert watched.complaints == []
    own = (demo.address + "/", demo.address.replace("http", "ws", 1) + "/", "data:")
    assert [address for address in watched.addresses if not address.startswith(own)] == []
