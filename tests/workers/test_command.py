"""`refundgql deliver` and the settings of webhooks."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest
from receiver import Receiver
from webhook_desk import WebhookDesk

from patience import PATIENCE_SECONDS
from refundgql.settings import SettingsError, read_settings


@pytest.mark.slow
async def test_deliver_sends_once_what_is_due(hooks: WebhookDesk, receiver: Receiver) -> None:
    """Without a server one command sends it, and says how many attempts it made."""
    await hooks.endpoint(receiver.url)
    (case,) = await hooks.cases()
    await hooks.say(case, 2)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFUNDGQL_")} | {
        "REFUNDGQL_DATABASE_URL": hooks.desk.app.database.url,
        "REFUNDGQL_WEBHOOK_PRIVATE_ADDRESSES": "true",
        "REFUNDGQL_WEBHOOK_TIMEOUT_SECONDS": "60",
        "REFUNDGQL_OPERATION_TIMEOUT_SECONDS": str(PATIENCE_SECONDS),
    }
    for expected in (3, 0):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "refundgql", "deliver", "--json", env=environment, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert (process.returncode, json.loads(out)) == (0, {"attempts": expected})
    assert [one.data["eventId"] for one in receiver.received] == await hooks.events()


def test_waits_are_read_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits stand in one variable; what is none is refused with its name."""
    monkeypatch.setenv("REFUNDGQL_WEBHOOK_RETRY_SECONDS", "1, 2.5,60")
    assert read_settings().webhook_retry_seconds == (1, 2.5, 60)
    for wrong in ("", "5,x", "0", "-1", "1e99", "nan"):
        monkeypatch.setenv("REFUNDGQL_WEBHOOK_RETRY_SECONDS", wrong)
        with pytest.raises(SettingsError, match="REFUNDGQL_WEBHOOK_RETRY_SECONDS"):
            read_settings()
