"""The benchmark runs; what it finds is nobody's condition."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.goals import goals
from benchmarks.report import table
from benchmarks.run import Figure, Figures

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_benchmark_runs() -> None:
    """Every part of it, over next to nothing, answers without a failed request."""
    command = [sys.executable, "-m", "benchmarks", "--smoke"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith(("| q", "| m"))]
    assert {row[1].strip() for row in rows} == {"q1", "q2", "q3", "m1"}
    assert [row for row in rows if row[-2].strip() != "0"] == []
    assert "| 20 on one case | refundgql |" in done.stdout
    assert "| 20 on a case each | refundgql |" in done.stdout
    assert "| 20 on one case | uvicorn websockets-sansio |" in done.stdout
    assert "Import on SQLite" in done.stdout
    assert "Import on PostgreSQL" in done.stdout
    assert "has no figures" not in done.stdout
    assert "Executing alone" in done.stdout
    assert "| not measured |" in done.stdout  # there is no foreign server beside it


def test_a_part_that_fails_loses_nothing_of_the_others() -> None:
    """The report names the part and why, beside the figures that were found."""
    figures = Figures(started_s={"refundgql": 0.75}, failed={"fanout": "RuntimeError: 3 of 20 subscribers heard of it"})
    text = table(figures) + goals(figures)
    assert "Start to first answer of refundgql: 0.75 s." in text
    assert "The part fanout has no figures: RuntimeError: 3 of 20 subscribers heard of it." in text
    assert "| start to first answer: at most 1.5 s | 0.75 s | reached |" in text


def test_goals_name_the_peer_and_count_the_database() -> None:
    """A server that leaves its work to the database is not cheaper for it."""

    def figure(server: str, cpu_ms: float, database_ms: float) -> list[Figure]:
        return [Figure(server, name, cpu_ms, database_ms, 1.0, 1.0, 50.0, 0) for name in ("q1", "q2", "q3")]

    text = goals(Figures(http=[*figure("refundgql", 1.0, 3.0), *figure("jit-bun", 2.0, 1.0)]))
    assert "| server and database of q1, q2, q3 against jit-bun: at most 1 × | 1.33 × | missed |" in text
    assert "against yoga-bun: at most 0.7 × | – | not measured |" in text
