"""The protocols' own audits and clients, run by node against a real server."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from transport_desk import MakeDesk

from refundgql.gql.limits import Limits

SOURCES = Path(__file__).parent / "npm"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def npm_folder() -> Path:
    """Install the packages once into a cache folder and return it, with the scripts beside them."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    manifest = (SOURCES / "package.json").read_bytes()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "refundgql-tests"
    folder = base / f"npm-{hashlib.sha256(manifest).hexdigest()[:16]}"
    done = folder / "installed"
    folder.mkdir(parents=True, exist_ok=True)
    for source in SOURCES.iterdir():
        if source.is_file():
            shutil.copy(source, folder)
    if not done.exists():
        command = [npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
        installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110)
        if installed.returncode != 0:
            if os.environ.get("CI"):
                pytest.fail(installed.stderr)
            pytest.skip("the npm packages cannot be installed here")
        done.touch()
    return folder


async def node(folder: Path, script: str, *arguments: str) -> Any:
    """Run a script and return the JSON of its last line."""
    process = await start_node(folder, script, *arguments)
    return await result_of(process)


async def start_node(folder: Path, script: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "node", script, *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def result_of(process: asyncio.subprocess.Process) -> Any:
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return json.loads(out.decode().strip().splitlines()[-1])


# Operations over GET are refused on purpose: a link must not be able to ask for anything.
BY_CHOICE = {"5A70", "D6D5", "6A70"}


async def test_graphql_http_audits(npm_folder: Path, serve: MakeDesk) -> None:
    """Every MUST and SHOULD of the audits is green, and every MAY but those about GET."""
    results = await node(npm_folder, "audit.mjs", f"{serve().url}/graphql")
    assert len(results) >= 61
    failed = {r["id"]: f"{r['name']}: {r.get('reason')}" for r in results if r["status"] != "ok"}
    assert {k: v for k, v in failed.items() if k not in BY_CHOICE} == {}
    assert set(failed) == BY_CHOICE


async def test_graphql_ws_client(npm_folder: Path, serve: MakeDesk) -> None:
    """The protocol's own client runs all kinds of operations at once, hears errors, stops and leaves."""
    desk = serve()
    heard = await node(npm_folder, "ws.mjs", f"ws://127.0.0.1:{desk.port}/graphql", desk.token("ada"), "operations")
    assert heard["query"]["heard"][0]["data"] == {"me": "ada"}
    assert heard["mutation"]["heard"][0]["data"] == {"act": "done"}
    numbers = [r["data"]["counts"]["number"] for r in heard["subscription"]["heard"]]
    assert numbers == list(range(1, 11))
    assert heard["bad"]["error"]
    assert heard["refused"]["error"] == ["Sign in first."]
    assert heard["stopped"] == 3
    assert heard["closes"] == [{"code": 1000, "reason": "Normal Closure"}]


async def test_graphql_ws_client_with_a_bad_token(npm_folder: Path, serve: MakeDesk) -> None:
    """A client whose token is not accepted hears 4403 and asks again only as often as it was told to."""
    desk = serve()
    url = f"ws://127.0.0.1:{desk.port}/graphql"
    heard = await node(npm_folder, "ws.mjs", url, "nonsense", "until-closed")
    assert heard["outcome"]["error"]["code"] == 4403
    assert [close["code"] for close in heard["closes"]] == [4403] * 6


async def test_graphql_ws_client_resumes_after_a_restart(npm_folder: Path, serve: MakeDesk) -> None:
    """A client that is told of a restart comes back with its cursor and misses and doubles nothing."""
    limits = Limits(requests_per_minute=None)
    desk = serve(limits=limits)
    url = f"ws://127.0.0.1:{desk.port}/graphql"
    process = await start_node(npm_folder, "ws.mjs", url, desk.token("ada"), "resume")
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"started\n"
    await asyncio.sleep(0.3)
    desk.server.should_exit = True
    await asyncio.sleep(0.5)
    serve(limits=limits, port=desk.port)
    heard = await result_of(process)
    assert heard["numbers"] == list(range(1, 13))
    assert {"code": 1012, "reason": "service restart"} in heard["closes"]


async def test_graphql_sse_client(npm_folder: Path, serve: MakeDesk) -> None:
    """The protocol's own client runs all kinds of operations, hears errors and stops."""
    desk = serve()
    for path in ("/graphql", "/graphql/stream"):
        heard = await node(npm_folder, "sse.mjs", desk.url + path, desk.token("ada"))
        assert heard["query"]["heard"][0]["data"] == {"me": "ada"}
        assert heard["mutation"]["heard"][0]["data"] == {"act": "done"}
        assert [r["data"]["counts"]["number"] for r in heard["subscription"]["heard"]] == [1, 2, 3, 4, 5]
        assert heard["bad"]["heard"][0]["errors"]
        assert heard["stopped"] == 3
