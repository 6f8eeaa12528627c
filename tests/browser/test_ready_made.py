"""Each ready-made operation as delivered: opened, run with ▶, and neither refused nor in error, for each role."""

import json
from typing import Any

import graphiql_page as pages
import pytest
from browser_notes import Demo
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PEOPLE = (
    "pro-ada",
    "client-eva",
    "expert-gus",
    "expert-hana",
    "support-ivy",
    "admin-kim",
    "marketplace",
    "customer-cleo",
)


@pytest.mark.parametrize("ref", PEOPLE)
async def test_every_ready_made_operation_runs_as_delivered(page: Page, demo: Demo, ref: str) -> None:
    """Signed in by the demo's link, a press of ▶ in each of the person's tabs is answered, without a refusal."""
    await pages.sign_in_by_link(page, demo.address, ref)
    await expect(pages.tab(page, "PolicyAndWorkflow")).to_be_visible()
    names = await pages.tabs(page).locator(".graphiql-tab-button").all_inner_texts()
    assert len(names) >= (1 if ref == "customer-cleo" else 2)
    for name in names:
        await pages.open_tab(page, name)
        await pages.run(page)
        if name.startswith("Follow"):
            await pages.response(page, '"live": "Live since')
            await pages.stop(page)
        else:
            shown = await pages.response(page, '"data"')
            assert "errors" not in shown, (name, shown["errors"])
            assert _refusals(shown) == [], name


async def test_a_second_press_is_a_new_act(page: Page, demo: Demo) -> None:
    """Pressed again, a mutation goes with a fresh key, which the variables show; a key that somebody typed is kept."""
    await pages.sign_in_by_link(page, demo.address, "support-jon")
    await pages.open_tab(page, "NoteOnCase")
    sent = []
    for _ in range(2):
        async with page.expect_request(lambda one: "NoteOnCase" in (one.post_data or "")) as request:
            await pages.run(page)
        answer = await (await request.value).response()
        assert answer is not None
        assert '"replayed":false' in (await answer.text()).replace(" ", "")
        sent.append(json.loads((await request.value).post_data or "")["variables"]["input"])
    first, shown = (one.pop("idempotencyKey") for one in sent)
    assert first != shown
    assert sent[0] == sent[1]
    assert shown in await pages.variables_text(page)

    typed = {"input": {**sent[0], "idempotencyKey": "my-own"}}
    await pages.type_variables(page, typed)
    for replayed in ("false", "true"):
        await pages.run(page)
        await pages.response(page, f'"replayed": {replayed}')


async def test_an_act_takes_a_number(page: Page, demo: Demo) -> None:
    """Where an id is asked for, the number that is read out does; one that nobody has is not found."""
    await pages.sign_in_by_link(page, demo.address, "support-jon")
    await pages.open_tab(page, "MarkRead")
    for number, found in (("RC-000001", True), ("RC-999999", False)):
        await pages.type_variables(page, {"input": {"refundCaseId": number}})
        await pages.run(page)
        shown = await pages.response(page, '"unread"' if found else '"NOT_FOUND"')
        assert bool(shown["data"]["markCaseRead"]["refundCase"]) is found


async def test_a_link_for_nobody_says_so(page: Page, demo: Demo) -> None:
    """A link that names nobody signs nobody in, and says why; the address does not keep the wish."""
    await page.goto("about:blank")
    await page.goto(f"{demo.address}/graphql#person=nobody-here")
    await expect(page.get_by_role("status").filter(has_text="nobody called nobody-here")).to_be_visible()
    assert page.url == f"{demo.address}/graphql"


async def test_a_short_token_signs_in(page: Page, demo: Demo) -> None:
    """The token that the demo prints, short as it is, can be pasted."""
    await pages.sign_in_with(page, demo.by_ref["support-jon"]["shortToken"])
    await expect(page.get_by_test_id("person-name")).to_have_text("Jon Mbeki")


def _refusals(shown: dict[str, Any]) -> list[Any]:
    found = []
    for value in shown["data"].values():
        if isinstance(value, dict):
            found += value.get("refusals") or []
            for result in value.get("results") or []:
                found += result["refusals"]
    return found
