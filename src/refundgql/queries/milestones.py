"""Milestones and what is held for them, for a viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refundgql.queries.pages import Key, Order
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table
from refundgql.storage import visibility


@dataclass(slots=True)
class MilestoneRow:
    """A milestone; amounts in minor units."""

    TYPENAME: ClassVar[str] = "Milestone"
    id: str
    external_ref: str
    title: str
    amount_minor: int
    held_minor: int
    currency: str
    status: str
    contract_id: str
    payment_id: str


HELD = (
    "COALESCE((SELECT h.balance_minor FROM ledger_account h"
    " WHERE h.key = 'held:' || CAST(s.payment_id AS TEXT) || ':' || s.currency), 0)"
)
SHAPE = Shape(
    MilestoneRow,
    "external_ref title status",
    {
        "amount": ("amount_minor", "currency"),
        "held": ("held_minor", "currency"),
        "contract": ("contract_id",),
        "refund_action": ("payment_id",),
        "refund_cases": ("payment_id",),
    },
    computed={"held_minor": HELD},
)
MILESTONES = Table(
    name="milestone",
    alias="s",
    shape=SHAPE,
    order=Order("milestones", (Key("s.id", "uuid"),)),
    visible=visibility.of_contracts,
    parent="contract_id",
)
"""In the order they were made."""
milestones_by_id = MILESTONES.by_id
milestones_of_contracts = MILESTONES.lists
