"""A real Chromium for the pages of the examples, and the built pages served to it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from patience import PATIENCE_SECONDS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
# Generous: a busy machine answers late, and a page that is right does not make anybody wait.
PATIENCE_MS = PATIENCE_SECONDS * 1_000


async def answering(url: str) -> None:
    """Wait until somebody answers at an address."""
    async with httpx.AsyncClient() as http, asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(httpx.TransportError):
                if (await http.get(url)).is_success:
                    return
            await asyncio.sleep(0.1)


@asynccontextmanager
async def previewed(project: Path, port: int) -> AsyncIterator[str]:
    """Serve a built example on a port, and give its origin."""
    vite = ("node", "node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1", "--port", str(port))
    preview = await asyncio.create_subprocess_exec(
        *vite, "--strictPort", cwd=project, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await answering(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}"
    finally:
        preview.kill()
        await preview.wait()


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=list(CHROMIUM_ARGUMENTS), timeout=PATIENCE_MS
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def opened(browser: Browser, origin: str) -> AsyncIterator[Page]:
    """Open a page in a fresh profile; nothing in it may fail."""
    expect.set_options(timeout=PATIENCE_MS)
    context = await browser.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    await page.goto(origin)
    yield page
    await context.close()
    assert failures == []
