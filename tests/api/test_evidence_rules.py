"""Evidence with an audience, bounded for each side, withdrawn, redacted and frozen (D26)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api_world import HOUR, START, Desk, message, usd
from refundgql.commands import evidence

MINUTE = timedelta(minutes=1)

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


async def add(desk: Desk, ref: str, case: str, text: str, audience: str = "EVERYONE") -> None:
    """Add a statement for an audience."""
    await desk.done(ref, "addStatement", refundCaseId=case, text=text, audience=audience)


async def texts(desk: Desk, ref: str, case: str) -> list[str]:
    """Return the statements that somebody reads."""
    return [one["text"] for one in (await state(desk, ref, case))["evidence"] if "text" in one]


async def test_evidence_is_read_by_its_audience(desk: Desk, case: str) -> None:
    """Each item is read by whom it is for; what staff keep for themselves is STAFF_NOTE in the history."""
    await add(desk, "karl", case, "For all")
    await add(desk, "karl", case, "Client's", "REQUESTER_AND_SUPPORT")
    await add(desk, "erik", case, "Expert's", "COUNTERPARTY_AND_SUPPORT")
    await add(desk, "sam", case, "Staff's", "INTERNAL")
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


async def test_a_cache_by_ids_keeps_what_was_frozen_apart(desk: Desk, things: dict[str, str]) -> None:
    """A cache that merges objects by type and id, as Apollo's does, shows the frozen words and the edited ones."""
    await desk.seed(message("chat-1", "lead-1", "carla", "I hire somebody", START))
    told = {"leadId": things["lead-1"], "reason": "OTHER", "explanation": "Not it."}
    case = (await desk.done("paula", "requestLeadRefund", **told))["id"]
    await desk.seed(message("chat-1", "lead-1", "carla", "I never said that", START))
    both = """query($id: ID!) { refundCase(id: $id) { __typename id
      subject { ... on Lead { __typename id conversation { __typename id
        messages(last: 1) { edges { node { __typename id body sentAt } } } } } }
      evidence { __typename id ... on ConversationEvidence { messages { __typename id body sentAt } } } } }"""
    cache: dict[str, dict[str, Any]] = {}

    def written(value: Any) -> Any:
        """Put objects with ids into the cache, each once, and return references in their place."""
        if isinstance(value, list):
            return [written(one) for one in value]
        if not isinstance(value, dict):
            return value
        fields = {name: written(one) for name, one in value.items()}
        if "id" not in value:
            return fields
        cache.setdefault(f"{value['__typename']}:{value['id']}", {}).update(fields)
        return {"__ref": f"{value['__typename']}:{value['id']}"}

    def read(value: Any) -> Any:
        """Return what a screen is drawn from."""
        if isinstance(value, list):
            return [read(one) for one in value]
        if isinstance(value, dict) and "__ref" in value:
            return read(cache[value["__ref"]])
        return {name: read(one) for name, one in value.items()} if isinstance(value, dict) else value

    for ref in ("sam", "paula"):
        answer = (await desk.run(ref, both, id=case))["refundCase"]
        assert read(written(answer)) == answer
    assert [one["body"] for name, one in cache.items() if name.startswith("FrozenMessage:")][-1] == "I hire somebody"
    assert [one["body"] for name, one in cache.items() if name.startswith("Message:")] == ["I never said that"]


async def test_frozen_chats_are_bounded_and_read_in_pages(desk: Desk, things: dict[str, str]) -> None:
    """Of a long chat the latest are frozen, with what was chosen apart; each is read a page of 100 at a time."""
    said = [message(f"long-{n}", "lead-1", "carla", f"Word {n}", START + n * MINUTE / 60) for n in range(1_010)]
    desk.clock.at += HOUR
    await desk.seed(*said)
    chat = "query($id: ID!) { lead(id: $id) { conversation { messages(first: 5) { edges { node { id body } } } } } }"
    found = (await desk.run("paula", chat, id=things["lead-1"]))["lead"]["conversation"]["messages"]["edges"]
    oldest = [edge["node"] for edge in found]
    told = {"leadId": things["lead-1"], "reason": "OTHER", "explanation": "Not it."}
    case = await desk.done("paula", "requestLeadRefund", messageIds=[one["id"] for one in oldest], **told)
    shown = """query($id: ID!) { refundCase(id: $id) { evidence { id sha256 ... on ConversationEvidence {
      messageCount messages { body } } } } }"""
    chosen, whole = (await desk.run("sam", shown, id=case["id"]))["refundCase"]["evidence"]
    assert (chosen["messageCount"], whole["messageCount"]) == (5, 1_000)
    assert [one["body"] for one in chosen["messages"]] == [one["body"] for one in oldest]
    assert len(whole["messages"]) == 100
    page = """query($id: ID!, $first: Int!, $after: ID) { node(id: $id) { ... on ConversationEvidence {
      messages(first: $first, after: $after) { id body } } } }"""
    read: list[str] = []
    after = None
    while found := (await desk.run("sam", page, id=whole["id"], first=99, after=after))["node"]["messages"]:
        read += [one["body"] for one in found]
        after = found[-1]["id"]
    assert read == [f"Word {n}" for n in range(10, 1_010)]
    for elsewhere in ("FrozenMessage_x", oldest[0]["id"], "nothing"):
        assert (await desk.run("sam", page, id=whole["id"], first=1, after=elsewhere))["node"] == {"messages": []}
    assert await desk.code("sam", page, id=whole["id"], first=101) == "BAD_USER_INPUT"


