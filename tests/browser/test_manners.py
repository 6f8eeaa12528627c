"""What GraphiQL lacks as it comes, and this page must not: width, find bar, whole ids, a way out for keys, weight."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import graphiql_page as pages
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from browser_notes import Demo, open_context
from desk_page import case_page, desk, rows
from playwright.async_api import Browser, BrowserContext, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

FIRST_LOAD_BYTES = 1_200_000
THEMES = ("light", "dark")
OVERFLOW = (
    """() => [document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"""
)


class Wire:
    """Counts every byte that goes from the server to the browser."""

    def __init__(self, port: int) -> None:
        """Remember where the server is."""
        self._port = port
        self.bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on, both ways."""
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool) -> None:
            with suppress(ConnectionError):
                while part := await source.read(65_536):
                    self.bytes += len(part) if counted else 0
                    sink.write(part)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, up_writer, counted=False), pump(up_reader, writer, counted=True))


@pytest_asyncio.fixture(loop_scope="module")
async def phone(chromium: Browser, demo: Demo) -> AsyncIterator[BrowserContext]:
    """Return a browser as wide as a phone."""
    context = await open_context(chromium, viewport={"width": 390, "height": 844})
    yield context
    await context.close()


async def test_the_first_load_is_light(chromium: Browser, demo: Demo) -> None:
    """A browser that was never here gets the page, the desk, the schema and the editors' workers in 1.2 MB at most."""
    port = urlsplit(demo.address).port
    assert port is not None
    wire = Wire(port)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    own = server.sockets[0].getsockname()[1]
    context = await open_context(chromium)
    page = await context.new_page()
    await pages.sign_in_by_link(page, f"http://127.0.0.1:{own}", "support-ivy")
    await expect(rows(page).first).to_be_visible()
    # The documentation stands when the schema is there, and a mark under a wrong field when the worker is.
    await pages.type_operation_plain(page, "query Wrong { nothingOfThisName }")
    await expect(page.locator(".squiggly-error").first).to_be_visible()
    await context.close()
    server.close()
    assert 500_000 < wire.bytes <= FIRST_LOAD_BYTES


FORGET_TABS = """() => Object.keys(sessionStorage)
  .filter((key) => key.endsWith("tabState"))
  .forEach((key) => sessionStorage.removeItem(key))"""


async def test_nothing_hangs_over_the_edge(page: Page, demo: Demo) -> None:
    """The page is as large as its window, also with a long panel open, closed and after a reload, however soon."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await expect(rows(page).first).to_be_visible()
    await page.get_by_role("button", name="Show Ready-made operations").click()
    await expect(page.get_by_role("region", name="Ready-made operations")).to_be_visible()
    assert await page.evaluate(OVERFLOW) == [0, 0]
    # GraphiQL keeps a panel at once and tabs a moment later: whoever reloads in between has no tabs yet.
    await page.evaluate(FORGET_TABS)
    await page.reload()
    await expect(page.get_by_role("region", name="Ready-made operations")).to_be_visible()
    assert await page.evaluate(OVERFLOW) == [0, 0]
    await page.get_by_role("button", name="Hide Ready-made operations").click()
    assert await page.evaluate(OVERFLOW) == [0, 0]


async def test_the_find_bar_goes_away(page: Page) -> None:
    """Esc closes the find bar, and the tabs below it can be pressed again."""
    await pages.look_around(page)
    await page.get_by_role("region", name="Operation Editor").locator(".view-line").first.click()
    await page.keyboard.press("Control+F")
    bar = page.get_by_role("region", name="Operation Editor").locator(".find-widget")
    await expect(bar).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(bar).to_be_hidden()


async def test_a_double_click_takes_a_whole_id(page: Page, demo: Demo) -> None:
    """An id, dashes and all, is one word: a double click and Ctrl+C copy all of it."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await pages.hide_desk(page)
    await pages.open_tab(page, "UnreadOfMine")
    shown = page.get_by_role("region", name="Variables").locator(".view-line", has_text="Account_")
    await shown.dblclick(position={"x": 180, "y": 8}, force=True)  # the editor draws its lines anew at any time
    await page.keyboard.press("Control+C")
    me = (await demo.run("support-ivy", "{ viewer { id } }"))["viewer"]["id"]
    assert await page.evaluate("() => navigator.clipboard.readText()") == me


