"""The receiver that the documentation shows takes what is sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import build_schema, parse, validate
from receiver import Receiver
from webhook_desk import WebhookDesk

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")


async def test_the_python_receiver(
    hooks: WebhookDesk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It takes a real message, handles a repeat once, and refuses one that was changed."""
    _, secret = await hooks.endpoint(receiver.url)
    await hooks.cases()
    await hooks.sender().deliver_due()
    (message,) = receiver.received
    monkeypatch.setenv("WEBHOOK_SECRET", secret)
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    shown: dict[str, Any] = {"__name__": "shown"}
    exec(source, shown)
    transport = httpx.ASGITransport(app=shown["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://shown") as client:
        for body, status in ((message.body, 204), (message.body, 204), (message.body + b" ", 401)):
            answer = await client.post("/refunds", content=body, headers=message.headers)
            assert answer.status_code == status
    assert capsys.readouterr().out == f"refund_case.request {message.data['number']}\n"


def test_the_body_that_is_shown_has_the_fields_that_are_sent() -> None:
    """The example of a body names exactly what is sent."""
    import json

    from refundgql.storage.events import Cursor
    from refundgql.storage.webhook_deliveries import QueuedDelivery
    from refundgql.workers.webhook_requests import body_of

    one = "0192f0c4-0000-7000-8000-000000000000"
    snapshot = dict.fromkeys(
        ("number", "kind", "route", "whose_move", "requested_minor", "approved_minor", "consented_minor"), 1
    )
    names = "case_id sequence name at actor_role from_state to_state amount_minor currency rule audience subject_type"
    event = dict.fromkeys((*names.split(), "subject", "contract", "requester", "counterparty", "assignee"), "X")
    event |= {"at": 0, "snapshot": snapshot | {"credited_minor": 1, "deadline_at": None}, "case_id": one}
    delivery = QueuedDelivery(id=one, event_id=one, cursor=Cursor(1, 2), event=event)
    shown = json.loads(re.findall(r"```json\n(\{\n  \"type\".*?)```", PAGE, flags=re.DOTALL)[0])
    sent = json.loads(body_of(delivery))
    assert list(shown) == list(sent)
    assert list(shown["data"]) == list(sent["data"])


def test_the_documents_that_are_shown_are_valid() -> None:
    """What the page says to send may be sent."""
    schema = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
    for text in re.findall(r"```graphql\n(.*?)```", PAGE, flags=re.DOTALL):
        assert validate(schema, parse(text)) == []
    for mutation in re.findall(r"`([a-z]+[A-Z][A-Za-z]*Webhook[A-Za-z]*|redeliverWebhook)`", PAGE):
        assert schema.mutation_type
        assert mutation in schema.mutation_type.fields
