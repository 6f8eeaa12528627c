"""What PostgreSQL's array types are is asked once for a process, and never taken from one database to another."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from databases import LIMITS, new_database_url
from refundgql.storage.database import Database
from refundgql.storage.ids import new_id
from refundgql.storage.postgres_types import KnowingConnection


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> list[set[int]]:
    """Forget what is known, and note what the driver itself asks a server that runs already."""
    monkeypatch.setattr(KnowingConnection, "asked", set())
    monkeypatch.setattr(KnowingConnection, "found", {})
    questions: list[set[int]] = []
    original = asyncpg.Connection._introspect_types

    async def noted(self: Any, typeoids: Collection[int], timeout: Any) -> Any:  # noqa: ASYNC109
        questions.append(set(typeoids))
        return await original(self, typeoids, timeout)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", noted)
    return questions


async def test_only_the_first_connection_asks_what_arrays_are(asked: list[set[int]], tmp_path: Path) -> None:
    """Readers and writers of two databases read and write arrays, and one question is asked in all."""
    one, other = new_id(), new_id()
    arrays = "SELECT CAST(? AS uuid[]) AS ids, CAST(? AS bigint[]) AS numbers, CAST(? AS boolean[]) AS truths"
    for _ in range(2):
        database = await Database.open(new_database_url("postgres", tmp_path), LIMITS)
        try:
            given = ([one, other, None], [1, -(2**63), None], [True, False, None])
            found = await asyncio.gather(*(database.fetch_row(arrays, given) for _ in range(8)))
            async with database.transaction() as tx:
                found.append(await tx.fetch_row(arrays, given))
        finally:
            await database.close()
        assert [tuple(row) for row in found if row is not None] == [given] * 9
    assert len(asked) == 1


async def test_types_of_a_databases_own_are_asked_for_anew(asked: list[set[int]], tmp_path: Path) -> None:
    """Their numbers mean something else in another database."""
    for spelt in ("calm", "loud"):
        url = new_database_url("postgres", tmp_path)
        connection = await asyncpg.connect(url, connection_class=KnowingConnection)
        try:
            await connection.execute(f"CREATE TYPE mood AS ENUM ('{spelt}')")
            assert await connection.fetchval("SELECT CAST($1 AS mood[])", [spelt]) == [spelt]
        finally:
            await connection.close()
    assert len(asked) == 2
    assert KnowingConnection.asked == set()
