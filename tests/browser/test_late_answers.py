"""Keys, acts and tabs while answers are on their way: nothing is lost, nothing is done to what was before."""

import asyncio
import json

import graphiql_page as pages
import pytest
from browser_notes import Demo
from desk_page import case_page, desk, open_case, outcome, row, rows, selected_row
from desk_stories import approve, case_of, decidable, note, report_a_lead
from held import hold
from playwright.async_api import Page, Request, Route, WebSocketRoute, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def _found(page: Page, number: str) -> None:
    """Have the list show this case alone, and select it, by keys."""
    await page.keyboard.press("/")
    await page.keyboard.insert_text(number)
    await page.keyboard.press("Enter")
    await expect(rows(page)).to_have_count(1)
    await expect(selected_row(page)).to_contain_text(number)


async def test_keys_wait_for_the_list_and_for_the_case(page: Page, demo: Demo) -> None:
    """Pressed before list, case and colleagues are there: each key does its work in turn, words go into the form."""
    number = await report_a_lead(demo)
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await expect(row(page, number)).to_be_visible()
    held = [await hold(page, name) for name in ("DeskQueue", "DeskCase(", "query Staff")]
    await page.reload()
    await held[0].until_asked()
    await page.keyboard.press("/")
    await page.keyboard.type(number)
    await page.keyboard.press("Enter")
    for key in ("Enter", "d", *"No charge: a joke."):
        await page.keyboard.press(key)
    held[0].let_go.set()
    await held[1].until_asked()
    await page.keyboard.type(" Ada laughed.")
    async with page.expect_response(lambda one: "DeskCase(" in (one.request.post_data or "")):
        held[1].let_go.set()
    await page.keyboard.type(" So did we.")
    await expect(desk(page).get_by_role("form")).to_have_count(0)
    held[2].let_go.set()
    message = desk(page).get_by_role("form", name=f"Decline {number}").get_by_label("Message to")
    await expect(message).to_have_value("No charge: a joke. Ada laughed. So did we.")
    await expect(message).to_be_focused()


async def test_whoever_goes_elsewhere_leaves_the_keys_behind(page: Page, demo: Demo) -> None:
    """Escape, another list and the mouse end what was pressed early: it was about something else."""
    number = await report_a_lead(demo)
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await expect(row(page, number)).to_be_visible()
    for wanted, leave in (("4", "5"), ("4", "1"), ("4", "mouse"), ("5", "Escape")):
        held = await hold(page, "DeskQueue", "DeskCases")
        await page.keyboard.press(wanted)
        await held.until_asked()
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        if leave == "mouse":
            await desk(page).get_by_text("Asking…").click()
        else:
            await page.keyboard.press(leave)
        held.let_go.set()
        await expect(rows(page).first).to_be_visible()
        await expect(desk(page).get_by_role("article")).to_have_count(0)
        await expect(selected_row(page)).to_have_count(0)


@pytest.mark.parametrize("keys", ["Escape", "i", "m"])
async def test_the_next_act_waits_for_the_case_as_it_is_now(page: Page, demo: Demo, keys: str) -> None:
    """Keys pressed while an act is on its way are for what it leaves behind, and the act itself is not sent twice."""
    number = await report_a_lead(demo)
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await open_case(page, number)
    sent: list[Request] = []
    page.on("request", lambda one: sent.append(one) if "mutation SupportAsks" in (one.post_data or "") else None)
    held = await hold(page, "mutation SupportAsks")
    await page.keyboard.press("i")
    question = desk(page).get_by_label("Question")
    await expect(question).to_be_focused()
    await page.keyboard.insert_text("Which day was that?")
    await expect(question).to_have_value("Which day was that?")
    await expect(question).to_be_focused()
    await page.keyboard.press("Control+Enter")
    await page.keyboard.press("Control+Enter")
    await page.keyboard.press(keys)
    await page.keyboard.type("And")  # which is no decline, where nothing is there to be written into
    await held.until_asked()
    await expect(desk(page).get_by_role("button", name="Asking the server…")).to_be_disabled()
    reading = await hold(page, "DeskCase(")
    held.let_go.set()
    await expect(outcome(page)).to_contain_text("Done.")
    await expect(desk(page).get_by_role("form")).to_have_count(0)
    reading.let_go.set()
    if keys == "Escape":
        await expect(rows(page).first).to_be_visible()
    elif keys == "m":
        await expect(desk(page).get_by_role("form", name=f"Write {number}")).to_be_visible()
    else:
        await expect(case_page(page, number).get_by_role("region", name="What is due")).to_contain_text("our question")
    await expect(desk(page).get_by_role("form", name=f"Decline {number}")).to_have_count(0)
    assert len(sent) == 1


async def test_a_case_that_moved_on_is_looked_at_before_it_is_decided(page: Page, demo: Demo) -> None:
    """What a colleague did after the form was opened refuses the first press, and the second is about what is there."""
    number = await report_a_lead(demo)
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    case = await open_case(page, number)
    await page.keyboard.press("d")
    message = desk(page).get_by_label("Message to")
    await expect(message).to_be_focused()
    await page.keyboard.insert_text("It is as it was offered.")
    case_id = next(one["id"] for one in await decidable(demo) if one["number"] == number)
    await note(demo, case_id, "Wait, there is more.")
    await expect(case.get_by_role("region", name="Messages")).to_contain_text("Wait, there is more.")
    await page.keyboard.press("Control+Enter")
    await expect(outcome(page)).to_contain_text("moved on")
    assert (await case_of(demo, number))["state"] != "DECLINED"
    await expect(message).to_be_focused()
    await expect(message).to_have_value("It is as it was offered.")
    await page.keyboard.press("Control+Enter")
    await expect(outcome(page)).to_contain_text("Done.")
    assert (await case_of(demo, number))["state"] == "DECLINED"


