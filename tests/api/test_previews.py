"""Previews, buttons and mutations say the same, because the same rules answer."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import DAY, START, Desk, at, usd

PREVIEW = """query($input: RefundPreviewInput!) { refundPreview(input: $input) { allowed route decidedBy decisionDueBy
  maximum { amount } contractTotalAfter { amount } reviewsHidden
  blockers { __typename code rule field message
    ... on WindowRefusal { elapsedDays limitDays availableUntil } ... on AmountRefusal { maximum { amount } } }
  postings { fromAccount toAccount amount { amount } } clocks { name rule endsAt } } }"""


async def preview(desk: Desk, ref: str, **given: Any) -> dict[str, Any]:
    """Return what asking would do."""
    found: dict[str, Any] = (await desk.run(ref, PREVIEW, input=given))["refundPreview"]
    return found


async def test_an_invoice(desk: Desk, things: dict[str, str]) -> None:
    """A direct request: the expert decides, the money comes from the expert's balance."""
    found = await preview(desk, "karl", invoiceId=things["invoice-2"], amount=usd("30.00"))
    assert (found["allowed"], found["route"], found["decidedBy"]) == (True, "DIRECT", "COUNTERPARTY")
    assert found["maximum"] == {"amount": "80.00"}
    assert found["contractTotalAfter"] == {"amount": "150.00"}
    assert found["postings"] == [
        {
            "fromAccount": "balance(expert, CONTRACTS)",
            "toAccount": "balance(client, CONTRACTS)",
            "amount": {"amount": "30.00"},
        }
    ]
    assert "DIRECT_WINDOW" in {clock["name"] for clock in found["clocks"]}
    assert found["reviewsHidden"] is False


async def test_a_lead(desk: Desk, things: dict[str, str]) -> None:
    """Support decides within the target; the credit is for leads."""
    found = await preview(desk, "paula", leadId=things["lead-1"], reason="OTHER")
    assert (found["allowed"], found["route"], found["decidedBy"]) == (True, "SUPPORT", "SUPPORT")
    assert found["decisionDueBy"] == at(START + 2 * DAY)
    assert [one["toAccount"] for one in found["postings"]] == ["balance(pro, LEADS)"]
    assert (found["contractTotalAfter"], found["reviewsHidden"]) == (None, None)


async def test_other_instants(desk: Desk, things: dict[str, str]) -> None:
    """Routes and windows follow the instant that is asked about (C15)."""
    paid = START - 40 * DAY
    routes = {180: "DIRECT", 181: "SUPPORT", 365: "SUPPORT", 366: None}
    for day, route in routes.items():
        found = await preview(desk, "karl", invoiceId=things["invoice-2"], at=at(paid + day * DAY))
        assert found["route"] == route, day
    (blocker,) = found["blockers"]
    assert (blocker["__typename"], blocker["code"], blocker["rule"]) == ("WindowRefusal", "WINDOW_CLOSED", "C07")
    assert (blocker["elapsedDays"], blocker["limitDays"]) == (366, 365)


async def test_what_is_given_is_judged(desk: Desk, things: dict[str, str]) -> None:
    """Too much money, a reason that is never refunded and one that does not fit are blockers."""
    found = await preview(desk, "karl", invoiceId=things["invoice-2"], amount=usd("80.01"))
    assert [one["code"] for one in found["blockers"]] == ["AMOUNT_EXCEEDS_REFUNDABLE"]
    assert found["blockers"][0]["maximum"] == {"amount": "80.00"}
    found = await preview(desk, "paula", leadId=things["lead-1"], reason="NOT_HIRED")
    assert [(one["code"], one["rule"]) for one in found["blockers"]] == [("REASON_NOT_REFUNDABLE", "L08")]


async def test_the_marketplace_reads_payments_and_asks_for_none(desk: Desk, things: dict[str, str]) -> None:
    """SERVICE sees an invoice, and a request about it is not its own to make."""
    found = await preview(desk, "market", invoiceId=things["invoice-2"])
    assert [one["code"] for one in found["blockers"]] == ["FORBIDDEN"]


@pytest.mark.parametrize("ref", ["paula", "klara", "carla"])
async def test_what_is_not_visible(desk: Desk, things: dict[str, str], ref: str) -> None:
    """Foreign and unknown payments are NOT_FOUND, in the same words."""
    answers = [
        await preview(desk, ref, invoiceId=one) for one in (things["invoice-2"], "x", things["invoice-2"][:-4] + "0000")
    ]
    assert answers == [answers[0]] * 3
    assert [one["code"] for one in answers[0]["blockers"]] == ["NOT_FOUND"]


