"""Rules that change while requests wait: the ones in force decide, and nobody is left without a way on (D28)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from command_world import DAY, START, World
from contract_desk import ContractDesk

from refundgql.commands.arming import arm_deadlines
from refundgql.commands.sweep import sweep_due
from refundgql.domain.calendar import to_micros
from refundgql.domain.ledger import balance, held
from refundgql.domain.refusals import Refused
from refundgql.domain.vocabulary import BalancePurpose
from refundgql.queries.pages import Page
from refundgql.queries.simulations import Examination, examine

PAID_AT = datetime(2025, 5, 1, 23, 30, tzinfo=UTC)


@pytest.fixture
async def desk(world: World) -> AsyncIterator[ContractDesk]:
    """The people around contracts; the simulator judges each act afterwards by the rules of its time."""
    await arm_deadlines(world.uow)
    desk = await ContractDesk.open(world)
    yield desk
    told = await simulated(desk)
    assert (told.not_reproduced, told.found) == (0, [])


async def simulated(desk: ContractDesk, **overrides: int) -> Examination:
    """Decide everything again, with some parameters changed."""
    world = desk.world
    return await examine(world.database, desk.ivy, world.policy, overrides, None, Page(100), world.clock.at)


async def test_parameters_are_changed_in_the_rules_of_the_time(desk: ContractDesk) -> None:
    """What was answered on day 5 of 7, and on day 2 of 3 later: each differs as its own time would have had it."""
    world = desk.world
    first = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    world.clock.at += 5 * DAY
    await desk.decline(desk.expert, first)
    world.policy = world.policy.with_overrides({"respond_within_days": 3})
    await sweep_due(world.uow)
    second = await desk.ask(await desk.paid_invoice(kind="HOURLY", paid_at=world.clock.at - DAY), "10")
    world.clock.at += 2 * DAY
    await desk.decline(desk.expert, second)
    for days, changed in ((1, [second, first]), (2, [first]), (4, [first]), (5, [])):
        told = await simulated(desk, respond_within_days=days)
        assert (told.not_reproduced, [one.case_id for one in told.found]) == (0, changed)


async def _asked_on_day(desk: ContractDesk, day: int) -> str:
    """Ask for money of a fixed-price invoice on a day after its payment."""
    desk.world.clock.at = PAID_AT + day * DAY
    return await desk.ask(await desk.paid_invoice(paid_at=PAID_AT), "10")


async def test_a_longer_direct_window_moves_the_hand_over_with_it(desk: ContractDesk) -> None:
    """D28: 180 days become 200, the old clock fires: nothing happens until day 201, and then support has the case."""
    case_id = await _asked_on_day(desk, 100)
    desk.world.policy = desk.world.policy.with_overrides({"direct_window_days": 200})
    desk.world.clock.at = PAID_AT + 181 * DAY
    await sweep_due(desk.world.uow)
    assert (await desk.world.case(case_id))["state"] == "REQUESTED"
    desk.world.clock.at = PAID_AT + 201 * DAY
    await sweep_due(desk.world.uow)
    assert (await desk.world.case(case_id))["state"] == "ESCALATED"
    await desk.approve(desk.ivy, case_id)
    assert (await desk.world.case(case_id))["state"] == "CREDITED"


@pytest.mark.parametrize("days", [100, 20])
async def test_a_shorter_direct_window_hands_over_at_once(desk: ContractDesk, days: int) -> None:
    """D28: a request that the shorter window has left behind goes to support with the next sweep, not on day 181."""
    case_id = await _asked_on_day(desk, 110)
    desk.world.policy = desk.world.policy.with_overrides({"direct_window_days": days})
    await sweep_due(desk.world.uow)
    assert (await desk.world.case(case_id))["state"] == "ESCALATED"


async def test_a_shorter_answer_time_is_told_and_kept(desk: ContractDesk) -> None:
    """D28: seven days to answer become three: both sides read the moved date, and the case moves on that day."""
    case_id = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    desk.world.policy = desk.world.policy.with_overrides({"respond_within_days": 3})
    await sweep_due(desk.world.uow)
    await sweep_due(desk.world.uow)
    assert await desk.world.events(case_id) == ["REQUEST", "DEADLINE_MOVED"]
    (event,) = await desk.world.rows("SELECT * FROM refund_event WHERE name = 'DEADLINE_MOVED'")
    assert (event["actor_role"], event["rule"], event["to_state"]) == ("SYSTEM", "D28", "REQUESTED")
    assert '["clock","RESPOND_BY"]' in event["facts"]
    assert '["endsAt","2026-03-08T00:00:00+00:00"]' in event["facts"]
    assert '["endedAt","2026-03-12T00:00:00+00:00"]' in event["facts"]
    desk.world.clock.at = datetime(2026, 3, 8, tzinfo=UTC)
    await sweep_due(desk.world.uow)
    assert (await desk.world.case(case_id))["state"] == "ESCALATED"


async def test_a_longer_cut_off_finds_released_money_gone(desk: ContractDesk) -> None:
    """D28: once a week's money is the expert's, a longer cut-off does not bring its dispute back; asking is open."""
    world = desk.world
    contract_id = await world.contract(desk.client, desk.expert, kind="HOURLY")
    week_id, _ = await world.week(contract_id)
    world.clock.at = datetime(2026, 3, 7, tzinfo=UTC)
    assert await sweep_due(world.uow) == 1
    world.policy = world.policy.with_overrides({"timesheet_dispute_days": 7})
    world.clock.at = datetime(2026, 3, 8, tzinfo=UTC)
    with pytest.raises(Refused) as refused:
        await desk.dispute_week(week_id, "10")
    assert [(one.code.value, one.rule) for one in refused.value.refusals] == [("DISPUTE_NOT_AVAILABLE", "D28")]
    assert [one.value for one in refused.value.refusals[0].alternatives] == ["REQUEST"]
    assert await world.rows("SELECT * FROM refund_case") == []


async def test_a_longer_cut_off_keeps_held_money_until_then(desk: ContractDesk) -> None:
    """D28: the week's old clock fires before the new cut-off: the money stays held, and is released at the new one."""
    world = desk.world
    contract_id = await world.contract(desk.client, desk.expert, kind="HOURLY")
    week_id, _ = await world.week(contract_id)
    world.policy = world.policy.with_overrides({"timesheet_dispute_days": 7})
    world.clock.at = datetime(2026, 3, 7, tzinfo=UTC)
    await sweep_due(world.uow)
    assert await world.balance(desk.expert) == 0
    case_id = await desk.dispute_week(week_id, "10")
    await desk.decline(desk.ivy, case_id)
    world.clock.at = datetime(2026, 3, 9, tzinfo=UTC)
    await sweep_due(world.uow)
    assert await world.balance(desk.expert) == 40_000


