"""What searches look at, folded by the code that folds what is looked for: the databases know no common rule.

It must not change what was written. A row that a process of the version before writes is found once it is told anew.
"""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

from refundgql.domain.texts import fold
from refundgql.storage.migrations._steps import RunFor

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


async def _fold(_apps: Any, editor: BaseSchemaEditor) -> None:
    first, second = ("?", "?") if editor.DIALECT == "sqlite" else ("$1", "$2")
    for _, table, column, sources in _FOLDED:
        after = _NO_ID
        while True:
            rows = await editor.client.execute_query_dict(
                f"SELECT id, {', '.join(sources)} FROM {table} WHERE id > {first} ORDER BY id LIMIT {_ROWS_AT_ONCE}",
                [after],
            )
            if not rows:
                break
            changed = [["\n".join(fold(row[name]) for name in sources), row["id"]] for row in rows]
            await editor.client.execute_many(f"UPDATE {table} SET {column} = {first} WHERE id = {second}", changed)
            after = rows[-1]["id"]


_CATEGORY = ("DROP INDEX lead_category", "CREATE INDEX lead_category ON lead (category_folded, charged_at, id)")


class Migration(BaseMigration):
    """Add the columns, fill them, and read categories off an index of theirs."""

    dependencies = [("refundgql", "0010_contract_posting_order")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        *(ops.AddField(model, column, fields.TextField(null=True)) for model, _, column, _ in _FOLDED),
        RunPython(_fold),
        RunFor(sqlite=_CATEGORY, postgres=_CATEGORY),
    ]
