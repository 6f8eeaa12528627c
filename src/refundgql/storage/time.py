"""How far this machine's clock is from the database's: deadlines are judged by the one, leases by the other."""

from __future__ import annotations

import logging
import time

from refundgql.storage.database import Database, Dialect
from refundgql.storage.webhooks import NOW

_log = logging.getLogger("refundgql.clock")

MOST_SKEW_SECONDS = 1.0
"""Beyond it windows that end at midnight are told differently by different hosts for as long as a person notices."""


async def measure_skew(database: Database) -> float:
    """Return how many seconds this machine is ahead of the database's, half of the way there and back taken off.

    More than a second is warned of. SQLite's clock is this machine's.
    """
    if database.dialect is Dialect.SQLITE:
        return 0.0
    before = time.time()
    there: int = await database.fetch_value(f"SELECT {NOW[database.dialect]}")
    after = time.time()
    skew = (before + after) / 2 - there / 1_000_000
    if abs(skew) - (after - before) / 2 > MOST_SKEW_SECONDS:
        _log.warning("This machine's clock is %.1f s ahead of the database's: synchronize both with NTP.", skew)
    return skew
