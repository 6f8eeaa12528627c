"""What is taken from inside libraries stands in one file, is there, and is bounded where it is installed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from refundgql.gql.ports import SUPPORTED, Unsupported, check, names_of

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()

INSIDE = re.compile(
    r"^\s*(?:from|import) (?:graphql\.(?:execution|pyutils|utilities\.)|strawberry\.(?:annotation|arguments|exceptions"
    r"|relay|scalars|schema\.(?!config)|types\.(?!scalar import))|uvicorn\.|websockets|limits\.storage)"
    r"|schema(?:\(\))?\._schema|\.schema_converter",
    re.MULTILINE,
)
"""How names from inside are imported or reached: by modules whose contents no library promises."""


class Changed:
    """A class as a later version might have it."""

    def __init__(self) -> None:
        self.there = 1

    @property
    def shown(self) -> int:
        """Name something."""
        return self.behind  # type: ignore[attr-defined,no-any-return]  # only its name matters

    def method(self) -> None:
        """Do nothing."""


def test_nobody_else_reaches_inside() -> None:
    """All other files take such names from ports, or use what the libraries promise."""
    reaching = [
        f"{path.relative_to(ROOT)}: {found.group(0).strip()}"
        for path in (ROOT / "src").rglob("*.py")
        if path.name != "ports.py"
        for found in INSIDE.finditer(path.read_text(encoding="utf-8"))
    ]
    assert reaching == []


def test_what_is_missing_is_named_with_the_versions_that_have_it() -> None:
    """A name that a library has no more stops the process with a sentence that says what to install."""
    assert names_of(Changed) >= {"there", "shown", "behind", "method"}
    check([("uvicorn", Changed, "there shown behind method")])
    with pytest.raises(Unsupported) as caught:
        check([("uvicorn", Changed, "there gone")])
    message = str(caught.value)
    assert re.match(r"uvicorn \d[\w.]* has no Changed\.gone: ", message)
    assert SUPPORTED["uvicorn"] in message
    assert "constraints.txt" in message


def test_a_module_that_is_gone_is_named_as_well() -> None:
    """An import that fails says the same, before anything is served."""
    program = (
        "import sys; sys.modules['uvicorn.protocols.http.flow_control'] = None\n"
        "try:\n import refundgql.gql.ports\nexcept RuntimeError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert re.match(r"uvicorn [\d.]+ has no .*flow_control", found.stdout), found.stdout
    assert SUPPORTED["uvicorn"] in found.stdout


def test_versions_are_bounded_as_the_project_says() -> None:
    """The ranges in the sentence are those of pyproject.toml, each with an upper bound."""
    asked = {canonicalize_name(one.name): one.specifier for one in map(Requirement, PROJECT["dependencies"])}
    for package, versions in SUPPORTED.items():
        assert set(str(asked[package]).split(",")) == set(versions.split(",")), package
        assert "<" in versions


def test_constraints_fit_what_is_allowed() -> None:
    """Every package of the project is pinned within its range, by version alone: no address, no option, no digest."""
    pinned = {}
    for line in CONSTRAINTS.splitlines():
        if not line.startswith("#"):
            found = re.fullmatch(r"([a-z0-9][a-z0-9-]*)==([0-9][\w.]*)", line)
            assert found is not None, line
            pinned[found[1]] = found[2]
    assert list(pinned) == sorted(pinned)
    extras = PROJECT["optional-dependencies"]
    run = set(extras) - {"benchmarks", "mutations"}
    for line in [*PROJECT["dependencies"], *(one for extra in run for one in extras[extra])]:
        needed = Requirement(line)
        name = canonicalize_name(needed.name)
        if name != "refundgql":
            assert needed.specifier.contains(pinned[name]), line


def test_ci_and_container_install_from_them() -> None:
    """Neither installs anything else than what the checks were green with."""
    for path in ".ci/run", "deploy/Containerfile":
        assert re.search(r"pip install .*-c \S*constraints\.txt", (ROOT / path).read_text()), path
