"""Streams of one case and of one person's cases: every event once, in order, also across reconnects."""

from __future__ import annotations

import pytest
from stream_world import CASE, MINE, opened, subscribed

from api_world import Desk, usd
from refundgql.storage.database import Dialect


async def requested(desk: Desk, things: dict[str, str]) -> str:
    """Return the id of a new request about the second invoice."""
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))
    return str(case["id"])


async def test_a_case_begins_with_its_present_state(desk: Desk, things: dict[str, str]) -> None:
    """The first update has no event, the later ones each have theirs, in order."""
    case = await requested(desk, things)
    async with subscribed(desk, "karl", CASE, id=case) as karl:
        first = await karl.take()
        assert (first["event"], first["refundCase"]["version"], first["matchesFilter"]) == (None, 1, True)
        await desk.done("karl", "addStatement", refundCaseId=case, text="Look at it.")
        await desk.done("erik", "approveRefund", refundCaseId=case)
        assert await karl.names(3) == ["ADD_EVIDENCE", "APPROVE", "CREDIT"]
        assert await karl.is_quiet()


async def test_a_cursor_resumes_without_gap_or_double(desk: Desk, things: dict[str, str]) -> None:
    """Each cursor of a stream goes on with the very next event."""
    case = await requested(desk, things)
    async with subscribed(desk, "karl", CASE, id=case) as karl:
        cursors = [(await karl.take())["cursor"]]
        for number in range(4):
            await desk.done("karl", "addStatement", refundCaseId=case, text=f"Statement {number}.")
            cursors.append((await karl.take())["cursor"])
    for place, cursor in enumerate(cursors):
        async with subscribed(desk, "karl", CASE, id=case, after=cursor) as again:
            assert (await again.take())["event"] is None
            found = [(await again.take())["event"]["sequence"] for _ in range(4 - place)]
            assert found == [sequence + 2 for sequence in range(place, 4)]
            assert await again.is_quiet()


async def test_the_present_state_is_not_told_again(desk: Desk, things: dict[str, str]) -> None:
    """What the first update had in it is not told after its cursor, though an open transaction held the stream back."""
    database = desk.app.database
    if database.dialect is not Dialect.POSTGRES:
        pytest.skip("SQLite has one writer at a time by itself")
    async with database.transaction() as somebody_else:
        await somebody_else.fetch("SELECT pg_current_xact_id()")
        case = await requested(desk, things)
        async with subscribed(desk, "karl", CASE, id=case) as karl:
            cursor = (await karl.take())["cursor"]
    await desk.done("karl", "addStatement", refundCaseId=case, text="Look at it.")
    async with subscribed(desk, "karl", CASE, id=case, after=cursor) as again:
        assert (await again.take())["event"] is None
        assert await again.names(1) == ["ADD_EVIDENCE"]
        assert await again.is_quiet()


async def test_a_viewer_hears_of_their_cases_only(desk: Desk, things: dict[str, str]) -> None:
    """Both parties hear of a case, nobody else does, and a stream from now on starts empty."""
    old = await requested(desk, things)
    async with (
        subscribed(desk, "karl", MINE) as karl,
        subscribed(desk, "erik", MINE) as erik,
        subscribed(desk, "paula", MINE) as paula,
    ):
        assert await karl.is_quiet()
        assert await erik.is_quiet()
        await desk.done("karl", "addStatement", refundCaseId=old, text="More.")
        await desk.done(
            "paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not the job."
        )
        assert await karl.names(1) == ["ADD_EVIDENCE"]
        assert await erik.names(1) == ["ADD_EVIDENCE"]
        assert await paula.names(1) == ["REQUEST"]
        assert await karl.is_quiet()
        assert await paula.is_quiet()


async def test_a_lost_role_ends_the_stream(desk: Desk, things: dict[str, str]) -> None:
    """Who no longer sees the case gets no further update, and the stream ends."""
    case = await requested(desk, things)
    async with subscribed(desk, "karl", CASE, id=case) as karl, subscribed(desk, "erik", CASE, id=case) as erik:
        await karl.take()
        await erik.take()
        await desk.seed({"account": {"externalRef": "karl", "name": "Karl Client", "roles": ["CUSTOMER"]}})
        await desk.done("erik", "approveRefund", refundCaseId=case)
        assert await karl.has_ended()
        assert await erik.names(2) == ["APPROVE", "CREDIT"]


@pytest.mark.parametrize("after", ["", "x", "1", "1.2.3", "999999999999.9999", "-1.0", "0.9223372036854775808"])
async def test_bad_cursors(desk: Desk, things: dict[str, str], after: str) -> None:
    """A text that the stream never gave is BAD_USER_INPUT, before the stream begins."""
    case = await requested(desk, things)
    for document, variables in ((CASE, {"id": case}), (MINE, {})):
        found = await opened(desk, "karl", document, after=after, **variables)
        assert found["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_streams_are_refused_before_they_begin(desk: Desk, things: dict[str, str]) -> None:
    """Nobody subscribes to what they do not see, and anonymous people to nothing."""
    case = await requested(desk, things)
    for ref, code in ((None, "UNAUTHENTICATED"), ("paula", "BAD_USER_INPUT"), ("klara", "BAD_USER_INPUT")):
        found = await opened(desk, ref, CASE, id=case)
        assert found["errors"][0]["extensions"]["code"] == code
    found = await opened(desk, None, MINE)
    assert found["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    unknown = case[:-4] + "0000"
    assert await opened(desk, "paula", CASE, id=unknown) == await opened(desk, "paula", CASE, id=case)
