"""What was done to accounts: their roles, and that they were forgotten. Each is a line of the log, too.

It must not hold a name or a text of anybody.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import orjson

from refundgql.storage.database import Transaction, Write
from refundgql.storage.ids import new_id
from refundgql.storage.rows import insertion

_log = logging.getLogger("refundgql.audit")


class AuditAction(StrEnum):
    """What is recorded."""

    ROLES_CHANGED = "ROLES_CHANGED"
    ERASED = "ERASED"


def record(
    tx: Transaction, action: AuditAction, account_id: str, actor_id: str | None, at: int, detail: Mapping[str, Any]
) -> None:
    """Record an action with the transaction; `at` in microseconds, no `actor_id` for the command line."""
    whom = {"account_id": account_id, "actor_id": actor_id, "detail": orjson.dumps(detail).decode()}
    tx.later(Write(*insertion("audit_entry", id=new_id(), at=at, action=action, **whom)))
    _log.info(
        "An account was changed.",
        extra={"fields": {"action": action.value, "account": account_id, "actor": actor_id, **detail}},
    )
