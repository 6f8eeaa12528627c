"""Billing weeks, for a viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refundgql.queries.pages import Key, Order
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table
from refundgql.storage import visibility


@dataclass(slots=True)
class WeekRow:
    """A billing week; `hours` is a decimal text, amounts are in minor units."""

    TYPENAME: ClassVar[str] = "BillingWeek"
    id: str
    external_ref: str
    contract_id: str
    payment_id: str
    starts_at: int
    ends_at: int
    hours: str
    rate_minor: int
    amount_minor: int
    currency: str
    invoice_id: str | None
    refund_case_id: str | None


SHAPE = Shape(
    WeekRow,
    "external_ref starts_at ends_at hours",
    {
        "contract": ("contract_id",),
        "dispute_until": ("ends_at",),
        "rate": ("rate_minor", "currency"),
        "amount": ("amount_minor", "currency"),
        "invoice": ("invoice_id",),
        "dispute_action": ("payment_id",),
        "refund_case": ("refund_case_id",),
    },
    computed={
        "invoice_id": "(SELECT i.id FROM invoice i WHERE i.billing_week_id = w.id)",
        "refund_case_id": "(SELECT c.id FROM refund_case c WHERE c.payment_id = w.payment_id"
        " ORDER BY c.opened_at DESC, c.id DESC LIMIT 1)",
    },
)
WEEKS = Table(
    name="billing_week",
    alias="w",
    shape=SHAPE,
    order=Order("weeks", (Key("w.starts_at", "int", descending=True), Key("w.id", "uuid", descending=True))),
    visible=visibility.of_contracts,
    parent="contract_id",
)
"""Newest first."""
weeks_by_id = WEEKS.by_id
list_weeks = WEEKS.pages
