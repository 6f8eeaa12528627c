"""A requester's page with urql, of another origin than the desk's, through nginx: over a token's end and a restart."""

import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from browsers import launched, opened, previewed
from cut_line import CutLine
from demo_server import DemoServer
from example_projects import node_project, run
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PRO = "pro-ada"


@pytest.fixture(scope="module")
def project() -> Path:
    """Give the example, generated from the operations, type-checked and built."""
    folder = node_project("urql")
    run(["npm", "run", "--silent", "build"], folder, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin(project: Path, page_port: int) -> AsyncIterator[str]:
    """Serve the built page, and give its origin."""
    async with previewed(project, page_port) as origin:
        yield origin


@pytest_asyncio.fixture(loop_scope="module")
async def page(origin: str) -> AsyncIterator[Page]:
    """Open the page; nothing in it may fail."""
    async with launched() as browser, opened(browser, origin) as page:
        yield page


async def open_desk(page: Page, line: CutLine, *tokens: str) -> None:
    """Open the desk, through nginx, with tokens that follow one another."""
    await page.get_by_label("Desk").fill(f"{line.url}/graphql")
    await page.get_by_label("Tokens").fill(" ".join(tokens))
    await page.get_by_role("button", name="Open").click()


async def test_a_requester_reports_and_follows_over_a_token_and_a_restart(
    page: Page, demo: DemoServer, line: CutLine
) -> None:
    """A refusal is shown as data; a report appears; what support does is told after a new token and a restart too."""
    short = await demo.token(PRO)
    await open_desk(page, line, short, await demo.token(PRO, 36_000))
    connection = page.get_by_label("Connection")
    await expect(connection).to_have_text("live")
    leads = page.get_by_label("Leads").get_by_role("listitem")
    lead = leads.filter(has=page.get_by_role("button", name="Report", disabled=False)).first
    title = await lead.locator("b").inner_text()
    lead = leads.filter(has_text=title).first
    await lead.get_by_role("button", name="Report").click()
    await expect(lead.get_by_role("note").filter(has_text="INVALID_INPUT")).to_contain_text("L12")
    await lead.get_by_label("What is wrong with it?").fill("They had already hired somebody when they wrote.")
    await lead.get_by_role("button", name="Report").click()
    await expect(lead.get_by_role("status")).to_have_text(re.compile(r"RC-\d{6}: REQUESTED"))
    number = (await lead.get_by_role("status").inner_text()).partition(":")[0]
    happened = page.get_by_label("What happened").get_by_role("listitem")
    await expect(happened.filter(has_text=f"{number}: REQUEST")).to_have_count(1)

    # The first token runs out: the stream ends, the next one takes it up again from its cursor.
    await demo.run_out(short)
    await expect(connection).to_have_text("live")
    case = (await demo.run("SUPPORT", f'{{ refundCaseByNumber(number: "{number}") {{ id }} }}'))["refundCaseByNumber"]
    await demo.state_something(case["id"])
    await expect(happened.filter(has_text=f"{number}: ADD_EVIDENCE")).to_have_count(1)

    await demo.kill()
    await expect(connection).to_have_text("reconnecting")
    await demo.start()
    await demo.state_something(case["id"])
    await expect(happened.filter(has_text=f"{number}: ADD_EVIDENCE")).to_have_count(2)
    await expect(connection).to_have_text("live")


async def test_another_page_is_not_let_in(page: Page, demo: DemoServer, line: CutLine) -> None:
    """An origin that the desk does not list gets nothing, and the page says that it cannot reach it."""
    await page.goto(page.url.replace("127.0.0.1", "localhost"))
    await open_desk(page, line, await demo.token(PRO, 36_000))
    await expect(page.get_by_role("alert")).to_contain_text("Failed to fetch")
    await expect(page.get_by_label("Connection")).not_to_have_text("live")


ASK = """async ([url, query]) => {
  const headers = {
    'content-type': 'application/json', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'sentry-trace': '771a43a4192642f0b136d5159a501700-2b6b4d4b5b6b7b8b-1', baggage: 'a=b',
    'apollographql-client-name': 'page', 'apollographql-client-version': '1', 'x-apollo-operation-name': 'Wide',
  };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) });
  return { text: await answer.text(), id: answer.headers.get('x-request-id'), secret: answer.headers.get('server') };
}"""
WIDE = "query Wide { refundWorkflow(kind: INVOICE) { mermaid transitions { action guards rules roles } } }"


async def test_what_tools_add_to_a_request_is_allowed_and_the_answer_is_compressed(page: Page, line: CutLine) -> None:
    """A browser's preflight lets tracing and client names through; what it is sent is a fraction of what it reads."""
    async with page.expect_response(lambda answer: answer.request.method == "POST") as expected:
        read = await page.evaluate(ASK, [f"{line.url}/graphql", WIDE])
    assert '"data"' in read["text"]
    assert read["id"]
    assert read["secret"] is None
    answer = await expected.value
    assert answer.headers["content-encoding"] in ("br", "zstd", "gzip")
    sizes = await answer.request.sizes()
    assert sizes["responseBodySize"] * 3 < len(read["text"])
