"""Administrators make, change and repair webhooks; nobody else can tell that there are any."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from receiver import Receiver
from webhook_desk import PAYLOADS, WebhookDesk

from patience import PATIENCE_SECONDS
from refundgql.domain.webhooks import MOST_ENDPOINTS, RetryPlan

ACTS: dict[str, dict[str, Any]] = {
    "createWebhookEndpoint": {"url": "https://example.com/hook"},
    "updateWebhookEndpoint": {"webhookEndpointId": "", "enabled": False},
    "deleteWebhookEndpoint": {"webhookEndpointId": ""},
    "rotateWebhookSecret": {"webhookEndpointId": ""},
    "rewindWebhookEndpoint": {"webhookEndpointId": "", "after": "0.0"},
    "redeliverWebhook": {"webhookDeliveryId": ""},
    "skipWebhookDelivery": {"webhookDeliveryId": ""},
}


def codes(payload: dict[str, Any]) -> list[tuple[str, list[str] | None]]:
    """Return code and field of a payload's refusals."""
    return [(one["code"], one["field"]) for one in payload["refusals"]]


async def rows(hooks: WebhookDesk) -> list[Any]:
    """Return everything that is stored of webhooks."""
    database = hooks.desk.app.database
    tables = ("webhook_endpoint", "webhook_delivery", "webhook_attempt")
    return [[tuple(row) for row in await database.fetch(f"SELECT * FROM {table} ORDER BY id")] for table in tables]


async def test_a_secret_is_told_once(hooks: WebhookDesk) -> None:
    """It is in the first answer alone, long enough, and another one each time; a replay makes and tells nothing."""
    given = {"url": "https://example.com/hook", "description": "The books", "idempotencyKey": "once"}
    payload = await hooks.act("createWebhookEndpoint", **given)
    secret, endpoint = payload["secret"], payload["webhookEndpoint"]
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert {name: endpoint[name] for name in ("url", "description", "events", "kinds", "enabled", "stopped")} == {
        "url": "https://example.com/hook",
        "description": "The books",
        "events": [],
        "kinds": [],
        "enabled": True,
        "stopped": None,
    }
    again = await hooks.act("createWebhookEndpoint", **given)
    assert (again["replayed"], again["secret"], again["webhookEndpoint"]["id"]) == (True, None, endpoint["id"])
    reused = await hooks.act("createWebhookEndpoint", url="https://example.com/other", idempotencyKey="once")
    assert codes(reused) == [("IDEMPOTENCY_KEY_REUSED", ["idempotencyKey"])]
    _, other = await hooks.endpoint("https://example.com/hook")
    assert other != secret
    kept = await hooks.desk.app.database.fetch("SELECT result FROM idempotent_result")
    assert secret not in json.dumps([row["result"] for row in kept])


NO_URLS = (
    "",
    "example.com",
    "ftp://example.com/",
    "https://",
    "https://user:secret@example.com/",
    "https://example.com/#part",
    "https://exa mple.com/",
    "https://exämple.com/",
    "https://example.com:99999/",
    "https://example.com/" + "x" * 2_000,
    "https://[::1/",
    "javascript:alert(1)",
)


async def test_urls_that_cannot_be_called(hooks: WebhookDesk) -> None:
    """Each is refused with the field, and nothing is stored."""
    for url in NO_URLS:
        payload = await hooks.act("createWebhookEndpoint", url=url)
        assert codes(payload) == [("INVALID_INPUT", ["url"])], url
        assert payload["webhookEndpoint"] is None
    assert await rows(hooks) == [[], [], []]


async def test_private_places_are_refused_when_they_are_given(hooks: WebhookDesk) -> None:
    """Without the setting neither plain HTTP nor an address that is private can be given."""
    from dataclasses import replace

    app = hooks.desk.app
    hooks.desk.app = replace(app, uow=replace(app.uow, private_webhooks=False))
    for url in (
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.1.2.3/",
        "https://localhost/",
    ):
        assert codes(await hooks.act("createWebhookEndpoint", url=url)) == [("INVALID_INPUT", ["url"])], url
    assert codes(await hooks.act("createWebhookEndpoint", url="https://example.com/")) == []


