"""Streams of one's withdrawals, of those asked for by hand too: every step once, in order, also across reconnects."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from stream_world import MINE, Subscriber, opened, subscribed

from api_world import START, Desk, at, usd

PAYOUTS = """subscription($after: String) { viewerWithdrawalUpdates(after: $after) {
  event at cursor withdrawal { id status amount { amount } failureReason refundCase { number } } } }"""
ASK = """mutation($input: RequestWithdrawalInput!) { requestWithdrawal(input: $input) {
  withdrawal { id } refusals { code } } }"""
CANCEL = "mutation($input: CancelWithdrawalInput!) { cancelWithdrawal(input: $input) { refusals { code } } }"
REPORT = "mutation($input: SyncRecordsInput!) { syncRecords(input: $input) { updated refusals { message } } }"
ERASE = "mutation($input: EraseAccountInput!) { eraseAccount(input: $input) { refusals { code } } }"
LIST = "{ viewer { withdrawals(first: 1) { asOf totalCount } } }"


async def ask(desk: Desk, ref: str = "erik", amount: str = "10.00") -> str:
    """Ask for a withdrawal by hand and return its id."""
    given = {"amount": usd(amount), "idempotencyKey": desk.key()}
    done = (await desk.run(ref, ASK, input=given))["requestWithdrawal"]
    assert done["refusals"] == []
    return str(done["withdrawal"]["id"])


async def report(desk: Desk, withdrawal: str, status: str, **more: Any) -> None:
    """Let the marketplace tell how far it has come."""
    record = {"withdrawal": {"id": withdrawal, "status": status, **more}}
    done = (await desk.run("market", REPORT, input={"records": [record]}))["syncRecords"]
    assert done == {"updated": 1, "refusals": []}


async def told(subscriber: Subscriber, count: int) -> list[tuple[str, str]]:
    """Return the next steps, each with its withdrawal."""
    updates = [await subscriber.take() for _ in range(count)]
    return [(update["event"], update["withdrawal"]["id"]) for update in updates]


async def test_every_step_of_a_hand_made_withdrawal_is_on_its_owners_stream(desk: Desk) -> None:
    """Asked for, sent, paid; failed with its reason; cancelled: in order, with the withdrawal as it is."""
    async with subscribed(desk, "erik", PAYOUTS) as erik:
        first, second, third = await ask(desk), await ask(desk), await ask(desk)
        assert await told(erik, 3) == [("REQUESTED", one) for one in (first, second, third)]
        await report(desk, first, "SENT")
        await report(desk, first, "PAID")
        assert await told(erik, 2) == [("SENT", first), ("PAID", first)]
        await report(desk, second, "FAILED", failureReason="No such account.")
        failed = await erik.take()
        assert failed["withdrawal"] == {
            "id": second,
            "status": "FAILED",
            "amount": {"amount": "10.00"},
            "failureReason": "No such account.",
            "refundCase": None,
        }
        given = {"withdrawalId": third, "idempotencyKey": desk.key()}
        assert (await desk.run("erik", CANCEL, input=given))["cancelWithdrawal"] == {"refusals": []}
        cancelled = await erik.take()
        assert (cancelled["event"], cancelled["withdrawal"]["id"]) == ("CANCELLED", third)
        assert cancelled["at"] == at(START)
        assert await erik.is_quiet()


async def test_what_a_case_sends_on_is_there_too(desk: Desk, things: dict[str, str]) -> None:
    """One list of payouts is kept by one stream, whether a case made them or its owner (D10)."""
    async with subscribed(desk, "karl", PAYOUTS) as karl, subscribed(desk, "karl", MINE) as cases:
        case = await desk.done(
            "karl",
            "requestInvoiceRefund",
            invoiceId=things["invoice-2"],
            amount=usd("10.00"),
            sendToPaymentMethod=True,
        )
        await desk.done("erik", "approveRefund", refundCaseId=case["id"])
        update = await karl.take()
        assert (update["event"], update["withdrawal"]["refundCase"]["number"]) == ("REQUESTED", case["number"])
        assert await cases.names(4) == ["REQUEST", "APPROVE", "CREDIT", "WITHDRAWAL_CHANGED"]
        await report(desk, update["withdrawal"]["id"], "SENT")
        assert (await karl.take())["event"] == "SENT"
        assert await cases.names(1) == ["WITHDRAWAL_CHANGED"]


async def test_a_payout_that_the_marketplace_made_is_told_while_it_is_under_way(desk: Desk) -> None:
    """One of the past is not: nobody's phone rings for a history that moves in."""
    async with subscribed(desk, "erik", PAYOUTS) as erik:
        made = {"account": "erik", "amount": usd("1.00"), "requestedAt": at(START)}
        await desk.seed(
            {"withdrawal": {"id": "past", "status": "PAID", **made}},
            {"withdrawal": {"id": "now", "status": "SENT", **made}},
        )
        assert (await erik.take())["event"] == "SENT"
        await report(desk, "now", "PAID")
        assert (await erik.take())["event"] == "PAID"
        assert await erik.is_quiet()


