"""Internal is internal: what staff write for each other, and what is one person's affair, on every road (D29)."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import Desk, usd

SAY = """mutation($input: SendCaseMessageInput!) {
  sendCaseMessage(input: $input) { refusals { code } message { id } } }"""
CASE = """query($id: ID!) { refundCase(id: $id) { version unread assignee { name } messages { edges { node { body } } }
  events(first: 100) { edges { node { id sequence name note internalNote facts { name } actor { id name } } } }
} }"""


@pytest.fixture
async def case(desk: Desk, things: dict[str, str]) -> str:
    """Give a request that has come to support."""
    asked = await desk.done("karl", "requestInvoiceRefund", billingWeekId=things["week-1"], amount=usd("30.00"))
    await desk.done("karl", "disputeRefund", refundCaseId=asked["id"], explanation="No work.")
    for ref in ("karl", "erik", "sam"):
        await mark(desk, ref, str(asked["id"]))
    return str(asked["id"])


async def mark(desk: Desk, ref: str, case: str) -> None:
    """Mark a case as read."""
    document = "mutation($input: MarkCaseReadInput!) { markCaseRead(input: $input) { refusals { code } } }"
    assert (await desk.run(ref, document, input={"refundCaseId": case}))["markCaseRead"]["refusals"] == []


async def say(desk: Desk, ref: str, case: str, audience: str) -> None:
    """Say something on a case."""
    given = {"refundCaseId": case, "body": f"From {ref} to {audience}", "audience": audience}
    assert (await desk.run(ref, SAY, input=given))["sendCaseMessage"]["refusals"] == []


async def seen(desk: Desk, ref: str, case: str) -> Any:
    """Return a case as somebody reads it, with its events alone in a list."""
    found = (await desk.run(ref, CASE, id=case))["refundCase"]
    found["events"] = [edge["node"] for edge in found["events"]["edges"]]
    return found


async def test_an_internal_message_is_one_event_without_author_and_text(desk: Desk, case: str) -> None:
    """Parties see STAFF_NOTE in its place of the history, nothing of it, and nothing new; staff see who wrote it."""
    await say(desk, "sam", case, "INTERNAL")
    for ref in ("karl", "erik"):
        found = await seen(desk, ref, case)
        note = found["events"][-1]
        assert note["name"] == "STAFF_NOTE"
        assert (note["sequence"], found["version"], found["unread"]) == (3, 3, False)
        assert (note["actor"], note["note"], note["internalNote"], note["facts"]) == (None, None, None, [])
        assert found["messages"]["edges"] == []
        own = "query($id: ID!) { node(id: $id) { ... on RefundEvent { name actor { name } } } }"
        assert (await desk.run(ref, own, id=note["id"]))["node"] == {"name": "STAFF_NOTE", "actor": None}
    found = await seen(desk, "sue", case)
    assert (found["events"][-1]["name"], found["events"][-1]["actor"]["name"]) == ("STAFF_NOTE", "Sam Support")
    assert found["unread"] is True
    sam = found["events"][-1]["actor"]["id"]
    assert (await desk.run("karl", "query($id: ID!) { node(id: $id) { id } }", id=sam))["node"] is None


async def test_who_takes_care_of_a_case_is_the_desks_affair(desk: Desk, case: str) -> None:
    """An assignment is an event without an actor to parties, and nothing new to them."""
    sam = (await desk.run("sam", "{ viewer { id } }"))["viewer"]["id"]
    await desk.done("sam", "assignCase", refundCaseId=case, assigneeId=sam)
    found = await seen(desk, "karl", case)
    assert (found["unread"], found["assignee"]) == (False, None)
    assert (found["events"][-1]["name"], found["events"][-1]["actor"]) == ("ASSIGN", None)
    assert (await seen(desk, "sue", case))["events"][-1]["actor"]["name"] == "Sam Support"


async def test_a_message_is_new_to_its_audience_alone(desk: Desk, case: str) -> None:
    """A word between one side and support is nothing new to the other side."""
    await say(desk, "sam", case, "REQUESTER_AND_SUPPORT")
    assert [(await seen(desk, ref, case))["unread"] for ref in ("karl", "erik")] == [True, False]
    await mark(desk, "karl", case)
    await say(desk, "erik", case, "COUNTERPARTY_AND_SUPPORT")
    assert [(await seen(desk, ref, case))["unread"] for ref in ("karl", "erik", "sam")] == [False, False, True]
    await say(desk, "sam", case, "EVERYONE")
    assert [(await seen(desk, ref, case))["unread"] for ref in ("karl", "erik")] == [True, True]


async def test_why_a_payout_failed_is_its_owners_affair(desk: Desk, things: dict[str, str]) -> None:
    """No event tells the expert why the client's payout failed; the client and staff read it."""
    asked = await desk.done(
        "klara", "requestEscrowRefund", milestoneId=things["step-1"], amount=usd("20.00"), sendToPaymentMethod=True
    )
    await desk.done("emma", "approveRefund", refundCaseId=asked["id"])
    listed = await desk.run("market", "{ withdrawals { edges { node { id } } } }")
    record = {
        "id": listed["withdrawals"]["edges"][0]["node"]["id"],
        "status": "FAILED",
        "failureReason": "Account of a deceased",
    }
    sync = "mutation($r: [SyncRecord!]!) { syncRecords(input: { records: $r }) { refusals { code } } }"
    assert (await desk.run("market", sync, r=[{"withdrawal": record}]))["syncRecords"]["refusals"] == []
    events = {ref: (await seen(desk, ref, asked["id"]))["events"] for ref in ("emma", "klara", "sam")}
    assert "deceased" not in str(events["emma"]) + str(events["klara"])
    assert (events["sam"][-1]["note"], events["sam"][-1]["internalNote"]) == ("FAILED", "Account of a deceased")
    reason = "query($id: ID!) { refundCase(id: $id) { withdrawal { failureReason } } }"
    told = {ref: (await desk.run(ref, reason, id=asked["id"]))["refundCase"]["withdrawal"] for ref in events}
    assert told == {
        "emma": None,
        "klara": {"failureReason": "Account of a deceased"},
        "sam": {"failureReason": "Account of a deceased"},
    }


async def test_history_goes_with_the_role(desk: Desk, things: dict[str, str]) -> None:
    """Whoever is no client any more keeps their postings and sees no request of their cases, by no road."""
    await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    history = "{ viewer { transactions { totalCount edges { node { id status refundCase { id } } } } } }"
    before = (await desk.run("karl", history))["viewer"]["transactions"]
    (line,) = [edge["node"] for edge in before["edges"]]
    assert line["status"] == "PENDING"
    await desk.seed({"account": {"externalRef": "karl", "name": "Karl", "roles": ["EXPERT"]}})
    assert (await desk.run("karl", history))["viewer"]["transactions"] == {"totalCount": 0, "edges": []}
    node = "query($id: ID!) { node(id: $id) { id } }"
    assert (await desk.run("karl", node, id=line["id"]))["node"] is None
    assert (await desk.run("sam", node, id=line["id"]))["node"] == {"id": line["id"]}
