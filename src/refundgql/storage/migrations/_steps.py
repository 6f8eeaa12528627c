"""Steps that Tortoise has no operation for, for both databases: constraints, triggers, indexes, plain statements."""

from __future__ import annotations

import abc
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor


class AddTableConstraints(RunPython):
    """Add named constraints to tables that nobody uses yet, each written as after `CONSTRAINT name`."""

    def __init__(self, constraints: dict[str, dict[str, str]]) -> None:
        """Keep the constraints by table and name."""
        super().__init__(self._add)
        self.constraints = constraints

    async def _add(self, _apps: Any, editor: BaseSchemaEditor) -> None:
        for table, named in self.constraints.items():
            if editor.DIALECT == "sqlite":
                await _add_sqlite_constraints(editor.client, table, named)
            else:
                added = ", ".join(f'ADD CONSTRAINT "{name}" {clause}' for name, clause in named.items())
                await editor.client.execute_query(f'ALTER TABLE "{table}" {added}')


class RunFor(RunPython):
    """Run whole statements, triggers included, on one of the databases."""

    def __init__(self, *, sqlite: Sequence[str] = (), postgres: Sequence[str] = ()) -> None:
        """Keep the statements."""
        super().__init__(self._run)
        self.statements = {"sqlite": sqlite, "postgres": postgres}

    async def _run(self, _apps: Any, editor: BaseSchemaEditor) -> None:
        for statement in self.statements[editor.DIALECT]:
            await editor.client.execute_query(statement)


_ROWS_AT_ONCE = 500
"""Rows whose locks are held together."""


