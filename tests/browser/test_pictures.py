"""The pictures of README.md and docs/support.md that show the demo as it begins."""

import graphiql_page as pages
import pytest
from browser_notes import Demo, open_context
from desk_page import case_page, desk, outcome, rows
from desk_stories import report_a_lead
from pictures import take
from playwright.async_api import Browser, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
async def test_pictures(chromium: Browser, demo: Demo, theme: str, width: int) -> None:
    """A disputed case with an act before it is done, and the list on a phone, light and dark."""
    context = await open_context(
        chromium,
        viewport={"width": width, "height": 900 if width > 390 else 844},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await expect(rows(page).first).to_be_visible()
    if width > 390:
        await desk(page).get_by_role("button", name="All", exact=True).click()
        await desk(page).get_by_role("searchbox").fill("Sales dashboard")
        await expect(rows(page).filter(has_text="D-3")).to_have_count(1)
        await rows(page).filter(has_text="D-3").click()
        await expect(desk(page).get_by_role("article")).to_contain_text("second round")
        await page.keyboard.press("a")
        await expect(desk(page).get_by_role("list", name="What it will do")).to_be_visible()
    await take(page, f"desk-{theme}-{width}")
    await context.close()


async def test_picture_of_the_live_view(page: Page, demo: Demo) -> None:
    """The desk, an approval written into its tab, and its answer, as the README shows it."""
    number = await report_a_lead(demo)
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await expect(rows(page).filter(has_text=number)).to_be_visible()
    await rows(page).filter(has_text=number).click()
    await expect(case_page(page, number)).to_be_visible()
    await page.keyboard.press("a")
    await page.keyboard.press("Control+Enter")
    await expect(outcome(page)).to_contain_text("Done.")
    await pages.response(page, '"CREDITED"')
    await take(page, "graphiql")
