"""GraphiQL in a real browser, against a real demo server."""

from typing import Any

import graphiql_page as pages
import pytest
from browser_notes import Demo, Watched, open_context
from playwright.async_api import Browser, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

REPORTABLE_LEADS = """
query Reportable {
  leads(first: 100) { edges { node { id refundCase { id } refundAction { enabled } } } }
}
"""
REPORT = """
mutation Report($input: RequestLeadRefundInput!) {
  requestLeadRefund(input: $input) { refundCase { id number state version } refusals { code message } }
}
"""
# Less than the two minutes after which Monaco stops a helper that has nothing to do.
SHORT_LIFE_SECONDS = 90


async def _sign_in_as_support(page: Page, demo: Demo) -> None:
    await pages.sign_in_as(page, demo.people["SUPPORT"]["name"], "SUPPORT")
    await pages.hide_desk(page)


async def _open_case(demo: Demo) -> dict[str, Any]:
    """Have the demo's professional report a lead, and return the case that support now decides."""
    leads = await demo.run("PRO", REPORTABLE_LEADS)
    for edge in leads["leads"]["edges"]:
        lead = edge["node"]
        if lead["refundAction"]["enabled"] and lead["refundCase"] is None:
            given = {
                "leadId": lead["id"],
                "reason": "JOB_CHANGED",
                "reasonDetail": "DIFFERENT_LOCATION",
                "explanation": "The job is in another town.",
                "idempotencyKey": f"browser-{lead['id']}",
            }
            done = await demo.run("PRO", REPORT, {"input": given})
            assert done["requestLeadRefund"]["refusals"] == []
            case: dict[str, Any] = done["requestLeadRefund"]["refundCase"]
            return case
    raise AssertionError("The demo holds no lead that can be reported.")


async def test_picks_a_demo_person_and_runs_the_queue(page: Page, demo: Demo) -> None:
    """A demo person signs in with one click, is named with the role, and the first tab answers with the queue."""
    case = await _open_case(demo)
    await _sign_in_as_support(page, demo)
    await expect(page.get_by_test_id("person-name")).to_have_text(demo.people["SUPPORT"]["name"])
    await expect(page.get_by_test_id("person-role")).to_contain_text(["SUPPORT"])

    await pages.run(page)

    shown = await pages.response(page, "totalCount")
    assert "errors" not in shown
    assert case["number"] in [edge["node"]["number"] for edge in shown["data"]["supportQueue"]["edges"]]


async def test_a_pasted_token_signs_in(page: Page, demo: Demo) -> None:
    """A token pasted as a whole header line signs its owner in, and the server's answer names the person."""
    await pages.sign_in_with(page, f"Authorization: Bearer {demo.token('SUPPORT')}\n")

    await expect(page.get_by_test_id("person-name")).to_have_text(demo.people["SUPPORT"]["name"])
    await expect(pages.sign_in_dialog(page)).to_be_hidden()


async def test_refuses_tokens_that_are_none(page: Page, demo: Demo) -> None:
    """Garbage and a forged signature are refused with one sentence, and nothing of them is kept."""
    alert = pages.sign_in_dialog(page).get_by_role("alert")

    await pages.sign_in_with(page, "open sesame")
    await expect(alert).to_contain_text("This is not a token")

    head, body, signature = demo.token("SUPPORT").split(".")
    await pages.sign_in_with(page, ".".join((head, body, signature[::-1])))
    await expect(alert).to_contain_text("The server does not accept this token")

    await expect(page.get_by_test_id("signed-out")).to_have_text("Not signed in")
    assert "eyJ" not in await pages.stored(page)  # how every token begins


async def test_without_a_token_the_policy_answers_and_the_queue_does_not(page: Page) -> None:
    """Signed out, the page says so; the queue answers UNAUTHENTICATED, the policy and the docs are there."""
    await pages.look_around(page)
    await expect(page.get_by_test_id("signed-out")).to_have_text("Not signed in")
    await pages.run(page)
    assert (await pages.response(page, "refundPolicy"))["data"]["refundPolicy"]["rules"]

    await pages.type_operation(page, "query Queue { supportQueue { totalCount } }")
    await pages.run(page)

    shown = await pages.response(page, "errors")
    assert shown["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    await page.get_by_role("button", name="Show Documentation Explorer").click()
    await expect(page.get_by_role("link", name="Subscription")).to_be_visible()


async def test_shows_a_refusal_as_data(page: Page, demo: Demo) -> None:
    """A refused approval stands in the response with its code and message, and is no error."""
    await _sign_in_as_support(page, demo)
    await pages.open_tab(page, "ApproveCase")
    await pages.type_variables(
        page,
        {
            "input": {
                "refundCaseId": "RefundCase_00000000-0000-7000-8000-000000000000",
                "idempotencyKey": "no-such-case",
            }
        },
    )

    await pages.run(page)

    shown = await pages.response(page, "refusals")
    assert "errors" not in shown
    assert [refusal["code"] for refusal in shown["data"]["approveRefund"]["refusals"]] == ["NOT_FOUND"]


async def test_a_reload_keeps_the_token_and_another_tab_does_not_have_it(page: Page, demo: Demo) -> None:
    """The token outlives a reload, is unknown to another browser tab, and is gone after signing out."""
    await _sign_in_as_support(page, demo)
    await page.reload()
    await expect(page.get_by_test_id("person-name")).to_have_text(demo.people["SUPPORT"]["name"])
    await expect(page.get_by_test_id("person-role")).to_contain_text(["SUPPORT"])

    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.get_by_test_id("signed-out")).to_have_text("Not signed in")
    await other.close()

    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_test_id("signed-out")).to_have_text("Not signed in")
    assert "eyJ" not in await pages.stored(page)  # how every token begins
    await page.reload()
    await expect(page.get_by_test_id("signed-out")).to_have_text("Not signed in")


