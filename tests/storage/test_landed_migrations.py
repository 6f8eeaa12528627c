"""Migrations are written so that nobody waits for them, and never change once they have landed (docs/adr/0012)."""

from __future__ import annotations

from hashlib import sha256
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
from tortoise.migrations import operations as ops

from refundgql.storage import migrations
from refundgql.storage.migrations._steps import (
    AddConstraints,
    BuildIndexes,
    FillByCode,
    FillInBatches,
    RebuildIndex,
    RunFor,
    WidenChecks,
)
from refundgql.storage.schema import LAST_OF_TORTOISE, is_contraction, known_migrations

FOLDER = Path(migrations.__file__).parent
LANDED = Path(__file__).parent / "landed_migrations.txt"
EXPANDING_STEPS = (AddConstraints, BuildIndexes, RebuildIndex, WidenChecks, FillInBatches, FillByCode)
NEW = [name for name in known_migrations() if name > LAST_OF_TORTOISE]


def _steps_of(name: str) -> list[object]:
    found: list[object] = import_module(f"{migrations.__name__}.{name}").Migration.operations
    return found


@pytest.mark.parametrize("name", known_migrations())
def test_a_landed_migration_is_as_it_landed(name: str) -> None:
    """Its file has the digest in landed_migrations.txt; a new one gets its line there."""
    line = f"{name} {sha256((FOLDER / f'{name}.py').read_bytes()).hexdigest()}"
    assert line in LANDED.read_text(encoding="utf-8").splitlines(), f"If it is new, add this line: {line}"


def test_no_landed_migration_goes() -> None:
    """Each one that has landed is there, with a number of its own, behind the one before."""
    landed = [line.split()[0] for line in LANDED.read_text(encoding="utf-8").splitlines()]
    assert landed == known_migrations()
    assert [int(name[:4]) for name in landed] == list(range(1, len(landed) + 1))
    for before, name in pairwise(landed):
        assert import_module(f"{migrations.__name__}.{name}").Migration.dependencies == [("refundgql", before)]


@pytest.mark.parametrize("name", [name for name in NEW if not is_contraction(name)])
def test_an_expanding_migration_takes_only_steps_that_expand(name: str) -> None:
    """It adds tables, and columns that older code need not fill; indexes on existing tables are built late."""
    made: set[str] = set()
    for step in _steps_of(name):
        if isinstance(step, ops.CreateModel):
            made.add(step.name)
        elif isinstance(step, ops.AddField):
            assert step.field.null or step.field.has_db_default(), f"{step.name} needs null=True or db_default"
            indexed = step.field.unique or step.field.index
            assert not indexed, f"{step.name}: build its index with BuildIndexes"
        elif isinstance(step, ops.AddIndex):
            assert step.model_name in made, f"{step.model_name}: build its index with BuildIndexes"
        elif isinstance(step, RunFor):
            for statement in (*step.statements["sqlite"], *step.statements["postgres"]):
                begins = statement.split()[:2]
                if begins == ["DROP", "TRIGGER"]:  # SQLite replaces none: it is created anew in the same transaction
                    assert f"CREATE TRIGGER {statement.split()[2]} " in " ".join(step.statements["sqlite"])
                    continue
                assert begins[0] in {"CREATE", "INSERT"}, statement
                assert begins[1] not in {"INDEX", "UNIQUE"} or _table_of(statement) in _tables(made, name), statement
        else:
            assert isinstance(step, EXPANDING_STEPS), f"{step} does not expand"


def _tables(models: set[str], name: str) -> set[str]:
    return {
        step.options["table"] for step in _steps_of(name) if isinstance(step, ops.CreateModel) and step.name in models
    }


def _table_of(statement: str) -> str:
    return statement.partition(" ON ")[2].split()[0]
