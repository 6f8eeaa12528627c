"""Print constraints.txt: the version of every package that this environment installs for the project, extras included.

`python scripts/constraints.py > constraints.txt` after an update whose checks are green; CI and the container
install from it. `--check` says what is installed in another version.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("test",)
HEAD = """\
# What CI and the container install, printed by scripts/constraints.py; pyproject.toml says what is allowed.
"""


def installed_versions() -> dict[str, str]:
    """Return the version of each package that is needed, by name, as it is installed here."""
    found: dict[str, str] = {}
    asked: set[tuple[str, str]] = set()
    waiting = [("refundgql", extra) for extra in ("", *EXTRAS)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in asked:
            continue
        asked.add((name, extra))
        lines = own_requirements(extra) if name == "refundgql" else None
        if lines is None:
            try:
                package = distribution(name)
            except PackageNotFoundError:  # for another platform, or an extra that nobody installed here
                continue
            found[name] = package.version
            lines = package.requires or []
        for line in lines:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(needed.name), one) for one in ("", *needed.extras)]
    return dict(sorted(found.items()))


def own_requirements(extra: str) -> list[str]:
    """Return what pyproject.toml asks for, plainly or for an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: list[str] = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return found


def text() -> str:
    """Return the whole file."""
    return HEAD + "".join(f"{name}=={version}\n" for name, version in installed_versions().items())


def main() -> int:
    """Print the file, or what differs from it."""
    if sys.argv[1:] != ["--check"]:
        print(text(), end="")
        return 0
    kept = set((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    different = [line for line in text().splitlines() if line not in kept]
    print("\n".join(different) if different else "Everything is installed as constraints.txt says.")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
