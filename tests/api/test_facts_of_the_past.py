"""Facts are of the past (D27): on every road in, and in previews at an instant before the payment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api_world import DAY, START, Desk, at, contract, invoice, lead, message, milestone

SYNC = """mutation($r: [SyncRecord!]!) { syncRecords(input: { records: $r }) {
  created updated refusals { code rule field } } }"""
PREVIEW = """query($input: RefundPreviewInput!) { refundPreview(input: $input) {
  allowed maximum { amount } blockers { code rule } postings { amount { amount } } } }"""
SOON, LATER = START + timedelta(minutes=5), START + timedelta(minutes=5, microseconds=1)
KINDS: dict[str, Any] = {
    "chargedAt": lambda when: lead("new", chargedAt=at(when)),
    "sentAt": lambda when: message("new", "lead-1", "carla", "Hello", when),
    "endedAt": lambda when: contract("new", status="CLOSED", endedAt=at(when)),
    "fundedAt": lambda when: milestone("new", "fixed", "10.00", fundedAt=at(when)),
    "paidAt": lambda when: invoice("new", "hourly", "10.00", when),
    "postedAt": lambda when: {
        "review": {
            "externalRef": "new",
            "contract": "hourly",
            "author": "karl",
            "rating": 5,
            "body": "Good.",
            "postedAt": at(when),
        }
    },
}


@pytest.mark.parametrize("field", KINDS)
async def test_what_has_not_happened_is_not_taken(desk: Desk, field: str) -> None:
    """Five minutes ahead of the clock is a clock that differs; a microsecond more is refused, by its place."""
    record = KINDS[field](LATER)
    found = (await desk.run("market", SYNC, r=[record]))["syncRecords"]
    (kind,) = record
    assert found["refusals"] == [{"code": "INVALID_INPUT", "rule": "D27", "field": ["records", "0", kind, field]}]
    assert (found["created"], found["updated"]) == (0, 0)
    found = (await desk.run("market", SYNC, r=[KINDS[field](SOON)]))["syncRecords"]
    assert (found["refusals"], found["created"]) == ([], 1)


LEADS = """{ leads { edges { node { id externalRef refundAction { enabled availableFrom
  blockers { code rule ... on WindowRefusal { availableFrom availableUntil limitDays } } } } } } }"""
ASK = """mutation($input: RequestLeadRefundInput!) { requestLeadRefund(input: $input) {
  refundCase { id } refusals { code rule } } }"""


async def test_a_lead_that_is_charged_later_is_refused_on_every_road_until_then(desk: Desk) -> None:
    """Preview, button and act say the same before the charge and at it, for its professional and for staff (D4)."""
    charged_at = START + timedelta(minutes=4)
    await desk.seed(lead("soon", chargedAt=at(charged_at)))
    refused = [{"code": "NOT_YET_AVAILABLE", "rule": "L15"}]
    for instant, blockers in ((charged_at - timedelta(microseconds=1), refused), (charged_at, [])):
        desk.clock.at = instant
        nodes = [edge["node"] for edge in (await desk.run("paula", LEADS))["leads"]["edges"]]
        (found,) = [node for node in nodes if node["externalRef"] == "soon"]
        action = found["refundAction"]
        assert action["enabled"] is not bool(blockers)
        assert [{name: one[name] for name in ("code", "rule")} for one in action["blockers"]] == blockers
        if blockers:
            assert action["blockers"][0]["availableFrom"] == at(charged_at)
        asked = {"leadId": found["id"], "reason": "OTHER"}
        told = (await desk.run("paula", PREVIEW, input=asked))["refundPreview"]
        assert (told["allowed"], told["blockers"], bool(told["postings"])) == (not blockers, blockers, not blockers)
        asked |= {"explanation": "Not the job.", "idempotencyKey": desk.key()}
        on_behalf = {**asked, "onBehalfReason": "By phone.", "idempotencyKey": desk.key()}
        for ref, given in (("ada", on_behalf), ("paula", asked)) if blockers else (("paula", asked),):
            done = (await desk.run(ref, ASK, input=given))["requestLeadRefund"]
            assert done["refusals"] == blockers
            assert (done["refundCase"] is None) is bool(blockers)


async def test_a_preview_before_the_charge_answers_as_the_act_would_have(desk: Desk, things: dict[str, str]) -> None:
    """Years before a lead was charged there was nothing to ask back."""
    for instant in (START - 4_000 * DAY, START - 200 * DAY):
        given = {"leadId": things["lead-1"], "reason": "OTHER", "at": at(instant)}
        found = (await desk.run("paula", PREVIEW, input=given))["refundPreview"]
        assert (found["allowed"], found["maximum"]["amount"], found["postings"]) == (False, "0.00", [])
        assert [one["code"] for one in found["blockers"]] == ["NOT_YET_AVAILABLE"]


async def test_a_preview_before_the_payment_answers_as_the_act_would_have(desk: Desk, things: dict[str, str]) -> None:
    """Before an invoice was paid, or a milestone funded, there was nothing to ask back."""
    paid_at = START - 40 * DAY
    for instant, expected in (
        (paid_at - timedelta(microseconds=1), ["INVOICE_NOT_PAID"]),
        (paid_at, []),
    ):
        given = {"invoiceId": things["invoice-2"], "at": at(instant)}
        found = (await desk.run("karl", PREVIEW, input=given))["refundPreview"]
        assert [one["code"] for one in found["blockers"]] == expected
        assert found["allowed"] is not bool(expected)
        assert found["maximum"] == {"amount": "0.00" if expected else "80.00"}
        assert bool(found["postings"]) is not bool(expected)
    await desk.seed(milestone("step-2", "fixed", "25.00", fundedAt=at(START - 2 * DAY)))
    listed = await desk.run("klara", "{ contracts { edges { node { milestones { id externalRef } } } } }")
    steps = {it["externalRef"]: it["id"] for it in listed["contracts"]["edges"][0]["node"]["milestones"]}
    for instant, allowed in ((START - 3 * DAY, False), (START - 2 * DAY, True)):
        given = {"milestoneId": steps["step-2"], "at": at(instant)}
        found = (await desk.run("klara", PREVIEW, input=given))["refundPreview"]
        assert found["allowed"] is allowed, found
