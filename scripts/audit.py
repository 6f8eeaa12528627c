"""Audit dependencies: holes of what is installed and of GraphiQL's packages, and whether all of it fits together."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sysconfig.get_path("scripts"))

LONGEST_SECONDS = 300
"""A hundred packages take half a minute where the service answers."""
GRAVE = ("moderate", "high", "critical")
"""What fails the audit of packages that only build a page; the rest is shown."""

Found = list[str] | None
"""One line for each known hole; nothing when nobody could be asked."""


def holes_in_python(report: Any) -> Found:
    """Return the known holes in pip-audit's report.

    Nothing when it looked at no package: it takes a service that knows none of them for a success.
    """
    packages = report.get("dependencies", []) if isinstance(report, dict) else []
    audited = [package for package in packages if "vulns" in package]
    if not audited:
        return None
    return [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for package in audited
        for hole in package["vulns"]
    ]


def holes_in_npm(report: Any) -> Found:
    """Return the grave holes in npm's report, or nothing when the registry gave none."""
    holes = report.get("vulnerabilities") if isinstance(report, dict) else None
    if not isinstance(holes, dict):
        return None
    return [
        f"{name} {hole['range']}: {hole['severity']}" for name, hole in holes.items() if hole.get("severity") in GRAVE
    ]


def _json_of(command: list[str], folder: Path) -> Any:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
        return json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError):
        return None


def audit_python() -> Found:
    """Ask for the known holes of everything installed here; of one package first, for many questions take long."""
    pip_audit = [str(BIN / "pip-audit"), "--format", "json", "--progress-spinner", "off"]
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "one.txt"
        one.write_text(f"pyjwt=={version('pyjwt')}\n")
        if holes_in_python(_json_of([*pip_audit, "--no-deps", "--disable-pip", "-r", str(one)], ROOT)) is None:
            return None
    return holes_in_python(_json_of([*pip_audit, "--skip-editable"], ROOT))


def audit_npm() -> Found:
    """Ask for the known holes of the packages that GraphiQL is made of, by their lock file."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    return holes_in_npm(_json_of([npm, "audit", "--package-lock-only", "--json"], ROOT / "web"))


def fits_together() -> bool:
    """Tell whether all that is installed has what it asks for, our own lower bounds among it."""
    done = subprocess.run([sys.executable, "-m", "pip", "check"], cwd=ROOT, check=False, capture_output=True, text=True)
    print(f"installed packages: {done.stdout.strip() or done.stderr.strip()}")
    return done.returncode == 0


def main() -> int:
    """Audit what can be audited; fail for a known hole, for what does not fit, and when required, for silence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--required", action="store_true", help="fail when a service cannot be reached")
    required = parser.parse_args().required or os.environ.get("REFUNDGQL_AUDIT") == "required"
    passed = fits_together()
    for name, holes in (("Python packages", audit_python()), ("npm packages", audit_npm())):
        if holes is None:
            print(f"{name}: not reachable: skipped; nobody has looked for known holes")
            passed = passed and not required
            continue
        print(f"{name}: {len(holes)} known holes", *holes, sep="\n  ")
        passed = passed and not holes
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
