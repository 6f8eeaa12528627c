"""Answers that come late: operations of a page are held back until a test lets them go."""

import asyncio
from dataclasses import dataclass, field

from browser_notes import PATIENCE_MS
from graphiql_page import loaded
from playwright.async_api import Page, Route


@dataclass  # no slots: Playwright hangs its own marks on a handler
class Held:
    """What is held back: `asked` once the page has asked, sent on after `let_go`."""

    names: tuple[str, ...]
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_asked(self) -> None:
        """Wait until the page has asked."""
        await asyncio.wait_for(self.asked.wait(), PATIENCE_MS / 1_000)

    async def __call__(self, route: Route) -> None:
        """Keep a request that asks for one of them, and let every other one pass."""
        if any(name in (route.request.post_data or "") for name in self.names):
            self.asked.set()
            await self.let_go.wait()
        await route.fallback()


async def hold(page: Page, *names: str) -> Held:
    """Hold back the page's operations that name one of these."""
    held = Held(names)
    # Chromium may lose what is being fetched while requests begin to be held.
    await loaded(page)
    await page.route("**/graphql", held)
    return held
