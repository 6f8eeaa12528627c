"""PgBouncer in session mode in front of PostgreSQL, as docs/operations.md tells: commands and servers go through it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fleet import HOST, Fleet, running
from test_in_front_of_postgres import Front, in_front
from test_upgrade import NOW, People, records_before

from databases import drop_database, empty_database_url
from patience import PATIENCE_SECONDS, until, until_now
from ports import free_port

pytestmark = pytest.mark.slow

POOLER = shutil.which("pgbouncer", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))


class PoolerEnded(Exception):
    """PgBouncer has ended by itself, which nobody behind it or before it can do."""


@contextmanager
def pooler(behind: int) -> Iterator[int]:
    """Run PgBouncer with what has to be set, in front of a port, and give its own."""
    assert POOLER is not None
    folder, port = Path(tempfile.mkdtemp(prefix="refundgql-pooler-")), free_port()
    (folder / "users.txt").write_text('"postgres" ""\n', encoding="ascii")
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={HOST} port={behind}\n[pgbouncer]\nlisten_addr = {HOST}\nlisten_port = {port}\n"
        "unix_socket_dir =\nauth_type = trust\nauth_file = users.txt\npool_mode = session\ndefault_pool_size = 30\n",
        encoding="ascii",
    )
    who = []
    if os.geteuid() == 0:  # as which it refuses to run
        who = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        for path in (folder, *folder.iterdir()):
            os.chown(path, 65534, 65534)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*who, POOLER, "pgbouncer.ini"], cwd=folder, stdout=log, stderr=log)
    try:
        until_now(lambda: _listens(port) or process.poll() is not None)
        yield port
    finally:
        ended, told = process.poll(), (folder / "log").read_text(errors="replace")
        process.kill()
        process.wait()
        shutil.rmtree(folder)
        if ended is not None:
            raise PoolerEnded(f"{ended}: {told}")


def _listens(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection((HOST, port)).close()
        return True
    return False


@pytest.mark.skipif(POOLER is None, reason="this machine has no PgBouncer; .ci/run installs it")
async def test_everything_goes_through_a_pooler_in_session_mode(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Migrations, an import, two servers with their buses and streams of rows; people notice nothing of it."""
    try:
        await _behind(tmp_path_factory.mktemp("once"))
    except PoolerEnded as once:
        print(once)  # noqa: T201  # to be seen where it does so again
        await _behind(tmp_path_factory.mktemp("again"))


async def _behind(folder: Path) -> None:
    """Run the pooler before a database of its own, and use it."""
    url = empty_database_url("postgres", folder)
    front = Front(url)
    try:
        async with in_front(front):
            with pooler(front.port) as port:
                await _used(f"postgres://postgres@{HOST}:{port}{urlsplit(url).path}", folder)
    finally:
        drop_database(url)


async def _used(url: str, folder: Path) -> None:
    fleet = Fleet.prepare(folder, url, "postgres", NOW, 2)
    for server in fleet.servers:
        server.environment["REFUNDGQL_DATABASE_POOL_SIZE"] = "10"
    lines = "".join(f"{json.dumps(one)}\n" for one in records_before())
    (folder / "records.jsonl").write_text(lines, encoding="utf-8")
    await _run(fleet, "migrate")
    await _run(fleet, "import", "records.jsonl")
    people = People(fleet, urls=fleet.urls)
    async with running(fleet), people.acting():
        await people.more(60)
        async with httpx.AsyncClient(trust_env=False) as client:
            for address in fleet.urls:
                await until(lambda at=f"{address}/readyz": _whole(client, at))
        await _heard_elsewhere(fleet)
    assert people.wrong == []
    assert "every invariant holds" in await _run(fleet, "ledger", "verify")
    assert (await _run(fleet, "export", "--what", "events")).count("\n") >= 60


async def _whole(client: httpx.AsyncClient, address: str) -> bool:
    return bool((await client.get(address)).json()["status"] == "ok")


async def _heard_elsewhere(fleet: Fleet) -> None:
    """Follow payouts at one server and ask for one at the other: the bus, which listens through the pooler, rings."""
    headers = {"authorization": f"Bearer {fleet.token('expert-0')}"}
    follow = "subscription($after: String) { viewerWithdrawalUpdates(after: $after) {"
    follow += " event withdrawal { amount { amount } } } }"
    head = {"query": "{ viewer { withdrawals(first: 1) { asOf } } }"}
    act = """mutation { requestWithdrawal(input: { amount: { amount: "7.00", currencyCode: "USD" },
      idempotencyKey: "one" }) { refusals { code } } }"""
    here, there = fleet.urls
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS, headers=headers) as client:
        answer = (await client.post(f"{there}/graphql", json=head)).json()
        asked = {"query": follow, "variables": {"after": answer["data"]["viewer"]["withdrawals"]["asOf"]}}
        stream = await client.send(
            client.build_request("POST", f"{there}/graphql", json=asked, headers={"accept": "text/event-stream"}),
            stream=True,
        )
        done = await client.post(f"{here}/graphql", json={"query": act})
        assert done.json()["data"]["requestWithdrawal"] == {"refusals": []}
        async for line in stream.aiter_lines():
            if line.startswith("data: {"):
                told = json.loads(line.removeprefix("data: "))["data"]["viewerWithdrawalUpdates"]
                assert told == {"event": "REQUESTED", "withdrawal": {"amount": {"amount": "7.00"}}}
                await stream.aclose()
                return
    raise AssertionError("the stream ended")


async def _run(fleet: Fleet, *arguments: str) -> str:
    """Run a command with the servers' own settings and return what it printed."""
    command = [sys.executable, "-m", "refundgql", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, env=fleet.servers[0].environment, cwd=fleet.folder, stdout=-1, stderr=-1
    )
    told, wrong = await process.communicate()
    assert process.returncode == 0, (told + wrong).decode()[-2_000:]
    return told.decode()
