"""Mutations: payloads, refusals as data, replays; a refused act has changed nothing."""

from __future__ import annotations

from typing import Any

import pytest

from api_world import DAY, START, Desk, at, ids, lead, milestone, usd

REFUSALS = """refusals { __typename code message rule field alternatives
  ... on AmountRefusal { maximum { amount } requested { amount } }
  ... on ConflictRefusal { currentState currentVersion }
  ... on WindowRefusal { availableFrom availableUntil elapsedDays limitDays } }"""
APPROVE = f"""mutation($input: ApproveRefundInput!) {{ approveRefund(input: $input) {{ replayed {REFUSALS}
  refundCase {{ state version creditedAmount {{ amount }} settlement {{ status }} }}
  event {{ name sequence amount {{ amount }} }} }} }}"""


async def requested(desk: Desk, things: dict[str, str]) -> str:
    """Return the id of a request about the second invoice."""
    case = await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("30.00"))
    return str(case["id"])


async def test_the_payload_shows_what_was_done(desk: Desk, things: dict[str, str]) -> None:
    """The act's own event comes back, and the case with what followed by itself."""
    case = await requested(desk, things)
    given = {"refundCaseId": case, "amount": usd("20.00"), "expectedVersion": 1, "idempotencyKey": "a"}
    payload = (await desk.run("erik", APPROVE, input=given))["approveRefund"]
    assert payload == {
        "replayed": False,
        "refusals": [],
        "refundCase": {
            "state": "CREDITED",
            "version": 3,
            "creditedAmount": {"amount": "20.00"},
            "settlement": {"status": "SETTLED"},
        },
        "event": {"name": "APPROVE", "sequence": 2, "amount": {"amount": "20.00"}},
    }


async def test_a_repeat_replays(desk: Desk, things: dict[str, str]) -> None:
    """The same key with the same input does nothing again; with other input it is refused."""
    case = await requested(desk, things)
    given = {"refundCaseId": case, "amount": usd("20.00"), "idempotencyKey": "a"}
    first = (await desk.run("erik", APPROVE, input=given))["approveRefund"]
    again = (await desk.run("erik", APPROVE, input=given))["approveRefund"]
    assert again == {**first, "replayed": True}
    other = (await desk.run("erik", APPROVE, input={**given, "amount": usd("10.00")}))["approveRefund"]
    assert (other["refundCase"], other["event"], other["replayed"]) == (None, None, False)
    assert [one["code"] for one in other["refusals"]] == ["IDEMPOTENCY_KEY_REUSED"]
    elsewhere = await desk.act("erik", "declineRefund", refundCaseId=case, message="No.", idempotencyKey="a")
    assert [one["code"] for one in elsewhere["refusals"]] == ["IDEMPOTENCY_KEY_REUSED"]


