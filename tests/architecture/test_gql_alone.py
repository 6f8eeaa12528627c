"""The GraphQL server is built and tested without the desk."""

import ast
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
    done = subprocess.run([sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "path",
    [*sorted((TESTS / "gql").glob("*.py")), TESTS / "toy_schema.py", TESTS / "toy_streams.py"],
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
