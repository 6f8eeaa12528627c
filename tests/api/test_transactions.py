"""The history of an account: what was posted, what was undone, and what is not credited yet (C20)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from api_world import DAY, HOUR, START, Desk, at, invoice, usd

HISTORY = """{ viewer { balances { purpose available { amount currencyCode } inTransit { amount } }
  transactions(first: 100) { totalCount edges { node { id at status purpose amount { amount } balanceAfter { amount }
    description refundCase { number } withdrawal { status } reverses { id amount { amount } status } } } } } }"""


async def history(desk: Desk, ref: str) -> list[dict[str, Any]]:
    """Return the lines of somebody's history, newest first."""
    found = (await desk.run(ref, HISTORY))["viewer"]["transactions"]
    assert found["totalCount"] == len(found["edges"])
    return [edge["node"] for edge in found["edges"]]


async def test_requests_until_they_are_credited(desk: Desk, things: dict[str, str]) -> None:
    """A request is PENDING, then DECLINED, CANCELLED, or a posting of its own."""
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    (pending,) = [line for line in await history(desk, "karl") if line["refundCase"]]
    assert (pending["status"], pending["purpose"], pending["amount"]["amount"]) == ("PENDING", "CONTRACTS", "30.00")
    assert (pending["balanceAfter"], pending["refundCase"]["number"]) == (None, case["number"])
    node = "query($id: ID!) { node(id: $id) { ... on Transaction { status amount { amount } } } }"
    assert (await desk.run("karl", node, id=pending["id"]))["node"] == {
        "status": "PENDING",
        "amount": {"amount": "30.00"},
    }
    assert (await desk.run("erik", node, id=pending["id"]))["node"] is None
    desk.clock.at += HOUR
    await desk.done("erik", "declineRefund", refundCaseId=case["id"], message="No.")
    assert [line["status"] for line in await history(desk, "karl") if line["refundCase"]] == ["DECLINED"]
    again = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("20.00"))
    await desk.done("karl", "cancelRefund", refundCaseId=again["id"])
    assert [line["status"] for line in await history(desk, "karl") if line["refundCase"]] == ["CANCELLED", "DECLINED"]
    third = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))
    desk.clock.at += HOUR
    await desk.done("erik", "approveRefund", refundCaseId=third["id"])
    newest = (await history(desk, "karl"))[0]
    assert (newest["status"], newest["amount"]["amount"], newest["balanceAfter"]["amount"]) == (
        "POSTED",
        "10.00",
        "10.00",
    )


async def test_both_sides_of_a_credit_and_its_reversal(desk: Desk, things: dict[str, str]) -> None:
    """The client's line is positive and the expert's negative; a reversal points at what it undoes."""
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    await desk.done("erik", "approveRefund", refundCaseId=case["id"])
    desk.clock.at += HOUR
    await desk.done("ada", "reverseRefund", refundCaseId=case["id"], reason="A mistake.")
    reversal, credit = [line for line in await history(desk, "karl") if line["refundCase"]]
    assert [line["amount"]["amount"] for line in (reversal, credit)] == ["-30.00", "30.00"]
    assert [line["balanceAfter"]["amount"] for line in (reversal, credit)] == ["0.00", "30.00"]
    assert [line["status"] for line in (reversal, credit)] == ["POSTED", "REVERSED"]
    assert reversal["reverses"] == {"id": credit["id"], "amount": {"amount": "30.00"}, "status": "REVERSED"}
    assert credit["reverses"] is None
    mirrored = [line for line in await history(desk, "erik") if line["refundCase"]]
    assert [line["amount"]["amount"] for line in mirrored] == ["30.00", "-30.00"]
    assert [line["id"] for line in mirrored] == [reversal["id"], credit["id"]]
    assert [line["balanceAfter"]["amount"] for line in mirrored] == ["80.00", "50.00"]


async def test_lead_credit_and_contract_money_stay_apart(desk: Desk, things: dict[str, str]) -> None:
    """A lead's refund is on the balance for leads (L17)."""
    case = await desk.done("paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not it.")
    await desk.done("sam", "approveRefund", refundCaseId=case["id"], amount=usd("15.00"))
    found = (await desk.run("paula", HISTORY))["viewer"]
    assert found["balances"] == [
        {"purpose": "LEADS", "available": {"amount": "15.00", "currencyCode": "USD"}, "inTransit": {"amount": "0.00"}}
    ]
    line = found["transactions"]["edges"][0]["node"]
    assert (line["purpose"], line["amount"]["amount"], line["refundCase"]["number"]) == (
        "LEADS",
        "15.00",
        case["number"],
    )