async def test_what_was_read_before_the_stream_began_is_read_again(page: Page, demo: Demo) -> None:
    """A change after the case was read and before its stream began is seen all the same."""
    number = await report_a_lead(demo)
    may_begin = asyncio.Event()

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        async def pass_on(message: str | bytes) -> None:
            if "DeskFollowCase" in str(message):
                await may_begin.wait()
            server.send(message)

        socket.on_message(pass_on)

    await page.route_web_socket("**/graphql", between)
    await page.reload()
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    case = await open_case(page, number)
    case_id = next(one["id"] for one in await decidable(demo) if one["number"] == number)
    await note(demo, case_id, "Between the two.")
    may_begin.set()
    await expect(case.get_by_role("region", name="Messages")).to_contain_text("Between the two.")


async def test_a_press_that_nobody_answered_is_the_same_act_again(page: Page, demo: Demo) -> None:
    """Done, but the answer was lost: the desk says that it does not know, and a second press writes nothing twice."""
    number = await report_a_lead(demo)
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    case = await open_case(page, number)
    lost = []

    async def lose(route: Route) -> None:
        if "mutation NoteOnCase" in (route.request.post_data or "") and not lost:
            lost.append(await (await route.fetch()).text())
            await route.abort("connectionreset")
        else:
            await route.fallback()

    await pages.loaded(page)
    await page.route("**/graphql", lose)
    await page.keyboard.press("m")
    await page.keyboard.press("Tab")
    await page.keyboard.insert_text("Said once.")
    await page.keyboard.press("Control+Enter")
    await expect(outcome(page)).to_contain_text("it is done once")
    await expect(desk(page).get_by_label("Message", exact=True)).to_be_focused()
    await page.keyboard.press("Control+Enter")
    await expect(outcome(page)).to_contain_text("Done.")
    await expect(case.get_by_role("region", name="Messages").get_by_text("Said once.")).to_have_count(1)
    assert '"replayed": true' in await pages.response_text(page)
    assert len(lost) == 1


async def test_the_selection_stays_at_its_place(page: Page, demo: Demo) -> None:
    """When the selected case leaves the list, letters mean none until j goes to the one that follows."""
    first, second = [await report_a_lead(demo) for _ in range(2)]
    await pages.sign_in_by_link(page, demo.address, "support-jon")
    await expect(row(page, second)).to_be_visible()
    numbers = await rows(page).locator("th button").all_inner_texts()
    following = numbers[numbers.index(first) + 1]
    await row(page, first).locator("th button").focus()
    await expect(selected_row(page)).to_contain_text(first)
    await approve(demo, next(one["id"] for one in await decidable(demo) if one["number"] == first))
    await expect(row(page, first)).to_have_count(0)
    await expect(selected_row(page)).to_have_count(0)
    await page.keyboard.press("x")
    await page.keyboard.press("Enter")
    await expect(desk(page).get_by_role("checkbox", checked=True)).to_have_count(0)
    await page.keyboard.press("j")
    await expect(selected_row(page)).to_contain_text(following)
    await _found(page, second)


async def test_a_list_that_does_not_come_shows_no_other(page: Page, demo: Demo) -> None:
    """While a list cannot be read the desk says so, and shows no row of the list before; then it comes by itself."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await expect(rows(page).first).to_be_visible()
    away = asyncio.Event()

    async def refuse(route: Route) -> None:
        if "DeskCases" in (route.request.post_data or "") and not away.is_set():
            await route.abort("connectionrefused")
        else:
            await route.fallback()

    await page.route("**/graphql", refuse)
    await page.keyboard.press("5")
    await expect(desk(page)).to_contain_text("The server did not answer")
    await expect(rows(page)).to_have_count(0)
    away.set()
    await expect(rows(page).first).to_be_visible()


async def test_an_answer_stands_in_the_tab_that_asked(page: Page, demo: Demo) -> None:
    """An answer that comes while another tab is looked at, or pressed in, is there on return and nowhere else."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await pages.hide_desk(page)
    for pressed in (False, True):
        held = await hold(page, "query Metrics")
        await pages.open_tab(page, "Metrics")
        await pages.run(page)
        await held.until_asked()
        await pages.open_tab(page, "Staff")
        if pressed:
            await pages.run(page)
            await pages.response(page, "pageInfo")
        before = await pages.response_text(page)
        async with page.expect_response(lambda one: "query Metrics" in (one.request.post_data or "")):
            held.let_go.set()
        await pages.open_tab(page, "Metrics")
        await pages.response(page, "overdueNow")
        await pages.open_tab(page, "Staff")
        assert await pages.response_text(page) == before


async def test_a_press_belongs_to_whoever_pressed(page: Page, demo: Demo) -> None:
    """An act that still looks up a number when somebody else signs in is sent as the one who pressed it."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await pages.hide_desk(page)
    await pages.open_tab(page, "MarkRead")
    held = await hold(page, "query IdOfCase")
    await pages.run(page)
    await held.until_asked()
    await page.get_by_role("button", name="Sign out").click()
    await pages.sign_in_by_link(page, demo.address, "support-jon")
    async with page.expect_request(lambda one: "mutation MarkRead" in (one.post_data or "")) as sent:
        held.let_go.set()
    request = await sent.value
    ivy = demo.by_ref["support-ivy"]["token"]
    assert (await request.all_headers())["authorization"] == f"Bearer {ivy}"
    assert json.loads(request.post_data or "")["variables"]["input"]["refundCaseId"].startswith("RefundCase_")
