"""Events go out signed, in order, again until they are taken; whatever a receiver does hurts it alone."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from receiver import HANG, Receiver
from webhook_desk import WebhookDesk

from patience import PATIENCE_SECONDS, until
from ports import free_port
from refundgql.commands.sweep import sweep_due
from refundgql.domain.webhooks import RetryPlan
from refundgql.workers.webhook_requests import ReceiverConnection

SECONDS = timedelta(seconds=1)


async def _all_delivered(hooks: WebhookDesk, endpoint: str, count: int) -> bool:
    """Tell whether so many deliveries have been written down as taken."""
    return len(await hooks.log(endpoint, "DELIVERED")) == count


@pytest.mark.usefixtures("kept_lines")
async def test_every_event_arrives_once_signed_and_in_order(hooks: WebhookDesk, receiver: Receiver) -> None:
    """A running sender delivers what happens, in the order of the stream, verified by the library."""
    endpoint, secret = await hooks.endpoint(receiver.url)
    async with hooks.sending():
        first, second = await hooks.cases(2)
        await hooks.say(first, 3)
        await hooks.say(second, 2)
        await hooks.desk.done("sam", "approveRefund", refundCaseId=first)
        await until(lambda: _all_delivered(hooks, endpoint, 9))
    assert [one.data["eventId"] for one in receiver.received] == await hooks.events()
    assert all(one.verified_by(secret) for one in receiver.received)
    assert receiver.most_at_once == 1
    assert receiver.connections == 1
    log = await hooks.log(endpoint)
    assert [one["state"] for one in log] == ["DELIVERED"] * 9
    assert [one["id"] for one in log] == receiver.ids
    assert [[it["status"] for it in one["attempts"]] for one in log] == [[200]] * 9


async def test_the_body_says_whom_to_call_and_until_when(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Whose move it is, the clock with its end, and who takes care of it, by reference: no need to ask back."""
    await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    sam = (await hooks.desk.run("sam", "{ viewer { id } }"))["viewer"]["id"]
    await hooks.desk.done("ada", "assignCase", refundCaseId=case, assigneeId=sam)
    await hooks.sender().deliver_due()
    asked, assigned = (json.loads(one.body)["data"] for one in receiver.received)
    assert (asked["whoseMove"], asked["assignee"], asked["settlement"]) == ("SUPPORT", None, "NOT_DUE")
    assert asked["clock"] == {"name": "SLA_DECISION", "endsAt": "2026-03-06T12:00:00Z"}
    assert (assigned["assignee"], assigned["audience"]) == ({"externalRef": "sam"}, "INTERNAL")
    await hooks.desk.done("sam", "declineRefund", refundCaseId=case, message="No.")
    hooks.desk.clock.at += timedelta(days=30)
    await sweep_due(hooks.desk.app.uow)
    await hooks.sender().deliver_due()
    soon = receiver.received[-1].data
    assert (soon["event"], soon["whoseMove"]) == ("DUE_SOON", "REQUESTER")
    assert soon["clock"] == {"name": "SECOND_LOOK", "endsAt": "2026-04-04T00:00:00Z"}