async def test_withdrawals_are_in_transit(desk: Desk, things: dict[str, str]) -> None:
    """Money sent on leaves the balance, is in transit, and comes back when it fails (D10)."""
    case = await desk.done(
        "klara", "requestEscrowRefund", milestoneId=things["step-1"], amount=usd("20.00"), sendToPaymentMethod=True
    )
    await desk.done("emma", "approveRefund", refundCaseId=case["id"])
    (balance,) = (await desk.run("klara", HISTORY))["viewer"]["balances"]
    assert (balance["available"]["amount"], balance["inTransit"]["amount"]) == ("0.00", "20.00")
    out = next(line for line in await history(desk, "klara") if line["withdrawal"])
    assert (out["amount"]["amount"], out["withdrawal"]["status"]) == ("-20.00", "REQUESTED")
    listed = await desk.run("market", "{ withdrawals(statuses: [REQUESTED]) { edges { node { id } } } }")
    (edge,) = listed["withdrawals"]["edges"]
    record = {"id": edge["node"]["id"], "status": "FAILED", "failureReason": "Closed account"}
    synced = await desk.run(
        "market",
        "mutation($r: [SyncRecord!]!) { syncRecords(input: { records: $r }) { updated refusals { message } } }",
        r=[{"withdrawal": record}],
    )
    assert synced["syncRecords"] == {"updated": 1, "refusals": []}
    (balance,) = (await desk.run("klara", HISTORY))["viewer"]["balances"]
    assert (balance["available"]["amount"], balance["inTransit"]["amount"]) == ("20.00", "0.00")
    back = (await history(desk, "klara"))[0]
    assert (back["amount"]["amount"], back["reverses"]["id"], back["reverses"]["status"]) == (
        "20.00",
        out["id"],
        "REVERSED",
    )


async def test_issued_refunds_wait_for_the_client(desk: Desk, things: dict[str, str]) -> None:
    """What an expert issues and cannot cover yet is PENDING with the client, not with the expert."""
    await desk.run(
        "erik",
        "mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) { refusals { code } } }",
        input={"amount": usd("75.00"), "idempotencyKey": "out"},
    )
    await desk.done("erik", "issueRefund", invoiceId=things["invoice-2"], decision="FULL")
    lines = {ref: [one for one in await history(desk, ref) if one["refundCase"]] for ref in ("karl", "erik")}
    assert [(one["status"], one["amount"]["amount"]) for one in lines["karl"]] == [("PENDING", "80.00")]
    assert lines["erik"] == []


PAGE = """query($first: Int, $after: String, $last: Int, $before: String) { viewer { transactions(first: $first,
  after: $after, last: $last, before: $before) { pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { id at bookedAt status purpose amount { amount currencyCode } balanceAfter { amount } } }
  } } }"""


async def every_page(desk: Desk, ref: str, size: int, *, backward: bool) -> list[dict[str, Any]]:
    """Return somebody's history newest first, read page by page in one direction."""
    found: list[dict[str, Any]] = []
    place: dict[str, Any] = {}
    while True:
        asked = {"last": size, **place} if backward else {"first": size, **place}
        page = (await desk.run(ref, PAGE, **asked))["viewer"]["transactions"]
        nodes = [edge["node"] for edge in page["edges"]]
        found = [*nodes, *found] if backward else [*found, *nodes]
        if not page["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"]:
            return found
        key, side = ("before", "startCursor") if backward else ("after", "endCursor")
        place = {key: page["pageInfo"][side]}


async def test_lines_stand_in_the_order_in_which_they_were_booked(desk: Desk, things: dict[str, str]) -> None:
    """Each line's balance is the line's before it plus its amount, however late a payment is told, both ways."""
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    desk.clock.at += HOUR
    await desk.done("erik", "approveRefund", refundCaseId=case["id"])
    desk.clock.at += HOUR
    await desk.seed(invoice("told-late", "hourly", "40.00", START - 20 * DAY))
    desk.clock.at += HOUR
    await desk.seed(invoice("told-later", "hourly", "50.00", START - 40 * DAY))
    open_case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("5.00"))
    desk.clock.at -= 2 * HOUR  # another machine's clock is behind
    await desk.seed(invoice("told-last", "hourly", "60.00", START - 50 * DAY))
    whole = await every_page(desk, "erik", 100, backward=False)
    posted = [line for line in whole if line["status"] in ("POSTED", "REVERSED")]
    balances = [Decimal(line["balanceAfter"]["amount"]) for line in posted]
    amounts = [Decimal(line["amount"]["amount"]) for line in posted]
    assert balances == [sum(amounts[place:]) for place in range(len(amounts))]
    assert amounts[:4] == [60, 50, 40, -30]
    assert [line["bookedAt"] for line in posted] == sorted((line["bookedAt"] for line in posted), reverse=True)
    late = next(line for line in posted if line["amount"]["amount"] == "40.00")
    assert (late["at"], late["bookedAt"]) == (at(START - 20 * DAY), at(START + 2 * HOUR))
    for size in (1, 2, 3):
        assert await every_page(desk, "erik", size, backward=False) == whole
        assert await every_page(desk, "erik", size, backward=True) == whole
    asked = next(line for line in await every_page(desk, "karl", 2, backward=True) if line["status"] == "PENDING")
    assert asked["bookedAt"] == asked["at"] == at(START + 3 * HOUR)
    assert open_case["state"] == "REQUESTED"
