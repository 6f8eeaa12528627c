"""Imports: records a second, and how long an approval waits while one runs."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson

from benchmarks.client import drive
from benchmarks.servers import ROOT, project_environment, start_project
from refundgql.commands import generate_records

USERS = 4


def written_records(folder: Path, records: int, seed: int) -> tuple[Path, int]:
    """Write about as many records as asked for, and return the file and how many they are."""
    path, count = folder / "records.jsonl", 0
    with path.open("wb") as out:
        for record in generate_records.generate(_size(records, seed)):
            out.write(orjson.dumps(record) + b"\n")
            count += 1
    return path, count


def _size(records: int, seed: int) -> generate_records.Size:
    """Return how many of each; most of a marketplace's records are leads and their chats."""
    tenth = max(records // 10, 2)
    return generate_records.Size(
        seed=seed,
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


async def imported_per_s(url: str, key: Path, records: Path, count: int) -> float:
    """Return how many records a second the import command writes into a database."""
    environment = project_environment(url, key, 0)
    await _run("migrate", environment=environment)
    began = time.perf_counter()
    await _run("import", str(records), environment=environment)
    return count / (time.perf_counter() - began)


async def imported_beside(url: str, key: Path, records: Path, count: int, open_cases: list[int]) -> tuple[float, float]:
    """Return the import's records a second while people approve, and their longest wait in milliseconds."""
    server = await start_project("refundgql", url, key)
    try:
        bodies = [server.body("m1", server.variables("m1", number)) for number in open_cases]
        await drive(server.port, bodies[:10], connections=1, seconds=10, once=True)  # connections and plans are made
        importing = asyncio.create_task(imported_per_s(url, key, records, count))
        longest_ms, at = 0.0, 10
        while not importing.done() and at < len(bodies):
            some = await drive(server.port, bodies[at : at + USERS], connections=USERS, seconds=30, once=True)
            longest_ms, at = max(longest_ms, some.percentile_ms(1.0)), at + USERS
            await asyncio.sleep(0.1)
        return await importing, longest_ms
    finally:
        server.stop()


async def _run(*command: str, environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "refundgql", *command, env=environment, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait() != 0:
        raise RuntimeError(f"refundgql {command[0]} ended with {process.returncode}")
