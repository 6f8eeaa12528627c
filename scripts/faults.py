"""Run every fault test in its whole form: servers killed, cut off and crashed, and every list at a million cases.

`python scripts/faults.py` takes some hours on two cores; `--short` runs what CI runs, `--only NAME` one of the files.
Each run prints a line of figures, which docs/reliability.md keeps.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHOLE = {
    "SECONDS": 120,
    "KILLED_CASES": 600,
    "KILL_EVERY_MS": 1_000,
    "KEYS": 1_000,
    "CASES": 1_000,
    "CRASHES": 10,
    "CLOCKS": 1_000,
    "EVENTS": 10_000,
    "RECONNECTS": 200,
    "CUT_SECONDS": 60,
    "WORKER_SECONDS": 120,
    "SLOW_READERS": 20,
    "READERS": 30,
    "RECORDS": 200_000,
}
PLENTY = "REFUNDGQL_PLENTY_CASES"
TESTS = ("tests/faults", "tests/storage/test_plenty.py")


def main() -> int:
    """Run the tests and return their exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="the sizes that CI runs")
    parser.add_argument("--only", metavar="NAME", help="a part of the tests' names, such as killed or plenty")
    given = parser.parse_args()
    sizes = {f"REFUNDGQL_FAULTS_{name}": str(size) for name, size in WHOLE.items()} | {PLENTY: "1000000"}
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-m", "", *TESTS]
    if given.only:
        command += ["-k", given.only]
    if given.short:
        sizes = {}
    return subprocess.run(command, cwd=ROOT, env=sizes | dict(os.environ), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