async def test_the_body_tells_what_moved_and_nothing_that_was_said(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Names, numbers, states and minor units are there; explanations, notes, names of people and evidence are not."""
    await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    approved = await hooks.desk.done(
        "sam", "approveRefund", refundCaseId=case, amount={"amount": "5", "currencyCode": "USD"}
    )
    await hooks.sender().deliver_due()
    body = json.loads(receiver.received[1].body)
    cursor = body["data"].pop("cursor")
    assert body == {
        "type": "refund_case.approve",
        "timestamp": "2026-03-04T12:00:00Z",
        "data": {
            "eventId": (await hooks.events())[1],
            "refundCaseId": case,
            "number": approved["number"],
            "kind": "LEAD",
            "route": "SUPPORT",
            "event": "APPROVE",
            "audience": "EVERYONE",
            "sequence": 2,
            "version": 2,
            "actorRole": "SUPPORT",
            "rule": body["data"]["rule"],
            "fromState": "REQUESTED",
            "state": "APPROVED",
            "whoseMove": "SYSTEM",
            "clock": None,
            "settlement": body["data"]["settlement"],
            "subject": {"type": "Lead", "externalRef": "hooked-1"},
            "contract": None,
            "requester": {"externalRef": "paula"},
            "counterparty": None,
            "assignee": None,
            "currencyCode": "USD",
            "amountMinor": 500,
            "requestedMinor": 2000,
            "approvedMinor": 500,
            "consentedMinor": None,
            "creditedMinor": None,
        },
    }
    assert cursor.count(".") == 1
    assert receiver.received[0].headers["content-type"] == "application/json"
    assert {one.data["number"] for one in receiver.received} == {approved["number"]}
    everything = b" ".join(one.body for one in receiver.received)
    for word in (b"secret", b"Paula", b"Sam", b"Job"):
        assert word not in everything


async def test_what_staff_settle_among_themselves_is_told_as_internal(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Proposals, signatures, questions, gone evidence, reopening and chargebacks arrive, without what was said."""
    await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    desk, alone = hooks.desk, hooks.desk.app
    policy = replace(alone.policy, decision_limit_minor={"USD": 1_000})
    limited = replace(alone, policy=policy, uow=replace(alone.uow, policy=policy))
    fifteen = {"amount": "15", "currencyCode": "USD"}
    await desk.done("sam", "declineRefund", refundCaseId=case, message="No secret.")
    await desk.done("paula", "escalateRefund", refundCaseId=case, explanation="A secret look.")
    desk.app = limited
    await desk.done("sue", "approveRefund", refundCaseId=case, amount=fifteen, note="A secret.")
    await desk.done("ada", "returnDecision", refundCaseId=case, reason="A secret.")
    await desk.done("sue", "requestInformation", refundCaseId=case, question="A secret?", **{"from": "REQUESTER"})
    shown = "evidence { id }"
    said = await desk.done("paula", "addStatement", shown, refundCaseId=case, text="A secret answer.")
    await desk.done("paula", "withdrawEvidence", evidenceId=said["evidence"][-1]["id"])
    await desk.done("ada", "redactEvidence", evidenceId=said["evidence"][-1]["id"], reason="A secret.")
    bank = {"externalRef": "bank-1", "lead": "hooked-1", "amount": {"amount": "5", "currencyCode": "USD"}}
    await desk.seed({"chargeback": {**bank, "status": "OPEN", "openedAt": "2026-03-04T00:00:00Z"}})
    desk.app = alone
    await desk.done("sue", "declineRefund", refundCaseId=case, message="No secret.")
    await desk.done("ada", "reopenRefund", refundCaseId=case, reason="A secret.")
    desk.app = limited
    await desk.done("sue", "approveRefund", refundCaseId=case, amount=fifteen)
    await desk.done("ada", "confirmDecision", refundCaseId=case, note="A secret.")
    await hooks.sender().deliver_due()
    told = [one.data for one in receiver.received]
    assert [one["event"] for one in told] == [
        *("REQUEST", "DECLINE", "ESCALATE", "PROPOSE", "RETURN", "INFORMATION_REQUESTED", "ADD_EVIDENCE"),
        *("EVIDENCE_WITHDRAWN", "EVIDENCE_REDACTED", "CHARGEBACK", "DECLINE", "REOPEN", "PROPOSE", "CONFIRM"),
        *("APPROVE", "CREDIT"),
    ]
    internal = [(one["event"], one["amountMinor"]) for one in told if one["audience"] == "INTERNAL"]
    assert internal == [("PROPOSE", None), ("RETURN", None), ("PROPOSE", None), ("CONFIRM", None)]
    (asked,) = (one for one in told if one["event"] == "INFORMATION_REQUESTED")
    assert (asked["whoseMove"], asked["clock"]) == (
        "REQUESTER",
        {"name": "INFORMATION", "endsAt": "2026-03-08T00:00:00Z"},
    )
    assert [one["actorRole"] for one in told if one["event"] in ("CONFIRM", "APPROVE")] == ["ADMIN", "ADMIN"]
    assert b"secret" not in b" ".join(one.body for one in receiver.received)


async def test_a_failed_event_holds_those_behind_it_and_comes_again(hooks: WebhookDesk, receiver: Receiver) -> None:
    """After 500 the same event, with the same id and body, goes before the next one; then they all go."""
    await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    await hooks.say(case, 2)
    receiver.answers.extend([500, 503, 200])
    sender = hooks.sender()
    for expected in (1, 1, 3):
        assert await sender.deliver_due() == expected
        hooks.time.ahead += 31 * SECONDS
    events = await hooks.events()
    assert [one.data["eventId"] for one in receiver.received] == [events[0]] * 3 + events[1:]
    assert len(set(receiver.ids[:3])) == 1
    assert len({one.body for one in receiver.received[:3]}) == 1
    assert len(set(receiver.ids)) == 3


async def test_waits_grow_and_an_event_is_given_up_after_the_last(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Nothing goes out before its wait is over; after the last attempt the event is FAILED and the next one goes."""
    hooks.time.stand()
    hooks.plan = RetryPlan(waits_seconds=(5, 30, 120))
    endpoint, _ = await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    await hooks.say(case)
    receiver.answers.extend([500] * 4)
    outcomes: list[str] = []
    sender = hooks.sender(attempted=lambda outcome, seconds: outcomes.append(outcome))
    assert await sender.deliver_due() == 1
    for wait, failures in ((5, 1), (30, 2), (120, 3)):
        assert (await hooks.look(endpoint))["failures"] == failures
        hooks.time.ahead += (wait - 1) * SECONDS
        assert await sender.deliver_due() == 0
        hooks.time.ahead += SECONDS
        assert await sender.deliver_due() == (2 if failures == 3 else 1)
    given_up, taken = await hooks.log(endpoint)
    assert [given_up["state"], taken["state"]] == ["FAILED", "DELIVERED"]
    assert [it["status"] for it in given_up["attempts"]] == [500] * 4
    assert outcomes == ["again", "again", "again", "given_up", "delivered"]
    found = await hooks.look(endpoint)
    assert (found["enabled"], found["failures"], found["failingSince"]) == (True, 0, None)


async def test_an_endpoint_that_takes_nothing_for_days_is_switched_off_and_loses_nothing(
    hooks: WebhookDesk, receiver: Receiver
) -> None:
    """What was given up meanwhile goes out too, in order, once it is switched on again."""
    hooks.plan = RetryPlan(waits_seconds=(3_600,), disable_after_seconds=4 * 3_600)
    endpoint, _ = await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    await hooks.say(case, 5)
    receiver.usual = 500
    sender = hooks.sender()
    for _ in range(8):
        await sender.deliver_due()
        hooks.time.ahead += 3_601 * SECONDS
    found = await hooks.look(endpoint)
    assert (found["enabled"], found["stopped"]) == (False, "FAILING")
    assert await hooks.log(endpoint, "FAILED") == []
    sent = len(receiver.received)
    receiver.usual = 204
    assert await sender.deliver_due() == 0
    await hooks.act("updateWebhookEndpoint", webhookEndpointId=endpoint, enabled=True)
    assert await sender.deliver_due() == 6
    assert [one.data["eventId"] for one in receiver.received[sent:]] == await hooks.events()


async def test_gone_switches_off_at_once(hooks: WebhookDesk, receiver: Receiver) -> None:
    """410 is the receiver's word that it wants nothing more."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    await hooks.say(case)
    receiver.answers.append(410)
    sender = hooks.sender()
    assert await sender.deliver_due() == 1
    hooks.time.ahead += timedelta(days=2)
    assert await sender.deliver_due() == 0
    found = await hooks.look(endpoint)
    assert (found["enabled"], found["stopped"], len(receiver.received)) == (False, "GONE", 1)
    assert [one["state"] for one in await hooks.log(endpoint)] == ["PENDING", "PENDING"]


@pytest.mark.parametrize("status", [301, 302, 307, 308, 304, 400, 404, 429, 500])
async def test_only_2xx_is_a_success(
    status: int, hooks: WebhookDesk, receiver: Receiver, other_receiver: Receiver
) -> None:
    """Anything else is tried again; a redirect is not followed."""
    receiver.answers.append(status)
    receiver.more_headers = f"location: {other_receiver.url}\r\n"
    endpoint, _ = await hooks.endpoint(receiver.url)
    await hooks.cases()
    await hooks.sender().deliver_due()
    (one,) = await hooks.log(endpoint)
    assert (one["state"], one["attempts"][0]["status"]) == ("PENDING", status)
    assert str(status) in one["attempts"][0]["error"]
    assert other_receiver.received == []


async def test_no_answer_in_time_is_a_failure(hooks: WebhookDesk, receiver: Receiver) -> None:
    """A receiver that hangs is left after the time it has; the log says so."""
    receiver.answers.append(HANG)
    endpoint, _ = await hooks.endpoint(receiver.url)
    await hooks.cases()
    await hooks.sender(timeout_seconds=0.3).deliver_due()
    (one,) = await hooks.log(endpoint)
    assert one["attempts"][0]["status"] is None
    assert one["attempts"][0]["error"] == "No answer within 0.3 s."
    assert one["attempts"][0]["durationMs"] >= 250


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_a_status_counts_whatever_body_follows(size: int, hooks: WebhookDesk, receiver: Receiver) -> None:
    """A body that never ends, or is huge, changes nothing, and is kept nowhere."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    receiver.body, receiver.drips = b"x" * size, True
    await hooks.cases()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await hooks.sender().deliver_due()
    assert [one["state"] for one in await hooks.log(endpoint)] == ["DELIVERED"]


async def test_nobody_there(hooks: WebhookDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that nobody listens on, and a host that has no address, are failures like others."""
    nowhere, _ = await hooks.endpoint(f"http://127.0.0.1:{free_port()}/")
    nameless, _ = await hooks.endpoint("http://no-such-host.invalid/")
    resolve = socket.getaddrinfo

    def unknown(host: Any, *given: Any, **named: Any) -> Any:
        if host == "no-such-host.invalid":  # who has no name server waits for one
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return resolve(host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    await hooks.cases()
    await hooks.sender().deliver_due()
    (first,), (second,) = await hooks.log(nowhere), await hooks.log(nameless)
    assert first["attempts"][0]["error"] == "The receiver cannot be connected to."
    assert second["attempts"][0]["error"] == "The host's name cannot be resolved."


async def test_a_slow_receiver_delays_nobody_else(
    hooks: WebhookDesk, receiver: Receiver, other_receiver: Receiver
) -> None:
    """While one receiver hangs, another gets everything and acts are answered."""
    await hooks.endpoint(receiver.url)
    await hooks.endpoint(other_receiver.url)
    receiver.usual = HANG
    async with hooks.sending():
        async with asyncio.timeout(PATIENCE_SECONDS):
            (case,) = await hooks.cases()
            await hooks.say(case, 9)
        await other_receiver.until(10)
    assert len(receiver.received) == 1
    assert [one.data["eventId"] for one in other_receiver.received] == await hooks.events()


async def test_private_addresses_are_not_called(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Without the setting a name that leads to a private address is not called, whatever it was when it was given."""
    endpoint, _ = await hooks.endpoint(f"http://localhost:{receiver.port}/")
    numeric, _ = await hooks.endpoint(f"http://2130706433:{receiver.port}/")
    await hooks.cases()
    await hooks.sender(private_allowed=False).deliver_due()
    for one in (endpoint, numeric):
        (delivery,) = await hooks.log(one)
        assert "not reached over the internet" in delivery["attempts"][0]["error"]
    assert receiver.received == []


async def test_two_senders_never_send_to_one_endpoint_at_once(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Of several processes one sends to an endpoint, and each event goes out once."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    receiver.delay_seconds = 0.02
    async with hooks.sending(), hooks.sending(), hooks.sending():
        (case,) = await hooks.cases()
        await hooks.say(case, 19)
        await until(lambda: _all_delivered(hooks, endpoint, 20))
    assert receiver.most_at_once == 1
    assert [one.data["eventId"] for one in receiver.received] == await hooks.events()


async def test_a_lease_that_is_not_renewed_passes_on(hooks: WebhookDesk, receiver: Receiver) -> None:
    """A sender that stands still loses its endpoint to another one, and what it was sending goes out again."""
    await hooks.endpoint(receiver.url)
    await hooks.cases()
    receiver.answers.append(HANG)
    stuck = asyncio.create_task(hooks.sender().deliver_due())  # renews nothing while it waits for its answer
    await receiver.until(1)
    await hooks.take_lease()
    async with hooks.sending():
        await receiver.until(2)
    stuck.cancel()
    assert len(set(receiver.ids)) == 1


async def test_an_answer_after_the_lease_is_not_written_down(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Whoever has lost the lease changes nothing: the next one has the say."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    await hooks.cases()
    receiver.held = asyncio.Event()
    late = hooks.sender()
    waiting = asyncio.create_task(late.deliver_due())
    await receiver.until(1)
    receiver.usual = 500
    async with hooks.desk.app.database.transaction() as tx:
        await tx.execute("UPDATE webhook_endpoint SET lease_owner = 'another', leased_until = leased_until + 60000000")
    receiver.held.set()
    assert await waiting == 0
    (one,) = await hooks.log(endpoint)
    assert (one["state"], one["attempts"]) == ("PENDING", [])


async def test_a_sender_that_ends_gives_its_endpoints_back(hooks: WebhookDesk, receiver: Receiver) -> None:
    """The next process goes on at once, not when a lease has run out."""
    await hooks.endpoint(receiver.url)
    async with hooks.sending():
        await hooks.cases()
        await receiver.until(1)
    async with hooks.sending():
        await hooks.cases()
        await receiver.until(2)


async def test_what_is_under_way_at_the_end_goes_out_again_at_once(hooks: WebhookDesk, receiver: Receiver) -> None:
    """A receiver that does not answer keeps neither the process from ending nor the next one from sending."""
    await hooks.endpoint(receiver.url)
    receiver.answers.append(HANG)
    async with hooks.sending():
        await hooks.cases()
        await receiver.until(1)
    async with hooks.sending():
        await receiver.until(2)
    assert len(set(receiver.ids)) == 1


async def test_a_lane_that_breaks_begins_anew(
    hooks: WebhookDesk, receiver: Receiver, other_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours stops one endpoint until its lease has run out, and no other one."""
    await hooks.endpoint(receiver.url)
    await hooks.endpoint(other_receiver.url)
    honest, broken = ReceiverConnection.send, [True]

    async def send(line: ReceiverConnection, url: str, *given: Any) -> Any:
        if url == receiver.url and broken:
            broken.clear()
            raise RuntimeError("a mistake")
        return await honest(line, url, *given)

    monkeypatch.setattr(ReceiverConnection, "send", send)
    async with hooks.sending():
        (case,) = await hooks.cases()
        await hooks.say(case)
        await other_receiver.until(2)
        await until(lambda: not broken)
        assert receiver.received == []
        await hooks.take_lease(receiver.url)
        await receiver.until(2)
    assert [one.data["eventId"] for one in receiver.received] == await hooks.events()
