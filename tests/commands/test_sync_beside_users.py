"""Records that come in while people act: nobody waits for a batch that is worked out, and nobody's act is lost."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from command_world import World, usd
from marketplace import contract, invoice, money, people, sync
from test_sync_money import desk_of, identified, viewer

from refundgql.commands import sync_records
from refundgql.commands.withdrawals import RequestWithdrawal, request_withdrawal
from refundgql.domain.vocabulary import Role
from refundgql.storage.database import Database, Transaction
from refundgql.storage.statements import counted_statements

ONE_CREDIT = 15
"""Statements that crediting one case takes, whatever brought the money."""


async def test_who_acts_while_a_batch_is_worked_out_is_not_kept_waiting(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A withdrawal goes through between the batch's reading and its writing, and the batch counts it in."""
    world = World(postgres)
    await sync(
        world, *people(), contract("fixed", "FIXED_PRICE"), invoice("first", "fixed", "50.00", "2026-02-01T00:00:00Z")
    )
    expert, original = await viewer(world, "expert", Role.EXPERT), sync_records.lock_unchanged
    acted = []

    async def act_first(tx: Transaction, *read: Mapping[str, int]) -> None:
        if not acted:
            given = RequestWithdrawal(amount=usd("20.00"), idempotency_key="k")
            acted.append(await request_withdrawal(world.uow, expert, given))
        await original(tx, *read)

    monkeypatch.setattr(sync_records, "lock_unchanged", act_first)
    paid = [
        invoice("second", "fixed", "5.00", "2026-02-02T00:00:00Z"),
        invoice("third", "fixed", "60.00", "2026-02-02T00:00:00Z", fromBalance=money("60.00")),
    ]
    assert await sync(world, *paid) == (2, 0, 0)
    assert await world.balance(expert) == 5_000 - 2_000 + 500 + 6_000
    await world.check_ledger()


async def test_an_awaited_refund_makes_a_batch_no_dearer(world: World) -> None:
    """1,000 paid invoices of an expert take about as many statements whether or not a refund waits for the money."""

    async def statements(start: int, amount: str) -> int:
        shapes = [
            invoice(f"i-{number}", "fixed", amount, "2026-02-02T00:00:00Z") for number in range(start, start + 1_000)
        ]
        with counted_statements() as counted:
            await sync_records.take_records(world.uow, shapes)
        return len(counted)

    await sync(world, *people(), contract("fixed", "FIXED_PRICE"))
    await sync(world, invoice("big", "fixed", "5000.00", "2026-02-01T00:00:00Z"))
    without = await statements(0, "0.01")
    desk = await desk_of(world)
    left = await world.balance(desk.expert)
    given = RequestWithdrawal(amount=usd(f"{left // 100}.{left % 100:02d}"), idempotency_key="all")
    await request_withdrawal(world.uow, desk.expert, given)
    case_id = await desk.ask(await identified(world, "invoice", "big"), "5000.00")
    await desk.approve(desk.expert, case_id)
    assert await statements(1_000, "0.01") <= 1.5 * without  # far from enough
    assert (await world.case(case_id))["state"] == "APPROVED"
    assert await statements(2_000, "5.00") <= without + ONE_CREDIT  # enough, more than once over
    assert (await world.case(case_id))["state"] == "CREDITED"
    await world.check_ledger()
