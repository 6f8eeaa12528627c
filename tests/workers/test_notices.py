"""Webhooks of what is no event of a case: withdrawals on their way, reviews hidden and shown again."""

from __future__ import annotations

import json
from typing import Any

from receiver import Receiver
from webhook_desk import WebhookDesk

from api_world import START, at, invoice, usd


def bodies(receiver: Receiver) -> list[dict[str, Any]]:
    """Return what arrived, in order."""
    return [json.loads(one.body) for one in receiver.received]


async def withdraw(hooks: WebhookDesk, amount: str) -> str:
    """Let Erik ask for a withdrawal by hand."""
    document = """mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) {
      withdrawal { id } refusals { message } } }"""
    given = {"amount": usd(amount), "idempotencyKey": hooks.desk.key()}
    return str((await hooks.desk.run("erik", document, input=given))["requestWithdrawal"]["withdrawal"]["id"])


async def report(hooks: WebhookDesk, withdrawal: str, status: str, **more: Any) -> None:
    """Let the marketplace tell how far it has come."""
    document = "mutation($input: SyncRecordsInput!) { syncRecords(input: $input) { updated refusals { message } } }"
    record = {"withdrawal": {"id": withdrawal, "status": status, **more}}
    done = await hooks.desk.run("market", document, input={"records": [record]})
    assert done["syncRecords"] == {"updated": 1, "refusals": []}


async def test_each_step_of_a_withdrawal_is_told_with_its_payee(hooks: WebhookDesk, receiver: Receiver) -> None:
    """In one stream with events of cases, in order; the reason of a failure stays with its owner."""
    endpoint, secret = await hooks.endpoint(receiver.url)
    first, second = await withdraw(hooks, "10.00"), await withdraw(hooks, "20.00")
    await hooks.cases()
    await report(hooks, first, "SENT")
    await report(hooks, first, "PAID")
    await report(hooks, second, "FAILED", failureReason="A secret reason.")
    await hooks.sender().deliver_due()
    told = bodies(receiver)
    assert [one["type"] for one in told] == [
        "withdrawal.requested",
        "withdrawal.requested",
        "refund_case.request",
        "withdrawal.sent",
        "withdrawal.paid",
        "withdrawal.failed",
    ]
    assert all(one.verified_by(secret) for one in receiver.received)
    data = told[0]["data"]
    assert (data["withdrawal"], data["account"]) == ({"id": first, "externalRef": None}, {"externalRef": "erik"})
    assert (data["amountMinor"], data["currencyCode"], data["purpose"]) == (1_000, "USD", "CONTRACTS")
    assert (data["refundCaseId"], data["number"]) == (None, None)
    assert "secret" not in json.dumps(told)
    log = await hooks.log(endpoint)
    assert [one["event"] is None for one in log] == [True, True, False, True, True, True]
    assert [one["state"] for one in log] == ["DELIVERED"] * 6


async def test_a_sender_that_begins_again_tells_nothing_twice(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Places of notices are of the same stream: the queue goes on behind the last one, and can be set back."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    for _ in range(3):
        await withdraw(hooks, "1.00")
        await hooks.cases()
        await hooks.sender().deliver_due()
    assert [one["type"].split(".")[0] for one in bodies(receiver)] == ["withdrawal", "refund_case"] * 3
    cursors = [one["data"]["cursor"] for one in bodies(receiver)]
    ids = receiver.ids
    assert len(set(ids)) == 6
    await hooks.act("rewindWebhookEndpoint", webhookEndpointId=endpoint, after=cursors[2])
    await hooks.sender().deliver_due()
    assert receiver.ids[6:] == ids[3:]


async def test_an_endpoint_that_asked_for_names_gets_withdrawals_by_theirs(
    hooks: WebhookDesk, receiver: Receiver
) -> None:
    """CREDIT alone gets none of them, WITHDRAWAL_CHANGED gets every withdrawal."""
    await hooks.endpoint(receiver.url + "?1", events=["CREDIT"])
    await hooks.endpoint(receiver.url + "?2", events=["WITHDRAWAL_CHANGED"])
    await withdraw(hooks, "1.00")
    await hooks.cases()
    await hooks.sender().deliver_due()
    assert [one["type"] for one in bodies(receiver)] == ["withdrawal.requested"]


async def test_reviews_hidden_and_shown_again_are_told(hooks: WebhookDesk, receiver: Receiver) -> None:
    """When a refund brings a contract below the threshold, and when a payment lifts it again (C21)."""
    await hooks.desk.seed(
        {
            "contract": {
                "externalRef": "tiny",
                "kind": "FIXED_PRICE",
                "client": "karl",
                "expert": "erik",
                "title": "Logo",
                "status": "OPEN",
                "currencyCode": "USD",
                "startedAt": at(START.replace(month=1)),
            }
        },
        invoice("tiny-1", "tiny", "30.00", START.replace(day=1)),
    )
    await hooks.endpoint(receiver.url)
    record = {"externalRef": "gone", "invoice": "tiny-1", "amount": usd("6.00"), "creditedAt": at(START.replace(day=2))}
    await hooks.desk.seed({"refund": record})
    await hooks.desk.seed(invoice("tiny-2", "tiny", "1.00", START.replace(day=3)))
    await hooks.sender().deliver_due()
    told = bodies(receiver)
    assert [one["type"] for one in told] == ["reviews.hidden", "reviews.shown"]
    assert told[0]["data"]["contract"] == {"externalRef": "tiny"}
    assert (told[0]["data"]["client"], told[0]["data"]["expert"]) == ({"externalRef": "karl"}, {"externalRef": "erik"})