async def test_exactly_one_payment(desk: Desk, things: dict[str, str]) -> None:
    """No id, and several, are INVALID_INPUT."""
    for given in ({}, {"invoiceId": things["invoice-2"], "leadId": things["lead-1"]}):
        found = await preview(desk, "karl", **given)
        assert [one["code"] for one in found["blockers"]] == ["INVALID_INPUT"]


BUTTON = """query($id: ID!) { node(id: $id) {
  ... on Lead { action: refundAction { ...button } } ... on Invoice { action: refundAction { ...button } }
  ... on Milestone { action: refundAction { ...button } } ... on BillingWeek { action: disputeAction { ...button } } } }
fragment button on ActionAvailability { name enabled availableFrom availableUntil
  blockers { code rule message field alternatives } }"""


async def test_buttons_say_what_mutations_do(desk: Desk, things: dict[str, str]) -> None:
    """The reasons on a button are those of the mutation, word for word."""
    acts: list[tuple[str, str, str, dict[str, Any]]] = [
        ("paula", "lead-1", "requestLeadRefund", {"leadId": things["lead-1"], "reason": "OTHER", "explanation": "No."}),
        ("karl", "invoice-2", "requestInvoiceRefund", {"invoiceId": things["invoice-2"], "amount": usd("1.00")}),
        (
            "karl",
            "week-1",
            "openTimesheetDispute",
            {"billingWeekId": things["week-1"], "amount": usd("1.00"), "explanation": "No."},
        ),
    ]
    for days in (400, 40, 0):
        desk.clock.at = START + days * DAY
        for ref, thing, mutation, given in acts:
            button = (await desk.run(ref, BUTTON, id=things[thing]))["node"]["action"]
            payload = await desk.act(ref, mutation, **given)
            said = [
                {key: one[key] for key in ("code", "rule", "message", "field", "alternatives")}
                for one in payload["refusals"]
            ]
            assert button["blockers"] == said, (days, thing)
            assert button["enabled"] is (said == [])


async def test_the_expert_issues(desk: Desk, things: dict[str, str]) -> None:
    """For the expert the button is ISSUE (C12); staff are told that the request is not theirs."""
    assert (await desk.run("erik", BUTTON, id=things["invoice-2"]))["node"]["action"]["name"] == "ISSUE"
    assert (await desk.run("erik", BUTTON, id=things["invoice-2"]))["node"]["action"]["enabled"] is True
    staff = (await desk.run("sam", BUTTON, id=things["invoice-2"]))["node"]["action"]
    assert (staff["name"], [one["code"] for one in staff["blockers"]]) == ("REQUEST", ["FORBIDDEN"])


async def test_what_cannot_be_seen_is_named_as_the_mutation_names_it(desk: Desk, things: dict[str, str]) -> None:
    """A stranger's preview and request say the same words about the same invoice."""
    invoice_id = things["invoice-2"]
    (blocker,) = (await preview(desk, "klara", invoiceId=invoice_id, amount=usd("1.00")))["blockers"]
    payload = await desk.act("klara", "requestInvoiceRefund", invoiceId=invoice_id, amount=usd("1.00"))
    assert [blocker["message"], blocker["code"]] == [payload["refusals"][0]["message"], "NOT_FOUND"]


async def test_the_act_can_be_named(desk: Desk, things: dict[str, str]) -> None:
    """A week's dispute is told as it would be: by support, from held money, also where a request gives way to it."""
    week, amount = things["week-1"], usd("40.00")
    await desk.done("karl", "requestInvoiceRefund", billingWeekId=week, amount=usd("1.00"))
    assert (await preview(desk, "karl", billingWeekId=week, amount=amount))["blockers"][0][
        "code"
    ] == "CASE_ALREADY_OPEN"
    named = {"amount": amount, "action": "OPEN_TIMESHEET_DISPUTE"}
    found = await preview(desk, "karl", billingWeekId=week, **named)
    assert (found["allowed"], found["route"], found["decidedBy"]) == (True, "SUPPORT", "SUPPORT")
    assert [one["fromAccount"] for one in found["postings"]] == ["held(week)"]
    late = await preview(desk, "karl", billingWeekId=week, at="2026-03-07T00:00:00Z", **named)
    assert [blocker["rule"] for blocker in late["blockers"]] == ["C28"]
    (wrong,) = (await preview(desk, "karl", invoiceId=things["invoice-1"], **named))["blockers"]
    assert (wrong["code"], wrong["field"]) == ("INVALID_INPUT", ["action"])
    (wrong,) = (await preview(desk, "karl", invoiceId=things["invoice-1"], action="CANCEL"))["blockers"]
    assert (wrong["code"], wrong["field"]) == ("INVALID_INPUT", ["action"])
    (wrong,) = (await preview(desk, "karl", invoiceId=things["invoice-2"], action="ISSUE"))["blockers"]
    assert (wrong["code"], wrong["rule"]) == ("FORBIDDEN", "C12")
