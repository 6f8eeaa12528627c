"""Reviews of contracts, for a viewer.

It must not show a hidden review to anybody but the two parties and staff, who are all that see a contract (C21).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refundgql.queries.pages import Key, Order
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table
from refundgql.storage import visibility


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


REVIEWS = Table(
    name="review",
    alias="v",
    shape=Shape(
        ReviewRow,
        "external_ref rating body posted_at edit_allowed",
        {
            "author": ("author_id",),
            "subject": ("subject_id",),
            **dict.fromkeys(("hidden", "hidden_because", "wording"), ("reviews_hidden",)),
        },
        computed={"reviews_hidden": "(SELECT k.reviews_hidden FROM contract k WHERE k.id = v.contract_id)"},
    ),
    order=Order("reviews", (Key("v.posted_at", "int"), Key("v.id", "uuid"))),
    visible=visibility.of_contracts,
    parent="contract_id",
)
"""Oldest first."""
reviews_by_id = REVIEWS.by_id
reviews_of_contracts = REVIEWS.lists
