"""What a mutation tells of the case and the event it has just saved is what reading them afterwards tells."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import Desk, lead, usd
from refundgql.storage.statements import counted_statements

CASE = """id number kind state isFinal version route goodwill reason reasonDetail explanation
  requestedAmount { amount currencyCode } approvedAmount { amount currencyCode }
  consentedAmount { amount currencyCode } creditedAmount { amount currencyCode }
  openedAt updatedAt decidedAt creditedAt reversedAt whoseMove respondBy overdue policyVersion
  settlement { status shortfall { amount } } clocks { name endsAt }"""
PEOPLE = "requester { name } counterparty { name } filedBy { name } subject { __typename }"
EVENT = """id sequence name at actor { name } actorRole fromState toState amount { amount currencyCode } note
  internalNote rule facts { name value }"""

ACTS: list[tuple[str, str, dict[str, Any]]] = [
    ("erik", "declineRefund", {"message": "The work was done."}),
    ("karl", "escalateRefund", {"explanation": "It was not."}),
    ("erik", "consentToRefund", {"amount": usd("5.00"), "note": "This much."}),
    ("karl", "disputeRefund", {"explanation": "It was none."}),
    ("sam", "approveRefund", {"amount": usd("12.00"), "note": "Half of it.", "expectedVersion": 5}),
    ("ada", "reverseRefund", {"reason": "Sent twice."}),
]


async def _compared(desk: Desk, ref: str, mutation: str, case: str, given: dict[str, Any], more: str = "") -> int:
    """Act, compare with what is read afterwards, and return how many statements the act took."""
    type_name = mutation[0].upper() + mutation[1:] + "Input"
    document = (
        f"mutation Act($input: {type_name}!) {{ {mutation}(input: $input) {{ replayed refusals {{ message }}"
        f" refundCase {{ {CASE} {more} }} event {{ {EVENT} }} }} }}"
    )
    whole = {"refundCaseId": case, "idempotencyKey": desk.key(), **given}
    with counted_statements() as statements:
        told = (await desk.run(ref, document, input=whole))[mutation]
    assert told["refusals"] == []
    read = await desk.run(
        ref,
        f"query($case: ID!) {{ refundCase(id: $case) {{ {CASE} {more} events(last: 2) {{ edges {{ node {{"
        f" {EVENT} }} }} }} }} }}",
        case=case,
    )
    events = [edge["node"] for edge in read["refundCase"].pop("events")["edges"]]
    assert told["refundCase"] == read["refundCase"]
    assert told["event"] in events
    again = (await desk.run(ref, document, input=whole))[mutation]
    assert again == {**told, "replayed": True}
    return len(statements)


@pytest.mark.parametrize("more", ["", PEOPLE])
async def test_every_act_tells_what_reading_tells(desk: Desk, things: dict[str, str], more: str) -> None:
    """By a party and by staff, with people and subject or without: the same values, field by field, and a replay's."""
    case = (await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-1"], amount=usd("25.00")))["id"]
    for ref, mutation, given in ACTS:
        await _compared(desk, ref, mutation, str(case), given, more)


async def test_a_leads_acts_tell_what_reading_tells(desk: Desk) -> None:
    """A lead's request that is declined, escalated and approved, with words that are for staff alone."""
    await desk.seed(lead("told"))
    query = 'query { leads(filter: { externalRefs: ["told"] }) { edges { node { id } } } }'
    lead_id = (await desk.run("sam", query))["leads"]["edges"][0]["node"]["id"]
    asked = await desk.done("paula", "requestLeadRefund", leadId=lead_id, reason="OTHER", explanation="Not my trade.")
    case = str(asked["id"])
    await _compared(desk, "sam", "declineRefund", case, {"message": "It is.", "internalNote": "Third time."})
    await _compared(desk, "paula", "escalateRefund", case, {"explanation": "It is not."})
    await _compared(desk, "sue", "approveRefund", case, {})


async def test_an_act_that_tells_only_the_case_reads_it_once(desk: Desk, things: dict[str, str]) -> None:
    """Beside the viewer's own: the facts under lock or compared, who waits for money, the write; nothing afterwards."""
    asked = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-1"], amount=usd("25.00"))
    document = """mutation Act($input: ApproveRefundInput!) { approveRefund(input: $input) {
      refundCase { id state version } event { id sequence name toState at } } }"""
    with counted_statements() as statements:
        given = {"refundCaseId": asked["id"], "idempotencyKey": "k"}
        await desk.run("erik", document, input=given)
    assert not [one for one in statements if one.startswith(("SELECT c.id", "SELECT x.id"))], statements
