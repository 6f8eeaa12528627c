"""What a stream tells of a case and an event, it tells as whoever follows would read them at that moment."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest
from stream_world import subscribed

from api_world import Desk, usd

CASE = """id number kind state isFinal version route goodwill reason reasonDetail explanation whoseMove
  requestedAmount { amount currencyCode } approvedAmount { amount currencyCode } openedAt updatedAt decidedAt
  respondBy overdue policyVersion settlement { status } clocks { name endsAt } """
PEOPLE = "requester { name } counterparty { name } assignee { name } subject { __typename }"
EVENT = """id sequence name at actor { name } actorRole fromState toState amount { amount currencyCode } note
  internalNote rule wording { code } facts { name value }"""
READERS = ("karl", "erik", "sam", "market")


async def _act(desk: Desk, case: str) -> None:
    """Let everybody write what is not for everybody."""
    await desk.done("erik", "declineRefund", refundCaseId=case, message="The work was done.")
    await desk.done("karl", "escalateRefund", refundCaseId=case, explanation="It was not.")
    sam = (await desk.run("sam", "{ viewer { id } }"))["viewer"]["id"]
    await desk.done("sam", "assignCase", refundCaseId=case, assigneeId=sam)
    say = "mutation($input: SendCaseMessageInput!) { sendCaseMessage(input: $input) { refusals { code } } }"
    for ref, audience in (("sam", "INTERNAL"), ("karl", "EVERYONE")):
        given = {"refundCaseId": case, "body": f"From {ref}", "audience": audience}
        assert (await desk.run(ref, say, input=given))["sendCaseMessage"]["refusals"] == []
    final = {"message": "The work was done.", "internalNote": "Third time."}
    await desk.done("sam", "declineRefund", refundCaseId=case, **final)


@pytest.mark.parametrize("more", ["", PEOPLE])
async def test_a_stream_tells_what_reading_tells(desk: Desk, things: dict[str, str], more: str) -> None:
    """Parties, staff and the marketplace: the case now, and every event with what is withheld from each of them."""
    opened = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-1"], amount=usd("25.00"))
    case = str(opened["id"])
    update = (
        f"subscription($id: ID!) {{ refundCaseUpdates(refundCaseId: $id)"
        f" {{ event {{ {EVENT} }} refundCase {{ {CASE} {more} }} }} }}"
    )
    read = (
        f"query($id: ID!) {{ refundCase(id: $id) {{ {CASE} {more} events(first: 50)"
        f" {{ edges {{ node {{ {EVENT} }} }} }} }} }}"
    )
    async with AsyncExitStack() as stack:
        following = {ref: await stack.enter_async_context(subscribed(desk, ref, update, id=case)) for ref in READERS}
        for stream in following.values():
            assert (await stream.take())["event"] is None
        await _act(desk, case)
        for ref, stream in following.items():
            found = (await desk.run(ref, read, id=case))["refundCase"]
            events = [edge["node"] for edge in found.pop("events")["edges"]][1:]
            told: list[dict[str, Any]] = [await stream.take() for _ in events]
            assert [one["event"] for one in told] == events
            assert told[-1]["refundCase"] == found
