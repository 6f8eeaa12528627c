"""Run every fault test in its whole form: whole servers are killed, cut off and crashed.

`python scripts/faults.py` takes the better part of an hour on two cores; `--short` runs what CI runs. Each run prints a
line of figures, which docs/reliability.md keeps.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHOLE = {
    "SECONDS": 60,
    "KILLED_CASES": 600,
    "KILL_EVERY_MS": 1_000,
    "KEYS": 1_000,
    "CASES": 1_000,
    "CRASHES": 10,
    "CLOCKS": 1_000,
    "EVENTS": 10_000,
    "RECONNECTS": 200,
}


def main() -> int:
    """Run the tests and return their exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="the sizes that CI runs")
    given = parser.parse_args()
    sizes = {} if given.short else {f"REFUNDGQL_FAULTS_{name}": str(size) for name, size in WHOLE.items()}
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-m", "", "tests/faults"]
    return subprocess.run(command, cwd=ROOT, env=sizes | dict(os.environ), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
