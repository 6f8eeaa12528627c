"""A real Chromium for the pages of the examples, and the built pages served to it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from demo_server import free_port
from playwright.async_api import Browser, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
# Generous: a busy machine answers late, and a page that is right does not make anybody wait.
PATIENCE_MS = 60_000


async def answering(url: str) -> None:
    """Wait until somebody answers at an address."""
    async with httpx.AsyncClient() as http, asyncio.timeout(180):
        while True:
            with suppress(httpx.TransportError):
                if (await http.get(url)).is_success:
                    return
            await asyncio.sleep(0.1)


@asynccontextmanager
async def previewed(project: Path, **environment: str) -> AsyncIterator[int]:
    """Serve a built example, and give its port."""
    port = free_port()
    vite = ("node", "node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1", "--port", str(port))
    preview = await asyncio.create_subprocess_exec(
        *vite, "--strictPort", cwd=project, stdout=asyncio.subprocess.DEVNULL, env={**os.environ, **environment}
    )
    try:
        await answering(f"http://127.0.0.1:{port}/")
        yield port
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
            executable_path=CHROMIUM, headless=True, args=list(CHROMIUM_ARGUMENTS)
        )
        yield browser
        await browser.close()
