"""The figures of the desk are those of the cases."""

from __future__ import annotations

from typing import Any

from api_world import DAY, HOUR, START, Desk, at, lead, usd

METRICS = """query($from: DateTime!, $until: DateTime!) { supportMetrics(from: $from, until: $until) {
  opened decided approvedShare decisionTargetMetShare medianHoursToDecision p90HoursToDecision overdueNow
  credited { amount currencyCode } byState { state count } byReason { reason count approved } } }"""


async def metrics(desk: Desk, **span: Any) -> dict[str, Any]:
    """Return the figures of a span that holds everything, unless another is given."""
    whole = {"from": at(START - DAY), "until": at(START + 30 * DAY)}
    found: dict[str, Any] = (await desk.run("sam", METRICS, **{**whole, **span}))["supportMetrics"]
    return found


async def test_nothing_happened(desk: Desk) -> None:
    """Shares and hours of nothing are none, counts are zero."""
    assert await metrics(desk) == {
        "opened": 0,
        "decided": 0,
        "approvedShare": None,
        "decisionTargetMetShare": None,
        "medianHoursToDecision": None,
        "p90HoursToDecision": None,
        "overdueNow": 0,
        "credited": [],
        "byState": [],
        "byReason": [],
    }


async def test_figures(desk: Desk, things: dict[str, str]) -> None:
    """Ten leads' cases, decided after 1 to 10 hours, and one invoice's, decided late."""
    await desk.seed(*[lead(f"metric-{number}") for number in range(10)])
    found = await desk.run("sam", "{ leads(first: 100) { edges { node { id externalRef } } } }")
    leads = [edge["node"]["id"] for edge in found["leads"]["edges"] if edge["node"]["externalRef"].startswith("metric")]
    invoice = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    cases = [
        await desk.done("paula", "requestLeadRefund", leadId=one, reason="OTHER", explanation="Not it.")
        for one in leads
    ]
    for number, case in enumerate(cases):
        desk.clock.at += HOUR
        if number < 4:
            await desk.done("sam", "declineRefund", refundCaseId=case["id"], message="No.")
        else:
            await desk.done("sam", "approveRefund", refundCaseId=case["id"])
    desk.clock.at = START + 60 * HOUR
    await desk.done("erik", "approveRefund", refundCaseId=invoice["id"])
    await desk.done(
        "paula", "requestLeadRefund", leadId=things["lead-1"], reason="JOB_CHANGED", reasonDetail="OTHER_CHANGE"
    )
    figures = await metrics(desk)
    assert (figures["opened"], figures["decided"]) == (12, 11)
    assert figures["approvedShare"] == 7 / 11
    assert figures["decisionTargetMetShare"] == 1.0
    assert (figures["medianHoursToDecision"], figures["p90HoursToDecision"]) == (6.0, 10.0)
    assert figures["credited"] == [{"amount": "150.00", "currencyCode": "USD"}]
    assert figures["byState"] == [
        {"state": "REQUESTED", "count": 1},
        {"state": "DECLINED", "count": 4},
        {"state": "CREDITED", "count": 7},
    ]
    assert figures["byReason"] == [
        {"reason": "JOB_CHANGED", "count": 1, "approved": 0},
        {"reason": "OTHER", "count": 10, "approved": 6},
    ]
    early = await metrics(desk, until=at(START + 2 * HOUR))
    assert (early["opened"], early["decided"], early["approvedShare"]) == (11, 1, 0.0)
    assert (await metrics(desk, **{"from": at(START + 61 * HOUR)}))["opened"] == 0


async def test_an_empty_span_is_refused(small_desk: Desk) -> None:
    """A span that ends before it starts is BAD_USER_INPUT."""
    assert await small_desk.code("sam", METRICS, **{"from": at(START), "until": at(START)}) == "BAD_USER_INPUT"