async def test_a_dispute_decided_before_the_cut_off_leaves_the_release_standing(desk: ContractDesk) -> None:
    """Clocks a second apart: a process whose clock is ahead met the open dispute; the rest is released all the same."""
    world = desk.world
    contract_id = await world.contract(desk.client, desk.expert, kind="HOURLY")
    week_id, _ = await world.week(contract_id)
    cut_off = datetime(2026, 3, 7, tzinfo=UTC)
    world.clock.at = cut_off - timedelta(seconds=1)
    case_id = await desk.dispute_week(week_id, "10")
    world.clock.at = cut_off
    await sweep_due(world.uow)
    world.clock.at = cut_off - timedelta(seconds=1)
    await desk.approve(desk.ivy, case_id)
    world.clock.at = cut_off + DAY
    await sweep_due(world.uow)
    assert await world.balance(desk.expert) == 40_000 - 1_000


async def test_a_dispute_of_released_money_is_paid_by_the_expert(desk: ContractDesk) -> None:
    """What was disputed before it was known to be released comes from the expert's balance when support approves."""
    world = desk.world
    contract_id = await world.contract(desk.client, desk.expert, kind="HOURLY")
    week_id, _ = await world.week(contract_id)
    world.clock.at = START + timedelta(hours=1)
    case_id = await desk.dispute_week(week_id, "10")
    payment_id = (await world.case(case_id))["payment_id"]
    purse = balance(desk.expert.account_id, BalancePurpose.CONTRACTS, "USD")
    await world.post("RELEASE", held(payment_id, "USD"), purse, 40_000, payment_id=payment_id)
    async with world.database.transaction() as tx:
        await tx.execute("UPDATE billing_week SET released_at = ? WHERE id = ?", (to_micros(START), week_id))
    await desk.approve(desk.ivy, case_id)
    assert await world.balance(desk.expert) == 39_000
    assert await world.balance(desk.client) == 1_000
