"""What idempotency keys did, per account, kept in the transaction that did it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from refundgql.domain.calendar import DAY_MICROS
from refundgql.storage.database import Database, Source, Transaction, Write
from refundgql.storage.rows import insertion

KEPT_DAYS = 30
"""Clients may repeat a request this long and longer: keys are purged after it."""


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What a key did."""

    operation: str
    input_sha256: str
    result: Mapping[str, str]


async def find_result(source: Source, account_id: str, key: str) -> StoredResult | None:
    """Return what an account's key did, or nothing."""
    row = await source.fetch_row(
        "SELECT operation, input_sha256, result FROM idempotent_result WHERE account_id = ? AND key = ?",
        (account_id, key),
    )
    return None if row is None else StoredResult(row["operation"], row["input_sha256"], orjson.loads(row["result"]))


async def store_result(
    tx: Transaction,
    *,
    account_id: str,
    key: str,
    operation: str,
    input_sha256: str,
    result: Mapping[str, str],
    at: int,
) -> None:
    """Keep what a key did, at the latest when the transaction commits; `at` is in microseconds since the epoch.

    Refuses, then: TransientFault when another transaction has used the key meanwhile: the repeat finds what it did.
    """
    row = {"account_id": account_id, "key": key, "operation": operation, "input_sha256": input_sha256}
    kept = orjson.dumps(dict(result)).decode()
    tx.later(Write(*insertion("idempotent_result", **row, result=kept, created_at=at)))


async def purge_results(database: Database, now_micros: int, *, kept_days: int = KEPT_DAYS, batch: int = 10_000) -> int:
    """Delete the keys that are older than they need be, a batch in each transaction, and return how many there were."""
    return await database.delete_all(
        "DELETE FROM idempotent_result WHERE id IN"
        " (SELECT id FROM idempotent_result WHERE created_at < ? ORDER BY created_at LIMIT ?)",
        now_micros - kept_days * DAY_MICROS,
        batch,
    )
