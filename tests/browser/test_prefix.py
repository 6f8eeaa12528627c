"""GraphiQL and the desk below a path prefix, in each of the ways that docs/operations.md tells.

It must not go around the proxy but to act as somebody else.
"""

import asyncio
import base64
import contextlib
import hashlib
from pathlib import Path
from typing import Any

import graphiql_page as pages
import httpx
import pytest
from browser_notes import Watched, open_context
from desk_page import case_page, desk, outcome, row
from playwright.async_api import Browser, expect
from prefix_proxy import PREFIX, prefix_proxy
from real_desk import RealDesk, real_desk

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
REPORTABLE = "{ leads(first: 20) { edges { node { id refundAction { enabled } } } } }"
REPORT = """mutation($input: RequestLeadRefundInput!) {
  requestLeadRefund(input: $input) { refundCase { id number } refusals { message } } }"""
ANNOUNCE = """mutation($input: CreateEvidenceUploadInput!) {
  createEvidenceUpload(input: $input) { uploadUrl refusals { message } } }"""


@pytest.mark.parametrize("how", ["pass", "header", "strip"])
async def test_a_shift_below_a_prefix(chromium: Browser, tmp_path: Path, watched: Watched, how: str) -> None:
    """Led to the page, signed in, live, with a file's picture and an act that runs: nothing is asked for beside it."""
    async with prefix_proxy(how) as proxy:
        home = f"http://127.0.0.1:{proxy.port}{PREFIX}"
        settings = {"root_path": PREFIX} if how == "pass" else {}
        with contextlib.ExitStack() as stack:
            served = await asyncio.to_thread(stack.enter_context, real_desk(tmp_path, public_url=home, **settings))
            proxy.target_port = served.port
            context = await open_context(chromium)
            context.on("page", watched.follow)
            page = await context.new_page()
            await page.goto(f"{home}/")
            assert page.url == f"{home}/graphql"
            await pages.sign_in_with(page, served.token(served.with_role("SUPPORT")))
            await expect(desk(page)).to_contain_text("Nothing here.")
            await expect(page.get_by_role("status", name="Live updates")).to_contain_text("Live")

            number = await asyncio.to_thread(_report_with_a_picture, served)
            await row(page, number).click()
            picture = case_page(page, number).locator(".desk-evidence img")
            await expect(picture).to_have_js_property("naturalWidth", 1)
            await page.keyboard.press("d")
            await page.keyboard.insert_text("It is a chimney.")
            await page.keyboard.press("Control+Enter")
            await expect(outcome(page)).to_contain_text("Done.")
            await pages.response(page, '"DECLINED"')
            await page.get_by_role("button", name="Show Documentation Explorer").click()
            await expect(page.get_by_role("link", name="Subscription")).to_be_visible()
            await context.close()
    assert watched.complaints == []
    below = (f"{home}/", f"{home}/".replace("http", "ws", 1), "data:")
    assert [address for address in watched.addresses if not address.startswith(below)] == []
    assert [address for address, status in watched.statuses.items() if status >= 400 and "people" not in address] == []


def _report_with_a_picture(served: RealDesk) -> str:
    pro = served.with_role("PRO")
    leads = [edge["node"] for edge in served.ask(pro, REPORTABLE)["data"]["leads"]["edges"]]
    lead = next(one["id"] for one in leads if one["refundAction"]["enabled"])
    given: dict[str, Any] = {"leadId": lead, "reason": "OTHER", "explanation": "See it.", "idempotencyKey": "1"}
    case = served.ask(pro, REPORT, input=given)["data"]["requestLeadRefund"]["refundCase"]
    facts = {"sizeBytes": len(PICTURE), "sha256": hashlib.sha256(PICTURE).hexdigest()}
    file = {"refundCaseId": case["id"], "fileName": "chimney.png", "contentType": "image/png", **facts}
    announced = served.ask(pro, ANNOUNCE, input=file)["data"]["createEvidenceUpload"]
    assert httpx.put(announced["uploadUrl"], content=PICTURE).status_code == 201
    number: str = case["number"]
    return number
