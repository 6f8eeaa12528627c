"""Reviews of contracts, for a viewer.

It must not show a hidden review to anybody but the two parties and staff, who are all that see a contract (C21).
"""

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
class ReviewRow:
    """A review, and whether its contract's reviews are hidden."""

    TYPENAME: ClassVar[str] = "Review"
    id: str
    author_id: str
    subject_id: str
    rating: int
    body: str
    posted_at: int
    edit_allowed: bool
    reviews_hidden: bool
    external_ref: str | None


SHAPE = Shape(
    ReviewRow,
    ("id",),
    {
        "external_ref": ("external_ref",),
        "author": ("author_id",),
        "subject": ("subject_id",),
        "rating": ("rating",),
        "body": ("body",),
        "posted_at": ("posted_at",),
        "edit_allowed": ("edit_allowed",),
        "hidden": ("reviews_hidden",),
        "hidden_because": ("reviews_hidden",),
        "wording": ("reviews_hidden",),
    },
    computed={"reviews_hidden": "(SELECT k.reviews_hidden FROM contract k WHERE k.id = v.contract_id)"},
)
OLDEST = Order("reviews", (Key("v.posted_at", "int"), Key("v.id", "uuid")))
REVIEWS = OfContracts("review v", "v", SHAPE, OLDEST, visibility.reviews)


async def reviews_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the reviews of these ids that the viewer sees."""
    return await REVIEWS.by_id(source, viewer, ids, wanted)


async def reviews_of_contracts(
    source: Source, viewer: Viewer, contract_ids: Sequence[str], wanted: Mapping[str, Any]
) -> list[list[Any]]:
    """Return each contract's reviews, oldest first."""
    return await REVIEWS.lists(source, viewer, contract_ids, wanted)
