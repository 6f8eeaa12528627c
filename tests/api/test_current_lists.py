"""What keeps lists current: a payload tells of its subject what every list that shows it would be read anew for."""

from __future__ import annotations

import pytest

from api_world import Desk, usd

ACTION = "{ enabled blockers { code } }"
CONTRACT = "contract { id refundedTotal { amount } }"
SHOWN = {
    "Lead": f"id refundAction {ACTION} refundCase {{ id state }}",
    "Invoice": f"id refundAction {ACTION} refundable {{ amount }} {CONTRACT}",
    "Milestone": f"id refundAction {ACTION} held {{ amount }} status {CONTRACT}",
    "BillingWeek": f"id disputeAction {ACTION} {CONTRACT}",
}
SUBJECT = " ".join(f"... on {name} {{ {fields} }}" for name, fields in SHOWN.items())
PAYLOAD = f"subject {{ __typename {SUBJECT} }}"


@pytest.mark.parametrize(
    ("subject", "who", "request_", "decider", "given"),
    [
        ("lead-1", "paula", "requestLeadRefund", "sam", {"reason": "OTHER", "explanation": "Sold."}),
        ("invoice-2", "karl", "requestInvoiceRefund", "erik", {"amount": usd("10.00")}),
        ("step-1", "klara", "requestEscrowRefund", "emma", {"amount": usd("10.00")}),
    ],
)
async def test_a_payload_makes_every_list_current(
    desk: Desk, things: dict[str, str], subject: str, who: str, request_: str, decider: str, given: dict[str, object]
) -> None:
    """After each act the subject in the payload reads as it does when it is read anew, for whoever acted."""
    field = {"requestLeadRefund": "leadId", "requestInvoiceRefund": "invoiceId", "requestEscrowRefund": "milestoneId"}
    case = await desk.done(who, request_, PAYLOAD, **{field[request_]: things[subject]}, **given)
    told = [(who, case["subject"])]
    for actor, act in ((decider, "approveRefund"), ("ada", "reverseRefund")):
        more = {"reason": "A test."} if act == "reverseRefund" else {}
        case = await desk.done(actor, act, PAYLOAD, refundCaseId=case["id"], **more)
        told.append((actor, case["subject"]))
        # The other side reads its list anew when the update arrives, by the same fields.
        read = f"query($id: ID!) {{ node(id: $id) {{ __typename {SUBJECT} }} }}"
        again = (await desk.run(actor, read, id=things[subject]))["node"]
        assert case["subject"] == again
    assert {one["id"] for _, one in told} == {things[subject]}
    assert len({str(one) for _, one in told}) > 1
