"""Reviews of contracts: posting within the window (C22), one allowed edit (C23), hidden with the money (C21)."""

from datetime import datetime

import strawberry

from refundgql.api.acts.inputs import KEY, Input, optional, required
from refundgql.api.acts.payloads import ReviewPayload, act
from refundgql.api.context import LevelInfo
from refundgql.api.languages import said
from refundgql.api.types.lazy import LazyAccount
from refundgql.api.types.nodes import Node
from refundgql.api.types.relations import accounts_of
from refundgql.api.types.wording import Wording, wording
from refundgql.commands import reviews as commands
from refundgql.domain.sentences import sentence
from refundgql.gql.declare import Level, leaf, level
from refundgql.queries.reviews import ReviewRow

HIDDEN_BECAUSE = sentence(
    "REVIEWS_HIDDEN",
    "Refunds brought what was paid for this contract below the least amount that reviews are shown for; "
    "only the two parties and support still read it (C21).",
)


@strawberry.type(description="One party's review of the other. A hidden one is read by the two parties and staff only.")
class Review(Node):
    external_ref: str | None = strawberry.field(
        description="The marketplace's own reference; none for a review that was posted here."
    )

    @level(description="Who wrote it.")
    @staticmethod
    async def author(rows: list[ReviewRow], info: LevelInfo) -> Level[LazyAccount]:
        return await accounts_of(info, [row.author_id for row in rows])

    @level(description="Whom it is about.")
    @staticmethod
    async def subject(rows: list[ReviewRow], info: LevelInfo) -> Level[LazyAccount]:
        return await accounts_of(info, [row.subject_id for row in rows])

    rating: int = strawberry.field(description="One (worst) to five (best).")
    body: str = strawberry.field(description="What it says.")
    posted_at: datetime = strawberry.field(description="When it was posted.")
    edit_allowed: bool = leaf(
        lambda row: bool(row.edit_allowed), description="Whether the expert allows the client one edit now (C23)."
    )
    hidden: bool = leaf(
        lambda row: bool(row.reviews_hidden), description="Whether the contract's reviews are hidden (C21)."
    )
    hidden_because: str | None = leaf(
        lambda row: said(HIDDEN_BECAUSE) if row.reviews_hidden else None,
        description="Why it is hidden, in one sentence; none while it is shown.",
    )
    wording: Wording | None = leaf(
        lambda row: wording(HIDDEN_BECAUSE) if row.reviews_hidden else None,
        description="The code and the parameters of `hiddenBecause`; none while it is shown.",
    )


@strawberry.input(description="A new review.")
class PostReviewInput(Input):
    contract_id: strawberry.ID = required("The contract it is about.")
    rating: int = required("One (worst) to five (best).")
    body: str = required("What it says, at most 10,000 characters.")
    idempotency_key: str | None = optional(KEY)


@strawberry.input(description="What a review should say from now on.")
class EditReviewInput(Input):
    review_id: strawberry.ID = required("The review, your own.")
    rating: int = required("One (worst) to five (best).")
    body: str = required("What it says, at most 10,000 characters.")
    idempotency_key: str | None = optional(KEY)


@strawberry.input(description="Which review the client may edit.")
class AllowReviewEditInput(Input):
    review_id: strawberry.ID = required("The client's review.")
    idempotency_key: str | None = optional(KEY)


@strawberry.type
class ReviewMutations:
    post_review = act(
        commands.post_review,
        PostReviewInput,
        ReviewPayload,
        argument="The review.",
        description="Review the other party of a contract, until day 14 after its end (C22).",
    )
    edit_review = act(
        commands.edit_review,
        EditReviewInput,
        ReviewPayload,
        argument="The new words.",
        description="Use the one edit of your review that the expert allowed (C23).",
    )
    allow_review_edit = act(
        commands.allow_review_edit,
        AllowReviewEditInput,
        ReviewPayload,
        argument="The client's review.",
        description="As the expert, allow the client one edit of their review, at any time (C23).",
    )