async def test_clearing_the_editors_storage_leaves_the_session(page: Page, demo: Demo) -> None:
    """GraphiQL's own button for clearing its storage empties that, and does not sign anybody out."""
    await _sign_in_as_support(page, demo)
    await page.get_by_role("button", name="Open settings dialog").click()
    await page.get_by_role("button", name="Clear data").click()
    await expect(page.get_by_role("button", name="Cleared data")).to_be_visible()

    await page.reload()

    await expect(page.get_by_test_id("person-name")).to_have_text(demo.people["SUPPORT"]["name"])


async def test_signing_out_clears_what_the_person_saw(page: Page, demo: Demo) -> None:
    """Answers of the person who left are gone, also for whoever signs in next; the next person has other tabs."""
    await _sign_in_as_support(page, demo)
    await pages.run(page)
    await pages.response(page, "totalCount")
    await pages.open_tab(page, "Metrics")
    await pages.run(page)
    await pages.response(page, "overdueNow")

    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_test_id("signed-out")).to_be_visible()
    await expect(pages.tab(page, "PolicyAndWorkflow")).to_be_visible()
    assert await pages.response_text(page) == ""
    await page.get_by_role("button", name="Sign in").click()
    await pages.sign_in_as(page, demo.people["PRO"]["name"], "PRO")

    await expect(pages.tab(page, "MyLeads")).to_be_visible()
    await expect(pages.tab(page, "Metrics")).to_be_hidden()
    assert await pages.response_text(page) == ""


async def test_an_expiring_token_signs_out_with_one_sentence(page: Page, demo: Demo) -> None:
    """When the token's time is over the page forgets it, ends the stream and says so; a reload finds nothing."""
    await page.clock.install()
    await page.reload()
    await pages.sign_in_with(page, await demo.short_token("SUPPORT", SHORT_LIFE_SECONDS))
    await expect(page.get_by_test_id("person-role")).to_be_visible()
    await pages.open_tab(page, "FollowQueue")
    await pages.run(page)
    live = page.get_by_role("status", name="Live updates")
    await expect(live).to_contain_text("Live")
    assert "eyJ" in await pages.stored(page)

    await page.clock.fast_forward(SHORT_LIFE_SECONDS * 1_000)  # however slow the machine was until here
    await expect(page.get_by_test_id("signed-out")).to_be_visible()
    await expect(page.get_by_role("status").filter(has_text="Your token expired at")).to_be_visible()
    await expect(live).to_have_text("")
    assert "eyJ" not in await pages.stored(page)  # how every token begins
    await page.reload()
    await expect(page.get_by_test_id("signed-out")).to_be_visible()


async def test_a_kept_token_past_its_time_is_forgotten_on_reload(page: Page, demo: Demo) -> None:
    """A tab that slept past the expiry comes back signed out and says why."""
    await _sign_in_as_support(page, demo)
    await page.evaluate(
        """() => {
            const [head, body, signature] = sessionStorage.getItem('refundgql.token').split('.');
            const claims = JSON.parse(atob(body.replaceAll('-', '+').replaceAll('_', '/')));
            const over = btoa(JSON.stringify({ ...claims, exp: Math.floor(Date.now() / 1000) - 1 }));
            sessionStorage.setItem('refundgql.token', [head, over.replaceAll('=', ''), signature].join('.'));
        }"""
    )
    await page.reload()

    await expect(page.get_by_role("status").filter(has_text="Your token expired at")).to_be_visible()
    assert "eyJ" not in await pages.stored(page)  # how every token begins


async def test_headers_are_sent_and_not_kept(page: Page, demo: Demo) -> None:
    """A token typed under Headers is used for that operation, and is in no storage."""
    await pages.look_around(page)
    await pages.type_headers(page, {"Authorization": f"Bearer {demo.token('SUPPORT')}"})
    await pages.type_operation(page, "query Me { viewer { name } }")

    await pages.run(page)

    shown = await pages.response(page, "viewer")
    assert shown["data"]["viewer"]["name"] == demo.people["SUPPORT"]["name"]
    # What is kept of the tabs is written a while after the last change.
    await page.wait_for_function("() => JSON.stringify({ ...sessionStorage }).includes('query Me')")
    assert "eyJ" not in await pages.stored(page)  # how every token begins