@pytest.mark.parametrize(
    ("ref", "given", "expected"),
    [
        (
            "erik",
            {"expectedVersion": 7},
            {"__typename": "ConflictRefusal", "code": "VERSION_CONFLICT", "currentVersion": 1},
        ),
        (
            "erik",
            {"amount": usd("30.01")},
            {"__typename": "AmountRefusal", "code": "AMOUNT_EXCEEDS_REFUNDABLE", "maximum": {"amount": "30.00"}},
        ),
        ("erik", {"amount": {"amount": "1", "currencyCode": "JPY"}}, {"code": "CURRENCY_MISMATCH"}),
        ("erik", {"amount": usd("0")}, {"__typename": "BasicRefusal", "code": "INVALID_INPUT", "field": ["amount"]}),
        ("karl", {}, {"code": "FORBIDDEN"}),
        ("paula", {}, {"code": "NOT_FOUND", "field": ["refundCaseId"]}),
        ("market", {}, {"code": "FORBIDDEN"}),
    ],
)
async def test_refusals_are_data(
    desk: Desk, things: dict[str, str], ref: str, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Each refusal has its type, code and parameters, and nothing has changed."""
    case = await requested(desk, things)
    whole = {"refundCaseId": case, "idempotencyKey": "r", **given}
    payload = (await desk.run(ref, APPROVE, input=whole))["approveRefund"]
    assert (payload["refundCase"], payload["event"], payload["replayed"]) == (None, None, False)
    (refusal,) = payload["refusals"]
    assert {key: refusal[key] for key in expected} == expected
    assert refusal["message"].endswith((".", "?"))
    found = await desk.run("sam", "query($id: ID!) { refundCase(id: $id) { state version } }", id=case)
    assert found["refundCase"] == {"state": "REQUESTED", "version": 1}


async def test_a_window_tells_its_numbers(desk: Desk, things: dict[str, str]) -> None:
    """A closed window says which day it is and which was the last."""
    desk.clock.at += 30 * DAY
    document = f"""mutation($input: RequestLeadRefundInput!) {{ requestLeadRefund(input: $input) {{ {REFUSALS} }} }}"""
    given = {"leadId": things["lead-1"], "reason": "OTHER", "explanation": "Not it.", "idempotencyKey": "w"}
    ((refusal,),) = (await desk.run("paula", document, input=given))["requestLeadRefund"].values()
    assert (refusal["__typename"], refusal["code"], refusal["rule"]) == ("WindowRefusal", "WINDOW_CLOSED", "L15")
    assert (refusal["elapsedDays"], refusal["limitDays"]) == (31, 30)
    assert refusal["availableUntil"] == "2026-04-03T00:00:00Z"


async def test_messages_reviews_and_withdrawals_have_payloads(desk: Desk, things: dict[str, str]) -> None:
    """The other payloads carry their objects, replay too, and refuse as data."""
    case = await requested(desk, things)
    send = """mutation($input: SendCaseMessageInput!) { sendCaseMessage(input: $input) {
      replayed message { body audience author { name } } refusals { code } } }"""
    given = {"refundCaseId": case, "body": " Hello ", "idempotencyKey": "m"}
    first = (await desk.run("karl", send, input=given))["sendCaseMessage"]
    assert first["message"] == {"body": "Hello", "audience": "EVERYONE", "author": {"name": "Karl Client"}}
    assert (await desk.run("karl", send, input=given))["sendCaseMessage"] == {**first, "replayed": True}
    secret = await desk.run("karl", send, input={**given, "audience": "INTERNAL", "idempotencyKey": "n"})
    assert secret["sendCaseMessage"] == {"replayed": False, "message": None, "refusals": [{"code": "FORBIDDEN"}]}

    post = """mutation($input: PostReviewInput!) { postReview(input: $input) { replayed review { id rating body hidden
      hiddenBecause editAllowed author { name } subject { name } } refusals { code } } }"""
    given = {"contractId": things["hourly"], "rating": 4, "body": "Good.", "idempotencyKey": "p"}
    review = (await desk.run("karl", post, input=given))["postReview"]["review"]
    review_id = review.pop("id")
    assert review == {
        "rating": 4,
        "body": "Good.",
        "hidden": False,
        "hiddenBecause": None,
        "editAllowed": False,
        "author": {"name": "Karl Client"},
        "subject": {"name": "Erik Expert"},
    }
    edit = "mutation($input: EditReviewInput!) { editReview(input: $input) { review { rating } refusals { code } } }"
    given = {"reviewId": review_id, "rating": 5, "body": "Better.", "idempotencyKey": "e"}
    refused = (await desk.run("karl", edit, input=given))["editReview"]
    assert refused == {"review": None, "refusals": [{"code": "REVIEW_EDIT_NOT_ALLOWED"}]}
    allow = "mutation($input: AllowReviewEditInput!) { allowReviewEdit(input: $input) { review { editAllowed } } }"
    allowed = await desk.run("erik", allow, input={"reviewId": review_id, "idempotencyKey": "l"})
    assert allowed["allowReviewEdit"]["review"] == {"editAllowed": True}
    assert (await desk.run("karl", edit, input=given))["editReview"] == {"review": {"rating": 5}, "refusals": []}

    withdraw = """mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) {
      replayed withdrawal { status amount { amount } requestedAt estimatedFrom estimatedUntil failureReason }
      refusals { code rule } } }"""
    given = {"amount": usd("50.00"), "idempotencyKey": "x"}
    done = (await desk.run("erik", withdraw, input=given))["requestWithdrawal"]
    assert done["withdrawal"] == {
        "status": "REQUESTED",
        "amount": {"amount": "50.00"},
        "requestedAt": at(desk.clock.at),
        "estimatedFrom": "2026-03-09",
        "estimatedUntil": "2026-03-11",
        "failureReason": None,
    }
    assert (await desk.run("erik", withdraw, input=given))["requestWithdrawal"] == {**done, "replayed": True}
    more = (await desk.run("erik", withdraw, input={**given, "idempotencyKey": "y"}))["requestWithdrawal"]
    assert (more["withdrawal"], [one["code"] for one in more["refusals"]]) == (None, ["BALANCE_INSUFFICIENT"])


async def test_evidence(desk: Desk, things: dict[str, str]) -> None:
    """Statements and frozen messages are shown as they were; files need a store."""
    case = await desk.done("paula", "requestLeadRefund", leadId=things["lead-1"], reason="OTHER", explanation="Not it.")
    chat = await desk.run(
        "paula",
        "query($id: ID!) { lead(id: $id) { conversation { messages { edges { node { id body authorName } } } } } }",
        id=things["lead-1"],
    )
    messages = [edge["node"] for edge in chat["lead"]["conversation"]["messages"]["edges"]]
    assert [one["authorName"] for one in messages] == ["Carla Customer", "Paula Plumber"]
    added = await desk.act("paula", "addConversationEvidence", refundCaseId=case["id"], messageIds=[messages[0]["id"]])
    assert (added["refusals"], added["event"]["name"]) == ([], "ADD_EVIDENCE")
    await desk.done("paula", "addStatement", refundCaseId=case["id"], text=" They moved. ")
    document = """query($id: ID!) { refundCase(id: $id) { evidence { __typename id sha256 addedBy { name }
      ... on StatementEvidence { text } ... on ConversationEvidence { messages { id body authorName sentAt } } } } }"""
    found = (await desk.run("sam", document, id=case["id"]))["refundCase"]["evidence"]
    assert [one["__typename"] for one in found] == ["ConversationEvidence", "ConversationEvidence", "StatementEvidence"]
    assert found[2]["text"] == "They moved."
    assert [one["body"] for one in found[1]["messages"]] == ["Can you come on Monday?"]
    assert [len(one["sha256"]) for one in found] == [64] * 3
    foreign = await desk.act("paula", "addConversationEvidence", refundCaseId=case["id"], messageIds=["Message_x"])
    assert [one["code"] for one in foreign["refusals"]] == ["NOT_FOUND"]
    upload = """mutation($input: CreateEvidenceUploadInput!) { createEvidenceUpload(input: $input) {
      uploadUrl expiresAt replayed refusals { code field } } }"""
    given = {
        "refundCaseId": case["id"],
        "fileName": "a.pdf",
        "contentType": "application/pdf",
        "sizeBytes": 5,
        "sha256": "0" * 64,
    }
    payload = (await desk.run("paula", upload, input=given))["createEvidenceUpload"]
    assert (payload["uploadUrl"], payload["expiresAt"]) == (None, None)
    assert [one["code"] for one in payload["refusals"]] == ["EVIDENCE_REJECTED"]


async def test_sync_names_the_record_at_fault(desk: Desk) -> None:
    """A bad record refuses the whole batch and says where it stands; a replay changes nothing."""
    document = """mutation($r: [SyncRecord!]!) { syncRecords(input: { records: $r }) {
      created updated unchanged refusals { code field message } } }"""
    good, bad = lead("sync-1"), lead("sync-2", pro="nobody")
    refused = (await desk.run("market", document, r=[good, bad]))["syncRecords"]
    assert (refused["created"], refused["updated"], refused["unchanged"]) == (0, 0, 0)
    assert refused["refusals"][0]["field"][:3] == ["records", "1", "lead"]
    assert (await desk.run("market", document, r=[good]))["syncRecords"]["created"] == 1
    assert (await desk.run("market", document, r=[good]))["syncRecords"] == {
        "created": 0,
        "updated": 0,
        "unchanged": 1,
        "refusals": [],
    }
    for ref in ("sam", "ada", "paula"):
        other = (await desk.run(ref, document, r=[good]))["syncRecords"]
        assert [one["code"] for one in other["refusals"]] == ["FORBIDDEN"]
    for record in (
        {},
        {**good, **bad, "account": None},
        {**good, "account": {"externalRef": "a", "name": "A", "roles": []}},
    ):
        assert await desk.code("market", document, r=[record]) == "BAD_USER_INPUT"


async def test_a_released_milestone_can_be_asked_about_without_an_invoice(
    small_desk: Desk,
) -> None:
    """C29: the client may still ask for accepted work, the expert may still refund it; escrow is asked for as such."""
    released = {"status": "RELEASED", "releasedAt": at(START - DAY)}
    await small_desk.seed(milestone("step-9", "fixed", "40.00", **released))
    things = await ids(small_desk)

    async def ask(**given: Any) -> Any:
        return await small_desk.act(
            "klara", "requestInvoiceRefund", "kind subject { __typename }", amount=usd("15.00"), **given
        )

    payload = await ask(milestoneId=things["step-9"])
    case = payload["refundCase"]
    assert (payload["refusals"], case["state"], case["kind"]) == ([], "REQUESTED", "INVOICE")
    assert case["subject"] == {"__typename": "Milestone"}
    approved = await small_desk.done("emma", "approveRefund", refundCaseId=case["id"])
    assert approved["state"] == "CREDITED"
    for given, refusal in (
        ({"milestoneId": things["step-1"]}, ("NOT_YET_AVAILABLE", "C30")),
        ({"milestoneId": things["step-9"], "invoiceId": things["invoice-1"]}, ("INVALID_INPUT", None)),
    ):
        assert [(one["code"], one["rule"]) for one in (await ask(**given))["refusals"]] == [refusal]


ERASE = """mutation($input: EraseAccountInput!) { eraseAccount(input: $input) {
  account { externalRef name } replayed refusals { code rule } } }"""


async def test_an_administrator_erases_and_sees_nothing_of_the_person(desk: Desk, things: dict[str, str]) -> None:
    """The payload shows what is left of the account; support is refused, an account with an open case stays (D30)."""
    await requested(desk, things)
    karl = (await desk.run("karl", "{ viewer { id } }"))["viewer"]["id"]
    given = {"accountId": karl, "reason": "Asked for.", "idempotencyKey": "e"}
    open_case = (await desk.run("ada", ERASE, input=given))["eraseAccount"]
    assert (open_case["account"], open_case["refusals"]) == (None, [{"code": "CASE_ALREADY_OPEN", "rule": "D30"}])
    sue = (await desk.run("sue", "{ viewer { id } }"))["viewer"]["id"]
    refused = (await desk.run("sue", ERASE, input={**given, "accountId": sue}))["eraseAccount"]
    assert [one["code"] for one in refused["refusals"]] == ["FORBIDDEN"]
    erased = (await desk.run("ada", ERASE, input={**given, "accountId": sue}))["eraseAccount"]
    reference = f"erased-{sue.partition('_')[2]}"
    assert erased == {"account": {"externalRef": reference, "name": "[erased]"}, "replayed": False, "refusals": []}
    unknown = (await desk.run("ada", ERASE, input={**given, "accountId": "Account_x", "idempotencyKey": "f"}))[
        "eraseAccount"
    ]
    assert [one["code"] for one in unknown["refusals"]] == ["NOT_FOUND"]
