"""Evidence with an audience, bounded for each side, withdrawn, redacted and frozen (D26)."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import HOUR, START, Desk, message, usd

ALL = """query($id: ID!) { refundCase(id: $id) { version events(last: 1) { edges { node { name note facts { name value }
  actor { name } } } }
  evidence { __typename id sha256 audience withdrawnAt redactedAt addedBy { name }
    ... on StatementEvidence { text }
    ... on ConversationEvidence { messages { __typename id authorName body sentAt sha256 } } } } }"""


@pytest.fixture
async def case(desk: Desk, things: dict[str, str]) -> str:
    """Give a request of a client to an expert."""
    asked = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    return str(asked["id"])


async def state(desk: Desk, ref: str, case: str) -> dict[str, Any]:
    """Return a case's evidence and its last event, as somebody reads them."""
    found: dict[str, Any] = (await desk.run(ref, ALL, id=case))["refundCase"]
    return found


async def texts(desk: Desk, ref: str, case: str) -> list[str]:
    """Return the statements that somebody reads."""
    return [one["text"] for one in (await state(desk, ref, case))["evidence"] if "text" in one]


async def test_evidence_is_read_by_its_audience(desk: Desk, case: str) -> None:
    """Each item is read by whom it is for; what staff keep for themselves is STAFF_NOTE in the history."""
    await desk.done("karl", "addStatement", refundCaseId=case, text="For all")
    await desk.done("karl", "addStatement", refundCaseId=case, text="Client's", audience="REQUESTER_AND_SUPPORT")
    await desk.done("erik", "addStatement", refundCaseId=case, text="Expert's", audience="COUNTERPARTY_AND_SUPPORT")
    await desk.done("sam", "addStatement", refundCaseId=case, text="Staff's", audience="INTERNAL")
    assert await texts(desk, "karl", case) == ["For all", "Client's"]
    assert await texts(desk, "erik", case) == ["For all", "Expert's"]
    assert await texts(desk, "sue", case) == ["For all", "Client's", "Expert's", "Staff's"]
    told = (await state(desk, "karl", case))["events"]["edges"][0]["node"]
    assert (told["name"], told["actor"]) == ("STAFF_NOTE", None)
    for ref, audience in (("karl", "INTERNAL"), ("erik", "REQUESTER_AND_SUPPORT")):
        refused = await desk.act(ref, "addStatement", refundCaseId=case, text="No", audience=audience)
        assert [one["code"] for one in refused["refusals"]] == ["FORBIDDEN"]
    hidden = (await state(desk, "sue", case))["evidence"][-1]["id"]
    assert (await desk.run("karl", "query($id: ID!) { node(id: $id) { id } }", id=hidden))["node"] is None


async def test_each_side_has_its_own_bound(desk: Desk, case: str) -> None:
    """A hundred items of one side leave the others' place alone, and the list is whole."""
    for number in range(100):
        await desk.done("karl", "addStatement", refundCaseId=case, text=f"Number {number}")
    refused = await desk.act("karl", "addStatement", refundCaseId=case, text="One more")
    assert [(one["code"], one["rule"]) for one in refused["refusals"]] == [("TOO_MANY_ITEMS", "D26")]
    await desk.done("erik", "addStatement", refundCaseId=case, text="My proof")
    await desk.done("sam", "addStatement", refundCaseId=case, text="Looked at it")
    found = await texts(desk, "erik", case)
    assert (len(found), found[-2:]) == (102, ["My proof", "Looked at it"])


async def test_a_party_withdraws_its_own_item_until_a_decision(desk: Desk, case: str) -> None:
    """Its words go, its hash and a line of the history stay; nobody else can, and not once it was decided with."""
    for text in ("First", "Second"):
        await desk.done("karl", "addStatement", refundCaseId=case, text=text)
    first, second = (await state(desk, "karl", case))["evidence"]
    for ref, code in (("erik", "FORBIDDEN"), ("sam", "FORBIDDEN"), ("klara", "NOT_FOUND")):
        refused = await desk.act(ref, "withdrawEvidence", evidenceId=first["id"])
        assert [one["code"] for one in refused["refusals"]] == [code], ref
    await desk.done("karl", "withdrawEvidence", evidenceId=first["id"])
    for ref in ("karl", "erik", "sam"):
        gone, kept = (await state(desk, ref, case))["evidence"]
        assert (gone["text"], gone["sha256"], kept["text"]) == ("", first["sha256"], "Second")
        assert gone["withdrawnAt"] is not None
    event = (await state(desk, "sam", case))["events"]["edges"][0]["node"]
    assert event["name"] == "EVIDENCE_WITHDRAWN"
    assert {"name": "evidence", "value": first["sha256"]} in event["facts"]
    again = await desk.act("karl", "withdrawEvidence", evidenceId=first["id"])
    assert [one["code"] for one in again["refusals"]] == ["TRANSITION_NOT_ALLOWED"]
    await desk.done("erik", "declineRefund", refundCaseId=case, message="No.")
    late = await desk.act("karl", "withdrawEvidence", evidenceId=second["id"])
    assert [(one["code"], one["rule"]) for one in late["refusals"]] == [("TRANSITION_NOT_ALLOWED", "D26")]
    assert await texts(desk, "erik", case) == ["", "Second"]