class LateWork(Protocol):
    """What late steps work with."""

    client: Any
    """A client without a transaction."""
    dialect: str

    async def transaction(self, name: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """Do something in a transaction that waits for locks briefly, again and again until it has them."""


class LateStep(RunPython, abc.ABC):
    """A step that on PostgreSQL ends after its migration's transaction: what takes long must not hold locks.

    It may be interrupted at any instant, and is then done again from its beginning.
    """

    @abc.abstractmethod
    async def finish(self, work: LateWork) -> None:
        """Do what is left to do."""


_INDEX = re.compile(r"^CREATE (UNIQUE )?INDEX (\w+) ON ")


def _index_name(statement: str) -> str:
    found = _INDEX.match(statement)
    if found is None:
        raise ValueError(f"{statement!r} does not begin as CREATE INDEX name ON table does.")
    return found[2]


async def _definition(client: Any, name: str, dialect: str) -> str | None:
    """Return the statement that an index was made by, as the database has it."""
    if dialect == "sqlite":
        found = await client.execute_query_dict(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", [name]
        )
    else:
        found = await client.execute_query_dict("SELECT pg_get_indexdef(to_regclass($1)) AS sql", [name])
    return found[0]["sql"] if found else None


async def _build_concurrently(client: Any, statement: str) -> None:
    """Build an index while others write, unless it is there; what an interrupted build has left is removed first."""
    name = _index_name(statement)
    left = await client.execute_query_dict(
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid", [name]
    )
    if left:
        await client.execute_query(f'DROP INDEX CONCURRENTLY "{name}"')
    await client.execute_query(_INDEX.sub(r"CREATE \1INDEX CONCURRENTLY IF NOT EXISTS \2 ON ", statement))


class BuildIndexes(LateStep):
    """Build indexes on existing tables, each given as `CREATE INDEX name ON table (…)`, while others read and write."""

    def __init__(self, *, sqlite: Sequence[str] = (), postgres: Sequence[str] = ()) -> None:
        """Keep the statements."""
        super().__init__(self._run)
        self.sqlite, self.postgres = sqlite, postgres
        for statement in (*sqlite, *postgres):
            _index_name(statement)

    async def _run(self, _apps: Any, editor: BaseSchemaEditor) -> None:
        for statement in self.sqlite if editor.DIALECT == "sqlite" else ():
            await editor.client.execute_query(statement)

    async def finish(self, work: LateWork) -> None:
        """Build them concurrently."""
        for statement in self.postgres if work.dialect == "postgres" else ():
            await _build_concurrently(work.client, statement)


class RebuildIndex(LateStep):
    """Give an index its wanted definition where the database's lacks a mark of it."""

    def __init__(self, mark: str, *, sqlite: str = "", postgres: str = "") -> None:
        """Keep the statements; without one the database keeps what it has."""
        super().__init__(self._run)
        self.mark = mark
        self.sqlite, self.postgres = sqlite, postgres

    async def _run(self, _apps: Any, editor: BaseSchemaEditor) -> None:
        if editor.DIALECT != "sqlite" or not self.sqlite:
            return
        name = _index_name(self.sqlite)
        if self.mark not in (await _definition(editor.client, name, "sqlite") or self.mark):
            await editor.client.execute_query(f'DROP INDEX "{name}"')
            await editor.client.execute_query(self.sqlite)

    async def finish(self, work: LateWork) -> None:
        """Build the new one beside the former, remove that, and take its name."""
        client, dialect = work.client, work.dialect
        if dialect != "postgres" or not self.postgres:
            return
        name = _index_name(self.postgres)
        beside = f"{name}_rebuilt"
        if self.mark not in (await _definition(client, name, dialect) or self.mark):
            await _build_concurrently(client, self.postgres.replace(name, beside, 1))
            await client.execute_query(f'DROP INDEX CONCURRENTLY "{name}"')
        if await _definition(client, beside, dialect) is not None:
            await client.execute_query(f'ALTER INDEX "{beside}" RENAME TO "{name}"')


class WidenChecks(LateStep):
    """Let named CHECK constraints allow more than before, each given by table and name as `CHECK (…)`.

    What the former ones allowed must stay allowed: processes of the release before go on writing it.
    """

    def __init__(self, checks: dict[str, dict[str, str]]) -> None:
        """Keep the constraints by table and name."""
        super().__init__(self._run)
        self.checks = checks

    async def _run(self, _apps: Any, editor: BaseSchemaEditor) -> None:
        for table, named in self.checks.items():
            if editor.DIALECT == "sqlite":
                await _rewrite_sqlite_checks(editor.client, table, named)
                continue
            changes = [
                change
                for name, clause in named.items()
                for change in (f'DROP CONSTRAINT IF EXISTS "{name}"', f'ADD CONSTRAINT "{name}" {clause} NOT VALID')
            ]
            await editor.client.execute_query(f'ALTER TABLE "{table}" {", ".join(changes)}')

    async def finish(self, work: LateWork) -> None:
        """Let PostgreSQL look through the rows without a lock that anybody waits for."""
        if work.dialect == "postgres":
            for table, named in self.checks.items():
                for name in named:
                    await work.client.execute_query(f'ALTER TABLE "{table}" VALIDATE CONSTRAINT "{name}"')


class AddConstraints(LateStep):
    """Add constraints to tables in use, given as for AddTableConstraints, which every release in use keeps already.

    On PostgreSQL each is added in a short transaction of its own, and the rows that are there are looked through after
    it without a lock that anybody waits for; on SQLite at once. A row that breaks one ends the migration with its name.
    """

    def __init__(self, constraints: dict[str, dict[str, str]]) -> None:
        """Keep the constraints by table and name."""
        super().__init__(self._run)
        self.constraints = constraints

    async def _run(self, _apps: Any, editor: BaseSchemaEditor) -> None:
        for table, named in self.constraints.items() if editor.DIALECT == "sqlite" else ():
            await _add_sqlite_constraints(editor.client, table, named)

    async def finish(self, work: LateWork) -> None:
        """Add what is not there yet, and look through the rows."""
        for table, named in self.constraints.items() if work.dialect == "postgres" else ():
            for name, clause in named.items():

                async def add(client: Any, table: str = table, name: str = name, clause: str = clause) -> None:
                    known = "SELECT 1 FROM pg_constraint WHERE conname = $1 AND conrelid = CAST($2 AS text)::regclass"
                    if not await client.execute_query_dict(known, [name, table]):
                        await client.execute_query(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {clause} NOT VALID')

                await work.transaction(name, add)
                await work.client.execute_query(f'ALTER TABLE "{table}" VALIDATE CONSTRAINT "{name}"')


AddChecks = AddConstraints
"""As the migration calls it that came before references were added too."""


async def _add_sqlite_constraints(client: Any, table: str, named: Mapping[str, str]) -> None:
    """Write constraints into the table's statement; SQLite has no other way, and looks at no row of it then."""
    statement = await _sqlite_statement(client, table)
    cut = statement.rindex(") /*") if statement.rstrip().endswith("*/") else statement.rindex(")")
    added = "".join(f',\n    CONSTRAINT "{name}" {clause}' for name, clause in named.items())
    await _rewrite_sqlite_table(client, table, f"{statement[:cut].rstrip()}{added}\n{statement[cut:]}")
    for name, clause in named.items():
        if clause.startswith("CHECK"):
            broken = f'SELECT 1 FROM "{table}" WHERE NOT {clause.removeprefix("CHECK")} LIMIT 1'
            if await client.execute_query_dict(broken):
                raise ValueError(f"A row of {table} breaks {name}: mend it first.")
    found = await client.execute_query_dict(f'PRAGMA foreign_key_check("{table}")')
    if found:
        raise ValueError(f"A row of {table} refers to a {found[0]['parent']} that is not there: mend it first.")


async def _rewrite_sqlite_checks(client: Any, table: str, named: dict[str, str]) -> None:
    statement = await _sqlite_statement(client, table)
    for name, clause in named.items():
        begin = statement.index(f'CONSTRAINT "{name}" CHECK') + len(f'CONSTRAINT "{name}" ')
        statement = statement[:begin] + clause + statement[_end_of_parenthesis(statement, begin) :]
    await _rewrite_sqlite_table(client, table, statement)


async def _sqlite_statement(client: Any, table: str) -> str:
    found = await client.execute_query_dict("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", [table])
    return str(found[0]["sql"])


async def _rewrite_sqlite_table(client: Any, table: str, statement: str) -> None:
    """Write a table's statement anew in SQLite's catalogue, as its manual shows: no row is touched."""
    version = (await client.execute_query_dict("PRAGMA schema_version"))[0]["schema_version"]
    await client.execute_query("PRAGMA writable_schema = ON")
    await client.execute_query("UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", [statement, table])
    await client.execute_query(f"PRAGMA schema_version = {version + 1}")
    await client.execute_query("PRAGMA writable_schema = OFF")


def _end_of_parenthesis(statement: str, begin: int) -> int:
    """Return the place behind the parenthesis that opens first after `begin`; texts in it hold none."""
    depth = 0
    for place in range(statement.index("(", begin), len(statement)):
        depth += {"(": 1, ")": -1}.get(statement[place], 0)
        if depth == 0:
            return place + 1
    raise ValueError(f"A parenthesis is not closed: {statement}")


class DropIndexes(LateStep):
    """Drop indexes that only older releases read by, each named; a contraction."""

    def __init__(self, *names: str) -> None:
        """Keep the names."""
        super().__init__(self._run)
        self.names = names

    async def _run(self, _apps: Any, editor: BaseSchemaEditor) -> None:
        for name in self.names if editor.DIALECT == "sqlite" else ():
            await editor.client.execute_query(f'DROP INDEX IF EXISTS "{name}"')

    async def finish(self, work: LateWork) -> None:
        """Drop them while others read."""
        for name in self.names if work.dialect == "postgres" else ():
            await work.client.execute_query(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')


class FillInBatches(LateStep):
    """Fill what was added by short transactions, until a round changes nothing.

    A statement updates at most some thousand rows, in the order in which everybody locks them. `before` and `after` run
    in the same transaction.
    """

    def __init__(
        self,
        *,
        sqlite: str = "",
        postgres: str = "",
        before: Mapping[str, Sequence[str]] | None = None,
        after: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Keep the statement of each database, and what stands around it."""
        super().__init__(self.noop)
        self.statements = {"sqlite": sqlite, "postgres": postgres}
        if not all(one.startswith("UPDATE ") for one in self.statements.values() if one):
            raise ValueError("A statement that fills begins with UPDATE, or its changes are not counted.")
        self.before, self.after = before or {}, after or {}

    async def finish(self, work: LateWork) -> None:
        """Run it again and again, each time in a transaction of its own."""
        statement = self.statements[work.dialect]

        async def fill(client: Any) -> int:
            for one in self.before.get(work.dialect, ()):
                await client.execute_query(one)
            changed, _ = await client.execute_query(statement)
            for one in self.after.get(work.dialect, ()):
                await client.execute_query(one)
            return int(changed)

        while statement and await work.transaction("Filling", fill):
            pass


class FillByCode(LateStep):
    """Fill a text column of a table from others of its row by code, where it is empty, a batch a transaction."""

    def __init__(
        self, table: str, column: str, sources: Sequence[str], compute: Callable[[Sequence[Any]], str]
    ) -> None:
        """Keep what is filled from what; the table's rows have an `id`."""
        super().__init__(self.noop)
        self.table, self.column, self.sources, self.compute = table, column, sources, compute

    async def finish(self, work: LateWork) -> None:
        """Go through the rows in the order of their ids, in which everybody locks them."""
        after = "00000000-0000-0000-0000-000000000000"
        first, second, lock = ("?", "?", "") if work.dialect == "sqlite" else ("$1", "$2", " FOR UPDATE")
        read = (
            f'SELECT id, {", ".join(self.sources)} FROM "{self.table}" WHERE id > {first} AND {self.column} IS NULL'
            f" ORDER BY id LIMIT {_ROWS_AT_ONCE}{lock}"
        )
        write = f'UPDATE "{self.table}" SET {self.column} = {first} WHERE id = {second}'

        async def fill(client: Any) -> str | None:
            rows = await client.execute_query_dict(read, [after])
            if rows:
                filled = [[self.compute([row[name] for name in self.sources]), row["id"]] for row in rows]
                await client.execute_many(write, filled)
            return rows[-1]["id"] if rows else None

        while (last := await work.transaction("Filling", fill)) is not None:
            after = last
