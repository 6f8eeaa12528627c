"""Reviews of a contract: until when one can be posted (C22) and how one may be edited (C23)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from refundgql.domain.deadlines import REVIEW_WINDOW
from refundgql.domain.facts import ContractFacts
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refusal, Refused, WindowRefusal, refusal
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefusalCode

LOWEST_RATING = 1
HIGHEST_RATING = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One party's review of the other for a contract."""

    id: str
    contract_id: str
    author_id: str
    subject_id: str
    rating: int
    body: str
    posted_at: datetime
    edited_at: datetime | None = None
    edit_allowed: bool = False


def rating_refusals(rating: int) -> tuple[Refusal, ...]:
    """Return the refusal of a rating that is not one to five."""
    if LOWEST_RATING <= rating <= HIGHEST_RATING:
        return ()
    message = sentence(
        "RATING_OUT_OF_RANGE",
        "A rating is a whole number from {lowest} to {highest}.",
        lowest=LOWEST_RATING,
        highest=HIGHEST_RATING,
    )
    return (refusal(RefusalCode.INVALID_INPUT, message, field=("rating",)),)


def refuse_stranger(viewer: Viewer, contract: ContractFacts) -> None:
    """Let nobody but the two parties review a contract.

    Refuses: FORBIDDEN.
    """
    if viewer.account_id not in (contract.client_id, contract.expert_id):
        raise _forbidden(
            sentence("ONLY_PARTIES_REVIEW", "Only the client and the expert of a contract review each other."), "C22"
        )


def check_post(contract: ContractFacts, policy: Policy, *, already_posted: bool, at: datetime) -> None:
    """Check that a party may post its review now: as long as the contract runs and some days from its end (C22).

    Refuses: REVIEW_ALREADY_POSTED, REVIEW_WINDOW_CLOSED.
    """
    found: list[Refusal] = []
    if already_posted:
        message = sentence(
            "REVIEWED_ALREADY", "You have reviewed this contract already; the expert may allow the client one edit."
        )
        found.append(refusal(RefusalCode.REVIEW_ALREADY_POSTED, message, "C23"))
    until = None if contract.ended_at is None else REVIEW_WINDOW.end(contract.ended_at, policy)
    if contract.ended_at is not None and until is not None and at >= until:
        window_days, elapsed = REVIEW_WINDOW.limit(policy), REVIEW_WINDOW.elapsed(contract.ended_at, at)
        found.append(
            WindowRefusal(
                code=RefusalCode.REVIEW_WINDOW_CLOSED,
                message=(
                    sentence(
                        "REVIEW_TIME_OVER",
                        "Reviews close {limit_days} days after a contract's end, and a refund request does not shift "
                        "that; today is day {day}.",
                        limit_days=window_days,
                        day=elapsed,
                    )
                ),
                rule="C22",
                available_until=until,
                elapsed_days=elapsed,
                limit_days=window_days,
            )
        )
    if found:
        raise Refused(*found)


def refuse_foreign_edit(viewer: Viewer, review: Review) -> None:
    """Let nobody but its author edit a review.

    Refuses: FORBIDDEN.
    """
    if viewer.account_id != review.author_id:
        raise _forbidden(sentence("ONLY_AUTHOR_EDITS_REVIEW", "Only its author edits a review."), "C23")


def edit_review(review: Review, *, rating: int, body: str, at: datetime) -> Review:
    """Return the review with its one allowed edit used (C23).

    Refuses: REVIEW_EDIT_NOT_ALLOWED.
    """
    if not review.edit_allowed:
        raise _no_edit(
            sentence("REVIEW_EDIT_NOT_ALLOWED", "The expert has not allowed an edit of this review: ask for it.")
        )
    return replace(review, rating=rating, body=body, edited_at=at, edit_allowed=False)


def refuse_foreign_permission(viewer: Viewer, review: Review, contract: ContractFacts) -> None:
    """Let the contract's expert alone allow an edit, and of the client's review alone (C23).

    Refuses: FORBIDDEN.
    """
    if viewer.account_id != contract.expert_id or review.author_id != contract.client_id:
        raise _forbidden(
            sentence("ONLY_EXPERT_ALLOWS_EDIT", "Only the expert of the contract allows the client to edit a review."),
            "C23",
        )


def allow_edit(review: Review, policy: Policy) -> Review:
    """Return the review open for its one edit, at any time (C23).

    Refuses: REVIEW_EDIT_NOT_ALLOWED when that edit was made already, or edits are switched off.
    """
    if policy.review_edits <= (review.edited_at is not None):
        raise _no_edit(
            sentence("REVIEW_EDITED_ALREADY", "This review has had its one edit, and cannot be opened for another.")
        )
    return replace(review, edit_allowed=True)


def _forbidden(message: Sentence, rule: str) -> Refused:
    return Refused(refusal(RefusalCode.FORBIDDEN, message, rule))


def _no_edit(message: Sentence) -> Refused:
    return Refused(refusal(RefusalCode.REVIEW_EDIT_NOT_ALLOWED, message, "C23"))
