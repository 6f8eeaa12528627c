"""The generated Python client: typed, and told everything once, through nginx, however often its line drops."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from cut_line import CutLine
from demo_server import DemoServer
from example_projects import python_project, run

from patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SUPPORT = "support-ivy"


@pytest.fixture(scope="module")
def project() -> tuple[Path, Path]:
    """Give the example with its client generated, and its interpreter."""
    folder, interpreter = python_project()
    run([str(interpreter.parent / "ariadne-codegen")], folder)
    return folder, interpreter


async def test_every_ready_made_operation_is_a_typed_method(project: tuple[Path, Path]) -> None:
    """The example passes strict type checks against the client that is generated for it."""
    folder, interpreter = project
    mypy = [sys.executable, "-m", "mypy", "--python-executable", str(interpreter)]
    await asyncio.to_thread(run, [*mypy, "desk.py", "follow_case.py", "phone.py", "send_file.py"], folder)


async def test_the_phones_day(project: tuple[Path, Path], demo: DemoServer) -> None:
    """An answer that was lost is asked for again and nothing is done twice; a tunnel costs no event."""
    folder, interpreter = project
    before = (await demo.run("SUPPORT", "{ refundCases { totalCount } }"))["refundCases"]["totalCount"]
    printed = await asyncio.to_thread(run, [str(interpreter), "phone.py", demo.url], folder)
    after = (await demo.run("SUPPORT", "{ refundCases { totalCount } }"))["refundCases"]["totalCount"]
    assert "REQUESTED, replayed: True" in printed
    assert "The phone was told [1, 2, 3, 4], the history holds [1, 2, 3, 4]." in printed
    assert after == before + 1


async def test_a_file_becomes_evidence(project: tuple[Path, Path], demo: DemoServer, tmp_path: Path) -> None:
    """The announced bytes are taken as they are, and come back the same to those who see the case."""
    folder, interpreter = project
    case = await demo.open_case()
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1_000))
    command = [str(interpreter), "send_file.py", demo.url, case["number"], str(photo)]
    printed = await asyncio.to_thread(run, command, folder, TOKEN=demo.people["PRO"])
    assert printed.startswith("201: ")
    found = await demo.run(
        "SUPPORT",
        "query ($id: ID!) { refundCase(id: $id) { evidence { ... on FileEvidence { fileName url } } } }",
        {"id": case["id"]},
    )
    file = next(one for one in found["refundCase"]["evidence"] if one)
    assert file["fileName"] == "photo.png"
    async with httpx.AsyncClient() as http:
        assert (await http.get(file["url"])).content == photo.read_bytes()


@asynccontextmanager
async def following(
    project: tuple[Path, Path], url: str, number: str, token: str
) -> AsyncIterator[asyncio.StreamReader]:
    """Run the example that follows a case, and give what it prints."""
    folder, interpreter = project
    process = await asyncio.create_subprocess_exec(
        *(str(interpreter), "follow_case.py", url, number),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TOKEN": token},
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def told_until(lines: asyncio.StreamReader, last: int) -> list[int]:
    """Return the numbers of the events that are printed, up to one."""
    told: list[int] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while last not in told:
            line = (await lines.readline()).decode()
            assert line, "the follower ended"
            number = line.partition(" ")[0]
            told += [int(number)] if number.isdigit() else []
    return told


async def until_now(lines: asyncio.StreamReader) -> None:
    """Read until the case is printed as it is at the beginning of a connection."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (line := await lines.readline()).startswith(b"now"):
            assert line, "the follower ended"


async def test_following_goes_on_when_a_token_runs_out(
    project: tuple[Path, Path], demo: DemoServer, line: CutLine
) -> None:
    """A request with a spent token is sent again with the next; the stream goes on from its cursor with the last."""
    case = await demo.open_case()
    spent, last = await demo.token(SUPPORT, 60), await demo.token(SUPPORT, 36_000)
    await demo.run_out(spent)
    short = await demo.token(SUPPORT)
    async with following(project, line.url, case["number"], f"{spent} {short} {last}") as lines:
        await until_now(lines)
        await demo.state_something(case["id"])
        told = await told_until(lines, 2)
        line.down = True
        await demo.run_out(short)
        await demo.state_something(case["id"])
        await demo.state_something(case["id"])
        line.down = False
        told += await told_until(lines, 4)
        await demo.state_something(case["id"])
        told += await told_until(lines, 5)
    assert told == [2, 3, 4, 5]


async def test_the_last_token_that_runs_out_ends_the_following(project: tuple[Path, Path], demo: DemoServer) -> None:
    """Where there is no other token the follower says so and ends."""
    case = await demo.open_case()
    token = await demo.token(SUPPORT)
    async with following(project, demo.url, case["number"], token) as lines:
        await until_now(lines)
        await demo.run_out(token)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await lines.read() == b"Sign in again.\n"


async def test_following_survives_cuts_and_a_killed_server(
    project: tuple[Path, Path], demo: DemoServer, line: CutLine
) -> None:
    """Over sockets that are reset, a line that is down, and a server that is killed, each event comes once."""
    case = await demo.open_case()
    async with following(project, line.url, case["number"], demo.people["SUPPORT"]) as lines:
        await until_now(lines)
        told: list[int] = []
        for last in (2, 3, 4):
            line.cut()
            await demo.state_something(case["id"])
            told += await told_until(lines, last)
        line.down = True
        line.cut()
        await demo.state_something(case["id"])
        await demo.state_something(case["id"])
        line.down = False
        told += await told_until(lines, 6)
        await demo.kill()
        await demo.start()
        await demo.state_something(case["id"])
        told += await told_until(lines, 7)
    assert told == [2, 3, 4, 5, 6, 7]
