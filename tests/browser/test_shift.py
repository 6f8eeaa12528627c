"""A shift, as docs/support.md tells it: once at the desk with the keyboard alone, once in the tabs.

It must not use the API beside the page but to be the other people, and to see what became of it.
"""

import json
from typing import Any

import graphiql_page as pages
import pytest
from browser_notes import Demo, Watched
from demo_process import DemoProcess
from desk_page import case_page, desk, go_to, outcome, row, rows, selected_row
from desk_stories import case_of, decidable, proposable, report_a_lead
from pictures import take
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

CASES_READ = 20
STAYED = "() => { window.hereSince ??= performance.timeOrigin; return window.hereSince === performance.timeOrigin; }"


async def test_a_shift_with_the_keyboard(page: Page, demo: Demo, demo_process: DemoProcess, watched: Watched) -> None:
    """Twenty cases found and read; asked, approved in part, declined, proposed, many at once; through a restart."""
    watched.expected = ("WebSocket connection to",)
    await pages.sign_in_by_link(page, demo.address, "support-jon")
    await page.evaluate(STAYED)
    await expect(rows(page).first).to_be_visible()
    await page.keyboard.press("5")
    await expect(rows(page).nth(CASES_READ)).to_be_visible()
    read = set()
    await page.keyboard.press("j")
    for _ in range(CASES_READ):
        number = await selected_row(page).locator("th button").inner_text()
        await page.keyboard.press("Enter")
        await expect(case_page(page, number)).to_be_visible()
        read.add(number)
        await page.keyboard.press("Escape")
        await expect(selected_row(page)).to_contain_text(number)
        await page.keyboard.press("j")
        await expect(selected_row(page)).not_to_contain_text(number)
    assert len(read) == CASES_READ

    mine = [one["number"] for one in await decidable(demo, "support-jon")]
    asked, part, declined, *many = mine[:6]
    above = (await proposable(demo, "support-jon"))[0]["number"]
    await _find(page, asked)
    await page.keyboard.press("i")
    if await desk(page).get_by_label("Whom").count():
        await page.keyboard.press("Tab")
    await _do(page, "Which day was that?", "Done.")
    assert (await case_of(demo, asked))["events"]["edges"][-1]["node"]["name"] == "INFORMATION_REQUESTED"

    await _find(page, part)
    await page.keyboard.press("a")
    await expect(desk(page).get_by_label("Amount")).to_be_focused()
    await page.keyboard.press("Control+A")
    await _do(page, "1.00", "Done.")
    assert (await case_of(demo, part))["creditedAmount"]["amount"] == "1.00"

    live = page.get_by_role("status", name="Live updates")
    await expect(rows(page)).to_have_count(1)  # the list that was searched is there, and followed
    await expect(live).to_contain_text("Live")
    await demo_process.stop()
    await expect(live).to_contain_text("Reconnecting")
    await demo_process.start()
    await _find(page, declined)
    await page.keyboard.press("d")
    await _do(page, "We have read all of it.\nIt stays as it is.", "Done.")
    assert (await case_of(demo, declined))["state"] == "DECLINED"

    await _find(page, above)
    await page.keyboard.press("a")
    await _do(page, "", "Proposed: a colleague has to confirm it.")
    assert (await case_of(demo, above))["events"]["edges"][-1]["node"]["name"] == "PROPOSE"

    await page.keyboard.press("/")
    await page.keyboard.press("Control+A")
    await page.keyboard.press("Delete")
    await page.keyboard.press("Enter")
    await page.keyboard.press("1")
    new = await report_a_lead(demo)
    await expect(row(page, new)).to_be_visible()
    many.append(new)
    for number in many:
        await go_to(page, number)
        await page.keyboard.press("x")
    await page.keyboard.press("a")
    form = desk(page).get_by_role("form", name=f"Approve {len(many)} cases")
    await expect(form.get_by_role("listitem").filter(has_text="credited")).to_have_count(len(many))
    await take(page, "shift-desk")
    await page.keyboard.press("Control+Enter")
    for number in many:
        await expect(outcome(page)).to_contain_text(f"{number}: credited.")
        assert (await case_of(demo, number))["state"] == "CREDITED"
        await expect(row(page, number)).to_be_hidden()
    assert await page.evaluate(STAYED)


