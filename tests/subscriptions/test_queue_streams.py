"""The desk's stream: what fits its filter before or after each event, and joining a list without a gap."""

from __future__ import annotations

import pytest
from stream_world import MINE, QUEUE, opened, subscribed

from api_world import HOUR, START, Desk, at, lead, usd

SEND = "mutation($input: SendCaseMessageInput!) { sendCaseMessage(input: $input) { message { id } } }"


async def test_a_case_comes_and_leaves(desk: Desk, things: dict[str, str]) -> None:
    """A lead's case enters the queue, and the event that takes it out says so, once."""
    async with subscribed(desk, "sam", QUEUE) as sam:
        case = await desk.done(
            "paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not the job."
        )
        update = await sam.take()
        assert (update["event"]["name"], update["matchesFilter"]) == ("REQUEST", True)
        await desk.done("sue", "approveRefund", refundCaseId=case["id"])
        update = await sam.take()
        assert (update["event"]["name"], update["matchesFilter"]) == ("APPROVE", False)
        await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))
        assert await sam.is_quiet()


async def test_a_message_to_support_enters_the_queue(desk: Desk, things: dict[str, str]) -> None:
    """On a request that the expert decides, a client's message to support puts it there until support answers."""
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))

    async def queued() -> list[str]:
        found = await desk.run("sam", "{ supportQueue { totalCount edges { node { id whoseMove } } } }")
        edges = found["supportQueue"]["edges"]
        assert found["supportQueue"]["totalCount"] == len(edges)
        return [edge["node"]["whoseMove"] for edge in edges if edge["node"]["id"] == case["id"]]

    async def say(ref: str, audience: str) -> None:
        given = {"refundCaseId": case["id"], "body": "Is it usual?", "audience": audience}
        assert (await desk.run(ref, SEND, input=given))["sendCaseMessage"]["message"]

    await say("karl", "EVERYONE")
    assert await queued() == []
    async with subscribed(desk, "sam", QUEUE) as sam:
        await say("karl", "REQUESTER_AND_SUPPORT")
        assert (await sam.take())["matchesFilter"] is True
        assert await queued() == ["COUNTERPARTY"]
        await say("sam", "REQUESTER_AND_SUPPORT")
        assert (await sam.take())["matchesFilter"] is False
        assert await queued() == []


async def test_a_list_goes_on_as_a_stream(desk: Desk, things: dict[str, str]) -> None:
    """What happens between reading a page and subscribing after its asOf is told."""
    page = await desk.run("sam", "{ supportQueue { asOf edges { node { number } } } }")
    assert page["supportQueue"]["edges"] == []
    await desk.done("paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not the job.")
    async with subscribed(desk, "sam", QUEUE, after=page["supportQueue"]["asOf"]) as sam:
        assert await sam.names(1) == ["REQUEST"]
        await desk.seed(lead("lead-3"))
        assert await sam.is_quiet()


@pytest.mark.parametrize(
    ("ref", "root"), [("paula", "leads"), ("paula", "conversations"), ("karl", "contracts"), ("sam", "leads")]
)
async def test_lists_of_what_is_paid_for_go_on_as_a_stream(
    desk: Desk, things: dict[str, str], ref: str, root: str
) -> None:
    """A page of leads, chats or contracts tells the place in the stream from which its refunds are followed."""
    await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))
    found = await desk.run(ref, f"{{ {root}(first: 1) {{ asOf edges {{ node {{ id }} }} }} }}")
    await desk.done("paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not the job.")
    await desk.done("klara", "requestEscrowRefund", milestoneId=things["step-1"], amount=usd("20.00"))
    stream = QUEUE if ref == "sam" else MINE
    async with subscribed(desk, ref, stream, after=found[root]["asOf"]) as follower:
        expected = {"paula": 1, "karl": 0, "sam": 1}[ref]
        assert await follower.names(expected) == ["REQUEST"] * expected
        assert await follower.is_quiet()
    alone = await desk.run(ref, f"{{ {root} {{ asOf }} }}")
    assert alone[root]["asOf"] != found[root]["asOf"]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"kinds": ["LEAD"]}, ["REQUEST"]),
        ({"kinds": ["INVOICE"]}, []),
        ({"kinds": ["INVOICE"], "whoseMove": "COUNTERPARTY"}, ["REQUEST", "APPROVE"]),
        ({"states": ["CREDITED"], "whoseMove": "NOBODY"}, ["CREDIT"]),
        ({"text": "plumber"}, ["REQUEST"]),
        ({"text": "painter"}, []),
        ({"amountAtLeast": usd("15.00")}, ["REQUEST"]),
        ({"amountAtLeast": usd("25.00")}, []),
        ({"whoseMove": "COUNTERPARTY", "reasons": ["QUALITY"]}, ["REQUEST", "APPROVE"]),
        ({"openedAfter": at(START + HOUR)}, []),
        ({"whoseMove": "COUNTERPARTY"}, ["REQUEST", "APPROVE"]),
    ],
)
async def test_filters(desk: Desk, things: dict[str, str], given: dict[str, object], names: list[str]) -> None:
    """The stream tells what fitted before the event or fits after it."""
    async with subscribed(desk, "sam", QUEUE, filter=given) as sam:
        await desk.done(
            "paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not the job."
        )
        case = await desk.done(
            "karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"), reason="QUALITY"
        )
        await desk.done("erik", "approveRefund", refundCaseId=case["id"])
        assert await sam.names(len(names)) == names
        assert await sam.is_quiet()


async def test_the_queue_is_for_staff(desk: Desk, things: dict[str, str]) -> None:
    """Others are FORBIDDEN, nobody is UNAUTHENTICATED, and a role taken away ends the stream."""
    for ref, code in (("karl", "FORBIDDEN"), ("market", "FORBIDDEN"), (None, "UNAUTHENTICATED")):
        found = await opened(desk, ref, QUEUE)
        assert found["errors"][0]["extensions"]["code"] == code
    async with subscribed(desk, "sue", QUEUE) as sue:
        await desk.seed({"account": {"externalRef": "sue", "name": "Sue", "roles": ["CLIENT"]}})
        await desk.done(
            "paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not the job."
        )
        assert await sue.has_ended()