async def test_an_administrator_redacts(desk: Desk, case: str) -> None:
    """The words are gone from the database for everybody; hash, who and when stay, with the reason in the history."""
    await desk.done("karl", "addStatement", refundCaseId=case, text="My card number")
    (one,) = (await state(desk, "karl", case))["evidence"]
    refused = await desk.act("sam", "redactEvidence", evidenceId=one["id"], reason="Card data")
    assert [it["code"] for it in refused["refusals"]] == ["FORBIDDEN"]
    desk.clock.at += HOUR
    empty = await desk.act("ada", "redactEvidence", evidenceId=one["id"], reason=" ")
    assert [it["code"] for it in empty["refusals"]] == ["INVALID_INPUT"]
    await desk.done("ada", "redactEvidence", evidenceId=one["id"], reason="Card data")
    for ref in ("karl", "erik", "sam", "ada"):
        (gone,) = (await state(desk, ref, case))["evidence"]
        assert (gone["text"], gone["sha256"], gone["addedBy"]["name"]) == ("", one["sha256"], "Karl Client")
        assert gone["redactedAt"] is not None
    event = (await state(desk, "karl", case))["events"]["edges"][0]["node"]
    assert (event["name"], event["note"]) == ("EVIDENCE_REDACTED", "Card data")
    rows = await desk.app.database.fetch("SELECT content, redaction_reason FROM evidence")
    assert [(row["content"], row["redaction_reason"]) for row in rows] == [(None, "Card data")]


async def test_frozen_messages_are_objects_of_their_own(desk: Desk, things: dict[str, str]) -> None:
    """What was frozen has ids and hashes of its own, however the live message reads later."""
    await desk.seed(message("chat-1", "lead-1", "carla", "I hire somebody", START))
    chat = "query($id: ID!) { lead(id: $id) { conversation { messages { edges { node { id body } } } } } }"
    live = (await desk.run("paula", chat, id=things["lead-1"]))["lead"]["conversation"]["messages"]["edges"]
    asked = await desk.done(
        "paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not it."
    )
    await desk.seed(message("chat-1", "lead-1", "carla", "I never said that", START))
    frozen = (await state(desk, "paula", asked["id"]))["evidence"][0]["messages"]
    assert [one["__typename"] for one in frozen] == ["FrozenMessage"] * len(frozen)
    assert "I hire somebody" in [one["body"] for one in frozen]
    ids = {one["id"] for one in frozen}
    assert len(ids) == len(frozen)
    assert ids.isdisjoint({edge["node"]["id"] for edge in live})
    assert all(len(one["sha256"]) == 64 for one in frozen)
    assert (await state(desk, "sam", asked["id"]))["evidence"][0]["messages"] == frozen


async def test_what_forms_are_drawn_from(desk: Desk) -> None:
    """Reasons by kind with their details, and what files are taken."""
    reasons = """query($kind: RefundCaseKind!) { refundReasons(kind: $kind) { reason details name description
      needsExplanation refundable } }"""
    found = {
        kind: (await desk.run("karl", reasons, kind=kind))["refundReasons"]
        for kind in ("LEAD", "INVOICE", "ESCROW", "TIMESHEET")
    }
    lead = {one["reason"]: one for one in found["LEAD"]}
    assert lead["NOT_HIRED"]["refundable"] is False
    assert lead["OTHER"]["needsExplanation"] is True
    assert lead["TERMS_VIOLATION"]["details"] == ["RECRUITING_EMPLOYEES", "MINOR", "OTHER_VIOLATION"]
    assert {one["reason"] for one in found["INVOICE"]} - {one["reason"] for one in found["ESCROW"]} == {
        "HOURS_INCORRECT"
    }
    assert found["TIMESHEET"] == []
    limits = (await desk.run("karl", "{ uploadLimits { maxBytes contentTypes perSide } }"))["uploadLimits"]
    assert limits == {"maxBytes": 0, "contentTypes": [], "perSide": 100}