async def _find(page: Page, number: str) -> None:
    """Find one case by its number, and open it."""
    await page.keyboard.press("/")
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text(number)
    await page.keyboard.press("Enter")
    await expect(row(page, number)).to_be_visible()
    await expect(rows(page)).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(case_page(page, number)).to_be_visible()


async def _do(page: Page, words: str, became: str) -> None:
    """Write into the form's first field that is to be written in, do it, see what became of it, and go back."""
    await expect(desk(page).get_by_role("form")).to_be_visible()
    await page.keyboard.insert_text(words)
    await page.keyboard.press("Control+Enter")
    await expect(outcome(page)).to_contain_text(became)
    await page.keyboard.press("Escape")
    await expect(desk(page).get_by_role("searchbox")).to_be_visible()


async def test_a_shift_in_the_tabs(page: Page, demo: Demo, demo_process: DemoProcess, watched: Watched) -> None:
    """The same with ▶ alone: the queue is a log that tells each act, also after a restart; no template is refused."""
    watched.expected = ("WebSocket connection to",)
    new = [await report_a_lead(demo) for _ in range(5)]
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await page.evaluate(STAYED)
    await pages.hide_desk(page)
    await pages.open_tab(page, "FollowQueue")
    await pages.run(page)
    await pages.response(page, '"live": "Live since')
    await pages.open_tab(page, "SupportQueue")
    await pages.type_variables(page, {"first": 50, "filter": None})
    await pages.run(page)
    waiting = (await pages.response(page, "totalCount"))["data"]["supportQueue"]["edges"]
    numbers = [*new, *(edge["node"]["number"] for edge in waiting)]
    await pages.open_tab(page, "CaseByNumber")
    for number in list(dict.fromkeys(numbers))[:CASES_READ]:
        await pages.type_variables(page, {"number": number})
        await pages.run(page)
        await pages.response(page, f'"number": "{number}"')

    async def act(name: str, given: dict[str, Any]) -> dict[str, Any]:
        await pages.open_tab(page, name)
        await pages.type_variables(page, {"input": {**given, "idempotencyKey": ""}})
        async with page.expect_response(lambda one: f"mutation {name}" in (one.request.post_data or "")) as answered:
            await pages.run(page)
        (payload,) = json.loads(await (await answered.value).text())["data"].values()
        assert payload["refusals"] == []
        told: dict[str, Any] = payload
        return told

    asked, part, declined, *many = new
    await act("SupportAsks", {"refundCaseId": asked, "from": "REQUESTER", "question": "Which day was that?", "days": 3})
    amount = {"amount": "1.00", "currencyCode": "USD"}
    await act("ApproveCase", {"refundCaseId": part, "amount": amount})
    await demo_process.stop()
    await expect(page.get_by_role("status", name="Live updates")).to_contain_text("Reconnecting")
    await demo_process.start()
    await act("DeclineCase", {"refundCaseId": declined, "message": "It stays as it is."})
    above = (await proposable(demo, "support-ivy"))[0]["number"]
    proposed = await act("ApproveCase", {"refundCaseId": above})
    assert proposed["event"]["name"] == "PROPOSE"
    decisions = [{"refundCaseId": number, "decision": "APPROVE"} for number in many]
    results = (await act("DecideMany", {"decisions": decisions}))["results"]
    assert [(one["refundCase"]["state"], one["refusals"]) for one in results] == [("CREDITED", [])] * len(many)

    await pages.open_tab(page, "FollowQueue")
    shown = await pages.response(page, f"{many[-1]} APPROVE")
    told = {line["what"].split("; ")[0] for line in shown["updates"]}
    for number, event in (
        (asked, "INFORMATION_REQUESTED"),
        (part, "APPROVE"),
        (declined, "DECLINE"),
        (above, "PROPOSE"),
    ):
        assert f"{number} {event}" in told
    assert {f"{number} APPROVE" for number in many} <= told
    await take(page, "shift-tabs")
    assert await page.evaluate(STAYED)
