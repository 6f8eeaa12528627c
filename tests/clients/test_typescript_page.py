"""The TypeScript page: typed, linted, built, and in a real Chromium shown everything as it happens."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from browsers import PATIENCE_MS, answering, launched, opened, previewed
from cut_line import CutLine
from demo_server import DemoServer
from example_projects import node_project, run
from playwright.async_api import Browser, Locator, Page, WebSocket, expect

from patience import PATIENCE_SECONDS, until
from ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SUPPORT = "support-ivy"


@pytest.fixture(scope="module")
def project() -> Path:
    """Give the example, generated from the operations, type-checked and built."""
    folder = node_project("typescript")
    run(["npm", "run", "--silent", "build"], folder)
    return folder


async def test_schema_and_operations_pass_their_lint(project: Path) -> None:
    """All rules that graphql-eslint recommends for schemas, Relay and operations hold."""
    await asyncio.to_thread(run, ["npm", "run", "--silent", "lint"], project)


async def test_the_lock_pins_every_package_and_names_no_address() -> None:
    """Each locked package has a checksum and no address to fetch it from; the registry is the reader's own."""
    for name in ("typescript", "relay", "urql"):
        text = (Path(__file__).parents[2] / "examples" / name / "package-lock.json").read_text()
        packages = {path: entry for path, entry in json.loads(text)["packages"].items() if path}
        assert packages
        assert [path for path, entry in packages.items() if "integrity" not in entry] == []
        assert "://" not in text


async def test_a_server_can_take_the_generated_documents_and_no_others(project: Path, tmp_path: Path) -> None:
    """The file that the generator writes is one of trusted documents: its ids run, and other texts do not."""
    documents = project / "src" / "generated" / "persisted-documents.json"
    ids = {text.split()[1].split("(")[0]: name for name, text in json.loads(documents.read_text()).items()}
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFUNDGQL_")} | {
        "REFUNDGQL_DATABASE_URL": f"sqlite:///{tmp_path / 'desk.sqlite3'}",
        "REFUNDGQL_KEY_FILE": str(tmp_path / "key.pem"),
        "REFUNDGQL_PORT": str(port),
        "REFUNDGQL_OPERATION_TIMEOUT_SECONDS": str(PATIENCE_SECONDS),
        "REFUNDGQL_TRUSTED_DOCUMENTS": str(documents),
    }
    refundgql = [sys.executable, "-m", "refundgql"]
    await asyncio.to_thread(run, [*refundgql, "migrate"], tmp_path, **environment)
    server = await asyncio.create_subprocess_exec(*refundgql, "serve", cwd=tmp_path, env=environment)
    try:
        await answering(f"http://127.0.0.1:{port}/healthz")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            known = {"documentId": ids["PolicyAndWorkflow"], "variables": {"kind": "LEAD"}}
            assert (await http.post("/graphql", json=known)).json()["data"]["refundWorkflow"]["kind"] == "LEAD"
            other = (await http.post("/graphql", json={"query": "{ refundPolicy { version } }"})).json()
            assert [one["extensions"]["code"] for one in other["errors"]] == ["PERSISTED_QUERY_NOT_FOUND"]
    finally:
        server.terminate()
        await asyncio.wait_for(server.wait(), PATIENCE_SECONDS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin(project: Path, page_port: int) -> AsyncIterator[str]:
    """Serve the built page, of another origin than the desk's, and give its origin."""
    async with previewed(project, page_port) as origin:
        yield origin


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Run headless Chromium until the module's tests are done."""
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Browser, origin: str, line: CutLine) -> AsyncIterator[Page]:
    """Open the page with the desk's address in it, which leads through nginx."""
    async with opened(chromium, origin) as page:
        await page.get_by_label("Desk").fill(f"{line.url}/graphql")
        yield page


async def open_case(page: Page, tokens: str, number: str) -> None:
    """Paste a token, or several that follow one another, and open a case."""
    await page.get_by_label("Tokens").fill(tokens)
    await page.get_by_label("Case").fill(number)
    await page.get_by_role("button", name="Open").click()


def shown(page: Page, name: str) -> Locator:
    """Return the value that is shown under a name."""
    return page.get_by_label(name, exact=True)


async def history(page: Page) -> list[int]:
    """Return the numbers of the events that the page lists."""
    numbers: list[int] = await shown(page, "History").locator("li").evaluate_all("all => all.map(one => one.value)")
    return numbers


async def test_the_page_shows_a_case_and_what_others_do_to_it(page: Page, demo: DemoServer) -> None:
    """State, actions with what stands in their way, clocks and history are there; another's act appears by itself."""
    case = await demo.open_case()
    await open_case(page, demo.people["SUPPORT"], case["number"])
    await expect(shown(page, "State")).to_have_text("REQUESTED")
    await expect(shown(page, "Connection")).to_have_text("live")
    actions = page.get_by_role("region", name="Actions")
    await expect(actions.get_by_role("button", name="APPROVE")).to_be_enabled()
    await expect(actions.get_by_role("button", name="ESCALATE")).to_be_disabled()
    await expect(actions.get_by_role("listitem").filter(has_text="ESCALATE")).to_contain_text("(")
    await expect(shown(page, "Clocks").get_by_role("listitem").first).to_contain_text("until")
    await page.evaluate("window.notReloaded = true")
    await demo.state_something(case["id"])
    await expect(shown(page, "History").get_by_role("listitem")).to_have_count(2)
    assert await history(page) == [1, 2]
    assert await page.evaluate("window.notReloaded")


