"""What searches look at, folded by the code that folds what is looked for: the databases know no common rule.

It must not change what was written. A row that a process of the version before writes is found once it is told anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.domain.texts import fold
from refundgql.storage.migrations._steps import FillByCode, RebuildIndex

_FOLDED = (
    ("Account", "account", "folded", ("name", "external_ref")),
    ("Lead", "lead", "folded", ("title", "external_ref")),
    ("Lead", "lead", "category_folded", ("category",)),
    ("Lead", "lead", "customer_folded", ("customer_name",)),
    ("Contract", "contract", "folded", ("title", "external_ref")),
    ("BillingWeek", "billing_week", "folded", ("external_ref",)),
    ("Milestone", "milestone", "folded", ("title", "external_ref")),
    ("Invoice", "invoice", "folded", ("number", "external_ref")),
)
_ROWS_AT_ONCE = 1_000
_NO_ID = "00000000-0000-0000-0000-000000000000"


def _folds(table: str, column: str, sources: Sequence[str]) -> Callable[[Any, str, str | None], Awaitable[str | None]]:
    async def fill(client: Any, dialect: str, after: str | None) -> str | None:
        first, second = ("?", "?") if dialect == "sqlite" else ("$1", "$2")
        rows = await client.execute_query_dict(
            f"SELECT id, {', '.join(sources)} FROM {table} WHERE id > {first} ORDER BY id LIMIT {_ROWS_AT_ONCE}",
            [after or _NO_ID],
        )
        changed = [["\n".join(fold(row[name]) for name in sources), row["id"]] for row in rows]
        if changed:
            await client.execute_many(f"UPDATE {table} SET {column} = {first} WHERE id = {second}", changed)
        return str(rows[-1]["id"]) if rows else None

    return fill


_CATEGORY = "CREATE INDEX lead_category ON lead (category_folded, charged_at, id)"


class Migration(BaseMigration):
    """Add the columns, fill them, and read categories off an index of theirs."""

    dependencies = [("refundgql", "0010_contract_posting_order")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        *(ops.AddField(model, column, fields.TextField(null=True)) for model, _, column, _ in _FOLDED),
        *(FillByCode(_folds(table, column, sources)) for _, table, column, sources in _FOLDED),
        RebuildIndex("category_folded", sqlite=_CATEGORY, postgres=_CATEGORY),
    ]
