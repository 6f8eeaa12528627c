"""What may still be asked, decided, released and withdrawn once a bank, or a refund elsewhere, has taken everything."""

from __future__ import annotations

from datetime import timedelta

import pytest
from command_world import World, told, usd
from contract_desk import ContractDesk
from marketplace import chargeback, contract, invoice, milestone, people, refund, sync
from test_moving_in import balances, payout
from test_sync_money import desk_of, identified

from refundgql.commands.sweep import sweep_due
from refundgql.commands.withdrawals import RequestWithdrawal, request_withdrawal
from refundgql.domain.cases import available_actions
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import IssueDecision, RefundActionName
from refundgql.storage.facts import load_case_facts
from refundgql.storage.settlements import list_coverable

A = RefundActionName


async def working(world: World) -> ContractDesk:
    """Return a desk with an hourly invoice and an escrow of 300.00, paid yesterday."""
    world.clock.at = world.clock.at.replace(month=3, day=2)
    await sync(
        world,
        *people(),
        contract("hourly", "HOURLY"),
        invoice("hours", "hourly", "40.00", "2026-03-01T00:00:00Z"),
        contract("fixed", "FIXED_PRICE"),
        milestone("escrow"),
    )
    return await desk_of(world)


async def offered(world: World, viewer: Viewer, case_id: str) -> set[RefundActionName]:
    """Return the acts that are open to somebody on a case."""
    facts = (await load_case_facts(world.database, [case_id]))[case_id]
    return {one.name for one in available_actions(facts, viewer, world.clock.at, world.policy) if one.enabled}


async def whose_move(world: World, case_id: str) -> str:
    """Return whose move lists say it is, once the sweeper has looked."""
    await sweep_due(world.uow)
    return str((await world.case(case_id))["whose_move"])


async def test_escrow_that_a_bank_took_is_neither_asked_for_nor_given_and_is_released_as_nothing(world: World) -> None:
    """D25: the milestone stays FUNDED, requests and issues say why not, and its release moves no money."""
    desk = await working(world)
    milestone_id = await identified(world, "milestone", "escrow")
    before = await balances(world)
    await sync(world, chargeback("cb", "300.00", "LOST", milestone="escrow"))
    for act in (
        lambda: desk.ask_escrow(milestone_id, "1.00"),
        lambda: desk.issue(IssueDecision.FULL, milestone_id=milestone_id),
        lambda: desk.issue(IssueDecision.PARTIAL, milestone_id=milestone_id, amount=usd("1.00")),
    ):
        assert told(await world.refused(act)) == [("CHARGED_BACK", "D25")]
    await sync(world, milestone("escrow", "RELEASED"))
    (row,) = await world.rows("SELECT status FROM milestone")
    assert row["status"] == "RELEASED"
    assert await balances(world) == before


async def test_a_case_whose_money_a_bank_took_can_be_declined_or_cancelled_and_is_then_nobodys(world: World) -> None:
    """D25: while it is undecided somebody has to end it; nobody is given a way on that leads to nothing."""
    desk = await working(world)
    case_id = await desk.ask_escrow(await identified(world, "milestone", "escrow"), "100.00")
    await sync(world, chargeback("cb", "300.00", "LOST", milestone="escrow"))
    assert await offered(world, desk.expert, case_id) & {A.APPROVE, A.DECLINE} == {A.DECLINE}
    assert A.CANCEL in await offered(world, desk.client, case_id)
    refusals = await world.refused(lambda: desk.dispute(desk.client, case_id))
    assert told(refusals) == [("CHARGED_BACK", "D25")]
    assert await whose_move(world, case_id) == "COUNTERPARTY"
    world.clock.at += timedelta(days=8)
    assert await whose_move(world, case_id) == "SUPPORT"
    assert await offered(world, desk.ivy, case_id) & {A.APPROVE, A.DECLINE} == {A.DECLINE}
    await desk.decline(desk.ivy, case_id)
    assert await whose_move(world, case_id) == "NOBODY"


