"""docs/clients.md: its excerpts are in the examples, its operations and commands run, its tables leave nothing out."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from demo_server import DemoServer

from patience import PATIENCE_SECONDS
from refundgql.gql.errors import MEANINGS
from refundgql.gql.ws_messages import CloseCode

FINAL_FOR_GRAPHQL_WS = {1002, 1003, 1007, 1008, 1009, 1011, 4004, 4005, 4400, 4401, 4406, 4409, 4429, 4500}
"""Codes after which graphql-ws makes no other attempt: isFatalInternalCloseCode and its like in its client.ts."""
COME_BACK = {1001, 1006, 1012, 1013, 4403, 4408}

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
PACKAGES = [ROOT / "src" / "refundgql" / name for name in ("gql", "web")]


def blocks(language: str) -> list[str]:
    """Return the page's blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def lines_of(text: str) -> list[str]:
    """Return a text's lines, however deep they stand."""
    return [line.strip() for line in text.strip().splitlines()]


def test_excerpts_are_in_the_examples() -> None:
    """Each excerpt stands, line for line, in the file that the page names."""
    named = re.findall(r"From `(examples/[^`]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert len(named) == len(blocks("ts")) + len(blocks("python"))
    for path, text in named:
        wanted, there = lines_of(text), lines_of((ROOT / path).read_text(encoding="utf-8"))
        starts = range(len(there) - len(wanted) + 1)
        assert any(there[at : at + len(wanted)] == wanted for at in starts), f"{path} holds no such lines:\n{text}"


def test_all_codes_are_told() -> None:
    """Every code of an error and every code that a socket closes with has a line that says what to do."""
    table = [f"| `{code}` | {meaning.says} | {meaning.again} |" for code, meaning in MEANINGS.items()]
    assert "\n".join(table) in PAGE.partition("## Errors")[2].partition("## ")[0]
    closes = dict(re.findall(r"^\| ([\d, ]+) \|.*\| (yes|no) \|$", PAGE, re.MULTILINE))
    assert set(closes) == {
        "1006, 1001",
        "1002, 1003, 1007, 1008",
        *(str(int(code)) for code in CloseCode),
    }
    final = {int(code) for codes, last in closes.items() if last == "yes" for code in codes.split(", ")}
    assert final >= {int(code) for code in CloseCode if code in FINAL_FOR_GRAPHQL_WS}
    assert not final & COME_BACK


def test_commands_are_those_of_the_examples() -> None:
    """Every npm script and Python script that is named is there, and links lead somewhere."""
    for folder, script in re.findall(r"cd (examples/\w+) && npm ci && npm run (\w+)", PAGE):
        assert script in json.loads((ROOT / folder / "package.json").read_text())["scripts"]
    for script in re.findall(r"python (\w+\.py)", PAGE):
        assert (ROOT / "examples" / "python" / script).exists()
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
async def test_operations_run(demo: DemoServer) -> None:
    """Each operation of the page is answered without errors; what it says is refused is refused."""
    case = await demo.open_case()
    told = re.findall(r"<!-- as (\w+): (.*?) -->\n```graphql\n(.*?)```", PAGE, re.DOTALL)
    assert len(told) == len(blocks("graphql"))
    for role, variables, text in told:
        given: dict[str, Any] = json.loads(variables.replace("$case", case["id"]))
        if text.startswith("subscription"):
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert case["id"] in await first_event(demo, role, text, given)
        else:
            answer = await demo.run(role, text, given)
            if "declineRefund" in answer:
                assert [one["code"] for one in answer["declineRefund"]["refusals"]] == ["INVALID_INPUT"]


async def first_event(demo: DemoServer, role: str, text: str, variables: dict[str, Any]) -> str:
    """Return the data of the first server-sent event of a subscription."""
    headers = {"authorization": f"Bearer {demo.people[role]}", "accept": "text/event-stream"}
    body = {"query": text, "variables": variables}
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http,
        http.stream("POST", f"{demo.url}/graphql", json=body, headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                assert '"errors"' not in line
                return line
    raise AssertionError("the stream ended")


async def shell(command: str, **environment: str) -> asyncio.subprocess.Process:
    """Start a command of the page."""
    return await asyncio.create_subprocess_exec(
        "bash", "-c", command, stdout=asyncio.subprocess.PIPE, env={**os.environ, **environment}
    )


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
async def test_commands_run(demo: DemoServer) -> None:
    """The query answers; the stream tells what happens; resumed after a cursor it tells it again."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    query, stream, resumed = [text for text in blocks("sh") if text.startswith("curl")]
    environment = {"URL": demo.url, "TOKEN": demo.people["PRO"]}
    asked = await shell(query, **environment)
    answer = json.loads((await asked.communicate())[0])
    assert answer["data"]["viewer"]["roles"] == ["PRO"]
    cursor = (await demo.run("PRO", "{ refundCases { asOf } }"))["refundCases"]["asOf"]
    case = await demo.open_case()
    acting = asyncio.create_task(keep_acting(demo, case["id"]))
    try:
        assert b'"name":"ADD_EVIDENCE"' in await first_line_of_data(f"exec {stream}", environment)
    finally:
        acting.cancel()
    environment["CURSOR"] = cursor
    assert b'"sequence":1,"name":"REQUEST"' in await first_line_of_data(f"exec {resumed}", environment)


async def keep_acting(demo: DemoServer, case_id: str) -> None:
    """Let something happen every now and then: a stream from now on tells only what comes after its beginning."""
    while True:
        await demo.state_something(case_id)
        await asyncio.sleep(1)


async def first_line_of_data(command: str, environment: dict[str, str]) -> bytes:
    """Return the first event that a command prints, and stop it."""
    process = await shell(command, **environment)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (line := await process.stdout.readline()).startswith(b"data: "):
                assert line, "the stream ended"
            return line
    finally:
        process.kill()
        await process.wait()


def test_the_examples_have_one_form_of_what_they_share() -> None:
    """How a token is held, and how a stream is followed, is the same file in each example for the web."""
    for name in ("token.ts", "live.ts"):
        copies = {
            (ROOT / "examples" / example / "src" / name).read_bytes() for example in ("typescript", "urql", "relay")
        }
        assert len(copies) == 1, name
