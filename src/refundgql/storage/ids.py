"""New ids: time-ordered uuids as text (D3)."""

from __future__ import annotations

from uuid_utils.compat import uuid7


def new_id() -> str:
    """Return a new time-ordered uuid as lower-case text."""
    return str(uuid7())


def made_at(an_id: str) -> float:
    """Return when an id was made, in seconds since the epoch, to the millisecond."""
    return int(an_id[:8] + an_id[9:13], 16) / 1_000
