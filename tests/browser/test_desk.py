"""The desk inside GraphiQL: by clicks and by keys alone, with a colleague on the same cases, and a restart between."""

import graphiql_page as pages
import pytest
from browser_notes import Demo, Watched, open_context
from demo_process import DemoProcess
from desk_page import case_page, desk, go_to, open_case, open_found, outcome, row, rows, selected_row
from desk_stories import approve, case_of, decidable, dispute_escrow, note, report_a_lead
from held import hold
from playwright.async_api import Browser, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

# GraphiQL takes its two editor packages together; nothing else of the page waits for just two things.
EDITORS_LATE = """(() => {
  const all = Promise.all.bind(Promise);
  const come = new Promise((resolve) => { window.letEditorsCome = resolve; });
  Promise.all = (some) => all(some).then((found) => (found.length === 2 ? come.then(() => found) : found));
})()"""
TWO_LINES = "We have read the chat.\n\nThe job is the one that was offered."


async def test_the_queue_is_a_table_that_fits_what_the_api_says(page: Page, demo: Demo) -> None:
    """Signed in by the link, staff see the queue in its order, with who, how much, until when and what is new."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    asked = "{ supportQueue(first: 50) { totalCount edges { node { number requester { name } } } } }"
    queue = (await demo.run("support-ivy", asked))["supportQueue"]
    await expect(rows(page)).to_have_count(queue["totalCount"])
    numbers = [edge["node"]["number"] for edge in queue["edges"]]
    assert await rows(page).locator("th button").all_inner_texts() == numbers
    late = row(page, "Mend a gutter")
    await expect(late).to_contain_text("Ben Okafor")
    await expect(late).to_contain_text("21.00 USD")
    await expect(late).to_contain_text("late")
    await expect(row(page, "Hang a gallery wall")).to_contain_text("me")


async def test_a_case_is_a_page_that_can_be_read(page: Page, demo: Demo) -> None:
    """One case shows what was asked and paid, the chat with what is in evidence, notes for staff, and what happened."""
    await pages.sign_in_by_link(page, demo.address, "support-jon")
    number = await row(page, "Hang a gallery wall").locator("th button").inner_text()
    case = await open_case(page, number)
    await expect(case.get_by_role("heading", name=number)).to_be_visible()
    for name, text in (
        ("Money", "Charged"),
        ("What is due", "support’s move"),
        ("Evidence", "nobody opened"),
        ("Chat with Cleo Marsh", "Twenty-two frames"),
        ("Messages", "not in service"),
        ("What happened", "Ada Brandt (pro) asked for the money back"),
    ):
        await expect(case.get_by_role("region", name=name)).to_contain_text(text)
    await expect(case.get_by_role("region", name="Chat with Cleo Marsh").get_by_text("in evidence")).to_have_count(3)
    await expect(case.get_by_role("region", name="Messages")).to_contain_text("staff only")


async def test_a_press_writes_the_operation_and_runs_it(page: Page, demo: Demo) -> None:
    """Approved in part with clicks: the operation stands in its tab with variables and answer, and it is so."""
    number = await report_a_lead(demo)
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    case = await open_case(page, number)
    await desk(page).get_by_role("button", name="Approve a").click()
    form = desk(page).get_by_role("form", name=f"Approve {number}")
    asked = await form.get_by_label("Amount").input_value()
    await form.get_by_label("Amount").fill("5.00")
    await expect(form.get_by_role("status")).to_contain_text("5.00 USD")
    foretold = form.get_by_role("list", name="What it will do")
    await expect(foretold).to_contain_text("5.00 USD from")
    await form.get_by_label("Amount").fill("9999.00")
    await expect(foretold).to_contain_text("At most")
    await form.get_by_label("Amount").fill("5.00")
    await expect(foretold).to_contain_text("afterwards")
    await form.get_by_role("button", name="Approve").click()

    await expect(outcome(page)).to_contain_text("Done.")
    await expect(case.get_by_role("heading", name=number)).to_contain_text("credited")
    await expect(pages.tab(page, "ApproveCase")).to_have_attribute("aria-current", "true")
    shown = await pages.response(page, '"CREDITED"')
    assert shown["data"]["approveRefund"]["refundCase"]["number"] == number
    assert '"amount": "5.00"' in await pages.variables_text(page)
    assert (await case_of(demo, number))["creditedAmount"]["amount"] == "5.00"
    assert float(asked) > 5
    await desk(page).get_by_role("button", name="All cases").click()
    await expect(row(page, number)).to_be_hidden()


async def test_a_case_is_declined_by_keys_alone(page: Page, demo: Demo) -> None:
    """Found with j, opened with Enter, declined with d and Ctrl+Enter; the words arrive with their line breaks."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    mine = await report_a_lead(demo)
    await expect(row(page, mine)).to_be_visible()
    await go_to(page, mine)
    await page.keyboard.press("k")
    await page.keyboard.press("j")
    await expect(selected_row(page)).to_contain_text(mine)
    await page.keyboard.press("Enter")
    case = case_page(page, mine)
    await expect(case).to_be_visible()
    await page.keyboard.press("d")
    await expect(desk(page).get_by_label("Message to")).to_be_focused()
    await page.keyboard.press("Control+Enter")  # a decline without a word is not sent
    await expect(desk(page).get_by_role("form", name=f"Decline {mine}")).to_be_visible()
    await page.keyboard.insert_text(TWO_LINES)
    await page.keyboard.press("Control+Enter")

    await expect(outcome(page)).to_contain_text("Done.")
    await expect(case.get_by_role("heading", name=mine)).to_contain_text("declined")
    history = case.get_by_role("region", name="What happened")
    assert TWO_LINES in await history.locator(".as-written").last.inner_text()
    event = (await case_of(demo, mine))["events"]["edges"][-1]["node"]
    assert (event["name"], event["note"], event["actor"]["name"]) == ("DECLINE", TWO_LINES, "Ivy Novak")
    await page.keyboard.press("Escape")
    await expect(rows(page).first).to_be_visible()


