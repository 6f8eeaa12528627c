"""The GraphQL server is built and tested without the desk."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
GQL = TESTS.parent / "src" / "refundgql" / "gql"

# What everything else of this project is made of can be neither found nor imported.
PROGRAM = """
import importlib, sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        package = name.split(".")
        if package[0] == "refundgql" and package[1:2] not in ([], ["gql"]):
            raise ModuleNotFoundError(name)
        return None

sys.meta_path.insert(0, Nothing())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_every_module_is_imported_without_the_rest() -> None:
    """No module of the server needs another package of the project, also not while it is imported."""
    files = [path.relative_to(GQL.parents[1]).with_suffix("") for path in sorted(GQL.rglob("*.py"))]
    names = [".".join(path.parts).removesuffix(".__init__") for path in files]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_it_speaks_of_no_refund() -> None:
    """No word of the server's code is of the desk: what is particular to a field is declared where the field is."""
    words = re.compile(r"refund(?!gql)|invoice|escrow|milestone|timesheet", re.IGNORECASE)
    texts = {path.name: words.findall(path.read_text(encoding="utf-8")) for path in GQL.rglob("*.py")}
    assert {name: found for name, found in texts.items() if found} == {}


HELPERS = ("toy_schema.py", "toy_streams.py", "toy_server.py", "patience.py", "ports.py", "wide_limits.py")
"""What stands beside the tests of the server."""

QUICK = ("test_rows.py", "test_limits.py", "test_execution_answers.py", "test_rate.py", "test_pushing.py")


@pytest.mark.slow
def test_it_is_tested_without_the_rest(tmp_path: Path) -> None:
    """Package and tests alone, copied elsewhere, are all found, and pass as far as that is quickly seen."""
    package = tmp_path / "src" / "refundgql"
    shutil.copytree(GQL, package / "gql", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text("")
    shutil.copytree(TESTS / "gql", tmp_path / "tests" / "gql", ignore=shutil.ignore_patterns("__pycache__"))
    for name in HELPERS:
        shutil.copy(TESTS / name, tmp_path / "tests" / name)
    (tmp_path / "tests" / "gql" / "test_ports.py").unlink()  # it looks at the project around the package
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\naddopts = --import-mode=importlib\npythonpath = src tests tests/gql\n"
        "markers = slow\n"
    )
    python = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    found = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for arguments in (["--collect-only", "tests"], [f"tests/gql/{name}" for name in QUICK]):
        done = subprocess.run([*python, *arguments], cwd=tmp_path, env=found, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3_000:]


@pytest.mark.parametrize(
    "path",
    [*sorted((TESTS / "gql").glob("*.py")), *(TESTS / name for name in HELPERS)],
    ids=lambda path: path.name,
)
def test_its_tests_know_no_desk(path: Path) -> None:
    """What the server is tested with is toys: nothing else of the project is imported."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [one.name for one in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            assert (
                name is None
                or name == "refundgql"
                or not name.startswith("refundgql.")
                or name.startswith("refundgql.gql")
            ), name


def test_no_class_of_the_server_has_the_name_of_one_of_the_desk() -> None:
    """One name is one thing: whoever looks for a class finds it once."""
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for path in GQL.parent.rglob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        names[GQL in path.parents] |= {one.name for one in body if isinstance(one, ast.ClassDef) and one.name[0] != "_"}
    assert names[True] & names[False] == set()
