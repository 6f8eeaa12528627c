"""The benchmark runs; what it finds is nobody's condition."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
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
    assert "records/s" in done.stdout
    assert "Executing alone" in done.stdout
    assert "| not measured |" in done.stdout  # there is no Node server beside it
