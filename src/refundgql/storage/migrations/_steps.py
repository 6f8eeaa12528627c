"""The steps that Tortoise has no operation for, for both databases: table constraints, triggers, plain statements.

It must not hold any migration's content: the migrations say what, these say how.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor


class AddTableConstraints(RunPython):
    """Add named constraints to existing tables, each written as after `CONSTRAINT name`.

    SQLite has no statement for this: the table is made anew with them and its rows are moved over.
    """

    def __init__(self, constraints: dict[str, dict[str, str]]) -> None:
        """Keep the constraints by table and name."""
        super().__init__(self._add)
        self.constraints = constraints

    async def _add(self, _apps: Any, editor: BaseSchemaEditor) -> None:
        for table, named in self.constraints.items():
            clauses = [f'CONSTRAINT "{name}" {clause}' for name, clause in named.items()]
            if editor.DIALECT == "sqlite":
                await _remake_sqlite_table(editor, table, clauses)
            else:
                added = ", ".join(f"ADD {clause}" for clause in clauses)
                await editor.client.execute_query(f'ALTER TABLE "{table}" {added}')


async def _remake_sqlite_table(editor: BaseSchemaEditor, table: str, clauses: Sequence[str]) -> None:
    client = editor.client
    found = await client.execute_query_dict(
        "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL", [table]
    )
    statement = next(row["sql"] for row in found if row["type"] == "table").rstrip()
    body, end = _before_last_parenthesis(statement)
    remade = body.rstrip() + ",\n    " + ",\n    ".join(clauses) + "\n" + end
    # The old table goes and the new one takes its name, in this order: other tables' references follow a renamed
    # table, and must not follow the old one.
    await client.execute_query(remade.replace(f'CREATE TABLE "{table}"', f'CREATE TABLE "{table}_remade"', 1))
    await client.execute_query(f'INSERT INTO "{table}_remade" SELECT * FROM "{table}"')
    await client.execute_query(f'DROP TABLE "{table}"')
    await client.execute_query(f'ALTER TABLE "{table}_remade" RENAME TO "{table}"')
    for row in found:
        if row["type"] != "table":
            await client.execute_query(row["sql"])


def _before_last_parenthesis(statement: str) -> tuple[str, str]:
    """Split before the parenthesis that ends the columns; Tortoise lets a comment follow it."""
    cut = statement.rindex(") /*") if statement.endswith("*/") else statement.rindex(")")
    return statement[:cut], statement[cut:]


class RunFor(RunPython):
    """Run whole statements, triggers included, on one of the databases."""

    def __init__(self, *, sqlite: Sequence[str] = (), postgres: Sequence[str] = ()) -> None:
        """Keep the statements."""
        super().__init__(self._run)
        self.statements = {"sqlite": sqlite, "postgres": postgres}

    async def _run(self, _apps: Any, editor: BaseSchemaEditor) -> None:
        for statement in self.statements[editor.DIALECT]:
            await editor.client.execute_query(statement)