async def test_notes_statements_search_and_help_by_keys_alone(page: Page, demo: Demo) -> None:
    """A search with /, a note with m, a statement with e, the case taken with t, and the keys told by ?."""
    await pages.sign_in_by_link(page, demo.address, "support-jon")
    await expect(rows(page).first).to_be_visible()
    # A slow machine draws late; what is typed meanwhile must not be lost.
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys of the desk")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await page.keyboard.insert_text("zoë LINDQVIST")
    await page.keyboard.press("Enter")
    await devtools.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    await expect(rows(page)).to_have_count(1)
    await expect(selected_row(page)).to_contain_text("Tile a bathroom")
    number = await selected_row(page).locator("th button").inner_text()
    await page.keyboard.press("Enter")
    case = case_page(page, number)
    await expect(case).to_contain_text("Tile a bathroom")

    await page.keyboard.press("m")
    await page.keyboard.press("Tab")
    await page.keyboard.insert_text("Malmö is in Sweden.")
    await page.keyboard.press("Control+Enter")
    await expect(case.get_by_role("region", name="Messages")).to_contain_text("Malmö is in Sweden.")
    await expect(desk(page).get_by_role("form")).to_have_count(0)
    await page.keyboard.press("e")
    await page.keyboard.insert_text("The form asks for the place of the job.")
    await page.keyboard.press("Control+Enter")
    await expect(case.get_by_role("region", name="Evidence")).to_contain_text("place of the job")
    await page.keyboard.press("t")
    await page.keyboard.press("Enter")
    await expect(case).to_contain_text("Taken by Jon Mbeki.")

    told = await case_of(demo, number)
    assert told["assignee"]["name"] == "Jon Mbeki"
    assert told["messages"]["edges"][0]["node"] == {"body": "Malmö is in Sweden.", "audience": "INTERNAL"}


