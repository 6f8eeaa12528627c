"""Starts what is measured, one process each and pinned to one processor, and makes the requests for it.

It must not measure.
"""

from __future__ import annotations

import asyncio
import compileall
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from benchmarks.client import drive, request
from benchmarks.cpu import kept_apart
from benchmarks.data import MINUTE_MICROS, START_MICROS, case_id
from refundgql.serving import issuer_of
from refundgql.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = Path(__file__).parent / "documents"
WORKLOADS = ("q1", "q2", "q3", "m1")
BODIES = 2_000
"""Different requests of one round; more than any cache of answers would hold."""


@dataclass(slots=True)
class Server:
    """Something that answers, and how it wants to be asked; `variables` are prepared ones of a foreign server."""

    name: str
    port: int
    pid: int
    style: str = "graphql"
    token: str = ""
    folder: Path = DOCUMENTS
    url: str = ""
    started_s: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    dealt: dict[str, int] = field(default_factory=dict)

    def body(self, workload: str, variables: dict[str, Any]) -> bytes:
        """Return one request's bytes."""
        if self.style == "limit":
            return request(f"/{workload}", orjson.dumps(variables), "")
        document = (self.folder / f"{workload}.graphql").read_text()
        return request("/graphql", orjson.dumps({"query": document, "variables": variables}), self.token)

    def bodies(self, workload: str, rng: random.Random, size: int, open_cases: list[int]) -> list[bytes]:
        """Return the requests of one round; approvals take each of the open cases once."""
        if self.folder is not DOCUMENTS:
            prepared = orjson.loads((self.folder / f"{workload}.vars.json").read_bytes())
            first = self.dealt.get(workload, 0)
            self.dealt[workload] = (first + BODIES) % max(len(prepared) - BODIES, 1)
            return [self.body(workload, one) for one in prepared[first : first + BODIES]]
        count = BODIES if workload != "m1" else min(BODIES, len(open_cases))
        return [self.body(workload, self._variables(workload, rng, size, open_cases)) for _ in range(count)]

    def variables(self, workload: str, number: int) -> dict[str, Any]:
        """Return the variables that name one case."""
        if self.style == "limit":
            return {"id": case_id(number)}
        one = f"RefundCase_{case_id(number)}"
        if workload == "q1":
            return {"id": one}
        return {"input": {"refundCaseId": one, "idempotencyKey": f"{number}-{time.time_ns()}"}}

    def _variables(self, workload: str, rng: random.Random, size: int, open_cases: list[int]) -> dict[str, Any]:
        if workload in ("q1", "m1"):
            return self.variables(workload, rng.randint(1, size) if workload == "q1" else open_cases.pop())
        micros = START_MICROS + 4 * rng.randint(size // 20, size) * MINUTE_MICROS
        before: Any = micros if self.style == "limit" else datetime.fromtimestamp(micros / 1e6, UTC).isoformat()
        if workload == "q3":
            return {"before": before}
        return {"state": rng.choice(("REQUESTED", "DECLINED", "ESCALATED", "CREDITED")), "before": before}

    def stop(self) -> None:
        """End the process that was started here."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()


_held: list[socket.socket] = []


def free_port() -> int:
    """Return a port where nobody listens; it stays bound, so that nobody else is given it before the server has it."""
    held = socket.socket()
    for shared in socket.SO_REUSEADDR, socket.SO_REUSEPORT:
        held.setsockopt(socket.SOL_SOCKET, shared, 1)
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    return int(held.getsockname()[1])


def pinned(processor: int, command: Sequence[str]) -> list[str]:
    """Return the command bound to one processor, where what is measured has one to itself."""
    return ["taskset", "-c", str(processor), *command] if kept_apart() else list(command)


def project_environment(url: str, key_file: Path, port: int) -> dict[str, str]:
    """Return the project's settings for being measured: one account may do as much as all."""
    return {
        **os.environ,
        "REFUNDGQL_DATABASE_URL": url,
        "REFUNDGQL_KEY_FILE": str(key_file),
        "REFUNDGQL_PORT": str(port),
        "REFUNDGQL_BUS": "memory",
        "REFUNDGQL_LOG_LEVEL": "WARNING",
        "REFUNDGQL_REQUESTS_PER_MINUTE": "1000000000",
        "REFUNDGQL_MAX_SOCKETS_PER_ACCOUNT": "1000000",
    }


async def start_project(name: str, url: str, key_file: Path) -> Server:
    """Start the project on a loaded database and wait for its first answer."""
    # As the installed package is: a checkout that may not write byte code would be compiled anew at every start.
    compileall.compile_dir(ROOT / "src", quiet=1)
    port = free_port()
    environment = project_environment(url, key_file, port)
    signed = issuer_of(Settings(key_file=key_file)).issue_token("support-1", lifetime_seconds=86_400)
    return await _start(
        Server(name, port, 0, token=signed, url=url), [sys.executable, "-m", "refundgql", "serve"], environment
    )


async def start_reference(name: str, url: str) -> Server:
    """Start one of the references on a PostgreSQL database."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
    command += ["--no-access-log", "--log-level", "warning", f"benchmarks.reference_{name}:app"]
    environment = {**os.environ, "BENCHMARK_DATABASE_URL": url}
    return await _start(Server(name, port, 0, style="limit" if name == "limit" else "graphql"), command, environment)


SOCKET_SERVERS = {
    "uvicorn websockets-sansio": ("uvicorn", "--ws", "websockets-sansio"),
    "uvicorn websockets": ("uvicorn", "--ws", "websockets"),
    "uvicorn wsproto": ("uvicorn", "--ws", "wsproto"),
    "granian": ("granian", "--interface", "asgi", "--workers", "1"),
}
"""What bare sockets are measured under, and how each is told; the first is what the project's own are built on."""


def can_start(name: str) -> bool:
    """Tell whether a server of sockets is installed; the project itself needs only the first."""
    needed = {"uvicorn websockets": "websockets", "uvicorn wsproto": "wsproto", "granian": "granian"}
    return find_spec(needed.get(name, "uvicorn")) is not None


async def start_sockets(name: str) -> Server:
    """Start bare sockets under one of the servers that are compared."""
    port = free_port()
    module, *options = SOCKET_SERVERS[name]
    command = [sys.executable, "-m", module, *options, "--port", str(port), "--loop", "uvloop"]
    if module == "uvicorn":
        command += ["--http", "httptools", "--ws-per-message-deflate", "false", "--no-access-log"]
    command += ["--log-level", "warning", "benchmarks.reference_sockets:app"]
    return await _start(Server(name, port, 0, style="sockets"), command, dict(os.environ))


async def _start(server: Server, command: list[str], environment: dict[str, str]) -> Server:
    began = time.perf_counter()
    server.process = subprocess.Popen(pinned(0, command), env=environment, cwd=ROOT)
    server.pid = server.process.pid
    first: dict[str, Any] = {"id": case_id(1) if server.style == "limit" else f"RefundCase_{case_id(1)}"}
    body = server.body("q1", {"input": {"refundCaseId": "nobody follows it"}} if server.style == "sockets" else first)
    while time.perf_counter() - began < 60 and server.process.poll() is None:
        try:
            if (await drive(server.port, [body], connections=1, seconds=5, once=True)).answers:
                server.started_s = time.perf_counter() - began
                return server
        except (OSError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.02)
    server.stop()
    raise RuntimeError(f"{server.name} does not answer")


def foreign(text: str) -> Server:
    """Return a server that runs already, given as NAME=http://127.0.0.1:PORT[=FOLDER of documents and variables]."""
    name, url, *folder = text.split("=")
    port = int(url.rpartition(":")[2])
    listed = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    found = re.search(rf":{port}\s.*?pid=(\d+)", listed)
    if found is None:
        raise SystemExit(f"Nothing listens on {url}.")
    return Server(name, port, int(found[1]), folder=Path(folder[0]) if folder else DOCUMENTS)
