"""Relay's compiler takes the schema as it is, and a page of another origin, through nginx, loses nothing."""

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

SUPPORT = "support-ivy"


@pytest.fixture(scope="module")
def project() -> Path:
    """Give the example, compiled, type-checked and built."""
    folder = node_project("relay")
    run(["npm", "run", "--silent", "build"], folder)
    return folder


@pytest_asyncio.fixture(loop_scope="module")
async def page(project: Path, page_port: int) -> AsyncIterator[Page]:
    """Open the built page; nothing in it may fail."""
    async with previewed(project, page_port) as origin, launched() as browser, opened(browser, origin) as page:
        yield page


async def test_fragments_pages_refetches_and_mutations_compile(project: Path) -> None:
    """A fragment is refetched through its node, two lists are connections, and an appended edge has its type."""
    generated = {path.name.removesuffix(".graphql.ts") for path in (project / "src" / "__generated__").glob("*.ts")}
    assert generated >= {"casePageHistoryQuery", "casePageCasesQuery", "casePageQuery", "casePageApproveMutation"}
    refetch = (project / "src" / "__generated__" / "casePageHistoryQuery.graphql.ts").read_text()
    assert "node(id: $id)" in refetch


async def test_a_page_loses_nothing_over_tokens_a_restart_and_a_restored_desk(
    page: Page, demo: DemoServer, line: CutLine
) -> None:
    """Each event is shown once, a lost answer acts once, and a cursor from after the backup is forgotten."""
    case = await demo.open_case()
    await demo.stop()
    demo.keep_copy()
    await demo.start()
    spent, last = await demo.token(SUPPORT, 60), await demo.token(SUPPORT, 36_000)
    await demo.run_out(spent)
    short = await demo.token(SUPPORT)
    await page.get_by_label("Desk").fill(f"{line.url}/graphql")
    await page.get_by_label("Tokens").fill(f"{spent} {short} {last}")
    await page.get_by_label("Case id").fill(case["id"])
    await page.get_by_role("button", name="Open").click()
    connection, state = page.get_by_label("Connection"), page.get_by_label("State")
    history = page.get_by_label("History").get_by_role("listitem")
    await expect(state).to_have_text("REQUESTED")
    await expect(connection).to_have_text("live")
    await demo.state_something(case["id"])
    await expect(history).to_have_count(1)

    # The token runs out, and the server restarts: what happens meanwhile is told afterwards.
    await demo.run_out(short)
    await demo.state_something(case["id"])
    await expect(history).to_have_count(2)
    await demo.kill()
    await expect(connection).to_have_text("reconnecting")
    await demo.start()
    await demo.state_something(case["id"])
    await expect(history).to_have_count(3)
    await expect(connection).to_have_text("live")

    line.lose_answer_to(b"mutation casePageApproveMutation")
    await page.get_by_role("button", name="Approve").click()
    await expect(state).to_have_text("CREDITED")
    await line.carried(b"mutation casePageApproveMutation", 2)
    await expect(history).to_have_count(5)
    numbers = await history.evaluate_all("all => all.map(one => one.value)")
    assert numbers == [2, 3, 4, 5, 6]
    await expect(page.get_by_role("alert")).to_be_hidden()

    # A desk that is put back to before all that: the page shows what is left and hears what happens next.
    await demo.kill()
    demo.restore_copy()
    await demo.start()
    await expect(state).to_have_text("REQUESTED")
    await demo.state_something(case["id"])
    await expect(history).to_have_count(6)
    await expect(page.get_by_role("alert")).to_be_hidden()
