"""A key has one effect per account, also when copies of a request run at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter

from seeds import account

from refundgql.domain.calendar import DAY_MICROS
from refundgql.storage.database import Database
from refundgql.storage.faults import TransientFault
from refundgql.storage.idempotency import find_result, purge_results, store_result


async def _once(database: Database, person: str, key: str) -> str:
    """Do something once for a key, as a command does, and tell what came of it."""
    for _ in range(20):
        try:
            async with database.transaction() as tx:
                stored = await find_result(tx, person, key)
                if stored is not None:
                    return stored.result["made"]
                await asyncio.sleep(0.001)
                made = await account(tx, "PRO")
                await store_result(
                    tx, account_id=person, key=key, operation="x", input_sha256="h", result={"made": made}, at=0
                )
            return made
        except TransientFault:
            continue
    raise AssertionError("a copy never found what the first one did")


async def test_copies_of_a_request_have_one_effect(database: Database) -> None:
    """Ten copies at once of each of five keys: five effects, and every copy answers with its key's."""
    async with database.transaction() as tx:
        person = await account(tx, "CLIENT")
    answers = await asyncio.gather(*(_once(database, person, f"key-{copy % 5}") for copy in range(50)))
    assert sorted(Counter(answers).values()) == [10] * 5
    assert await database.fetch_value("SELECT count(*) FROM account WHERE roles = 'PRO'") == 5


async def test_keys_of_two_accounts_are_two_keys(database: Database) -> None:
    """The same key of another account is another key."""
    async with database.transaction() as tx:
        people = [await account(tx, "CLIENT") for _ in range(2)]
    made = [await _once(database, person, "same") for person in people]
    assert made[0] != made[1]
    assert await find_result(database, people[0], "other") is None


async def test_a_transaction_that_is_undone_leaves_its_key_unused(database: Database) -> None:
    """The key is stored with the effect or not at all."""
    async with database.transaction() as tx:
        person = await account(tx, "CLIENT")
    try:
        async with database.transaction() as tx:
            await store_result(tx, account_id=person, key="k", operation="x", input_sha256="h", result={}, at=0)
            raise RuntimeError
    except RuntimeError:
        pass
    assert await find_result(database, person, "k") is None


async def test_old_keys_are_purged_in_batches(database: Database) -> None:
    """Keys older than thirty days go; younger ones stay."""
    async with database.transaction() as tx:
        person = await account(tx, "CLIENT")
        for age_days in (0, 29, 30, 31, 40, 50):
            await store_result(
                tx,
                account_id=person,
                key=f"k{age_days}",
                operation="x",
                input_sha256="h",
                result={"age": str(age_days)},
                at=(100 - age_days) * DAY_MICROS,
            )
    assert await purge_results(database, 100 * DAY_MICROS, batch=2) == 3
    left = await database.fetch("SELECT key FROM idempotent_result ORDER BY created_at")
    assert [row["key"] for row in left] == ["k30", "k29", "k0"]
