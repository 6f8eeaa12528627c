"""The protocols' own audits and clients, run by node against a real server."""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from patience import PATIENCE_SECONDS, until
from ports import free_port
from refundgql.gql import hardening
from toy_server import Desk, MakeDesk
from wide_limits import patient

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
        command.append("--fetch-retries=5")
        try:
            subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS, check=True
            )
        except subprocess.SubprocessError as error:
            if os.environ.get("CI"):
                pytest.fail(f"{error}\n{getattr(error, 'stderr', '')}")
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
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
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
    limits = patient()
    desk = serve(limits=limits, port=free_port(), shutdown_seconds=60)
    url = f"ws://127.0.0.1:{desk.port}/graphql"
    process = await start_node(npm_folder, "ws.mjs", url, desk.token("ada"), "resume")
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS) == b"started\n"
    await asyncio.to_thread(desk.stop)
    serve(limits=limits, port=desk.port)
    heard = await result_of(process)
    assert heard["numbers"] == list(range(1, 13))
    assert {"code": 1012, "reason": "service restart"} in heard["closes"]


WHOLE = list(range(1, 31))


async def sockets_of(desk: Desk) -> float:
    """Return how many sockets the server counts."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{desk.url}/metrics")).text
    return float(re.search(r"^refundgql_sockets (\S+)", text, re.MULTILINE)[1])  # type: ignore[index]


async def heard_line(process: asyncio.subprocess.Process, line: bytes) -> None:
    """Wait until a script prints a line."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await process.stdout.readline() == line


async def test_graphql_ws_client_comes_back_after_it_slept(npm_folder: Path, serve: MakeDesk) -> None:
    """A device that slept, and answered no ping, comes back by itself and misses and doubles nothing."""
    desk = serve(limits=patient(), ping_seconds=0.2, pong_seconds=0.3)
    url = f"ws://127.0.0.1:{desk.port}/graphql"
    process = await start_node(npm_folder, "ws.mjs", url, desk.token("ada"), "keep")
    await heard_line(process, b"started\n")
    process.send_signal(signal.SIGSTOP)

    async def given_up() -> bool:
        return not await sockets_of(desk)

    await until(given_up)
    process.send_signal(signal.SIGCONT)
    heard = await result_of(process)
    assert (heard["numbers"], heard["error"]) == (WHOLE, None)
    assert {"code": 1013, "reason": "no answer to a ping; connect again and resume"} in heard["closes"]


async def test_graphql_ws_client_waits_for_a_place(npm_folder: Path, serve: MakeDesk) -> None:
    """A client over the account's sockets comes back by itself, and gets in when one of them has left."""
    desk = serve(limits=patient(max_sockets_per_account=2))
    url = f"ws://127.0.0.1:{desk.port}/graphql"
    async with held_socket(desk), held_socket(desk) as leaving:
        process = await start_node(npm_folder, "ws.mjs", url, desk.token("ada"), "keep")
        await heard_line(process, b"closed\n")
        await leaving.close()
        heard = await result_of(process)
    assert (heard["numbers"], heard["error"]) == (WHOLE, None)
    assert heard["closes"][0] == {"code": 1013, "reason": "More than 2 sockets for one account"}


async def test_vanished_sockets_make_room(npm_folder: Path, serve: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets that do not answer are let go as soon as the account wants to open another one."""
    monkeypatch.setattr(hardening, "PROBE_SECONDS", 0.3)
    desk = serve(limits=patient(max_sockets_per_account=2))
    url = f"ws://127.0.0.1:{desk.port}/graphql"
    async with held_socket(desk) as first, held_socket(desk) as second:
        for one in (first, second):
            one.transport.pause_reading()
        heard = await node(npm_folder, "ws.mjs", url, desk.token("ada"), "keep")
    assert (heard["numbers"], heard["error"]) == (WHOLE, None)
    assert heard["closes"][0] == {"code": 1013, "reason": "More than 2 sockets for one account"}


@contextlib.asynccontextmanager
async def held_socket(desk: Desk) -> AsyncIterator[ClientConnection]:
    """Keep a socket of ada open."""
    subprotocols = [Subprotocol("graphql-transport-ws")]
    url = f"ws://127.0.0.1:{desk.port}/graphql"
    async with connect(url, subprotocols=subprotocols, ping_interval=None, close_timeout=0.1) as held:
        await held.send(json.dumps({"type": "connection_init", "payload": {"token": desk.token("ada")}}))
        assert json.loads(await held.recv()) == {"type": "connection_ack"}
        yield held


async def test_graphql_sse_client_comes_back(npm_folder: Path, serve: MakeDesk) -> None:
    """A client over the account's streams, then stopped, then told of a restart comes back and misses nothing."""
    limits = patient(max_sockets_per_account=1)
    desk = serve(limits=limits, port=free_port(), shutdown_seconds=60)
    async with held_socket(desk):
        process = await start_node(npm_folder, "sse.mjs", f"{desk.url}/graphql", desk.token("ada"), "keep")
        await until(lambda: refused_streams(desk))
    await heard_line(process, b"started\n")
    process.send_signal(signal.SIGSTOP)
    await asyncio.to_thread(desk.stop)
    serve(limits=limits, port=desk.port)
    process.send_signal(signal.SIGCONT)
    heard = await result_of(process)
    assert (heard["numbers"], heard["error"]) == (WHOLE, None)


async def refused_streams(desk: Desk) -> int:
    """Return how often more connections of an account were refused."""
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{desk.url}/metrics")).text.count('refundgql_refusals_total{code="LIMIT_EXCEEDED"}')


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
