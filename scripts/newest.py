"""Run the quick checks with the newest versions that pyproject.toml allows, in an environment of their own.

`python scripts/newest.py`: where they fail, a library is another than before: mend what depends on it, or bound it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Install without constraints, say what differs from them, and run; return the checks' exit code."""
    with tempfile.TemporaryDirectory(prefix="refundgql-newest-") as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        install = ("-m", "pip", "install", "-q", "--disable-pip-version-check", "--upgrade", "-e", ".[test]")
        subprocess.run([python, *install], cwd=ROOT, check=True)
        subprocess.run([python, "scripts/constraints.py", "--check"], cwd=ROOT, check=False)
        return subprocess.run([python, "scripts/check.py", "--quick"], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
