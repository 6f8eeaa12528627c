"""Run every check of the project, from format to tests; the same by hand and in CI.

`python scripts/check.py` runs all of it, `--quick` leaves out the tests marked slow.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sysconfig.get_path("scripts"))


# Bundles of GraphiQL and lists of packages are full of digests; what is left out by value are examples in documents.
NOT_SCANNED = r"^src/refundgql/web/static/|\.lock$|package-lock\.json$"
EXAMPLES = r"^(PASSWORD|secret|Sesame-4711|`?REFUNDGQL_.*)$"


TESTS_FAILED = 1
"""pytest's exit code when tests ran and some failed."""

LONGEST_SECONDS = 35 * 60
"""A step that takes longer hangs; it is ended with everything it started."""


def tracked_files() -> list[str]:
    """Return the files that git knows; outside a checkout those of the folders that hold what people wrote."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
        return listed.stdout.splitlines()
    folders = ("src", "tests", "docs", "fixtures", "scripts")
    return [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*.*")
        if path.is_file() and path.suffix != ".pyc"
    ]


def secret_scan(files: list[str]) -> list[str]:
    """Return the command that finds secrets in files, without asking anybody else whether they work."""
    hook = [str(BIN / "detect-secrets-hook"), "--no-verify"]
    return [*hook, "--exclude-files", NOT_SCANNED, "--exclude-secrets", EXAMPLES, *files]


def steps(quick: bool) -> list[tuple[str, list[str]]]:
    """Return each step's name and command, in the order they run."""
    # Most tests wait for sockets, browsers and processes, so a few more workers than processors are quicker.
    workers = str((os.cpu_count() or 1) + 1)
    tests = [sys.executable, "-m", "pytest", "-q", "-n", workers, "--dist", "loadfile", "--no-loadscope-reorder"]
    if quick:
        tests += ["-m", "not slow"]
    return [
        ("format", [str(BIN / "ruff"), "format", "--check", "."]),
        ("lint", [str(BIN / "ruff"), "check", "."]),
        ("types", [str(BIN / "mypy")]),
        ("import contracts", [str(BIN / "lint-imports")]),
        ("secrets", secret_scan(tracked_files())),
        ("dependencies", [sys.executable, str(ROOT / "scripts" / "audit.py")]),
        ("tests", tests),
    ]


def run(command: list[str]) -> int:
    """Run a command to its end, or to the longest time a step may take; return its exit code."""
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        return process.wait(LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"== ended after {LONGEST_SECONDS / 60:.0f} minutes", flush=True)
        return -1
    finally:
        # Servers that a broken test forgot would outlive the check and keep its output open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> int:
    """Run the steps one after another and stop at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the slow tests")
    given = parser.parse_args()
    for name, command in steps(given.quick):
        started = time.monotonic()
        print(f"== {name}", flush=True)
        done = run(command)
        if name == "tests" and done == TESTS_FAILED:
            # Whole servers, browsers and crashes are tried on whatever machine there is; what fails twice, fails.
            print("== tests that failed, once more; whoever passes only now deserves a look", flush=True)
            done = run([*command, "-n", "0", "--last-failed"])
        if done != 0:
            print(f"== {name} failed", flush=True)
            return 1
        print(f"== {name} ok, {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