async def test_what_else_is_refused(hooks: WebhookDesk) -> None:
    """Unknown events, cursors ahead of the stream, too long texts and hours, and one endpoint too many."""
    url = "https://example.com/"
    payload = await hooks.act("createWebhookEndpoint", url=url, events=["APPROVE"], after="9.x")
    assert codes(payload) == [("INVALID_INPUT", ["after"])]
    ahead = f"{2**62}.0"
    assert codes(await hooks.act("createWebhookEndpoint", url=url, after=ahead)) == [("INVALID_INPUT", ["after"])]
    long = await hooks.act("createWebhookEndpoint", url=url, description="x" * 201)
    assert codes(long) == [("INVALID_INPUT", ["description"])]
    endpoint, _ = await hooks.endpoint(url)
    for hours in (-1, 169):
        payload = await hooks.act("rotateWebhookSecret", webhookEndpointId=endpoint, oldValidHours=hours)
        assert codes(payload) == [("INVALID_INPUT", ["oldValidHours"])]
    payload = await hooks.act("rewindWebhookEndpoint", webhookEndpointId=endpoint, after=ahead)
    assert codes(payload) == [("INVALID_INPUT", ["after"])]
    for _ in range(MOST_ENDPOINTS - 1):
        await hooks.endpoint(url)
    assert codes(await hooks.act("createWebhookEndpoint", url=url)) == [("INVALID_INPUT", None)]


@pytest.mark.parametrize("mutation", ACTS)
async def test_only_administrators_act(mutation: str, hooks: WebhookDesk) -> None:
    """Everybody else is refused in the same words whether the thing exists or not, and nothing changes."""
    endpoint, _ = await hooks.endpoint("https://example.com/hook")
    await hooks.cases()
    await hooks.sender().deliver_due()
    (delivery,) = await hooks.log(endpoint)
    before = await rows(hooks)
    for ref in ("sam", "market", "paula", "karl", "erik", "carla"):
        answers = []
        for wanted in (True, False):
            ids = {"webhookEndpointId": endpoint, "webhookDeliveryId": delivery["id"]}
            given = {
                name: (ids[name] if wanted else ids[name][:-8] + "00000000") if name in ids else value
                for name, value in ACTS[mutation].items()
            }
            answers.append(await hooks.act(mutation, ref, **given))
        assert codes(answers[0]) == [("FORBIDDEN", None)]
        assert answers[0] == answers[1]
    assert await rows(hooks) == before


async def test_only_administrators_look(hooks: WebhookDesk) -> None:
    """The roots are FORBIDDEN to everybody else, and by node(id) there is nothing."""
    endpoint, _ = await hooks.endpoint("https://example.com/hook")
    await hooks.cases()
    await hooks.sender().deliver_due()
    (delivery,) = await hooks.log(endpoint)
    node = "query($id: ID!) { node(id: $id) { __typename id } }"
    one = "query($id: ID!) { webhookEndpoint(id: $id) { id } }"
    for ref in ("sam", "market", "paula", "karl", "erik", "carla"):
        assert await hooks.desk.code(ref, "{ webhookEndpoints { totalCount } }") == "FORBIDDEN"
        assert await hooks.desk.code(ref, one, id=endpoint) == "FORBIDDEN"
        for thing in (endpoint, delivery["id"]):
            assert (await hooks.desk.run(ref, node, id=thing))["node"] is None
    for thing in (endpoint, delivery["id"]):
        assert (await hooks.desk.run("ada", node, id=thing))["node"]["id"] == thing


async def test_no_field_tells_a_secret() -> None:
    """Nothing that can be read has one, but for the payloads of the two acts that make one."""
    from refundgql.api.schema import build_schema

    found = {
        f"{name}.{field}"
        for name, type_ in build_schema()._schema.type_map.items()
        if not name.startswith("__") and name != "Mutation"
        for field in getattr(type_, "fields", {})
        if "secret" in field.lower()
    }
    assert found == {"WebhookSecretPayload.secret", "WebhookEndpoint.formerSecretUntil"}


