"""A shift, as docs/support.md tells it: once at the desk with the keyboard alone, once in the tabs."""

import graphiql_page as pages
import pytest
from browser_notes import Demo, Watched
from demo_process import DemoProcess
from desk_page import case_page, desk, outcome, rows, selected
from desk_stories import case_of, decidable, report_a_lead
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

CASES_READ = 20


async def test_a_shift_with_the_keyboard(page: Page, demo: Demo, demo_process: DemoProcess, watched: Watched) -> None:
    """Twenty cases found and read, then the queue worked: asked, approved, declined; with a restart in between."""
    watched.expected = ("WebSocket connection to",)
    await pages.sign_in_by_link(page, demo.address, "support-jon")
    await expect(rows(page).first).to_be_visible()
    await desk(page).get_by_role("button", name="All", exact=True).focus()
    await page.keyboard.press("Space")
    await expect(rows(page).nth(CASES_READ)).to_be_visible()
    read = []
    await page.keyboard.press("j")
    for _ in range(CASES_READ):
        number = await selected(page)
        await page.keyboard.press("Enter")
        await expect(case_page(page, number)).to_be_visible()
        read.append(number)
        await page.keyboard.press("Escape")
        await expect(desk(page).locator("tr.selected")).to_be_visible()
        await page.keyboard.press("j")
    assert len(set(read)) == CASES_READ
    await desk(page).get_by_role("button", name="Waiting", exact=True).focus()
    await page.keyboard.press("Space")

    mine = [one["number"] for one in await decidable(demo, "support-jon")]
    wanted: dict[str, str] = {}
    for place, number in enumerate(mine):
        if place == 3:
            await demo_process.stop()
            await expect(page.get_by_role("status", name="Live updates")).to_contain_text("Reconnecting")
            await demo_process.start()
        wanted[number] = await _work(page, number, place)
    for number, state in wanted.items():
        assert (await case_of(demo, number))["state"] == state
    assert {"CREDITED", "DECLINED"} <= set(wanted.values())


async def _work(page: Page, number: str, place: int) -> str:
    """Find one case by its number and ask, approve a part, approve all or decline, by turns; return its state then."""
    await page.keyboard.press("/")
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text(number)
    await page.keyboard.press("Enter")
    await expect(rows(page)).to_have_count(1)
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    case = case_page(page, number)
    await expect(case).to_be_visible()
    state = (await case.locator("header .desk-state").inner_text()).upper()
    letter = ("i", "a", "d", "a")[place % 4]
    await page.keyboard.press(letter)
    await expect(desk(page).get_by_role("form")).to_be_visible()
    if letter == "i":
        if await desk(page).get_by_label("Whom").count():
            await page.keyboard.press("Tab")
        await page.keyboard.insert_text("Which day was that?")
    elif letter == "d":
        await page.keyboard.insert_text("We have read all of it.\nIt stays as it is.")
    elif place % 8 == 1:
        await page.keyboard.press("Control+A")
        await page.keyboard.insert_text("1.00")
    await page.keyboard.press("Control+Enter")
    await expect(outcome(page)).to_contain_text("Done.")
    await page.keyboard.press("Escape")
    await expect(desk(page).get_by_role("searchbox")).to_be_visible()
    return {"i": state, "a": "CREDITED", "d": "DECLINED"}[letter]


async def test_a_shift_in_the_tabs(page: Page, demo: Demo) -> None:
    """A case followed by its number, taken, noted and approved by number in the tabs; the log tells each step."""
    number = await report_a_lead(demo)
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await pages.hide_desk(page)
    await pages.open_tab(page, "FollowCase")
    await pages.type_variables(page, {"id": number})
    await pages.run(page)
    await pages.response(page, f"{number} as it is now")
    me = (await demo.run("support-ivy", "{ viewer { id } }"))["viewer"]["id"]
    for name, given in (
        ("TakeCase", {"refundCaseId": number, "assigneeId": me, "idempotencyKey": ""}),
        ("NoteOnCase", {"refundCaseId": number, "body": "Clear.", "audience": "INTERNAL", "idempotencyKey": ""}),
        ("ApproveCase", {"refundCaseId": number, "idempotencyKey": ""}),
    ):
        await pages.open_tab(page, name)
        await pages.type_variables(page, {"input": given})
        await pages.run(page)
        assert '"refusals": []' in await _answer(page)
    await pages.open_tab(page, "FollowCase")
    shown = await pages.response(page, f"{number} CREDIT")
    told = [line["what"].split("; ")[0].split(" ", 1)[1] for line in shown["updates"]]
    assert told[:2] == ["CREDIT", "APPROVE"]
    assert told[-1] == "as it is now"


async def _answer(page: Page) -> str:
    await pages.response(page, '"refusals"')
    return await pages.response_text(page)
