"""The example that hands webhooks over to phones: real messages of the desk, stand-ins for APNs and FCM."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from receiver import Received, Receiver
from webhook_desk import WebhookDesk

EXAMPLE = Path(__file__).parents[2] / "examples" / "push" / "hand_over.py"


@pytest.fixture
def hand_over() -> ModuleType:
    """Load the example anew."""
    spec = importlib.util.spec_from_file_location("hand_over", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def running(example: ModuleType) -> AsyncIterator[httpx.AsyncClient]:
    """Run the example's application."""
    async with example.lifespan(example.app) as state:

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await example.app({**scope, "state": dict(state)}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://example") as client:
            yield client


async def handed(client: httpx.AsyncClient, message: Received) -> int:
    """Hand one of the desk's messages to the example and return its status."""
    return (await client.post("/refunds", content=message.body, headers=message.headers)).status_code


async def test_the_example_rings_the_right_phones_once(
    hooks: WebhookDesk,
    receiver: Receiver,
    other_receiver: Receiver,
    hand_over: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A decision rings each phone of its party once, also when it is repeated; notes and assignments ring nobody's."""
    _, secret = await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    said = {"refundCaseId": case, "body": "They wrote before.", "audience": "INTERNAL"}
    note = "mutation($input: SendCaseMessageInput!) { sendCaseMessage(input: $input) { refusals { message } } }"
    assert await hooks.desk.run("sam", note, input=said) == {"sendCaseMessage": {"refusals": []}}
    await hooks.desk.done("sam", "declineRefund", refundCaseId=case, message="The job is as it was described.")
    await hooks.sender().deliver_due()
    devices = {"paula": [{"platform": "ios", "token": "i1"}, {"platform": "android", "token": "a1"}]}
    (tmp_path / "devices.json").write_text(json.dumps(devices | {"sam": [{"platform": "ios", "token": "i2"}]}))
    away = other_receiver.url.removesuffix("/hook")
    settings = {"APNS_URL": f"{away}/apns", "FCM_URL": f"{away}/fcm", "APNS_TOPIC": "example.desk"}
    settings |= {"APNS_TOKEN": "signed", "FCM_TOKEN": "signed"}
    settings |= {"WEBHOOK_SECRET": secret, "DEVICES": str(tmp_path / "devices.json")}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    told = {message.data["event"]: message for message in receiver.received}
    assert set(told) == {"REQUEST", "STAFF_NOTE", "DECLINE"}
    async with running(hand_over) as client:
        assert await handed(client, told["STAFF_NOTE"]) == 204
        assert other_receiver.received == []
        other_receiver.answers.append(503)
        assert await handed(client, told["DECLINE"]) == 503
        for _ in range(2):
            assert await handed(client, told["DECLINE"]) == 204
        changed = await client.post(
            "/refunds", content=told["REQUEST"].body + b" ", headers=dict(told["REQUEST"].headers)
        )
        assert changed.status_code == 401
    rung = [(one.path, json.loads(one.body)) for one in other_receiver.received[1:]]
    assert [path for path, _ in rung] == ["/apns/3/device/i1", "/fcm/messages:send"]
    number = told["DECLINE"].data["number"]
    assert rung[0][1]["aps"]["alert"]["loc-key"] == "refund_decline"
    assert rung[0][1]["aps"]["alert"]["loc-args"][0] == number
    assert rung[1][1]["message"]["token"] == "a1"
    assert "described" not in json.dumps(rung)
