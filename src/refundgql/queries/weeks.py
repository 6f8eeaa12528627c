"""Billing weeks, for a viewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from refundgql.domain.viewers import Viewer
from refundgql.queries.of_contracts import OfContracts
from refundgql.queries.pages import ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.storage import visibility
from refundgql.storage.database import Source


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
    ("id",),
    {
        "external_ref": ("external_ref",),
        "contract": ("contract_id",),
        "starts_at": ("starts_at",),
        "ends_at": ("ends_at",),
        "dispute_until": ("ends_at",),
        "hours": ("hours",),
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
NEWEST = Order("weeks", (Key("w.starts_at", "int", descending=True), Key("w.id", "uuid", descending=True)))
WEEKS = OfContracts("billing_week w", "w", SHAPE, NEWEST, visibility.billing_weeks)


async def weeks_by_id(source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the billing weeks of these ids that the viewer sees."""
    return await WEEKS.by_id(source, viewer, ids, wanted)


async def list_weeks(
    source: Source, viewer: Viewer, contract_ids: Sequence[str], page: Page, wanted: Mapping[str, Any]
) -> list[ConnectionRow]:
    """Return the same page of each contract's billing weeks, newest first."""
    return await WEEKS.pages(source, viewer, contract_ids, page, wanted)
