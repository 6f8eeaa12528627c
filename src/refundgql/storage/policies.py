"""Policies that have been in force are kept by version, so that somebody can say what an old decision rested on."""

from __future__ import annotations

from datetime import datetime

import orjson

from refundgql.domain.calendar import to_micros
from refundgql.domain.policy import Policy
from refundgql.storage.database import Source, Transaction


async def knows_policy(source: Source, policy: Policy) -> bool:
    """Tell whether a policy is kept."""
    return await source.fetch_value("SELECT 1 FROM known_policy WHERE version = ?", (policy.version,)) is not None


async def keep_policy(tx: Transaction, policy: Policy, at: datetime) -> None:
    """Keep a policy that was first seen at an instant; processes that start at once keep it once."""
    await tx.execute(
        "INSERT INTO known_policy (version, settings, first_seen_at) VALUES (?, ?, ?) ON CONFLICT (version) DO NOTHING",
        (policy.version, orjson.dumps(policy.settings()).decode(), to_micros(at)),
    )