async def test_an_act_waits_for_the_editors(chromium: Browser, demo: Demo) -> None:
    """Pressed before the editors are there, an act is written into its tab and run as soon as they are."""
    number = await report_a_lead(demo)
    context = await open_context(chromium)
    await context.add_init_script(EDITORS_LATE)
    page = await context.new_page()
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await open_case(page, number)
    await page.keyboard.press("m")
    await page.keyboard.press("Tab")
    await page.keyboard.insert_text("Pressed early.")
    await page.keyboard.press("Control+Enter")
    await expect(desk(page).get_by_role("button", name="Asking the server…")).to_be_visible()
    await expect(page.locator(".monaco-editor")).to_have_count(0)
    await page.evaluate("() => window.letEditorsCome()")
    await expect(outcome(page)).to_contain_text("Done.")
    await pages.response(page, "Pressed early.")
    await context.close()


async def test_closed_buttons_say_why(page: Page, demo: Demo) -> None:
    """A second look is not for whoever declined the first: the button is there, closed, with the rule."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await open_found(page, "Rewire a shed")
    closed = desk(page).get_by_role("button", name="Approve", exact=True)
    await expect(closed).to_be_disabled()
    await expect(desk(page).get_by_role("group", name="What can be done")).to_contain_text("(D6)")
    await page.keyboard.press("a")
    await expect(desk(page).get_by_role("form")).to_have_count(0)


async def test_evidence_says_who_reads_it_and_what_is_gone(page: Page, demo: Demo) -> None:
    """A file is seen as a picture, what was withdrawn or redacted says so, and an administrator redacts by keys."""
    await pages.sign_in_by_link(page, demo.address, "admin-kim")
    number = await open_found(page, "D-3")
    case = case_page(page, number)
    evidence = case.get_by_role("region", name="Evidence")
    items = evidence.locator(".desk-evidence > li")
    await expect(items).to_have_count(4)
    await expect(items.nth(0)).to_contain_text("Statement of Hana Ito")
    await expect(items.nth(0)).to_contain_text("to everyone")
    await expect(items.nth(1).get_by_role("link", name="list-of-12-february.png")).to_be_visible()
    await expect(items.nth(1).locator("img")).not_to_have_js_property("naturalWidth", 0)
    await expect(items.nth(2)).to_contain_text("Withdrawn by Hana Ito")
    await expect(items.nth(3)).to_contain_text("Redacted by an administrator")
    await expect(evidence).not_to_contain_text("0113 496")

    await page.keyboard.press("z")
    form = desk(page).get_by_role("form", name=f"Redact evidence {number}")
    await expect(form.get_by_label("Which").get_by_role("option")).to_have_count(3)
    await page.keyboard.press("Tab")
    await page.keyboard.insert_text("It tells where somebody works.")
    await page.keyboard.press("Control+Enter")
    await expect(outcome(page)).to_contain_text("Done.")
    await expect(items.nth(0)).to_contain_text("Redacted by an administrator")
    await expect(evidence).not_to_contain_text("data model")
    await expect(pages.tab(page, "RedactEvidence")).to_have_attribute("aria-current", "true")
    assert (await case_of(demo, number))["events"]["edges"][-1]["node"]["name"] == "EVIDENCE_REDACTED"


async def test_a_second_signature(page: Page, demo: Demo) -> None:
    """What is above the limit is foretold as a proposal and made one; who may confirms it, and returns another."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    number = await open_found(page, "Server and database")
    case = case_page(page, number)
    await page.keyboard.press("a")
    form = desk(page).get_by_role("form", name=f"Approve {number}")
    await expect(form).to_contain_text("nothing moves until a colleague confirms it")
    await expect(form.get_by_role("list", name="What it will do")).to_contain_text("a colleague has to confirm it")
    await page.keyboard.press("Control+Enter")
    await expect(outcome(page)).to_contain_text("Proposed: a colleague has to confirm it.")
    await expect(case).to_contain_text("Ivy Novak proposes to approve 500.00 USD")
    assert (await case_of(demo, number))["state"] == "DISPUTED"

    await page.get_by_role("button", name="Sign out").click()
    await pages.sign_in_by_link(page, demo.address, "admin-kim")
    for found, key, words, state in (("Server and database", "c", "", "CREDITED"), ("D-5", "b", "Half.", "DISPUTED")):
        number = await open_found(page, found)
        await page.keyboard.press(key)
        await expect(desk(page).get_by_role("form")).to_be_visible()
        await page.keyboard.insert_text(words)
        await page.keyboard.press("Control+Enter")
        await expect(outcome(page)).to_contain_text("Done.")
        assert (await case_of(demo, number))["state"] == state
        await page.keyboard.press("Escape")


