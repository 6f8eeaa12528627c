"""A database that goes away in the middle of an operation is said to be away; nobody is told that something broke."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from api_world import Desk
from refundgql.api.faults import AWAY, OVERLONG, UNCERTAIN
from refundgql.storage.database import Database
from refundgql.storage.faults import CommitUnknown, StatementTimeout, StorageError, TransientFault


class Lost:
    """A database whose connections are lost from some statement on."""

    def __init__(self, database: Database, error: Exception) -> None:
        self._database = database
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def fetch(self, *_: Any) -> Any:
        """Lose the connection."""
        raise self._error

    fetch_row = fetch_value = fetch


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (TransientFault("lost"), "SERVICE_UNAVAILABLE", AWAY),
        (CommitUnknown("lost"), "SERVICE_UNAVAILABLE", UNCERTAIN),
        (StatementTimeout("slow"), "LIMIT_EXCEEDED", OVERLONG),
        (StorageError("full"), "INTERNAL_SERVER_ERROR", "Something went wrong on our side."),
    ],
)
async def test_an_outage_is_told(small_desk: Desk, error: Exception, code: str, message: str) -> None:
    """A lost connection has a code of its own and says what to do; any other fault stays masked."""
    lost = replace(small_desk.app, database=cast(Database, Lost(small_desk.app.database, error)))
    viewer = await small_desk.app.load_viewer("sam")
    assert viewer is not None
    found = await replace(small_desk, app=lost).answer_as(viewer, "{ refundCases { totalCount } }")
    (told,) = found["errors"]
    assert (told["extensions"]["code"], told["message"]) == (code, message)
