"""What the house asks of every module, where a linter does not already check it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "refundgql"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)
MOST_LINES = 400
MOST_FUNCTION_LINES = 60


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_says_what_it_is_for(path: Path) -> None:
    """Every module begins with a sentence of purpose."""
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_and_its_functions_fit_on_a_screen_or_two(path: Path) -> None:
    """What outgrows these sizes does a second thing that wants a name of its own."""
    text = path.read_text(encoding="utf-8")
    functions = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= MOST_FUNCTION_LINES
    ]
    assert functions == []
    assert text.count("\n") <= MOST_LINES


def test_public_functions_say_what_they_do() -> None:
    """Whoever calls a function of another module reads its docstring, not its body."""
    silent = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"
        for path in MODULES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and not node.decorator_list  # GraphQL types and fields are described in the schema, which has a test
    ]
    assert silent == []


def test_no_module_is_a_drawer() -> None:
    """Names such as utils say nothing about what belongs inside."""
    assert [path for path in MODULES if path.stem in {"utils", "helpers", "common", "misc"}] == []


def test_one_class_for_one_name() -> None:
    """A search for a name finds one class, beside the GraphQL type and the table of the same thing."""
    places: dict[str, list[str]] = {}
    for path in MODULES:
        if path.is_relative_to(SOURCE / "api") or (path.parent.name == "storage" and path.stem.endswith("tables")):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(str(path.relative_to(SOURCE)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
