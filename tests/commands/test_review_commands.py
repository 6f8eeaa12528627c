"""Posting, editing and allowing reviews (C22, C23): rows, refusals, replays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from command_world import START, World, told
from contract_desk import ContractDesk

from refundgql.commands.reviews import (
    AllowReviewEdit,
    EditReview,
    PostReview,
    allow_review_edit,
    edit_review,
    post_review,
)
from refundgql.domain.viewers import Viewer

NOBODY = "0192f0c4-0000-7000-8000-000000000000"


@pytest.fixture
async def desk(world: World) -> ContractDesk:
    """The people around contracts."""
    return await ContractDesk.open(world)


async def _post(desk: ContractDesk, viewer: Viewer, contract_id: str, **given: Any) -> str:
    good = PostReview(contract_id=contract_id, rating=2, body="Late, but good.")
    return (await post_review(desk.world.uow, viewer, replace(good, **given))).review_id


async def test_each_party_reviews_the_other_once(desk: ContractDesk) -> None:
    """A review names author and subject; a second one of the same author is refused."""
    world, contract_id = desk.world, await desk.world.contract(desk.client, desk.expert)
    await _post(desk, desk.client, contract_id, idempotency_key="post")
    await _post(desk, desk.expert, contract_id, rating=5)
    rows = await world.rows("SELECT * FROM review ORDER BY rating")
    assert [(row["author_id"], row["subject_id"], row["rating"]) for row in rows] == [
        (desk.client.account_id, desk.expert.account_id, 2),
        (desk.expert.account_id, desk.client.account_id, 5),
    ]
    assert told(await world.refused(lambda: _post(desk, desk.client, contract_id))) == [
        ("REVIEW_ALREADY_POSTED", "C23")
    ]
    again = PostReview(contract_id=contract_id, rating=2, body="Late, but good.", idempotency_key="post")
    result = await post_review(world.uow, desk.client, again)
    assert (result.replayed, result.review_id) == (True, rows[0]["id"])


async def test_reviews_that_are_refused(desk: ContractDesk) -> None:
    """Strangers see no contract, staff post none, the words and the rating are checked, and day 15 is too late."""
    world = desk.world
    contract_id = await world.contract(desk.client, desk.expert, ended_at=START - timedelta(days=14))

    async def why(viewer: Viewer, **given: Any) -> list[tuple[str, str | None]]:
        which = given.pop("contract_id", contract_id)
        return told(await world.refused(lambda: _post(desk, viewer, which, **given)))

    assert await why(desk.stranger) == [("NOT_FOUND", None)]
    assert await why(desk.client, contract_id=NOBODY) == [("NOT_FOUND", None)]
    assert await why(desk.client, contract_id="") == [("NOT_FOUND", None)]
    assert await why(desk.ivy) == [("FORBIDDEN", "C22")]
    assert await why(desk.client, rating=6, body=" ") == [("INVALID_INPUT", None), ("INVALID_INPUT", None)]
    world.clock.at += timedelta(days=1)
    assert await why(desk.client) == [("REVIEW_WINDOW_CLOSED", "C22")]
    world.clock.at -= timedelta(days=1)
    await _post(desk, desk.client, contract_id)


async def test_the_expert_allows_one_edit(desk: ContractDesk) -> None:
    """C23: the client edits once after the expert allowed it, however late, and then no more."""
    world, contract_id = desk.world, await desk.world.contract(desk.client, desk.expert)
    review_id = await _post(desk, desk.client, contract_id)

    async def edit(viewer: Viewer) -> None:
        await edit_review(world.uow, viewer, EditReview(review_id=review_id, rating=4, body="Very good."))

    async def allow(viewer: Viewer) -> None:
        await allow_review_edit(world.uow, viewer, AllowReviewEdit(review_id=review_id))

    assert told(await world.refused(lambda: edit(desk.client))) == [("REVIEW_EDIT_NOT_ALLOWED", "C23")]
    assert told(await world.refused(lambda: allow(desk.client))) == [("FORBIDDEN", "C23")]
    assert told(await world.refused(lambda: allow(desk.stranger))) == [("NOT_FOUND", None)]
    world.clock.at += timedelta(days=400)
    await allow(desk.expert)
    assert told(await world.refused(lambda: edit(desk.expert))) == [("FORBIDDEN", "C23")]
    await edit(desk.client)
    (row,) = await world.rows("SELECT * FROM review")
    assert (row["rating"], row["body"], bool(row["edit_allowed"])) == (4, "Very good.", False)
    assert told(await world.refused(lambda: edit(desk.client))) == [("REVIEW_EDIT_NOT_ALLOWED", "C23")]
    assert told(await world.refused(lambda: allow(desk.expert))) == [("REVIEW_EDIT_NOT_ALLOWED", "C23")]