async def test_nobody_else_hears_of_it(desk: Desk) -> None:
    """Neither another party, nor staff, who have lists, nor the marketplace, which has webhooks."""
    async with (
        subscribed(desk, "karl", PAYOUTS, after="0.0") as karl,
        subscribed(desk, "ada", PAYOUTS, after="0.0") as ada,
        subscribed(desk, "market", PAYOUTS, after="0.0") as market,
    ):
        await ask(desk)
        for other in (karl, ada, market):
            assert await other.is_quiet()
    refused = await opened(desk, None, PAYOUTS)
    assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_cursor_resumes_without_gap_or_double(desk: Desk, things: dict[str, str]) -> None:
    """Each cursor goes on with the very next step, also one of a list, of the stream of cases, and of the beginning."""
    listed = (await desk.run("erik", LIST))["viewer"]["withdrawals"]["asOf"]
    async with subscribed(desk, "erik", PAYOUTS) as erik, subscribed(desk, "erik", MINE) as cases:
        cursors, ids = [], []
        for _ in range(4):
            ids.append(await ask(desk, amount="1.00"))
            cursors.append((await erik.take())["cursor"])
        await desk.done("karl", "requestInvoiceRefund", invoiceId=things["invoice-2"], amount=usd("10.00"))
        behind = (await cases.take())["cursor"]
    last = await ask(desk)
    expected = [*ids, last]
    for after, rest in [("0.0", expected), (listed, expected), (behind, [last])] + [
        (cursor, expected[place + 1 :]) for place, cursor in enumerate(cursors)
    ]:
        async with subscribed(desk, "erik", PAYOUTS, after=after) as again:
            assert await told(again, len(rest)) == [("REQUESTED", one) for one in rest]
            assert await again.is_quiet()
    for bad in ("", "x", "999999999999.9999"):
        found = await opened(desk, "erik", PAYOUTS, after=bad)
        assert found["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_many_reconnects_lose_and_double_nothing(desk: Desk) -> None:
    """Steps are taken while a reader comes and goes with its last cursor: it ends up with every one, in order."""
    ids: list[str] = []

    async def act() -> None:
        for _ in range(30):
            ids.append(await ask(desk, amount="0.01"))
            await report(desk, ids[-1], "SENT")

    acting, seen, after = (
        asyncio.create_task(act()),
        [],
        (await desk.run("erik", LIST))["viewer"]["withdrawals"]["asOf"],
    )
    while len(seen) < 60:
        async with subscribed(desk, "erik", PAYOUTS, after=after) as erik:
            for _ in range(min(7, 60 - len(seen))):
                update = await erik.take()
                seen.append((update["event"], update["withdrawal"]["id"]))
                after = update["cursor"]
    await acting
    assert seen == [(event, one) for one in ids for event in ("REQUESTED", "SENT")]


async def test_a_stream_ends_with_its_account(desk: Desk) -> None:
    """Once the account is erased, its withdrawals are nobody's to follow."""
    await desk.seed({"account": {"externalRef": "gone", "name": "Gone", "roles": ["EXPERT"]}})
    (account,) = await desk.app.database.fetch("SELECT id FROM account WHERE external_ref = 'gone'")
    async with subscribed(desk, "gone", PAYOUTS) as gone:
        assert await gone.is_quiet()
        given = {"accountId": f"Account_{account['id']}", "reason": "Asked for.", "idempotencyKey": desk.key()}
        assert (await desk.run("ada", ERASE, input=given))["eraseAccount"] == {"refusals": []}
        made = {"account": f"erased-{account['id']}", "amount": usd("1.00"), "requestedAt": at(START)}
        await desk.seed({"withdrawal": {"id": "late", "status": "SENT", **made}})
        assert await gone.has_ended()


@pytest.mark.parametrize("status", ["SENT", "PAID"])
async def test_a_repeat_is_not_told_again(desk: Desk, status: str) -> None:
    """A report that changes nothing is no step."""
    async with subscribed(desk, "erik", PAYOUTS) as erik:
        first = await ask(desk)
        await report(desk, first, status)
        record = {"withdrawal": {"id": first, "status": status}}
        done = await desk.run("market", REPORT, input={"records": [record]})
        assert done["syncRecords"]["updated"] == 0
        steps = ["REQUESTED", "SENT"] + ["PAID"] * (status == "PAID")
        assert await told(erik, len(steps)) == [(one, first) for one in steps]
        assert await erik.is_quiet()
