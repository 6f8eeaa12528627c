"""A requester's page with urql, of another origin than the desk's: over a token's end and a server's restart."""

import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from browsers import PATIENCE_MS, launched, previewed
from demo_server import DemoServer
from example_projects import node_project, run
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]

PRO = "pro-ada"


@pytest.fixture(scope="module")
def project() -> Path:
    """Give the example, generated from the operations, type-checked and built."""
    folder = node_project("urql")
    run(["npm", "run", "--silent", "build"], folder, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin(project: Path) -> AsyncIterator[str]:
    """Serve the built page, and give its origin."""
    async with previewed(project) as port:
        yield f"http://127.0.0.1:{port}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(origin: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoServer]:
    """Run a demo that lets the page's origin in."""
    server = DemoServer(tmp_path_factory.mktemp("demo"), environment={"REFUNDGQL_ALLOWED_ORIGINS": origin})
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def page(origin: str) -> AsyncIterator[Page]:
    """Open the page; nothing in it may fail."""
    expect.set_options(timeout=PATIENCE_MS)
    failures: list[str] = []
    async with launched() as browser:
        page = await (await browser.new_context(locale="en-GB")).new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        await page.goto(origin)
        yield page
    assert failures == []


async def open_desk(page: Page, desk: DemoServer, *tokens: str) -> None:
    """Open the desk with tokens that follow one another."""
    await page.get_by_label("Desk").fill(f"{desk.url}/graphql")
    await page.get_by_label("Tokens").fill(" ".join(tokens))
    await page.get_by_role("button", name="Open").click()


async def test_a_requester_reports_and_follows_over_a_token_and_a_restart(page: Page, desk: DemoServer) -> None:
    """A refusal is shown as data; a report appears; what support does is told after a new token and a restart too."""
    short = await desk.token(PRO)
    await open_desk(page, desk, short, await desk.token(PRO, 36_000))
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
    await desk.run_out(short)
    await expect(connection).to_have_text("live")
    case = (await desk.run("SUPPORT", f'{{ refundCaseByNumber(number: "{number}") {{ id }} }}'))["refundCaseByNumber"]
    await desk.state_something(case["id"])
    await expect(happened.filter(has_text=f"{number}: ADD_EVIDENCE")).to_have_count(1)

    await desk.kill()
    await expect(connection).to_have_text("reconnecting")
    await desk.start()
    await desk.state_something(case["id"])
    await expect(happened.filter(has_text=f"{number}: ADD_EVIDENCE")).to_have_count(2)
    await expect(connection).to_have_text("live")


async def test_another_page_is_not_let_in(page: Page, desk: DemoServer) -> None:
    """An origin that the desk does not list gets nothing, and the page says that it cannot reach it."""
    await page.goto(page.url.replace("127.0.0.1", "localhost"))
    await open_desk(page, desk, await desk.token(PRO, 36_000))
    await expect(page.get_by_role("alert")).to_contain_text("Failed to fetch")
    await expect(page.get_by_label("Connection")).not_to_have_text("live")
