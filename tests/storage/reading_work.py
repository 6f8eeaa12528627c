"""What it takes a database to answer a statement: rows that PostgreSQL looks at, steps that SQLite takes."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from refundgql.storage.database import Database, Dialect
from refundgql.storage.statements import for_postgres, for_sqlite, sqlite_parameters

# SQLite tells about its steps this often; a table of a million rows takes ten million to read.
STEPS_A_TICK = 1_000
_EXPLAIN = "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON)"
# A text that says how many items are wanted, and not only whether there is one, is one whose plan is kept.
_KEPT = re.compile(r"LIMIT (?!1\Z)\d+\Z")


@dataclass
class Work:
    """What one statement took."""

    sql: str
    plan: str
    scanned: set[str]
    """Tables that were read whole, row by row, without an index."""
    looked_at: dict[str, int]
    """Rows that PostgreSQL's plan reads by table, under no name those it sorts or hashes; or SQLite's steps."""

    def most(self, large: set[str]) -> int:
        """Return the most rows of one large table, or of none, that the plan handles; or SQLite's steps."""
        return max((rows for table, rows in self.looked_at.items() if table in large or not table), default=0)


@dataclass
class Watching:
    """A database whose reading statements are explained as they run; everything else goes through."""

    database: Database
    works: list[Work] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Any]:
        """Explain a statement, then run it."""
        self.works.append(await work_of(self.database, sql, parameters))
        return await self.database.fetch(sql, parameters)

    async def fetch_row(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first row of a reading statement, or nothing."""
        rows = await self.fetch(sql, parameters)
        return rows[0] if rows else None

    async def fetch_value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row of a reading statement, or None."""
        rows = await self.fetch(sql, parameters)
        return rows[0][0] if rows else None


async def work_of(database: Database, sql: str, parameters: Sequence[Any]) -> Work:
    """Run a statement with its parameters and return what it took."""
    if database.dialect is Dialect.SQLITE:
        return _on_sqlite(database, sql, parameters)
    rows = await database.fetch(f"{_EXPLAIN} {sql}", parameters)
    top = json.loads(rows[0][0])[0]["Plan"]
    nodes = list(_nodes(top))
    if _KEPT.search(sql):
        nodes += _nodes(await _run_generically(database, sql, parameters))
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan" and node["Actual Loops"]}
    generic = await _generic_plan(database, sql)
    scanned |= set(re.findall(r"Seq Scan on (\w+)", generic))
    shown = "\n".join(f"{'  ' * depth}{_told(node)}" for depth, node in _indented(top)) + "\nGENERIC\n" + generic
    looked_at: dict[str, int] = {}
    for node in nodes:
        table = node.get("Relation Name") or ""
        looked_at[table] = max(looked_at.get(table, 0), _rows(node))
    return Work(sql, shown, scanned, looked_at)


async def whole_reads(database: Database, sql: str) -> set[str]:
    """Return the tables that a statement, which may write, reads whole by the plan for any parameters."""
    if database.dialect is Dialect.POSTGRES:
        return set(re.findall(r"Seq Scan on (\w+)", await _generic_plan(database, sql)))
    statement = for_sqlite(sql).sql
    async with database.transaction() as tx:
        rows = await tx.fetch(f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?"))
    return _scanned(statement, [row["detail"] for row in rows])


async def _run_generically(database: Database, sql: str, parameters: Sequence[Any]) -> dict[str, Any]:
    """Run a statement by the plan for any parameters and return what that did."""
    values = ", ".join(str(one) if isinstance(one, int) else f"'{one}'" for one in parameters)
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await tx.execute(f"PREPARE kept AS {for_postgres(sql)}")
        rows = await tx.fetch(f"{_EXPLAIN} EXECUTE kept{f'({values})' if values else ''}")
        await tx.execute("DEALLOCATE kept")
    plan: dict[str, Any] = json.loads(rows[0][0])[0]["Plan"]
    return plan


async def _generic_plan(database: Database, sql: str) -> str:
    """Return the plan for any parameters, which a server keeps for statements it has run often."""
    statement = for_postgres(sql)
    nulls = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
    async with database.transaction() as tx:
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await tx.execute(f"PREPARE shown AS {statement}")
        rows = await tx.fetch(f"EXPLAIN EXECUTE shown{f'({nulls})' if nulls else ''}")
        await tx.execute("DEALLOCATE shown")
    return "\n".join(row[0] for row in rows)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (found for _, found in _indented(node))


def _indented(node: dict[str, Any], depth: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    yield depth, node
    for child in node.get("Plans", ()):
        yield from _indented(child, depth + 1)


def _rows(node: dict[str, Any]) -> int:
    per_loop = node["Actual Rows"] + sum(
        node.get(f"Rows Removed by {by}", 0) for by in ("Filter", "Index Recheck", "Join Filter")
    )
    return int(per_loop * node["Actual Loops"])


def _told(node: dict[str, Any]) -> str:
    where = node.get("Index Name") or node.get("Relation Name") or ""
    return f"{node['Node Type']} {where} {_rows(node)} {node.get('Index Cond', '')} {node.get('Filter', '')}"


def _on_sqlite(database: Database, sql: str, parameters: Sequence[Any]) -> Work:
    statement = for_sqlite(sql)
    values = sqlite_parameters(statement, parameters)
    ticks = 0

    def tick() -> int:
        nonlocal ticks
        ticks += 1
        return 0

    connection = sqlite3.connect(database.url.partition("://")[2])
    try:
        connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", values)]
        connection.set_progress_handler(tick, STEPS_A_TICK)
        connection.execute(statement.sql, values).fetchall()
    finally:
        connection.close()
    return Work(sql, "\n".join(plan), _scanned(statement.sql, plan), {"": ticks * STEPS_A_TICK})


def _scanned(statement: str, plan: Sequence[str]) -> set[str]:
    """Return the tables that SQLite's plan scans without an index."""
    aliases = {alias: table for table, alias in re.findall(r"(?:FROM|JOIN) (\w+) (?:AS )?(\w+)\b", statement)}
    scans = (re.match(r"SCAN (\w+)\b", line) for line in plan if " USING " not in line)
    return {aliases.get(found[1], found[1]) for found in scans if found}
