"""Run every check of the project, from format to tests; the same by hand and in CI.

`python scripts/check.py` runs all of it, `--quick` leaves out the tests marked slow or again, and secrets in
what is committed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sysconfig.get_path("scripts"))


# Bundles of GraphiQL and lists of packages are full of digests; what is left out by value are examples in documents.
NOT_SCANNED = r"^src/refundgql/web/static/|\.lock$|package-lock\.json$"
EXAMPLES = r"^(PASSWORD|secret|Sesame-4711|`?REFUNDGQL_.*)$"


ENDED = -2
"""A step's code when it was ended because another had failed."""

LONGEST_SECONDS = 35 * 60
"""A step that takes longer hangs; it is ended with everything it started."""


def tracked_files() -> list[str]:
    """Return the files that git knows; outside a checkout those of the folders that hold what people wrote."""
    if (ROOT / ".git").exists():
        return _git("ls-files")
    folders = ("src", "tests", "docs", "fixtures", "scripts")
    return [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*.*")
        if path.is_file() and path.suffix != ".pyc"
    ]


def uncommitted_files() -> list[str]:
    """Return the files that differ from the last commit, or that git does not know yet."""
    if not (ROOT / ".git").exists():
        return tracked_files()
    return _git("diff", "--name-only", "--diff-filter=d", "HEAD") + _git("ls-files", "--others", "--exclude-standard")


def _git(*arguments: str) -> list[str]:
    listed = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    return listed.stdout.splitlines()


def secret_scan(files: list[str]) -> list[str]:
    """Return the command that finds secrets in files, without asking anybody else whether they work."""
    hook = [str(BIN / "detect-secrets-hook"), "--no-verify"]
    return [*hook, "--exclude-files", NOT_SCANNED, "--exclude-secrets", EXAMPLES, *files]


def steps(quick: bool) -> list[tuple[str, list[str]]]:
    """Return each step's name and command: the tests last, which run beside all the others."""
    # Most tests wait for sockets, browsers and processes, so a few more workers than processors are quicker.
    workers = str((os.cpu_count() or 1) + 2)
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        workers,
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
        "--hypothesis-profile",
        "quick" if quick else "check",
    ]
    if quick:
        tests += ["-m", "not slow and not again"]
    return [
        ("format", [str(BIN / "ruff"), "format", "--check", "."]),
        ("lint", [str(BIN / "ruff"), "check", "."]),
        ("types", [str(BIN / "mypy")]),
        ("import contracts", [str(BIN / "lint-imports")]),
        ("secrets", secret_scan(uncommitted_files() if quick else tracked_files())),
        ("dependencies", [sys.executable, str(ROOT / "scripts" / "audit.py")]),
        ("tests", tests),
    ]


class Check:
    """Steps that run beside each other; the first that fails ends them all."""

    def __init__(self) -> None:
        """Begin without a failure."""
        self.failed = threading.Event()

    def run(self, name: str, command: list[str], *, shown: bool) -> bool:
        """Run a step to its end, or to the longest time it may take; tell whether all is well.

        What is not shown as it comes is shown when it fails.
        """
        started = time.monotonic()
        with tempfile.TemporaryFile() as output:
            done = self._ended(command, None if shown else output.fileno())
            if done == ENDED:
                return False
            output.seek(0)
            said = output.read().decode(errors="replace") if done else ""
        state = "failed" if done else "ok"
        print(f"{said}== {name} {state}, {time.monotonic() - started:.0f} s", flush=True)
        if done:
            self.failed.set()
        return not done

    def _ended(self, command: list[str], output: int | None) -> int:
        """Return a command's exit code; it is ended, with all it started, when another step has failed."""
        late = time.monotonic() + LONGEST_SECONDS
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=output, stderr=output)
        try:
            while (done := process.poll()) is None:
                if time.monotonic() > late:
                    print(f"== ended after {LONGEST_SECONDS / 60:.0f} minutes", flush=True)
                    return -1
                if self.failed.wait(0.1):
                    return ENDED
            return done
        finally:
            # Servers that a broken test forgot would outlive the check and keep its output open.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main() -> int:
    """Run the tests and, beside them, everything else; stop at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the slow tests")
    given = parser.parse_args()
    *aside, (name, tests) = steps(given.quick)
    check = Check()
    with ThreadPoolExecutor(1) as pool:
        well = pool.submit(lambda: all(check.run(*step, shown=False) for step in aside))
        tested = check.run(name, tests, shown=True)
        return 0 if well.result() and tested else 1


if __name__ == "__main__":
    sys.exit(main())
