"""Invoices and what is left of their payments, for a viewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from refundgql.domain.viewers import Viewer
from refundgql.queries.contracts import contract_totals
from refundgql.queries.listing import wanted_nodes
from refundgql.queries.pages import ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table
from refundgql.storage import visibility
from refundgql.storage.database import Source


@dataclass(slots=True)
class InvoiceRow:
    """An invoice; amounts in minor units."""

    TYPENAME: ClassVar[str] = "Invoice"
    id: str
    external_ref: str
    number: str
    status: str
    amount_minor: int
    currency: str
    issued_at: int
    paid_at: int | None
    contract_id: str
    payment_id: str
    billing_week_id: str | None
    milestone_id: str | None
    refunded_minor: int
    payment_left_minor: int
    refundable_minor: int


_PAYMENT = "(SELECT {what} FROM payment p WHERE p.id = i.payment_id)"
SHAPE = Shape(
    InvoiceRow,
    "external_ref number status issued_at paid_at",
    {
        "amount": ("amount_minor", "currency"),
        "contract": ("contract_id",),
        "billing_week": ("billing_week_id",),
        "milestone": ("milestone_id",),
        "refunded": ("refunded_minor", "currency"),
        "refundable": ("payment_left_minor", "contract_id", "currency"),
        **dict.fromkeys(("route", "direct_until", "support_until"), ("paid_at",)),
        "refund_action": ("payment_id",),
        "refund_cases": ("payment_id",),
    },
    computed={
        "refunded_minor": _PAYMENT.format(what="p.refunded_minor"),
        "payment_left_minor": _PAYMENT.format(
            what="p.paid_minor - p.refunded_minor - p.reserved_minor - p.charged_back_minor"
        ),
    },
)
INVOICES = Table(
    name="invoice",
    alias="i",
    shape=SHAPE,
    order=Order("invoices", (Key("i.issued_at", "int", descending=True), Key("i.id", "uuid", descending=True))),
    visible=visibility.of_contracts,
    parent="contract_id",
)
"""Newest first."""


async def invoices_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the invoices of these ids that the viewer sees."""
    found = await INVOICES.by_id(source, viewer, ids, wanted)
    await add_refundable(source, list(found.values()), wanted)
    return found


async def list_invoices(
    source: Source, viewer: Viewer, contract_ids: Sequence[str], page: Page, wanted: Mapping[str, Any]
) -> list[ConnectionRow]:
    """Return the same page of each contract's invoices, newest first."""
    found = await INVOICES.pages(source, viewer, contract_ids, page, wanted)
    rows = [edge.node for connection in found for edge in connection.edges]
    await add_refundable(source, rows, wanted_nodes(wanted))
    return found


async def add_refundable(source: Source, rows: Sequence[InvoiceRow], wanted: Mapping[str, Any]) -> None:
    """Put what is left of each payment and its contract together, whichever is less (C14)."""
    if not rows or "refundable" not in wanted:
        return
    totals = await contract_totals(source, [row.contract_id for row in rows])
    for row in rows:
        row.refundable_minor = max(min(row.payment_left_minor, totals[row.contract_id].refundable_minor), 0)