@pytest.mark.parametrize("taken", ["bank", "refund"])
async def test_a_way_on_closes_with_the_money_and_opens_with_it_again(world: World, taken: str) -> None:
    """D25, D28: after a decline, in lists, buttons and acts alike; what a bank only wanted may come back."""
    desk = await working(world)
    case_id = await desk.ask(await identified(world, "invoice", "hours"), "30.00")
    await desk.decline(desk.expert, case_id)
    ways = {A.ESCALATE, A.DISPUTE}
    assert await whose_move(world, case_id) == "REQUESTER"
    assert await offered(world, desk.client, case_id) >= ways
    code = ("CHARGED_BACK", "D25") if taken == "bank" else ("AMOUNT_EXCEEDS_REFUNDABLE", "C14")
    if taken == "bank":
        await sync(world, chargeback("cb", "40.00", invoice="hours"))
    else:
        await sync(world, refund("past", "40.00", invoice="hours"))
    assert await whose_move(world, case_id) == "NOBODY"
    assert not ways & await offered(world, desk.client, case_id)
    for act in (desk.escalate, desk.dispute):
        assert told(await world.refused(lambda act=act: act(desk.client, case_id))) == [code]  # type: ignore[misc]
    if taken == "bank":
        await sync(world, chargeback("cb", "40.00", "WON", invoice="hours"))
        assert await whose_move(world, case_id) == "REQUESTER"
        await desk.escalate(desk.client, case_id)
        await desk.approve(desk.ivy, case_id)
        assert (await world.case(case_id))["state"] == "CREDITED"


async def test_what_a_bank_took_while_it_was_awaited_keeps_no_money_back(world: World) -> None:
    """D13, D25: what it wants still may; what it has taken nothing covers: the money is free, the client ends it."""
    desk = await working(world)
    await sync(world, payout("po", "expert", "40.00"))
    case_id = await desk.ask(await identified(world, "invoice", "hours"), "30.00")
    await desk.approve(desk.expert, case_id)
    assert await whose_move(world, case_id) == "SYSTEM"
    await sync(world, chargeback("cb", "40.00", invoice="hours"))
    await sync(world, invoice("more", "hourly", "100.00", "2026-03-01T00:00:00Z"))
    assert await whose_move(world, case_id) == "SYSTEM"
    given = RequestWithdrawal(amount=usd("10.00"), idempotency_key=world.key())
    refusals = await world.refused(lambda: request_withdrawal(world.uow, desk.expert, given))
    assert told(refusals) == [("FUNDS_INSUFFICIENT", "D13")]
    await sync(world, chargeback("cb", "40.00", "LOST", invoice="hours"))
    case = await world.case(case_id)
    assert (case["whose_move"], case["next_move"]) == ("SYSTEM", "REQUESTER")  # as is offered: nobody else ends it
    assert await list_coverable(world.database, limit=9) == []
    await request_withdrawal(world.uow, desk.expert, given)
    world.clock.at += timedelta(days=15)
    await desk.escalate(desk.client, case_id)
    await desk.decline(desk.ivy, case_id)
    assert await whose_move(world, case_id) == "NOBODY"


async def test_goodwill_that_a_bank_has_taken_comes_to_its_end(world: World) -> None:
    """D12, D25: support has decided before, and of what the expert then approved nothing is left: support ends it."""
    desk = await working(world)
    invoice_id = await identified(world, "invoice", "hours")
    first = await desk.ask(invoice_id, "30.00")
    await desk.dispute(desk.client, first)
    await desk.decline(desk.ivy, first)
    await sync(world, payout("po", "expert", "40.00"))
    case_id = await desk.ask(invoice_id, "30.00")
    await desk.approve(desk.expert, case_id)
    world.clock.at += timedelta(days=15)
    assert told(await world.refused(lambda: desk.escalate(desk.client, case_id))) == [("FINAL_DECISION", "D12")]
    await sync(world, chargeback("cb", "40.00", "LOST", invoice="hours"))
    assert "ESCALATE" in await offered(world, desk.client, case_id)
    await desk.escalate(desk.client, case_id)
    assert told(await world.refused(lambda: desk.approve(desk.ivy, case_id))) == [("CHARGED_BACK", "D25")]
    await desk.decline(desk.ivy, case_id)
    assert await whose_move(world, case_id) == "NOBODY"


async def test_what_is_left_of_an_awaited_refund_is_taken_to_support(world: World) -> None:
    """D13, D25: of 30.00 the bank took 20.00 of 40.00: no money helps, and after the wait it is the client's move."""
    desk = await working(world)
    await sync(world, payout("po", "expert", "40.00"))
    case_id = await desk.ask(await identified(world, "invoice", "hours"), "30.00")
    await desk.approve(desk.expert, case_id)
    await sync(world, chargeback("cb", "20.00", "LOST", invoice="hours"))
    case = await world.case(case_id)
    assert (case["whose_move"], case["next_move"]) == ("SYSTEM", "REQUESTER")
    world.clock.at += timedelta(days=15)
    await desk.escalate(desk.client, case_id)
    await desk.approve(desk.ivy, case_id, "20.00")
    assert (await world.case(case_id))["credited_minor"] == 2_000
