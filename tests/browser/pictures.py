"""Pictures that tests take of the page for README.md and docs/support.md.

It must not keep a picture unless it is asked to: REFUNDGQL_SCREENSHOT=1 renews them.
"""

import os
from pathlib import Path

from playwright.async_api import Page, expect

DOCS = Path(__file__).parents[2] / "docs"


async def take(page: Page, name: str) -> None:
    """Take a picture of the whole window, and keep it where the documents find it."""
    await expect(page.locator(".squiggly-error")).to_have_count(0)
    picture = await page.screenshot(animations="disabled")
    assert picture.startswith(b"\x89PNG")
    if os.environ.get("REFUNDGQL_SCREENSHOT"):
        (DOCS / f"{name}.png").write_bytes(picture)
