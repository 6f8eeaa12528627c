"""The live view through what a shift brings: another tab, a server that goes away, a machine that slept."""

from collections.abc import AsyncIterator

import graphiql_page as pages
import pytest
import pytest_asyncio
from browser_notes import Demo, Watched, open_context
from demo_process import DemoProcess
from desk_stories import note, open_number, report_a_lead
from held import hold
from playwright.async_api import Browser, Page, Route, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def support(page: Page, demo: Demo) -> AsyncIterator[Page]:
    """Sign support in and fold the desk away: what streams is what a tab streams."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await pages.hide_desk(page)
    yield page


async def test_a_followed_case_is_a_log(support: Page, demo: Demo, watched: Watched) -> None:
    """A followed case begins as it is; each change adds a line with its time and what changed; Stop ends it."""
    number, case_id = await open_number(demo)
    live = support.get_by_role("status", name="Live updates")
    await pages.open_tab(support, "FollowCase")
    await pages.type_variables(support, {"id": number})
    await pages.run(support)
    first = await pages.response(support, number)
    assert [line["what"] for line in first["updates"]] == [f"{number} as it is now"]
    await expect(live).to_have_text("Live · 1 update")

    await note(demo, case_id, "Seen by the other desk.")

    shown = await pages.response(support, '"told": 2')
    what = shown["updates"][0]["what"]
    assert what.startswith((f"{number} SEND_MESSAGE", f"{number} STAFF_NOTE"))
    assert "version: " in what
    assert shown["updates"][1] == first["updates"][0]
    assert shown["updates"][0]["at"]

    await pages.stop(support)
    await expect(live).to_have_text("")
    assert any('"complete"' in frame for frame in watched.frames_sent)


async def test_another_tab_does_not_end_it(support: Page, demo: Demo) -> None:
    """The stream goes on behind another tab: what came meanwhile is in the log on return, and the badge never lied."""
    live = support.get_by_role("status", name="Live updates")
    await pages.open_tab(support, "FollowQueue")
    await pages.run(support)
    await pages.response(support, '"live": "Live since')
    await pages.open_tab(support, "Metrics")
    await pages.run(support)
    await pages.response(support, "overdueNow")
    await expect(live).to_contain_text("Live")

    number = await report_a_lead(demo)
    await expect(live).to_have_text("Live · 1 update")
    assert "overdueNow" in await pages.response_text(support)
    await pages.open_tab(support, "FollowQueue")

    shown = await pages.response(support, number)
    assert shown["told"] == 1
    await pages.stop(support)
    await expect(live).to_have_text("")


GLANCE = """async () => {
  const tabs = [...document.querySelectorAll('.graphiql-tab-button')];
  const open = (name) => tabs.find((tab) => tab.textContent === name).click();
  open('Metrics');
  await new Promise((resolve) => setTimeout(resolve, 10));
  open('FollowQueue');
}"""


async def test_a_glance_at_another_tab_does_not_end_it(support: Page, demo: Demo) -> None:
    """Back sooner than anybody can look, and while the server is slow, the stream has missed nothing."""
    await pages.open_tab(support, "FollowQueue")
    await pages.run(support)
    await pages.response(support, '"live": "Live since')
    held = await hold(support, "query AsOf")
    await support.evaluate(GLANCE)
    await held.until_asked()
    number = await report_a_lead(demo)
    await expect(support.get_by_role("status", name="Live updates")).to_have_text("Live · 1 update")
    held.let_go.set()
    shown = await pages.response(support, number)
    assert shown["told"] == 1
    await pages.stop(support)


async def test_a_closed_tab_ends_it(support: Page, demo: Demo) -> None:
    """Closing the tab of a stream ends the stream, and the badge with it."""
    live = support.get_by_role("status", name="Live updates")
    await pages.open_tab(support, "FollowQueue")
    await pages.run(support)
    await expect(live).to_contain_text("Live")
    await support.get_by_role("button", name="Close FollowQueue").click()
    await expect(live).to_have_text("")


async def test_it_comes_back_after_a_restart_and_after_the_last_update(
    support: Page, demo: Demo, demo_process: DemoProcess, watched: Watched
) -> None:
    """While the server is away the badge says so; back again, the stream goes on with what it missed, once."""
    watched.expected = ("WebSocket connection to",)
    live = support.get_by_role("status", name="Live updates")
    await pages.open_tab(support, "FollowQueue")
    await pages.run(support)
    await pages.response(support, '"live": "Live since')

    await demo_process.stop()
    await expect(live).to_contain_text("Reconnecting")
    await pages.response(support, '"live": "Cut off at')
    await demo_process.start()
    missed = await report_a_lead(demo)

    shown = await pages.response(support, missed)
    assert [line["what"] for line in shown["updates"]] == [f"{missed} REQUEST"]
    await expect(live).to_have_text("Live · 1 update")
    await pages.stop(support)


async def test_a_network_that_was_away_is_noticed(chromium: Browser, demo: Demo) -> None:
    """A line that went dead without a word is found out by its missing answer, told, and taken up when it is back."""
    context = await open_context(chromium)
    page = await context.new_page()
    await pages.sign_in_by_link(page, demo.address, "support-jon")
    await pages.hide_desk(page)
    await pages.open_tab(page, "FollowQueue")
    await pages.run(page)
    live = page.get_by_role("status", name="Live updates")
    await expect(live).to_contain_text("Live")

    await context.set_offline(True)
    await expect(live).to_contain_text("Reconnecting")
    missed = await report_a_lead(demo)
    await context.set_offline(False)

    await pages.response(page, missed)
    await expect(live).to_contain_text("Live")
    await context.close()


async def test_what_does_not_come_at_first_is_asked_for_again(chromium: Browser, demo: Demo) -> None:
    """A page that meets a restart still gets its schema, its editors' helper and tabs about what is there."""
    context = await open_context(chromium)
    page = await context.new_page()
    needed = ["IntrospectionQuery", "cases: refundCases", "language.worker"]
    missed = dict.fromkeys(needed, 0)

    async def once_not(route: Route) -> None:
        asked = route.request.url + (route.request.post_data or "")
        part = next((one for one in needed if one in asked), "")
        if not part or missed[part] == 3:
            await route.continue_()
            return
        missed[part] += route.request.resource_type == "fetch"  # a worker asks for its file once
        await route.abort("connectionrefused")

    await page.route("**/*", once_not)
    await pages.sign_in_by_link(page, demo.address, "support-jon")
    await pages.hide_desk(page)
    await pages.open_tab(page, "CaseByNumber")
    await expect(page.get_by_role("region", name="Variables")).to_contain_text("RC-")
    await pages.type_operation_plain(page, "query Wrong { nothingOfThisName }")
    await expect(page.locator(".squiggly-error").first).to_be_visible()
    assert set(missed.values()) == {3}
    await context.close()
