"""What is new on a case, for each viewer by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import Desk

MARK = """mutation($input: MarkCaseReadInput!) { markCaseRead(input: $input) { replayed refundCase { id unread }
  event { id } refusals { code field } } }"""
LISTS = """query($unread: Boolean!) {
  refundCases(filter: { unread: $unread }) { totalCount edges { node { id unread } } } }"""


@pytest.fixture
async def case(desk: Desk, things: dict[str, str]) -> str:
    """Give a lead's case that Paula has just opened."""
    opened = await desk.done(
        "paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not it."
    )
    return str(opened["id"])


async def unread(desk: Desk, ref: str, case: str) -> bool:
    """Tell whether a case is new for somebody; its field and both lists say the same."""
    one = (await desk.run(ref, "query($id: ID!) { refundCase(id: $id) { unread } }", id=case))["refundCase"]["unread"]
    for asked in (True, False):
        found = (await desk.run(ref, LISTS, unread=asked))["refundCases"]
        shown = [edge["node"] for edge in found["edges"]]
        assert found["totalCount"] == len(shown)
        assert all(it["unread"] is asked for it in shown)
        assert (case in {it["id"] for it in shown}) is (one is asked)
    return bool(one)


async def mark(desk: Desk, ref: str, case: str, **given: Any) -> Any:
    """Mark a case as read and return the payload."""
    return (await desk.run(ref, MARK, input={"refundCaseId": case, **given}))["markCaseRead"]


async def test_what_others_did_is_new_until_it_is_read(desk: Desk, case: str) -> None:
    """A case is new for everybody but whoever acted, until each has marked it; a later act makes it new again."""
    assert [await unread(desk, ref, case) for ref in ("paula", "sam", "sue")] == [False, True, True]
    payload = await mark(desk, "sam", case)
    assert payload == {
        "replayed": False,
        "refundCase": {"id": case, "unread": False},
        "event": None,
        "refusals": [],
    }
    assert [await unread(desk, ref, case) for ref in ("sam", "sue")] == [False, True]
    await desk.done("sam", "declineRefund", refundCaseId=case, message="No.")
    assert [await unread(desk, ref, case) for ref in ("paula", "sam", "sue")] == [True, False, True]
    found = await desk.run("sam", "query($id: ID!) { refundCase(id: $id) { version } }", id=case)
    assert found["refundCase"]["version"] == 2


async def test_reading_goes_as_far_as_was_seen(desk: Desk, case: str) -> None:
    """Marking an older version leaves what came after it new, and never takes back what was read."""
    await desk.done("paula", "addStatement", refundCaseId=case, text="Please.")
    assert (await mark(desk, "sam", case, upToVersion=1))["refundCase"]["unread"] is True
    assert (await mark(desk, "sam", case, upToVersion=2))["refundCase"]["unread"] is False
    assert (await mark(desk, "sam", case, upToVersion=1))["refundCase"]["unread"] is False
    for version in (0, -1, 3):
        refused = await mark(desk, "sam", case, upToVersion=version)
        assert [(one["code"], one["field"]) for one in refused["refusals"]] == [("INVALID_INPUT", ["upToVersion"])]
    assert (await mark(desk, "sam", case, idempotencyKey="r"))["replayed"] is False
    assert (await mark(desk, "sam", case, idempotencyKey="r"))["replayed"] is True


async def test_only_cases_that_are_seen_are_read(desk: Desk, case: str) -> None:
    """Who does not see a case cannot mark it, and learns nothing of it."""
    for ref, which in (("peter", case), ("sam", "RefundCase_x"), ("karl", case)):
        refused = await mark(desk, ref, which)
        assert (refused["refundCase"], [one["code"] for one in refused["refusals"]]) == (None, ["NOT_FOUND"])


async def test_streams_are_not_narrowed_by_reading(desk: Desk) -> None:
    """A stream that asks for what is unread is refused: reading writes no event that could tell."""
    from api_world import engine

    document = "subscription { supportQueueUpdates(filter: { unread: true }) { cursor } }"
    viewer = await desk.app.load_viewer("sam")
    found = await engine().subscribe(engine().prepare(document), None, desk.app.context(viewer))
    assert isinstance(found, dict)
    assert found["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
