"""The examples, laid out as they lie in the repository, each run by itself, with packages from a cache folder."""

import atexit
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "refundgql-tests"
LONGEST_SECONDS = 600
"""However busy the machine is, and however slow the way to packages."""
# What the packages of the examples ask for; Debian 12 has an older one.
OLDEST_NODE = (20, 19)


def node_project(name: str) -> Path:
    """Return examples/NAME with the packages of its lock installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    version = run(["node", "--version"], ROOT).strip().removeprefix("v")
    if tuple(map(int, version.split(".")[:2])) < OLDEST_NODE:
        pytest.skip(f"node {version} is too old for the example")
    manifests = [ROOT / "examples" / name / one for one in ("package.json", "package-lock.json")]
    with _packages(name, manifests) as (kept, fresh):
        if fresh:
            _install(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=5"],
                kept,
            )
    project = _laid_out(name)
    (project / "node_modules").symlink_to(kept / "node_modules")
    return project


def python_project() -> tuple[Path, Path]:
    """Return examples/python and the interpreter of an environment with its requirements."""
    requirements = ROOT / "examples" / "python" / "requirements.txt"
    with _packages("python", [requirements]) as (kept, fresh):
        environment = kept / ".venv"
        interpreter = environment / "bin" / "python"
        if fresh:
            shutil.rmtree(environment, ignore_errors=True)
            _install([sys.executable, "-m", "venv", str(environment)], kept)
            pip = [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            _install([*pip, "-r", "requirements.txt"], kept)
    return _laid_out("python"), interpreter


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Run a command that has to succeed and return what it printed."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_SECONDS, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def _packages(name: str, manifests: list[Path]) -> Iterator[tuple[Path, bool]]:
    """Give the folder that keeps an example's packages from the last time, and whether there are none yet."""
    versions = b"".join(one.read_bytes() for one in manifests) + sys.version.encode()
    base = CACHE / f"example-{name}-{hashlib.sha256(versions).hexdigest()[:16]}"
    kept = base / "examples" / name
    kept.mkdir(parents=True, exist_ok=True)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = base / "installed"
        if not done.exists():
            for one in manifests:
                shutil.copy(one, kept)
        yield kept, not done.exists()
        done.touch()


def _laid_out(name: str) -> Path:
    """Return a copy of an example of this run's own: another run may build the same one at the same time."""
    base = Path(tempfile.mkdtemp(prefix="refundgql-example-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    ignored = shutil.ignore_patterns("node_modules", ".venv", "dist", "generated", "refund_client", "__pycache__")
    shutil.copytree(ROOT / "examples" / name, base / "examples" / name, ignore=ignored)
    shutil.copytree(ROOT / "fixtures" / "operations", base / "fixtures" / "operations")
    shutil.copy(ROOT / "schema.graphql", base)
    return base / "examples" / name


def _install(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=True)
    except subprocess.SubprocessError as error:
        if os.environ.get("CI"):
            pytest.fail(f"{error}\n{getattr(error, 'stderr', '')}")
        pytest.skip("the packages of the example cannot be installed here")
