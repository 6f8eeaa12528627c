"""Policies that have been in force, by version; everybody may read them."""

from __future__ import annotations

import orjson

from refundgql.domain.policy import Policy
from refundgql.storage.database import Source


async def find_policy(source: Source, version: str) -> Policy | None:
    """Return the policy of a version, or nothing when no process has started with it."""
    found: str | None = await source.fetch_value("SELECT settings FROM known_policy WHERE version = ?", (version,))
    return None if found is None else Policy.kept(version, orjson.loads(found))


async def load_policies(source: Source) -> dict[str, Policy]:
    """Return every policy that a process has started with, by version."""
    rows = await source.fetch("SELECT version, settings FROM known_policy")
    return {row["version"]: Policy.kept(row["version"], orjson.loads(row["settings"])) for row in rows}
