"""What other people do while the page is looked at: by HTTP, as clients do."""

import itertools
from typing import Any

from browser_notes import Demo

NEWEST_LEAD = "{ leads(first: 1) { edges { node { chargedAt } } } }"
SELL = "mutation($input: SyncRecordsInput!) { syncRecords(input: $input) { created refusals { message } } }"
SOLD = "query($refs: [String!]!) { leads(filter: {externalRefs: $refs}) { edges { node { id } } } }"
REPORT = """mutation($input: RequestLeadRefundInput!) {
  requestLeadRefund(input: $input) { refundCase { id number } refusals { code message } } }"""
NOTE = """mutation($input: SendCaseMessageInput!) {
  sendCaseMessage(input: $input) { message { id } refusals { code message } } }"""
APPROVE = """mutation($input: ApproveRefundInput!) {
  approveRefund(input: $input) { refundCase { state } refusals { code message } } }"""
DECIDABLE = """{ supportQueue(first: 50) { edges { node { id number kind version requester { name }
  requestedAmount { amount currencyCode } actions { name enabled } } } } }"""
CASE = """query($number: String!) { refundCaseByNumber(number: $number) {
  id state version requester { name } creditedAmount { amount } assignee { name }
  messages(last: 1) { edges { node { body audience } } }
  events(last: 1) { edges { node { name note actor { name } } } } } }"""

MILESTONES = "{ contracts(first: 20) { edges { node { milestones { id externalRef } } } } }"
ESCROW = """mutation($ask: RequestEscrowRefundInput!) {
  requestEscrowRefund(input: $ask) { refundCase { id number } refusals { message } } }"""
DISPUTE = """mutation($input: DisputeRefundInput!) {
  disputeRefund(input: $input) { refundCase { state } refusals { message } } }"""

_keys = itertools.count()


async def report_a_lead(demo: Demo) -> str:
    """Sell a professional a lead, and have them report it; return the case's number."""
    number = next(_keys)
    newest = (await demo.run("support-jon", NEWEST_LEAD))["leads"]["edges"][0]["node"]
    job = {"title": "Oil a gate", "category": "Carpentry", "location": "Leeds"}
    sale = {"chargedAt": newest["chargedAt"], "price": {"amount": "24.00", "currencyCode": "USD"}}
    lead = {"externalRef": f"lead-gate-{number}", "pro": "pro-ada", "customer": "customer-cleo", **job, **sale}
    sold = (await demo.run("marketplace", SELL, {"input": {"records": [{"lead": lead}]}}))["syncRecords"]
    assert sold == {"created": 1, "refusals": []}
    (found,) = (await demo.run("pro-ada", SOLD, {"refs": [lead["externalRef"]]}))["leads"]["edges"]
    given = {
        "leadId": found["node"]["id"],
        "reason": "JOB_CHANGED",
        "reasonDetail": "DIFFERENT_LOCATION",
        "explanation": "The job is in another town.",
        "idempotencyKey": f"meanwhile-{number}",
    }
    made = (await demo.run("pro-ada", REPORT, {"input": given}))["requestLeadRefund"]
    assert made["refusals"] == []
    case: str = made["refundCase"]["number"]
    return case


async def dispute_escrow(demo: Demo, milestone: str, amount: str) -> str:
    """Have the client ask for a part of a milestone, and dispute; return the case's number."""
    contracts = (await demo.run("client-otis", MILESTONES))["contracts"]["edges"]
    found = [one for edge in contracts for one in edge["node"]["milestones"] if one["externalRef"] == milestone]
    asked = {"milestoneId": found[0]["id"], "amount": {"amount": amount, "currencyCode": "USD"}}
    given = {**asked, "explanation": "It is not what we agreed on.", "idempotencyKey": f"meanwhile-{next(_keys)}"}
    case = (await demo.run("client-otis", ESCROW, {"ask": given}))["requestEscrowRefund"]["refundCase"]
    why = {"refundCaseId": case["id"], "explanation": "We cannot agree.", "idempotencyKey": f"meanwhile-{next(_keys)}"}
    assert (await demo.run("client-otis", DISPUTE, {"input": why}))["disputeRefund"]["refusals"] == []
    number: str = case["number"]
    return number


async def decidable(demo: Demo, who: str = "support-jon") -> list[dict[str, Any]]:
    """Return the cases of the queue that this member of staff can approve alone, the queue's first ones first."""
    return await _queue(demo, who, "APPROVE")


async def proposable(demo: Demo, who: str) -> list[dict[str, Any]]:
    """Return the cases of the queue that this member of staff can only propose to decide."""
    return await _queue(demo, who, "PROPOSE")


async def _queue(demo: Demo, who: str, act: str) -> list[dict[str, Any]]:
    nodes = [edge["node"] for edge in (await demo.run(who, DECIDABLE))["supportQueue"]["edges"]]
    return [one for one in nodes if {"name": act, "enabled": True} in one["actions"]]


async def open_number(demo: Demo) -> tuple[str, str]:
    """Return the number and the id of a case that waits for support."""
    one = (await decidable(demo))[0]
    return one["number"], one["id"]


async def note(demo: Demo, case_id: str, body: str) -> None:
    """Have another member of staff leave a note for staff."""
    given = {"refundCaseId": case_id, "body": body, "audience": "INTERNAL"}
    assert (await demo.run("support-jon", NOTE, {"input": given}))["sendCaseMessage"]["refusals"] == []


async def approve(demo: Demo, case_id: str) -> None:
    """Have another member of staff approve a case."""
    given = {"refundCaseId": case_id, "idempotencyKey": f"story-{next(_keys)}-{case_id}"}
    assert (await demo.run("support-jon", APPROVE, {"input": given}))["approveRefund"]["refusals"] == []


async def case_of(demo: Demo, number: str) -> dict[str, Any]:
    """Return a case as staff see it."""
    found: dict[str, Any] = (await demo.run("support-jon", CASE, {"number": number}))["refundCaseByNumber"]
    return found