async def test_a_chat_of_the_longest_messages_is_frozen_as_far_as_there_is_room(
    desk: Desk, things: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Characters are bounded beside messages: the latest that fit are kept."""
    monkeypatch.setattr(evidence, "FROZEN_CHARS", 25)
    await desk.seed(*[message(f"c-{n}", "lead-1", "carla", f"{n}" * 10, START - (9 - n) * MINUTE) for n in range(3)])
    told = {"leadId": things["lead-1"], "reason": "OTHER", "explanation": "Not it."}
    case = await desk.done("paula", "requestLeadRefund", **told)
    (whole,) = (await state(desk, "sam", case["id"]))["evidence"]
    assert [one["body"] for one in whole["messages"]] == ["1" * 10, "2" * 10]


async def test_a_decision_names_the_evidence_that_its_decider_could_read(desk: Desk, case: str) -> None:
    """Hashes of what was there and for them, neither withdrawn nor redacted; only staff read them (D26)."""
    for_all, own, experts, withdrawn, redacted, secret, late = (
        hashlib.sha256(text.encode()).hexdigest() for text in ("all", "own", "expert", "gone", "card", "note", "late")
    )
    await add(desk, "karl", case, "all")
    await add(desk, "karl", case, "own", "REQUESTER_AND_SUPPORT")
    await add(desk, "erik", case, "expert", "COUNTERPARTY_AND_SUPPORT")
    await add(desk, "karl", case, "gone")
    await add(desk, "karl", case, "card")
    await add(desk, "sam", case, "note", "INTERNAL")
    by_hash = {one["sha256"]: one["id"] for one in (await state(desk, "sam", case))["evidence"]}
    await desk.done("karl", "withdrawEvidence", evidenceId=by_hash[withdrawn])
    await desk.done("ada", "redactEvidence", evidenceId=by_hash[redacted], reason="Card data")
    await desk.done("erik", "declineRefund", refundCaseId=case, message="Work was done.")
    await desk.done("karl", "escalateRefund", refundCaseId=case, explanation="Please decide.")
    await add(desk, "erik", case, "late")
    policy = replace(desk.app.policy, decision_limit_minor={"USD": 1_000})
    desk.app = replace(desk.app, policy=policy, uow=replace(desk.app.uow, policy=policy))
    await desk.done("sam", "approveRefund", refundCaseId=case)
    await desk.done("ada", "confirmDecision", refundCaseId=case)
    events = "query($id: ID!) { refundCase(id: $id) { events { edges { node { name facts { name value } } } } } }"
    found: dict[str, list[str]] = {}
    for edge in (await desk.run("sam", events, id=case))["refundCase"]["events"]["edges"]:
        node = edge["node"]
        if node["name"] not in ("EVIDENCE_WITHDRAWN", "EVIDENCE_REDACTED"):
            found[node["name"]] = [one["value"] for one in node["facts"] if one["name"] == "evidence"]
    everything = [for_all, own, experts, secret, late]
    assert {name: hashes for name, hashes in found.items() if hashes} == {
        "DECLINE": [for_all, experts],
        "PROPOSE": everything,
        "CONFIRM": everything,
        "APPROVE": everything,
    }
    for ref in ("karl", "erik", "market"):
        for edge in (await desk.run(ref, events, id=case))["refundCase"]["events"]["edges"]:
            assert edge["node"]["facts"] == []


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