async def test_things_that_are_not_there(hooks: WebhookDesk) -> None:
    """An id that nothing has, of another type or none at all, is NOT_FOUND."""
    for mutation, given in ACTS.items():
        for name in given.keys() & {"webhookEndpointId", "webhookDeliveryId"}:
            type_name = name[0].upper() + name[1:-2]
            for one in (f"{type_name}_0192f0c4-0000-7000-8000-000000000000", "RefundCase_x", ""):
                assert codes(await hooks.act(mutation, **{**given, name: one})) == [("NOT_FOUND", [name])], mutation


async def test_filters_choose_what_is_sent(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Names and kinds narrow what goes out; what is not wanted is passed over and not asked for again."""
    narrow, _ = await hooks.endpoint(receiver.url, events=["APPROVE", "CREDIT"])
    none, _ = await hooks.endpoint(receiver.url, kinds=["ESCROW"])
    (case,) = await hooks.cases()
    await hooks.say(case, 2)
    await hooks.desk.done("sam", "approveRefund", refundCaseId=case)
    await hooks.sender().deliver_due()
    assert [one.data["event"] for one in receiver.received] == ["APPROVE", "CREDIT"]
    assert (await hooks.look(narrow))["events"] == ["APPROVE", "CREDIT"]
    assert (await hooks.look(none))["kinds"] == ["ESCROW"]
    assert await hooks.log(none) == []
    assert (await hooks.look(none))["cursor"] == (await hooks.log(narrow))[-1]["cursor"]
    await hooks.act("updateWebhookEndpoint", webhookEndpointId=none, kinds=[])
    await hooks.say(case)
    await hooks.sender().deliver_due()
    assert [one.data["event"] for one in receiver.received[2:]] == ["SEND_MESSAGE"]


async def test_an_endpoint_begins_where_it_is_told(hooks: WebhookDesk, receiver: Receiver) -> None:
    """With no cursor it gets what happens from now on, with one everything after it."""
    (case,) = await hooks.cases()
    await hooks.say(case)
    await hooks.endpoint(receiver.url)
    sender = hooks.sender()
    assert await sender.deliver_due() == 0
    await hooks.endpoint(receiver.url, after="0.0")
    assert await sender.deliver_due() == 2
    assert [one.data["eventId"] for one in receiver.received] == await hooks.events()


async def test_switched_off_nothing_goes_out_and_nothing_is_lost(hooks: WebhookDesk, receiver: Receiver) -> None:
    """What happens meanwhile is sent, in order, when it is switched on again."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    await hooks.act("updateWebhookEndpoint", webhookEndpointId=endpoint, enabled=False)
    assert (await hooks.look(endpoint))["stopped"] == "SWITCHED_OFF"
    (case,) = await hooks.cases()
    await hooks.say(case, 3)
    sender = hooks.sender()
    assert await sender.deliver_due() == 0
    await hooks.act("updateWebhookEndpoint", webhookEndpointId=endpoint, enabled=True)
    assert await sender.deliver_due() == 4
    assert [one.data["eventId"] for one in receiver.received] == await hooks.events()


async def test_a_running_sender_hears_of_changes(
    hooks: WebhookDesk, receiver: Receiver, other_receiver: Receiver
) -> None:
    """A new URL is tried at once instead of after the wait; a deleted endpoint gets nothing more."""
    receiver.usual, hooks.plan = 500, RetryPlan(waits_seconds=(86_400,))
    async with hooks.sending():
        endpoint, _ = await hooks.endpoint(receiver.url)
        await hooks.cases()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (await hooks.look(endpoint))["failures"]:  # noqa: ASYNC110  # the sender acts, this looks
                await asyncio.sleep(0.02)
        await hooks.act("updateWebhookEndpoint", webhookEndpointId=endpoint, url=other_receiver.url)
        await other_receiver.until(1)
        await hooks.act("deleteWebhookEndpoint", webhookEndpointId=endpoint)
        await hooks.cases()
        fresh, _ = await hooks.endpoint(other_receiver.url, after="0.0")
        await other_receiver.until(3)
    assert await hooks.desk.run("ada", "{ webhookEndpoints { edges { node { id } } } }") == {
        "webhookEndpoints": {"edges": [{"node": {"id": fresh}}]}
    }
    assert codes(await hooks.act("updateWebhookEndpoint", webhookEndpointId=endpoint, enabled=True)) == [
        ("NOT_FOUND", ["webhookEndpointId"])
    ]
    kept = await hooks.desk.app.database.fetch("SELECT secret FROM webhook_endpoint WHERE deleted_at IS NOT NULL")
    assert [row["secret"] for row in kept] == [""]


async def test_both_secrets_sign_until_the_old_one_is_over(hooks: WebhookDesk, receiver: Receiver) -> None:
    """After a rotation receivers with either secret verify; a leaked one is cut off at once."""
    endpoint, old = await hooks.endpoint(receiver.url)
    payload = await hooks.act("rotateWebhookSecret", webhookEndpointId=endpoint)
    new = payload["secret"]
    assert payload["webhookEndpoint"]["formerSecretUntil"] is not None
    await hooks.cases()
    sender = hooks.sender()
    await sender.deliver_due()
    assert (receiver.received[-1].verified_by(old), receiver.received[-1].verified_by(new)) == (True, True)
    newest = (await hooks.act("rotateWebhookSecret", webhookEndpointId=endpoint, oldValidHours=0))["secret"]
    await hooks.cases()
    await sender.deliver_due()
    assert [receiver.received[-1].verified_by(one) for one in (old, new, newest)] == [False, False, True]
    await hooks.act("rotateWebhookSecret", webhookEndpointId=endpoint)
    async with hooks.desk.app.database.transaction() as tx:  # the hours pass
        await tx.execute("UPDATE webhook_endpoint SET former_secret_until = former_secret_until - 90000000000")
    await hooks.cases()
    await sender.deliver_due()
    assert receiver.received[-1].verified_by(newest) is False


async def test_one_delivery_again(hooks: WebhookDesk, receiver: Receiver) -> None:
    """It goes out at once with the id and body it had, and the log holds both attempts."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    await hooks.say(case, 2)
    sender = hooks.sender()
    await sender.deliver_due()
    first = (await hooks.log(endpoint))[0]
    payload = await hooks.act("redeliverWebhook", webhookDeliveryId=first["id"])
    assert payload["webhookDelivery"] == {"id": first["id"], "state": "PENDING"}
    assert await sender.deliver_due() == 1
    assert receiver.ids[3] == receiver.ids[0] == first["id"]
    assert receiver.received[3].body == receiver.received[0].body
    again = (await hooks.log(endpoint))[0]
    assert (again["state"], [it["status"] for it in again["attempts"]]) == ("DELIVERED", [200, 200])


@pytest.mark.slow
async def test_everything_after_a_cursor_again(hooks: WebhookDesk, receiver: Receiver) -> None:
    """A rewound endpoint gets what follows the cursor in order, with the ids it had, also what it never had."""
    (case,) = await hooks.cases()
    endpoint, _ = await hooks.endpoint(receiver.url)
    await hooks.say(case, 150)
    sender = hooks.sender()
    await sender.deliver_due()
    assert len(receiver.received) == 150
    await hooks.act("rewindWebhookEndpoint", webhookEndpointId=endpoint, after="0.0")
    await hooks.say(case)
    assert await sender.deliver_due() == 152
    assert [one.data["eventId"] for one in receiver.received[150:]] == await hooks.events()
    assert receiver.ids[151:301] == receiver.ids[:150]


async def test_a_rewind_never_leaves_anything_out(hooks: WebhookDesk, receiver: Receiver) -> None:
    """A cursor that the endpoint has not reached is refused, though the stream has."""
    behind, _ = await hooks.endpoint(receiver.url, after="0.0")
    await hooks.cases()
    ahead, _ = await hooks.endpoint("https://example.com/")
    cursor = (await hooks.look(ahead))["cursor"]
    payload = await hooks.act("rewindWebhookEndpoint", webhookEndpointId=behind, after=cursor)
    assert codes(payload) == [("INVALID_INPUT", ["after"])]
    await hooks.sender().deliver_due()
    assert [one.data["eventId"] for one in receiver.received] == await hooks.events()


@pytest.mark.slow
async def test_a_rewind_does_not_overtake_itself(hooks: WebhookDesk, receiver: Receiver) -> None:
    """What still waited beyond the cursor waits until its turn comes again."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    await hooks.say(case, 120)
    sender = hooks.sender()
    receiver.usual = 500
    assert await sender.deliver_due() == 1  # a hundred are queued
    await hooks.say(case, 3)
    await hooks.act("rewindWebhookEndpoint", webhookEndpointId=endpoint, after="0.0")
    assert len(await hooks.log(endpoint, "PENDING")) == 100
    receiver.usual = 200
    assert await sender.deliver_due() == 124
    assert [one.data["eventId"] for one in receiver.received[1:]] == await hooks.events()


async def test_a_delivery_that_cannot_be_taken_is_left_out(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Those behind it go on at once; what is not waiting cannot be left out, and rewinding does not forget it."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    await hooks.say(case)
    receiver.answers.append(400)
    sender = hooks.sender()
    await sender.deliver_due()
    stuck, waiting = await hooks.log(endpoint)
    payload = await hooks.act("skipWebhookDelivery", webhookDeliveryId=stuck["id"])
    assert payload["webhookDelivery"]["state"] == "SKIPPED"
    assert await sender.deliver_due() == 1
    assert [one["state"] for one in await hooks.log(endpoint)] == ["SKIPPED", "DELIVERED"]
    for one in (stuck, waiting):
        refused = await hooks.act("skipWebhookDelivery", webhookDeliveryId=one["id"])
        assert codes(refused) == [("INVALID_INPUT", ["webhookDeliveryId"])]


async def test_acts_are_replayed_by_their_key(hooks: WebhookDesk, receiver: Receiver) -> None:
    """The same key again does nothing again."""
    endpoint, _ = await hooks.endpoint(receiver.url)
    await hooks.cases()
    sender = hooks.sender()
    await sender.deliver_due()
    (delivery,) = await hooks.log(endpoint)
    for mutation, given in ACTS.items():
        if mutation in {"createWebhookEndpoint", "skipWebhookDelivery", "deleteWebhookEndpoint"}:
            continue
        ids = {"webhookEndpointId": endpoint, "webhookDeliveryId": delivery["id"]}
        given = {name: ids.get(name, value) for name, value in given.items()}
        first = await hooks.act(mutation, **given, idempotencyKey=mutation)
        stored = await rows(hooks)
        again = await hooks.act(mutation, **given, idempotencyKey=mutation)
        assert (first["replayed"], again["replayed"], codes(again)) == (False, True, []), mutation
        assert again.get("secret") is None
        assert await rows(hooks) == stored
    assert set(ACTS) >= set(PAYLOADS)


async def test_the_log_is_kept_for_a_month_and_goes_with_its_endpoint(hooks: WebhookDesk, receiver: Receiver) -> None:
    """What was settled long ago and what belongs to a deleted endpoint is deleted; what waits stays."""
    from refundgql.domain.calendar import DAY_MICROS, to_micros
    from refundgql.storage.webhook_deliveries import purge_deliveries

    endpoint, _ = await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    await hooks.say(case)
    receiver.answers.extend([200, 500])
    await hooks.sender().deliver_due()
    now = to_micros(hooks.time.now())
    database = hooks.desk.app.database
    assert await purge_deliveries(database, now + 29 * DAY_MICROS) == 0
    assert await purge_deliveries(database, now + 31 * DAY_MICROS, batch=1) == 1
    assert [one["state"] for one in await hooks.log(endpoint)] == ["PENDING"]
    await hooks.act("deleteWebhookEndpoint", webhookEndpointId=endpoint)
    async with database.transaction() as tx:  # nobody sends any more
        await tx.execute("UPDATE webhook_endpoint SET leased_until = 0")
    assert await purge_deliveries(database, now) == 1
    assert await rows(hooks) == [[], [], []]
