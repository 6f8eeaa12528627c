"""The figures of the desk are those of the cases."""

from __future__ import annotations

from typing import Any

from api_world import DAY, HOUR, START, Desk, at, lead, usd

METRICS = """query($from: DateTime!, $until: DateTime!) { supportMetrics(from: $from, until: $until) {
  opened decided approvedShare decisionTargetMetShare medianHoursToDecision p90HoursToDecision overdueNow
  credited { amount currencyCode } reversed { amount currencyCode } byState { state count }
  byReason { reason count approved } byKind { kind opened decided approvedShare decisionTargetMetShare }
  byDecider { decider { name } decided approvedShare decisionTargetMetShare } } }"""


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
        "reversed": [],
        "byState": [],
        "byReason": [],
        "byKind": [],
        "byDecider": [],
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


async def test_figures_of_a_span_never_change_afterwards(desk: Desk, things: dict[str, str]) -> None:
    """Second looks, later decisions, reversals and a moved target leave the figures of days before as they were."""
    first = await desk.done("paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="No.")
    second = await desk.done("peter", "requestLeadRefund", leadId=things["lead-2"], reason="OTHER", explanation="No.")
    week = await desk.done(
        "karl", "openTimesheetDispute", billingWeekId=things["week-1"], amount=usd("40.00"), explanation="No."
    )
    desk.clock.at += 2 * HOUR
    await desk.done("sam", "declineRefund", refundCaseId=first["id"], message="No.")
    await desk.done("sam", "approveRefund", refundCaseId=second["id"])
    await desk.done("sue", "approveRefund", refundCaseId=week["id"])
    span = {"from": at(START), "until": at(START + DAY)}
    desk.clock.at = START + DAY
    before = await metrics(desk, **span)
    assert (before["opened"], before["decided"], before["approvedShare"]) == (3, 3, 2 / 3)
    assert before["credited"] == [{"amount": "60.00", "currencyCode": "USD"}]
    assert before["byKind"] == [
        {"kind": "LEAD", "opened": 2, "decided": 2, "approvedShare": 0.5, "decisionTargetMetShare": 1.0},
        {"kind": "TIMESHEET", "opened": 1, "decided": 1, "approvedShare": 1.0}
        | {"decisionTargetMetShare": before["byKind"][1]["decisionTargetMetShare"]},
    ]
    assert [(one["decider"]["name"], one["decided"]) for one in before["byDecider"]] == [
        ("Sam Support", 2),
        ("Sue Support", 1),
    ]
    assert before["medianHoursToDecision"] == 2.0
    desk.clock.at += HOUR
    await desk.done("paula", "escalateRefund", refundCaseId=first["id"], explanation="Look again.")
    assert await metrics(desk, **span) == before
    desk.clock.at += 60 * HOUR
    await desk.done("ada", "approveRefund", refundCaseId=first["id"])
    await desk.done("ada", "reverseRefund", refundCaseId=second["id"], reason="A mistake.")
    assert await metrics(desk, **span) == before
    later = await metrics(desk, **{"from": at(START + DAY), "until": at(START + 30 * DAY)})
    assert (later["opened"], later["decided"], later["approvedShare"]) == (0, 1, 1.0)
    assert (later["medianHoursToDecision"], later["decisionTargetMetShare"]) == (60.0, 0.0)
    assert later["credited"] == later["reversed"] == [{"amount": "20.00", "currencyCode": "USD"}]


async def test_two_agents_who_take_one_case(desk: Desk, things: dict[str, str]) -> None:
    """Whoever takes a case with the version that both have read is first; the other is told what is true now."""
    case = await desk.done("paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="No.")
    ids = {ref: (await desk.run(ref, "{ viewer { id } }"))["viewer"]["id"] for ref in ("sam", "sue")}
    given = {"refundCaseId": case["id"], "expectedVersion": case["version"]}
    taken = await desk.done("sam", "assignCase", "assignee { name }", assigneeId=ids["sam"], **given)
    assert (taken["assignee"]["name"], taken["version"]) == ("Sam Support", 2)
    refused = await desk.act("sue", "assignCase", assigneeId=ids["sue"], **given)
    assert [one["code"] for one in refused["refusals"]] == ["VERSION_CONFLICT"]
    now = await desk.run("sue", "query($id: ID!) { refundCase(id: $id) { version assignee { name } } }", id=case["id"])
    assert now["refundCase"] == {"version": 2, "assignee": {"name": "Sam Support"}}
