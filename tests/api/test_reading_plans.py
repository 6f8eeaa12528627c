"""A page of a list is read off an index: what it costs does not depend on how long the list is."""

from __future__ import annotations

import pytest

from api_world import Desk
from refundgql.storage.database import Dialect
from refundgql.storage.statements import counted_statements, for_postgres, for_sqlite

PAGES = {
    "the queue": ("sam", "{ supportQueue(first: 20) { edges { node { number } } } }", "case_queue"),
    "newest cases": ("sam", "{ refundCases(first: 20) { edges { node { number } } } }", "case_newest"),
    "changed cases": (
        "sam",
        "{ refundCases(first: 20, orderBy: RECENTLY_CHANGED) { edges { node { number } } } }",
        "case_changed",
    ),
    "all leads": ("sam", "{ leads(first: 20) { edges { node { title } } } }", "lead_newest"),
    "own leads": ("paula", "{ leads(first: 20) { edges { node { title } } } }", "lead_pro"),
    "all contracts": ("sam", "{ contracts(first: 20) { edges { node { title } } } }", "contract_newest"),
}


async def plan(desk: Desk, sql: str) -> str:
    """Return how a statement is carried out when tables are large."""
    async with desk.app.database.transaction() as tx:
        if tx.dialect is Dialect.SQLITE:
            statement = for_sqlite(sql).sql
            rows = await tx.fetch(f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?"))
            return "\n".join(row["detail"] for row in rows)
        statement = for_postgres(sql)
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await tx.execute("SET LOCAL enable_seqscan = off")  # the tables of a test are too small for an index to pay
        await tx.execute("SET LOCAL enable_bitmapscan = off")
        await tx.execute(f"PREPARE shown AS {statement}")
        values = ", ".join(["NULL"] * statement.count("$"))
        rows = await tx.fetch(f"EXPLAIN EXECUTE shown{f'({values})' if values else ''}")
        await tx.execute("DEALLOCATE shown")
        return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", PAGES)
async def test_pages_are_read_off_an_index(desk: Desk, name: str) -> None:
    """No list is sorted for a page of it."""
    ref, document, index = PAGES[name]
    with counted_statements() as statements:
        await desk.run(ref, document)
    shown = await plan(desk, statements[-1])
    assert index in shown, shown
    assert "Sort" not in shown, shown
    assert "TEMP B-TREE" not in shown, shown
