"""What searches look at, folded by the code that folds what is looked for: the databases know no common rule.

It must not change what was written. A row that a process of the version before writes is found once it is told anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.domain.texts import fold
from refundgql.storage.migrations._steps import BuildIndexes, FillByCode

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


def _fold(values: Sequence[Any]) -> str:
    return "\n".join(fold(value) for value in values)


_CATEGORY = ("CREATE INDEX lead_category_folded ON lead (category_folded, charged_at, id)",)


class Migration(BaseMigration):
    """Add the columns, fill them, and read categories off an index of theirs."""

    dependencies = [("refundgql", "0010_contract_posting_order")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        *(ops.AddField(model, column, fields.TextField(null=True)) for model, _, column, _ in _FOLDED),
        *(FillByCode(table, column, sources, _fold) for _, table, column, sources in _FOLDED),
        BuildIndexes(sqlite=_CATEGORY, postgres=_CATEGORY),
    ]
