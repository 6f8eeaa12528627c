"""What other people do while the page is looked at: by HTTP, as clients do."""

import itertools
from typing import Any

from browser_notes import Demo

REPORTABLE = "{ leads(first: 50) { edges { node { id refundCase { id } refundAction { enabled } } } } }"
REPORT = """mutation($input: RequestLeadRefundInput!) {
  requestLeadRefund(input: $input) { refundCase { id number } refusals { code message } } }"""
NOTE = """mutation($input: SendCaseMessageInput!) {
  sendCaseMessage(input: $input) { message { id } refusals { code message } } }"""
APPROVE = """mutation($input: ApproveRefundInput!) {
  approveRefund(input: $input) { refundCase { state } refusals { code message } } }"""
DECIDABLE = """{ supportQueue(first: 50) { edges { node { id number kind version requester { name }
  requestedAmount { amount currencyCode } actions { name enabled } } } } }"""
CASE = """query($number: String!) { refundCaseByNumber(number: $number) {
  id state version creditedAmount { amount } assignee { name } messages(last: 1) { edges { node { body audience } } }
  events(last: 1) { edges { node { name note actor { name } } } } } }"""

_keys = itertools.count()
PROFESSIONALS = ("pro-ada", "pro-ben", "pro-noor")


async def report_a_lead(demo: Demo) -> str:
    """Have a professional report a lead that can be; return the case's number."""
    for who in PROFESSIONALS:
        for edge in (await demo.run(who, REPORTABLE))["leads"]["edges"]:
            lead = edge["node"]
            if lead["refundAction"]["enabled"] and lead["refundCase"] is None:
                given = {
                    "leadId": lead["id"],
                    "reason": "JOB_CHANGED",
                    "reasonDetail": "DIFFERENT_LOCATION",
                    "explanation": "The job is in another town.",
                    "idempotencyKey": f"story-{next(_keys)}-{lead['id']}",
                }
                made = (await demo.run(who, REPORT, {"input": given}))["requestLeadRefund"]
                assert made["refusals"] == []
                number: str = made["refundCase"]["number"]
                return number
    raise AssertionError("The demo holds no lead that can be reported.")


async def decidable(demo: Demo, who: str = "support-jon") -> list[dict[str, Any]]:
    """Return the cases of the queue that this member of staff can approve, the queue's first ones first."""
    nodes = [edge["node"] for edge in (await demo.run(who, DECIDABLE))["supportQueue"]["edges"]]
    return [one for one in nodes if {"name": "APPROVE", "enabled": True} in one["actions"]]


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
