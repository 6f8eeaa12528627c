"""Many requests that arrive together find out who is calling with few statements, and each of them by a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from seeds import account

from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.queries.accounts import Callers
from refundgql.storage.database import Database, Dialect, Row
from refundgql.storage.faults import StorageError


@dataclass
class Held:
    """A database whose statements wait until they are let go, so that tests choose what happens meanwhile."""

    database: Database
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    read: asyncio.Event = field(default_factory=asyncio.Event)
    begun: list[str] = field(default_factory=list)
    broken: bool = False

    @property
    def dialect(self) -> Dialect:
        """Tell which database answers."""
        return self.database.dialect

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> Sequence[Row]:
        """Run a statement once the gate is open."""
        self.begun.append(sql)
        found = await self.database.fetch(sql, parameters)
        self.read.set()
        await self.gate.wait()
        if self.broken:
            raise StorageError("The connection was lost.")
        return found

    async def fetch_row(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """Return the first row."""
        rows = await self.fetch(sql, parameters)
        return rows[0] if rows else None

    async def fetch_value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first value."""
        rows = await self.fetch(sql, parameters)
        return rows[0][0] if rows else None


async def _accounts(database: Database, *roles: str) -> list[str]:
    """Save an account with each of these roles and return their external references."""
    async with database.transaction() as tx:
        ids = [await account(tx, role) for role in roles]
    rows = await database.fetch("SELECT id, external_ref FROM account WHERE id = ANY(?)", (ids,))
    refs = {row["id"]: row["external_ref"] for row in rows}
    return [refs[one] for one in ids]


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_requests_that_arrive_together_share_a_statement(database: Database) -> None:
    """Forty requests of three accounts and of nobody take two statements, and each learns who it speaks for."""
    pro, client, support = await _accounts(database, "PRO", "CLIENT", "SUPPORT")
    held = Held(database)
    callers, refs = Callers(held), [pro, client, support, "nobody"] * 10
    asked = [asyncio.create_task(callers.find(ref)) for ref in refs]
    await _turns()
    held.gate.set()
    found = await asyncio.gather(*asked)
    assert [viewer and viewer.external_ref for viewer in found] == [pro, client, support, None] * 10
    roles = [set() if viewer is None else set(viewer.roles) for viewer in found[:4]]
    assert roles == [{Role.PRO}, {Role.CLIENT}, {Role.SUPPORT}, set()]
    assert len(held.begun) == 2


async def test_a_role_taken_away_is_gone_for_whoever_asks_then(database: Database) -> None:
    """Whoever asks while a statement is under way is told what the next one reads, never what that one has read."""
    (ref,) = await _accounts(database, "SUPPORT")
    held = Held(database)
    callers = Callers(held)
    before = asyncio.create_task(callers.find(ref))
    await held.read.wait()
    async with database.transaction() as tx:
        await tx.execute("UPDATE account SET roles = 'CLIENT' WHERE external_ref = ?", (ref,))
    after = asyncio.create_task(callers.find(ref))
    await _turns()
    held.gate.set()
    first, second = await before, await after
    assert first is not None
    assert first.is_staff
    assert second is not None
    assert second.roles == {Role.CLIENT}


async def test_a_failed_statement_is_told_to_all_who_shared_it_and_to_nobody_else(database: Database) -> None:
    """Everybody who waited for a statement that failed is refused, and the next request is answered again."""
    (ref,) = await _accounts(database, "PRO")
    held = Held(database, broken=True)
    callers = Callers(held)
    asked = [asyncio.create_task(callers.find(ref)) for _ in range(5)]
    await _turns()
    held.gate.set()
    for one in asked:
        with pytest.raises(StorageError, match="was lost"):
            await one
    held.broken = False
    again = await callers.find(ref)
    assert isinstance(again, Viewer)


async def test_who_gives_up_takes_nobody_along(database: Database) -> None:
    """Requests that are given up, the one that reads among them, leave the others their answers."""
    first, second, third = await _accounts(database, "PRO", "CLIENT", "SUPPORT")
    held = Held(database)
    callers = Callers(held)
    asked = [asyncio.create_task(callers.find(ref)) for ref in (first, second, second, third)]
    await _turns()
    asked[0].cancel()
    asked[1].cancel()
    await _turns()
    held.gate.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in found] == [True, True, False, False]
    assert [one.external_ref for one in found[2:] if isinstance(one, Viewer)] == [second, third]
    assert (await callers.find(first)) is not None
