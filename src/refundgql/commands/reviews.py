"""Reviews: posting one, editing it when allowed, and allowing that (C22, C23)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from uuid_utils.compat import uuid7

from refundgql.commands.checks import REVIEW_CHARS, Checks, existing_id
from refundgql.commands.idempotency import Given, Made, once
from refundgql.commands.results import ReviewResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain import reviews as rules
from refundgql.domain.facts import ContractFacts
from refundgql.domain.refusals import Refused, not_found
from refundgql.domain.reviews import Review
from refundgql.domain.sentences import Sentence, phrase
from refundgql.domain.viewers import Viewer
from refundgql.storage.reviews import find_review_by, insert_review, lock_contract, lock_review, update_review
from refundgql.storage.visibility import sees_contract


@dataclass(frozen=True, slots=True, kw_only=True)
class PostReview:
    """Review the other party of a contract; the rating is one to five."""

    contract_id: str
    rating: int
    body: str
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditReview:
    """Use the one edit that the expert allowed."""

    review_id: str
    rating: int
    body: str
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowReviewEdit:
    """Let the client edit a posted review once."""

    review_id: str
    idempotency_key: str | None = None


async def post_review(uow: UnitOfWork, viewer: Viewer, given: PostReview) -> ReviewResult:
    """Post a review until day 14 from the contract's end (C22).

    Refuses: NOT_FOUND, FORBIDDEN, INVALID_INPUT, REVIEW_ALREADY_POSTED, REVIEW_WINDOW_CLOSED.
    """
    review_id = str(uuid7())

    async def work(unit: Unit) -> Made:
        contract = await _visible_contract(unit, viewer, given.contract_id, phrase("contract"), "contractId")
        rules.refuse_stranger(viewer, contract)
        body = _check_words(given)
        at = unit.now()
        earlier = await find_review_by(unit.tx, contract.id, viewer.account_id)
        rules.check_post(contract, unit.policy, already_posted=earlier is not None, at=at)
        other = contract.expert_id if viewer.account_id == contract.client_id else contract.client_id
        review = Review(
            id=review_id,
            contract_id=contract.id,
            author_id=viewer.account_id,
            subject_id=other,
            rating=given.rating,
            body=body,
            posted_at=at,
        )
        await insert_review(unit.tx, review)
        return {"review_id": review_id}

    return await _once(uow, viewer, given, work)


async def edit_review(uow: UnitOfWork, viewer: Viewer, given: EditReview) -> ReviewResult:
    """Edit one's own review, once, when the expert allowed it (C23).

    Refuses: NOT_FOUND, FORBIDDEN, INVALID_INPUT, REVIEW_EDIT_NOT_ALLOWED.
    """

    async def work(unit: Unit) -> Made:
        review, _ = await _visible_review(unit, viewer, given.review_id)
        rules.refuse_foreign_edit(viewer, review)
        body = _check_words(given)
        await update_review(unit.tx, rules.edit_review(review, rating=given.rating, body=body, at=unit.now()))
        return {"review_id": review.id}

    return await _once(uow, viewer, given, work)


async def allow_review_edit(uow: UnitOfWork, viewer: Viewer, given: AllowReviewEdit) -> ReviewResult:
    """Allow the client one edit of a posted review, at any time (C23).

    Refuses: NOT_FOUND, FORBIDDEN, REVIEW_EDIT_NOT_ALLOWED when that edit was made already.
    """

    async def work(unit: Unit) -> Made:
        review, contract = await _visible_review(unit, viewer, given.review_id)
        rules.refuse_foreign_permission(viewer, review, contract)
        await update_review(unit.tx, rules.allow_edit(review, unit.policy))
        return {"review_id": review.id}

    return await _once(uow, viewer, given, work)


async def _once(uow: UnitOfWork, viewer: Viewer, given: Given, work: Callable[[Unit], Awaitable[Made]]) -> ReviewResult:
    made, replayed = await once(uow, viewer, given, work)
    return ReviewResult(made["review_id"], replayed)


def _check_words(given: PostReview | EditReview) -> str:
    checks = Checks()
    checks.refusals += rules.rating_refusals(given.rating)
    body = checks.text(given.body, "body", REVIEW_CHARS)
    checks.raise_if_any()
    return body or ""


async def _visible_contract(unit: Unit, viewer: Viewer, contract_id: str, what: Sentence, field: str) -> ContractFacts:
    contract = await lock_contract(unit.tx, existing_id(contract_id, what, field))
    if contract is None or not sees_contract(viewer, contract):
        raise Refused(not_found(what, field))
    return contract


async def _visible_review(unit: Unit, viewer: Viewer, review_id: str) -> tuple[Review, ContractFacts]:
    review = await lock_review(unit.tx, existing_id(review_id, phrase("review"), "reviewId"))
    if review is None:
        raise Refused(not_found(phrase("review"), "reviewId"))
    return review, await _visible_contract(unit, viewer, review.contract_id, phrase("review"), "reviewId")