async def test_keys_get_out_of_an_editor(page: Page) -> None:
    """Enter goes into an editor, where Tab writes; Escape comes out of it, and Tab goes on; the frame says so."""
    await pages.look_around(page)
    frame = page.locator(".graphiql-query-editor .graphiql-editor")
    await expect(frame).to_have_attribute("title", "Enter to edit; Escape and then Tab to leave")
    await frame.focus()
    await page.keyboard.press("Enter")
    assert await page.evaluate("() => document.activeElement.tagName") == "TEXTAREA"
    await page.keyboard.press("Tab")
    assert await page.evaluate("() => document.activeElement.tagName") == "TEXTAREA"
    await page.keyboard.press("Escape")
    await expect(frame).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Execute query")).to_be_focused()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [1440, 390])
async def test_axe_finds_nothing(chromium: Browser, demo: Demo, theme: str, width: int) -> None:
    """No rule of axe is broken: dialog, list, case, form, help, answers, ready-made operations, documentation."""
    context = await open_context(
        chromium,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.goto(f"{demo.address}/graphql")
    await expect(pages.sign_in_dialog(page).get_by_role("button", name="Ivy Novak")).to_be_visible()
    await _axe(page, "dialog")
    await pages.sign_in_as(page, demo.people["SUPPORT"]["name"], "SUPPORT")
    await expect(rows(page).first).to_be_visible()
    await _axe(page, "list")
    number = await rows(page).first.locator("th button").inner_text()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(case_page(page, number)).to_be_visible()
    await _axe(page, "case")
    await page.keyboard.press("a")
    await expect(desk(page).get_by_role("form")).to_be_visible()
    await _axe(page, "form")
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys of the desk")).to_be_visible()
    await _axe(page, "help")
    await page.keyboard.press("Escape")
    await pages.hide_desk(page)
    await pages.run(page)
    await pages.response(page, "totalCount")
    await _axe(page, "answer")
    await page.get_by_role("button", name="Show Ready-made operations").click()
    await expect(page.get_by_role("region", name="Ready-made operations")).to_be_visible()
    await _axe(page, "ready-made")
    await page.get_by_role("button", name="Show Documentation Explorer").click()
    await expect(page.get_by_role("link", name="Subscription")).to_be_visible()
    await _axe(page, "docs")
    await context.close()


async def _axe(page: Page, where: str) -> None:
    found = (await Axe().run(page)).response["violations"]
    told = [(where, one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]
    assert told == []


async def test_a_phone_shows_all_of_it(phone: BrowserContext, demo: Demo) -> None:
    """At 390 px the desk, a case, its buttons and the editors are there without a sideways scroll."""
    page = await phone.new_page()
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await expect(rows(page).first).to_be_visible()
    assert await page.evaluate(OVERFLOW) == [0, 0]
    await rows(page).first.click()
    await expect(desk(page).get_by_role("article")).to_be_visible()
    assert await page.evaluate(OVERFLOW) == [0, 0]
    wide = await desk(page).evaluate(
        """(one) => [...one.querySelectorAll('*')]
            .filter((part) => part.getBoundingClientRect().right > innerWidth + 1).length"""
    )
    assert wide == 0
    await page.get_by_role("button", name="Hide Desk").click()
    await pages.run(page)
    await pages.response(page, "totalCount")
    answer = page.locator(".graphiql-response .view-line").first
    await answer.scroll_into_view_if_needed()
    await expect(answer).to_be_visible()
    assert await page.evaluate(OVERFLOW) == [0, 0]
