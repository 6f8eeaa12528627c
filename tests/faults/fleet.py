"""Whole servers as processes on real sockets, with what they need beside them, to be killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

from databases import named, start_server, until_it_runs
from patience import PATIENCE_SECONDS, until_now
from ports import free_port
from refundgql.serving import issuer_of
from refundgql.settings import Settings

HOST = "127.0.0.1"


def size(name: str, short: int) -> int:
    """Return how much of something a run has: the environment's REFUNDGQL_FAULTS_<name>, else the short form's."""
    return int(os.environ.get(f"REFUNDGQL_FAULTS_{name}", short))


def show(what: str, **figures: object) -> None:
    """Print the figures of a run, on one line."""
    print(f"\nFIGURES {what}: " + ", ".join(f"{name}={value}" for name, value in figures.items()), flush=True)  # noqa: T201


class Program:
    """A program that is killed and started again, always the same way."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        """Prepare; nothing runs yet."""
        self.command = command
        self.environment = environment
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        """Start it without waiting for it."""
        self.starts += 1
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, cwd=self.log.parent, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """Kill it at whatever instant it is."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    @property
    def resident_bytes(self) -> int:
        """Return how much memory it holds."""
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0


def nats_program(folder: Path) -> tuple[Program, str]:
    """Return a NATS server and its URL."""
    port = free_port()
    found = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or "nats-server"
    program = Program([found, "-a", HOST, "-p", str(port)], dict(os.environ), folder / "nats.log")
    return program, f"nats://{HOST}:{port}"


@dataclass
class Fleet:
    """Server processes on one database, each on a port of its own."""

    folder: Path
    clock: Path
    settings: dict[str, str]
    servers: list[Program] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    kills: int = 0

    @classmethod
    def prepare(cls, folder: Path, database_url: str, bus: str, at: datetime, processes: int) -> Fleet:
        """Return a fleet whose domain time stands at an instant; nothing runs yet."""
        clock = folder / "clock"
        settings = {
            "REFUNDGQL_DATABASE_URL": database_url,
            "REFUNDGQL_DATABASE_POOL_SIZE": "16",
            "REFUNDGQL_BUS": bus,
            "REFUNDGQL_KEY_FILE": str(folder / "key.pem"),
            "REFUNDGQL_TEST_CLOCK": str(clock),
            "REFUNDGQL_REQUESTS_PER_MINUTE": "10000000",
            "REFUNDGQL_MAX_SOCKETS_PER_ACCOUNT": "5000",
            "REFUNDGQL_LOG_LEVEL": "WARNING",
            # As much as most tests are about: what is above it takes a second signature (D23).
            "REFUNDGQL_POLICY": '{"decision_limit_minor": {"USD": "60.00"}}',
            # What is tried here is that nothing is lost, on whatever machine: nobody is to be in time.
            "REFUNDGQL_OPERATION_TIMEOUT_SECONDS": str(PATIENCE_SECONDS),
        }
        fleet = cls(folder, clock, settings)
        fleet.set_time(at)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REFUNDGQL_")}
        for number in range(processes):
            port = free_port()
            command = [sys.executable, "-m", "refundgql", "serve", "--allow-test-clock", "--port", str(port)]
            fleet.ports.append(port)
            fleet.servers.append(Program(command, kept | settings, folder / f"server-{number}.log"))
        return fleet

    def set_time(self, at: datetime) -> None:
        """Set domain time for all servers at once; none reads half an instant."""
        beside = self.clock.with_suffix(".new")
        beside.write_text(at.strftime("%Y-%m-%dT%H:%M:%SZ"), encoding="ascii")
        beside.replace(self.clock)

    @property
    def urls(self) -> list[str]:
        """Return where the servers are."""
        return [f"http://{HOST}:{port}" for port in self.ports]

    def token(self, ref: str) -> str:
        """Return a token for an account."""
        settings = Settings(key_file=Path(self.settings["REFUNDGQL_KEY_FILE"]))
        return issuer_of(settings).issue_token(ref, lifetime_seconds=7_200)

    async def ready(self) -> None:
        """Wait until every server serves."""
        ends = time.monotonic() + PATIENCE_SECONDS
        async with httpx.AsyncClient(trust_env=False) as client:
            for url in self.urls:
                while not await _serves(client, url):
                    if time.monotonic() > ends:
                        raise AssertionError(f"{url} does not become ready:\n{self.logged()[-3_000:]}")
                    await asyncio.sleep(0.05)

    async def kill_now_and_then(self, rng: random.Random, until: float, every_seconds: float) -> None:
        """Kill a random server at random instants and start it again at once, until a monotonic instant."""
        while time.monotonic() < until:
            await asyncio.sleep(every_seconds * rng.uniform(0.6, 1.4))
            victim = rng.choice(self.servers)
            victim.kill()
            victim.start()
            self.kills += 1

    def logged(self) -> str:
        """Return what all servers wrote."""
        return "".join(server.log.read_text(errors="replace") for server in self.servers if server.log.exists())


async def _serves(client: httpx.AsyncClient, url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await client.get(f"{url}/readyz")).status_code == 200
    return False


@contextlib.asynccontextmanager
async def running(fleet: Fleet) -> AsyncIterator[Fleet]:
    """Start a fleet, wait until it serves, and end it."""
    try:
        for server in fleet.servers:
            server.start()
        await fleet.ready()
        yield fleet
    finally:
        for server in fleet.servers:
            server.kill()


class OwnPostgres:
    """A PostgreSQL server of one test's own, which can be stopped at once and started again."""

    def __init__(self) -> None:
        """Start it."""
        self.folder = Path(tempfile.mkdtemp(prefix="refundgql-faults-"))
        self._server = start_server(self.folder)
        self.url = str(self._server.get_uri())

    def crash(self) -> None:
        """Stop it without any goodbye, as a power cut does: SIGQUIT ends every session in the middle."""
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        until_now(lambda: not (self.folder / "postmaster.pid").exists())

    def start(self) -> None:
        """Start it again on the same socket; it recovers from its log."""
        until_it_runs(self._server.ensure_postgres_running)

    def database(self, name: str) -> str:
        """Return the URL of one of its databases."""
        return named(self.url, name)

    def close(self) -> None:
        """Remove it."""
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def nats(folder: Path) -> Iterator[tuple[Program, str]]:
    """Run a NATS server."""
    program, url = nats_program(folder)
    program.start()
    try:
        yield program, url
    finally:
        program.kill()
