"""When a review may be posted (C22) and edited (C23)."""

from datetime import UTC, datetime, timedelta

import pytest

from refundgql.domain.facts import ContractFacts
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refused, WindowRefusal
from refundgql.domain.reviews import (
    Review,
    allow_edit,
    check_post,
    edit_review,
    rating_refusals,
    refuse_foreign_edit,
    refuse_foreign_permission,
    refuse_stranger,
)
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import ContractKind, ContractStatus, RefusalCode, Role

ENDED_AT = datetime(2028, 2, 20, 23, 59, tzinfo=UTC)
CONTRACT = ContractFacts(
    id="c",
    kind=ContractKind.HOURLY,
    status=ContractStatus.CLOSED,
    client_id="client",
    expert_id="expert",
    currency="USD",
    started_at=ENDED_AT - timedelta(days=90),
    ended_at=ENDED_AT,
)
REVIEW = Review(
    id="r", contract_id="c", author_id="client", subject_id="expert", rating=2, body="Late.", posted_at=ENDED_AT
)


def _viewer(account_id: str) -> Viewer:
    return Viewer(account_id, account_id, account_id, frozenset({Role.SUPPORT}))


def _codes(refused: pytest.ExceptionInfo[Refused]) -> list[RefusalCode]:
    return [refusal.code for refusal in refused.value.refusals]


def test_a_review_can_be_posted_through_day_14() -> None:
    """Day 14 from the end is the last day, to its last microsecond, 29 February counted."""
    closes_at = datetime(2028, 3, 6, tzinfo=UTC)
    check_post(CONTRACT, Policy(), already_posted=False, at=closes_at - timedelta(microseconds=1))
    with pytest.raises(Refused) as refused:
        check_post(CONTRACT, Policy(), already_posted=False, at=closes_at)
    (refusal,) = refused.value.refusals
    assert isinstance(refusal, WindowRefusal)
    assert (refusal.code, refusal.rule) == (RefusalCode.REVIEW_WINDOW_CLOSED, "C22")
    assert (refusal.elapsed_days, refusal.limit_days, refusal.available_until) == (15, 14, closes_at)


def test_one_review_a_party() -> None:
    """A second review of the same contract is refused, together with a closed window."""
    with pytest.raises(Refused) as refused:
        check_post(CONTRACT, Policy(), already_posted=True, at=ENDED_AT)
    assert _codes(refused) == [RefusalCode.REVIEW_ALREADY_POSTED]
    with pytest.raises(Refused) as refused:
        check_post(CONTRACT, Policy(), already_posted=True, at=ENDED_AT + timedelta(days=20))
    assert _codes(refused) == [RefusalCode.REVIEW_ALREADY_POSTED, RefusalCode.REVIEW_WINDOW_CLOSED]


def test_only_the_parties_review_and_only_the_author_edits_and_only_the_expert_allows() -> None:
    """Staff see reviews but post, edit and allow none; the expert does not allow edits of the own review."""
    refuse_stranger(_viewer("client"), CONTRACT)
    refuse_stranger(_viewer("expert"), CONTRACT)
    refuse_foreign_edit(_viewer("client"), REVIEW)
    refuse_foreign_permission(_viewer("expert"), REVIEW, CONTRACT)
    own = Review(
        id="r", contract_id="c", author_id="expert", subject_id="client", rating=5, body="Fine.", posted_at=ENDED_AT
    )
    for forbidden in (
        lambda: refuse_stranger(_viewer("staff"), CONTRACT),
        lambda: refuse_foreign_edit(_viewer("expert"), REVIEW),
        lambda: refuse_foreign_permission(_viewer("client"), REVIEW, CONTRACT),
        lambda: refuse_foreign_permission(_viewer("expert"), own, CONTRACT),
    ):
        with pytest.raises(Refused) as refused:
            forbidden()
        assert _codes(refused) == [RefusalCode.FORBIDDEN]


def test_one_edit_and_only_when_allowed() -> None:
    """An edit needs the expert's permission, uses it up, and cannot be allowed a second time (C23)."""
    with pytest.raises(Refused) as refused:
        edit_review(REVIEW, rating=4, body="Better.", at=ENDED_AT)
    assert _codes(refused) == [RefusalCode.REVIEW_EDIT_NOT_ALLOWED]
    much_later = ENDED_AT + timedelta(days=700)
    edited = edit_review(allow_edit(REVIEW, Policy()), rating=4, body="Better.", at=much_later)
    assert (edited.rating, edited.body, edited.edited_at, edited.edit_allowed) == (4, "Better.", much_later, False)
    with pytest.raises(Refused):
        allow_edit(edited, Policy())
    with pytest.raises(Refused):
        allow_edit(REVIEW, Policy(review_edits=0))


@pytest.mark.parametrize(("rating", "refused"), [(0, True), (1, False), (5, False), (6, True), (-3, True)])
def test_ratings_are_one_to_five(rating: int, refused: bool) -> None:
    """Anything but one to five is refused, naming the field."""
    assert [refusal.field for refusal in rating_refusals(rating)] == ([("rating",)] if refused else [])
