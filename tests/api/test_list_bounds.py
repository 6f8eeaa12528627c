"""Lists inside lists, whose lengths no document tells, end an operation before they fill the server."""

from __future__ import annotations

import pytest
from graphql import get_introspection_query

from api_world import START, Desk, invoice, milestone
from refundgql.gql import bounds
from refundgql.gql.compiled import plan
from refundgql.gql.core import adapter

TOLD = "The operation finds more than 100 items; ask for smaller pages, or for fewer lists in lists."


def nested(times: int, inner: str = "id") -> str:
    """Return a cheap document that goes from a contract to its milestones and back, so many times."""
    return (
        "{ contracts(first: 1) { edges { node { "
        + "milestones { contract { " * times
        + inner
        + " } }" * times
        + "} } } }"
    )


@pytest.fixture
async def desk(small_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give a desk where one contract has eleven milestones, and where a hundred items are the most."""
    await small_desk.seed(*[milestone(f"more-{number}", "fixed", "1.00") for number in range(10)])
    monkeypatch.setattr(bounds, "MAX_ITEMS", 100)
    return small_desk


@pytest.mark.parametrize(
    ("document", "too_many"),
    [
        (nested(1), False),
        (nested(2), True),
        (nested(3), True),
        (nested(1, "invoices(first: 20) { totalCount }"), False),
        ("{ a: refundWorkflow(kind: LEAD) { transitions { action } } }", False),
        (get_introspection_query(), False),
    ],
)
async def test_lists_in_lists_are_counted(document: str, too_many: bool, desk: Desk) -> None:
    """An operation ends whole where its lists add up to too many, on its first run and when it was compiled."""
    for _ in range(3):
        answer = await desk.answer("klara", document)
        if too_many:
            assert answer["data"] is None
            assert [(one["message"], one["extensions"]) for one in answer["errors"]] == [
                (TOLD, {"code": "LIMIT_EXCEEDED"})
            ]
        else:
            assert "errors" not in answer
    assert (await desk.run("klara", "{ viewer { externalRef } }"))["viewer"] == {"externalRef": "klara"}


async def test_pages_in_lists_are_counted(desk: Desk) -> None:
    """The items of pages count as well, for each of the things that have such a page."""
    await desk.seed(*[invoice(f"small-{number}", "fixed", "1.00", START) for number in range(10)])
    document = nested(1, "invoices(first: 20) { edges { node { id } } }")
    for _ in range(3):
        answer = await desk.answer("klara", document)
        assert answer["data"] is None
        assert answer["errors"][0]["message"] == TOLD


async def test_the_bound_is_reached_at_once(small_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of cost ten that would find nearly a million things ends at the level that finds too many."""
    await small_desk.seed(*[milestone(f"more-{number}", "fixed", "1.00") for number in range(29)])
    found: list[int] = []

    class Counted(bounds.Found):
        def _add(self, count: int) -> None:
            found.append(count)
            super()._add(count)

    for module in (adapter, plan):
        monkeypatch.setattr(module, "Found", Counted)
    document = nested(4)
    for _ in range(2):
        found.clear()
        answer = await small_desk.answer("klara", document)
        assert answer["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert found == [1, 30, 900, 27_000]