async def test_escrow_is_decided_with_its_rest_and_a_case_is_given_away(page: Page, demo: Demo) -> None:
    """A part goes back and the rest is released, as foretold; a case is given to a colleague, and to nobody again."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    number = await dispute_escrow(demo, "booking-launch", "100.00")
    case = await open_case(page, number)
    await page.keyboard.press("a")
    form = desk(page).get_by_role("form", name=f"Approve {number}")
    foretold = form.get_by_role("list", name="What it will do")
    await form.get_by_label("Amount").fill("60.00")
    await expect(foretold).to_contain_text("60.00 USD from")
    await expect(foretold).not_to_contain_text("340.00 USD from")
    await form.get_by_label("What is left in escrow").select_option("Is released to the expert")
    await expect(form.get_by_role("status")).to_contain_text("What is left in escrow goes to Hana Ito.")
    await expect(foretold).to_contain_text("340.00 USD from")
    await form.get_by_label("Amount").press("Control+Enter")
    await expect(outcome(page)).to_contain_text("Done.")
    await expect(case.get_by_role("region", name="Money")).to_contain_text("400.00 USD, released")

    await page.keyboard.press("Escape")
    other = await report_a_lead(demo)
    case = await open_case(page, other)
    for colleague, said in (("Jon Mbeki", "Taken by Jon Mbeki."), ("Nobody", "Nobody has taken it.")):
        await page.keyboard.press("g")
        await desk(page).get_by_label("Who takes care of it").select_option(colleague)
        await page.keyboard.press("Control+Enter")
        await expect(outcome(page)).to_contain_text("Done.")
        await expect(case).to_contain_text(said)
    await case.get_by_role("button", name=(await case_of(demo, other))["requester"]["name"]).click()
    await expect(desk(page)).to_contain_text("Cases of")
    await expect(row(page, other)).to_be_visible()
    await expect(row(page, number)).to_be_hidden()


async def test_many_are_decided_at_once(page: Page, demo: Demo) -> None:
    """Three selected and declined: what it will do to each is told, and what became of each, the failed one too."""
    numbers = [await report_a_lead(demo) for _ in range(3)]
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    for number in numbers:
        await desk(page).get_by_role("checkbox", name=f"Select {number}").check()
    await expect(desk(page).get_by_role("group", name="Selected cases")).to_contain_text("3 selected")
    await page.keyboard.press("d")
    form = desk(page).get_by_role("form", name="Decline 3 cases")
    await expect(form.get_by_role("listitem").filter(has_text="declined")).to_have_count(3)
    await page.keyboard.insert_text("The chat shows the job as it was offered.")
    faster = next(one for one in await decidable(demo) if one["number"] == numbers[1])
    await approve(demo, faster["id"])
    await page.keyboard.press("Control+Enter")
    for number in (numbers[0], numbers[2]):
        await expect(outcome(page)).to_contain_text(f"{number}: declined.")
        assert (await case_of(demo, number))["state"] == "DECLINED"
    await expect(outcome(page)).to_contain_text(f"{numbers[1]}: not done.")
    assert (await case_of(demo, numbers[1]))["state"] == "CREDITED"
    await expect(pages.tab(page, "DecideMany")).to_have_attribute("aria-current", "true")


async def test_two_agents_at_one_case(page: Page, chromium: Browser, demo: Demo) -> None:
    """What a colleague does is seen at once; an act on what was before is refused in words and changes nothing."""
    number = await report_a_lead(demo)
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await open_case(page, number)
    context = await open_context(chromium)
    other = await context.new_page()
    await pages.sign_in_by_link(other, demo.address, "support-jon")
    await open_case(other, number)
    await page.keyboard.press("d")
    await expect(desk(page).get_by_label("Message to")).to_be_focused()
    await page.keyboard.insert_text("Not this time.")

    await other.keyboard.press("a")
    await other.keyboard.press("Control+Enter")
    await expect(outcome(other)).to_contain_text("Done.")
    await expect(case_page(page, number).get_by_role("heading", name=number)).to_contain_text("credited")
    await page.keyboard.press("Control+Enter")

    await expect(outcome(page)).to_contain_text("The case has moved on")
    assert "refusals" in await pages.response_text(page)
    assert (await case_of(demo, number))["state"] == "CREDITED"
    await context.close()


async def test_the_desk_stays_live_through_a_restart(
    page: Page, demo: Demo, demo_process: DemoProcess, watched: Watched
) -> None:
    """With the server away the badge says so; back again, the list and the open case show what came meanwhile."""
    watched.expected = ("WebSocket connection to",)
    live = page.get_by_role("status", name="Live updates")
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    before = await report_a_lead(demo)
    await expect(row(page, before)).to_be_visible()
    await open_case(page, before)
    await expect(live).to_contain_text("Live")

    await demo_process.stop()
    await expect(live).to_contain_text("Reconnecting")
    await demo_process.start()
    found = next(one for one in await decidable(demo) if one["number"] == before)
    await note(demo, found["id"], "Written while you were away.")

    await expect(case_page(page, before)).to_contain_text("Written while you were away.")
    await expect(live).to_contain_text("Live")
    await page.keyboard.press("Escape")
    after = await report_a_lead(demo)
    await expect(row(page, after)).to_be_visible()
    await approve(demo, found["id"])
    await expect(row(page, before)).to_be_hidden()


async def test_what_is_typed_while_the_list_comes_stays_in_the_field(page: Page, demo: Demo) -> None:
    """A list that arrives in the middle of a search selects its row, and takes neither the focus nor a letter."""
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    number = await report_a_lead(demo)
    await open_case(page, number)
    held = await hold(page, "DeskQueue")
    await page.keyboard.press("Escape")
    await held.until_asked()
    await page.keyboard.press("/")
    await page.keyboard.type("RC")
    held.let_go.set()
    await expect(row(page, number)).to_be_visible()
    await expect(desk(page).locator("tr.selected")).to_contain_text(number)
    await page.keyboard.type("-0")
    await expect(desk(page).get_by_role("searchbox")).to_have_value("RC-0")
    await expect(desk(page).get_by_role("searchbox")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(desk(page).locator("tr.selected")).to_be_visible()
    await expect(case_page(page, number)).to_have_count(0)


async def test_enter_leaves_the_search_and_opens_nothing(page: Page, demo: Demo) -> None:
    """However soon the list has come, Enter in the field selects its first case, and the next Enter opens it."""
    number = await report_a_lead(demo)
    await pages.sign_in_by_link(page, demo.address, "support-ivy")
    await expect(row(page, number)).to_be_visible()
    await page.keyboard.press("/")
    await page.keyboard.insert_text(number)
    await expect(rows(page)).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(desk(page).locator("tr.selected")).to_contain_text(number)
    await page.keyboard.press("Enter")
    await expect(case_page(page, number)).to_be_visible()