async def test_a_refusal_is_shown_as_what_it_is(page: Page, demo: DemoServer) -> None:
    """Declining without a word is refused, the page says why, and the case has not changed."""
    case = await demo.open_case()
    await open_case(page, demo.people["SUPPORT"], case["number"])
    await page.get_by_role("button", name="DECLINE").click()
    await expect(shown(page, "Refusals").get_by_role("listitem")).to_contain_text("INVALID_INPUT")
    await expect(shown(page, "State")).to_have_text("REQUESTED")


async def test_a_cut_line_costs_nothing(page: Page, demo: DemoServer, line: CutLine) -> None:
    """What happens while the line is down is there when it is back, once; a press whose answer is lost acts once."""
    sent: list[str] = []
    heard: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: sent.append(str(frame)))
        socket.on("framereceived", lambda frame: heard.append(str(frame)))

    page.on("websocket", listen)
    case = await demo.open_case()
    await open_case(page, demo.people["SUPPORT"], case["number"])
    await expect(shown(page, "Connection")).to_have_text("live")
    await until(lambda: any('"next"' in frame for frame in heard))  # before it there is no cursor to come back with
    line.down = True
    line.cut()
    await expect(shown(page, "Connection")).to_have_text("reconnecting")
    await demo.state_something(case["id"])
    await demo.state_something(case["id"])
    line.down = False
    await expect(shown(page, "Connection")).to_have_text("live")
    await expect(shown(page, "History").get_by_role("listitem")).to_have_count(3)
    asked = [frame for frame in sent if '"subscribe"' in frame]
    assert '"after"' not in asked[0]
    assert '"after":"' in asked[-1]
    line.lose_answer_to(b"mutation ApproveCase")
    await page.get_by_role("button", name="APPROVE").click()
    await expect(shown(page, "State")).to_have_text("CREDITED")
    await expect(shown(page, "History").get_by_role("listitem")).to_have_count(5)
    await expect(shown(page, "Refusals").get_by_role("listitem")).to_have_count(0)
    async with asyncio.timeout(PATIENCE_MS / 1_000):
        await line.carried(b"mutation ApproveCase", 2)
    await expect(page.get_by_role("button", name="APPROVE")).to_be_disabled()
    await expect(page.get_by_role("alert")).to_have_count(0)
    assert await history(page) == [1, 2, 3, 4, 5]


async def test_a_restarted_server_is_found_again(page: Page, demo: DemoServer) -> None:
    """After the server was killed and started again, the page is live by itself and hears what happens next."""
    case = await demo.open_case()
    await open_case(page, demo.people["SUPPORT"], case["number"])
    await expect(shown(page, "Connection")).to_have_text("live")
    await demo.kill()
    await expect(shown(page, "Connection")).to_have_text("reconnecting")
    await demo.start()
    await expect(shown(page, "Connection")).to_have_text("live")
    await demo.state_something(case["id"])
    await expect(shown(page, "History").get_by_role("listitem")).to_have_count(2)


async def test_a_restored_desk_is_followed_from_what_it_holds(page: Page, demo: DemoServer) -> None:
    """A cursor from after the backup is forgotten: the page shows what is left, and hears what happens next."""
    case = await demo.open_case()
    await demo.stop()
    demo.keep_copy()
    await demo.start()
    await open_case(page, demo.people["SUPPORT"], case["number"])
    await expect(shown(page, "Connection")).to_have_text("live")
    for listed in (2, 3):
        await demo.state_something(case["id"])
        await expect(shown(page, "History").get_by_role("listitem")).to_have_count(listed)
    await demo.kill()
    demo.restore_copy()
    await demo.start()
    await expect(shown(page, "History").get_by_role("listitem")).to_have_count(1)
    await demo.state_something(case["id"])
    await expect(shown(page, "History").get_by_role("listitem")).to_have_count(2)
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_token_that_runs_out_costs_nothing(page: Page, demo: DemoServer, line: CutLine) -> None:
    """A request with a spent token is sent again with the next; the stream goes on from its cursor with the last."""
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    case = await demo.open_case()
    spent, last = await demo.token(SUPPORT, 60), await demo.token(SUPPORT, 36_000)
    await demo.run_out(spent)
    short = await demo.token(SUPPORT)
    await open_case(page, f"{spent} {short} {last}", case["number"])
    await expect(shown(page, "Connection")).to_have_text("live")
    await demo.state_something(case["id"])
    await expect(shown(page, "History").get_by_role("listitem")).to_have_count(2)
    line.down = True
    await demo.run_out(short)
    await expect(shown(page, "Connection")).to_have_text("reconnecting")
    await demo.state_something(case["id"])
    await demo.state_something(case["id"])
    line.down = False
    await expect(shown(page, "History").get_by_role("listitem")).to_have_count(4)
    await expect(shown(page, "Connection")).to_have_text("live")
    await expect(page.get_by_role("alert")).to_have_count(0)
    assert await history(page) == [1, 2, 3, 4]
    begun = [frame for frame in sent if '"connection_init"' in frame]
    assert [short in begun[0], last in begun[-1]] == [True, True]
    assert '"after":"' in next(frame for frame in reversed(sent) if '"subscribe"' in frame)


async def test_the_last_token_that_runs_out_signs_out(page: Page, demo: DemoServer) -> None:
    """Where there is no other token the page says so, and does not go on trying."""
    case = await demo.open_case()
    short = await demo.token(SUPPORT)
    await open_case(page, short, case["number"])
    await expect(shown(page, "Connection")).to_have_text("live")
    await demo.run_out(short)
    await expect(shown(page, "Connection")).to_have_text("signed out")
    await expect(page.get_by_role("alert")).to_contain_text("Sign in again")


async def test_a_token_that_is_not_one_is_said_so(page: Page, demo: DemoServer) -> None:
    """The page does not go on trying with a token that the desk refuses."""
    await open_case(page, "nonsense", "RC-000001")
    await expect(page.get_by_role("alert")).to_be_visible()
