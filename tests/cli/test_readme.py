"""What the README tells a newcomer to type is there, and its documents run."""

from __future__ import annotations

import re
from pathlib import Path

from graphql import build_schema, parse, validate

from refundgql.cli import COMMANDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_graphql_examples_are_valid() -> None:
    """Each example may be pasted into GraphiQL as it stands."""
    schema = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
    examples = re.findall(r"```graphql\n(.*?)```", README, flags=re.DOTALL)
    assert len(examples) == 2
    assert [error.message for text in examples for error in validate(schema, parse(text))] == []


def test_commands_exist() -> None:
    """Every `refundgql …` that README and operations name is a command of the command line."""
    named = set(re.findall(r"(?:bin/|`|^)refundgql ([a-z]+)", README + OPERATIONS, flags=re.MULTILINE))
    assert named >= {"demo", "serve", "migrate", "workflow"}
    assert named <= set(COMMANDS)


def test_ci_runs_the_commands_of_the_readme() -> None:
    """What CI installs and runs is what a newcomer is told to install and run."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for words in ("python3 -m venv .venv", "-e '.[test]'", ".venv/bin/python scripts/check.py"):
        assert words in README
        assert words in script


def test_links_lead_somewhere() -> None:
    """A newcomer who follows a link finds a page."""
    for text in (README, OPERATIONS):
        base = ROOT if text is README else ROOT / "docs"
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (base / target).exists(), target
