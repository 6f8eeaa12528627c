"""Whoever loses access is found at once: by a timer, by a ring, and at the latest by looking."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from itertools import pairwise

import pytest
from transport_desk import viewer

from patience import until
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.gql import connections
from refundgql.gql.callers import Caller
from refundgql.gql.connections import Presence
from refundgql.messaging.bus import Doorbell
from refundgql.web.authentication import lost_access

ADA = viewer("ada", Role.PRO, Role.CLIENT)


class Open:
    """A connection that notes how it was ended."""

    def __init__(self, expires_at: float | None = None) -> None:
        self.caller = Caller(ADA, expires_at)
        self.ended: list[str] = []

    def end_access(self, reason: str) -> None:
        self.ended.append(reason)

    def end_for_restart(self) -> None:
        self.ended.append("restart")

    def probe(self) -> None:
        self.ended.append("probed")


class Accounts:
    """The accounts that are looked up, when they were, and a bell for their changes."""

    def __init__(self) -> None:
        self.known = {"ada": ADA}
        self.looks: list[float] = []
        self.bell = Doorbell()

    async def load(self, external_refs: Collection[str]) -> dict[str, Viewer]:
        self.looks.append(time.monotonic())
        return {ref: self.known[ref] for ref in external_refs if ref in self.known}

    @contextlib.asynccontextmanager
    async def changes(self) -> AsyncIterator[Doorbell]:
        yield self.bell

    def presence(self) -> Presence:
        return Presence(lost_access(self.load), max_per_account=5, changes=self.changes)


async def never(_: Collection[Viewer]) -> dict[Viewer, str]:
    """Look accounts up in a database that does not answer."""
    await asyncio.Event().wait()
    return {}


@pytest.fixture(autouse=True)
def _seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody be found by looking now and then, but where that is what is tested."""
    monkeypatch.setattr(connections, "CHECK_SECONDS", 60.0)


async def test_a_token_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection ends when its token does, also while accounts cannot be looked up; one that left before does not."""
    monkeypatch.setattr(connections, "CHECK_SECONDS", 0.02)
    presence = Presence(never, max_per_account=5, changes=Accounts().changes)
    now = time.time()
    soon, left, days, over = Open(now + 0.5), Open(now + 0.2), Open(now + 10**7), Open(now - 5)
    keys = [presence.enter(one, "") for one in (soon, left, days, over)]
    presence.leave(left, keys[1])
    async with presence.watched():
        await until(lambda: over.ended)
        await until(lambda: soon.ended)
    assert time.time() >= now + 0.5
    assert soon.ended[0] == over.ended[0] == "The token has expired."
    assert left.ended == days.ended == []


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (None, "The account has no access any more."),
        (replace(ADA, roles=frozenset({Role.PRO})), "The account has lost a role."),
        (replace(ADA, roles=ADA.roles | {Role.SUPPORT}), None),
    ],
)
async def test_a_ring_is_heard_at_once(now: Viewer | None, reason: str | None) -> None:
    """A ring makes the accounts be looked at: who lost a role or the account is ended, who gained one is not."""
    accounts = Accounts()
    presence, connection = accounts.presence(), Open()
    async with presence.watched():
        presence.enter(connection, "")
        await asyncio.sleep(0.05)
        assert accounts.looks == []
        accounts.known = {"ada": now} if now else {}
        accounts.bell.ring()
        await until(lambda: connection.ended if reason else accounts.looks)
    assert connection.ended == ([reason] if reason else [])


async def test_rings_without_end_are_answered_now_and_then() -> None:
    """A marketplace that changes accounts all the time costs twenty looks a second, not one for each change."""
    accounts = Accounts()
    presence = accounts.presence()
    async with presence.watched():
        presence.enter(Open(), "")
        while len(accounts.looks) < 5:
            accounts.bell.ring()
            await asyncio.sleep(0)
    assert min(after - before for before, after in pairwise(accounts.looks)) > 0.99 * connections.BETWEEN_CHECKS_SECONDS


async def test_a_lost_ring_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a ring the accounts are looked at again and again."""
    monkeypatch.setattr(connections, "CHECK_SECONDS", 0.1)
    accounts = Accounts()
    presence, connection = accounts.presence(), Open()
    async with presence.watched():
        presence.enter(connection, "")
        accounts.known.clear()
        await until(lambda: connection.ended)
    assert connection.ended[0] == "The account has no access any more."
