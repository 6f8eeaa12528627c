"""Several processes that act on the same cases at once, each with many acts under way."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from command_world import HeardBus, SetClock, World, usd
from contract_desk import ContractDesk
from marketplace import SERVICE, chargeback

from databases import LIMITS
from refundgql.commands.decisions import ApproveRefund, approve_refund
from refundgql.commands.sweep import sweep_due
from refundgql.commands.sync_records import sync_records
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refused
from refundgql.domain.viewers import Viewer
from refundgql.storage.database import Database

AT_ONCE = 24
"""Acts under way in one process."""

SWEEPS = 5
"""Sweeps that one process does among its acts."""


@dataclass(frozen=True)
class Share:
    """What one process does: every act on every case in an order of its own, or the same keys as the others."""

    url: str
    at: datetime
    client: Viewer
    expert: Viewer
    support: Viewer
    case_ids: tuple[str, ...]
    seed: int
    admins: tuple[Viewer, ...] = ()
    invoice_refs: tuple[str, ...] = ()


def conflicting_acts(share: Share) -> Counter[str]:
    """Do conflicting acts on every case, and sweep meanwhile."""
    return asyncio.run(_with_database(share, _acts))


def signed_acts(share: Share) -> Counter[str]:
    """Propose, sign, return, reopen, cancel and charge back every case, and sweep meanwhile."""
    return asyncio.run(_with_database(share, _signed))


def copies(share: Share) -> Counter[str]:
    """Send the same approvals with the same keys as every other process."""
    return asyncio.run(_with_database(share, _copies))


Do = Callable[[Share, World], Awaitable[Counter[str]]]


async def _with_database(share: Share, do: Do) -> Counter[str]:
    database = await Database.open(share.url, LIMITS)
    try:
        return await do(share, World(database, SetClock(share.at), HeardBus(), keys=share.seed * 1_000_000))
    finally:
        await database.close()


async def _acts(share: Share, world: World) -> Counter[str]:
    desk = ContractDesk(world, share.client, share.expert, share.support, share.support, share.client)
    acts: list[Callable[[], Awaitable[object]]] = []
    for case_id in share.case_ids:
        acts += [
            lambda case_id=case_id: desk.approve(share.expert, case_id),  # type: ignore[misc]
            lambda case_id=case_id: desk.approve(share.expert, case_id, "1"),  # type: ignore[misc]
            lambda case_id=case_id: desk.decline(share.expert, case_id),  # type: ignore[misc]
            lambda case_id=case_id: desk.dispute(share.client, case_id),  # type: ignore[misc]
            lambda case_id=case_id: desk.approve(share.support, case_id, "2"),  # type: ignore[misc]
            lambda case_id=case_id: desk.cancel(share.client, case_id),  # type: ignore[misc]
        ]
    acts += [lambda: sweep_due(world.uow)] * SWEEPS
    random.Random(share.seed).shuffle(acts)
    return await _count(acts)


async def _signed(share: Share, world: World) -> Counter[str]:
    world.policy = replace(Policy(), decision_limit_minor={"USD": 1_000})
    desk = ContractDesk(world, share.client, share.expert, share.support, share.admins[0], share.client)
    ivy, (ada, lou) = share.support, share.admins

    def tell(ref: str, status: str) -> Callable[[], Awaitable[str]]:
        async def told() -> str:
            await sync_records(world.uow, SERVICE, [chargeback(f"cb-{ref}", "45", status, invoice=ref)])
            return "TOLD"

        return told

    acts: list[Callable[[], Awaitable[object]]] = []
    for case_id, ref in zip(share.case_ids, share.invoice_refs, strict=True):
        acts += [
            lambda case_id=case_id: desk.approve(ivy, case_id),  # type: ignore[misc]
            lambda case_id=case_id: desk.approve(ivy, case_id, "30"),  # type: ignore[misc]
            lambda case_id=case_id: desk.decline(ivy, case_id),  # type: ignore[misc]
            lambda case_id=case_id: desk.decline(ada, case_id),  # type: ignore[misc]
            lambda case_id=case_id: desk.confirm(ada, case_id),  # type: ignore[misc]
            lambda case_id=case_id: desk.confirm(lou, case_id),  # type: ignore[misc]
            lambda case_id=case_id: desk.give_back(lou, case_id),  # type: ignore[misc]
            lambda case_id=case_id: desk.reopen(lou, case_id),  # type: ignore[misc]
            lambda case_id=case_id: desk.consent(share.expert, case_id, "3"),  # type: ignore[misc]
            tell(ref, "OPEN"),
        ]
        if share.seed == 1:
            acts += [lambda case_id=case_id: desk.cancel(share.client, case_id), tell(ref, "WON")]  # type: ignore[misc]
    acts += [lambda: sweep_due(world.uow)] * SWEEPS
    random.Random(share.seed).shuffle(acts)
    return await _count(acts)


async def _copies(share: Share, world: World) -> Counter[str]:
    def approving(case_id: str) -> Callable[[], Awaitable[object]]:
        given = ApproveRefund(refund_case_id=case_id, amount=usd("1"), idempotency_key=f"copy-{case_id}")

        async def approve() -> str:
            return "REPLAYED" if (await approve_refund(world.uow, share.expert, given)).replayed else "FIRST"

        return approve

    acts = [approving(case_id) for case_id in share.case_ids for _ in range(4)]
    random.Random(share.seed).shuffle(acts)
    return await _count(acts)


async def _count(acts: list[Callable[[], Awaitable[object]]]) -> Counter[str]:
    found: Counter[str] = Counter()
    room = asyncio.Semaphore(AT_ONCE)

    async def do(act: Callable[[], Awaitable[object]]) -> None:
        async with room:
            try:
                answer = await act()
                found[answer if isinstance(answer, str) else "DONE"] += 1
            except Refused as refused:
                found[refused.refusals[0].code.value] += 1

    await asyncio.gather(*map(do, acts))
    return found
