"""Milestones and what is held for them, for a viewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from refundgql.domain.viewers import Viewer
from refundgql.queries.of_contracts import OfContracts
from refundgql.queries.pages import Key, Order
from refundgql.queries.rows import Shape
from refundgql.storage import visibility
from refundgql.storage.database import Source


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
    ("id",),
    {
        "external_ref": ("external_ref",),
        "title": ("title",),
        "amount": ("amount_minor", "currency"),
        "held": ("held_minor", "currency"),
        "status": ("status",),
        "contract": ("contract_id",),
        "refund_action": ("payment_id",),
        "refund_cases": ("payment_id",),
    },
    computed={"held_minor": HELD},
)
OLDEST = Order("milestones", (Key("s.id", "uuid"),))
MILESTONES = OfContracts("milestone s", "s", SHAPE, OLDEST, visibility.milestones)


async def milestones_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the milestones of these ids that the viewer sees."""
    return await MILESTONES.by_id(source, viewer, ids, wanted)


async def milestones_of_contracts(
    source: Source, viewer: Viewer, contract_ids: Sequence[str], wanted: Mapping[str, Any]
) -> list[list[Any]]:
    """Return each contract's milestones in the order they were made."""
    return await MILESTONES.lists(source, viewer, contract_ids, wanted)
