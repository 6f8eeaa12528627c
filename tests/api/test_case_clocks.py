"""The deadlines of a case as its parties see them."""

from __future__ import annotations

from typing import Any

from api_world import START, Desk, at, usd

CASE = """query($id: ID!) { refundCase(id: $id) { withdrawal { id estimatedUntil }
  clocks { name rule startsAt endsAt whoseMove } } }"""
SYNC = "mutation($input: SyncRecordsInput!) { syncRecords(input: $input) { updated refusals { code } } }"


async def test_money_on_its_way_has_a_clock(desk: Desk, things: dict[str, str]) -> None:
    """D10: who is paid and staff see until when it should arrive, as long as it has not; the expert does not."""
    asked = {"invoiceId": things["invoice-2"], "amount": usd("30.00"), "sendToPaymentMethod": True}
    case = await desk.done("karl", "requestInvoiceRefund", **asked)
    await desk.done("erik", "approveRefund", refundCaseId=case["id"])

    async def seen(ref: str) -> dict[str, Any]:
        found: dict[str, Any] = (await desk.run(ref, CASE, id=case["id"]))["refundCase"]
        return found

    (clock,) = (await seen("karl"))["clocks"]
    assert clock == {
        "name": "WITHDRAWAL_ESTIMATE",
        "rule": "D10",
        "startsAt": at(START),
        "endsAt": "2026-03-12T00:00:00Z",
        "whoseMove": "SYSTEM",
    }
    withdrawal = (await seen("sam"))["withdrawal"]
    assert withdrawal["estimatedUntil"] == "2026-03-11"
    assert (await seen("sam"))["clocks"] == [clock]
    assert await seen("erik") == {"withdrawal": None, "clocks": []}
    paid = {"withdrawal": {"id": withdrawal["id"], "status": "PAID"}}
    assert await desk.run("market", SYNC, input={"records": [paid]}) == {"syncRecords": {"updated": 1, "refusals": []}}
    assert (await seen("karl"))["clocks"] == []