async def test_the_side_panel_opens_operations_of_every_role(page: Page, demo: Demo) -> None:
    """A professional finds their own operations first, and another role's opens in a new tab and answers."""
    await pages.sign_in_as(page, demo.people["PRO"]["name"], "PRO")
    await page.get_by_role("button", name="Show Ready-made operations").click()
    panel = page.get_by_role("region", name="Ready-made operations")
    await expect(panel.get_by_role("heading").first).to_have_text(f"For {demo.people['PRO']['name']}")

    await panel.get_by_role("button", name="MyContracts").click()

    tab = pages.tab(page, "MyContracts")
    await expect(tab).to_have_attribute("aria-current", "true")
    await expect(tab).to_be_in_viewport()
    await pages.run(page)
    assert "errors" not in await pages.response(page, "contracts")


async def test_the_key_button_renews_the_idempotency_key(page: Page, demo: Demo) -> None:
    """One press puts another idempotency key into the variables and leaves the rest."""
    await _sign_in_as_support(page, demo)
    await pages.open_tab(page, "ApproveCase")
    variables = page.get_by_role("region", name="Variables").locator(".view-lines:visible")
    await expect(variables).to_contain_text("idempotencyKey")
    before = await variables.inner_text()

    await page.get_by_role("button", name="New idempotency key in the variables").click()

    await expect(variables).not_to_have_text(before)
    await expect(variables).to_contain_text("expectedVersion")


async def test_prettify_lays_out_the_variables(page: Page) -> None:
    """Variables typed on one line come out one entry a line, nested ones further in."""
    await pages.look_around(page)
    variables = page.get_by_role("region", name="Variables")
    await pages.type_variables(page, {"first": 5, "filter": {"overdue": True}}, indent=None)
    assert await variables.locator(".view-line:visible").count() == 1

    await pages.prettify(page)

    await expect(variables.locator(".view-line:visible")).to_have_count(6)


async def test_light_and_dark(chromium: Browser, demo: Demo) -> None:
    """The page follows the system's theme until somebody chooses, and keeps the choice over a reload."""
    context = await open_context(chromium, color_scheme="dark")
    page = await context.new_page()
    await page.goto(f"{demo.address}/graphql")
    await pages.look_around(page)
    await expect(page.locator("body.graphiql-dark")).to_be_visible()

    await page.get_by_role("button", name="Switch to the light theme").click()
    await expect(page.locator("body.graphiql-light")).to_be_visible()
    await page.reload()
    await expect(page.locator("body.graphiql-light")).to_be_visible()
    await context.close()


async def test_docs_and_explorer_come_from_the_schema(page: Page, demo: Demo) -> None:
    """The docs describe the fields, and a tick in the explorer writes a field into the operation."""
    await _sign_in_as_support(page, demo)
    await page.get_by_role("button", name="Show Documentation Explorer").click()
    await page.get_by_role("link", name="Query", exact=True).click()
    await expect(page.get_by_role("link", name="supportQueue", exact=True)).to_be_visible()

    await pages.open_tab(page, "Metrics")
    await page.get_by_role("button", name="Show GraphiQL Explorer").click()
    editor = page.get_by_role("region", name="Operation Editor")
    await expect(editor).to_contain_text("overdueNow")
    await page.locator(".graphiql-explorer-field-view", has_text="overdueNow").last.click()
    await expect(editor).not_to_contain_text("overdueNow")


async def test_the_page_is_locked_down(page: Page, demo: Demo, watched: Watched) -> None:
    """The policy lets nothing but the server's own files and API in, and every file the page asks for is there."""
    answer = await page.request.get(f"{demo.address}/graphql", headers={"accept": "text/html"})
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["worker-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}

    await _sign_in_as_support(page, demo)
    await pages.run(page)
    await pages.response(page, "totalCount")
    assert [address for address, status in watched.statuses.items() if status >= 400] == []


async def test_everything_has_a_name(page: Page, demo: Demo) -> None:
    """Each button, field and link can be told apart by somebody who hears the page instead of seeing it."""
    await expect(pages.sign_in_dialog(page)).to_be_visible()
    await _sign_in_as_support(page, demo)
    nameless = await page.evaluate(
        """() => [...document.querySelectorAll('button, a[href], input, textarea, select, dialog, [role=tab]')]
            .filter((element) => element.checkVisibility())
            .filter((element) => !(element.getAttribute('aria-label') || element.getAttribute('aria-labelledby')
                || element.labels?.length || element.title || element.textContent.trim()))
            .map((element) => element.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
