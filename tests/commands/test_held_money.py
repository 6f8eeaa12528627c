"""Escrow and billing weeks: money that is held until it is released, returned or decided about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from command_world import World, told, usd
from contract_desk import ContractDesk

from refundgql.commands.sweep import sweep_due
from refundgql.domain.vocabulary import IssueDecision

CUT_OFF = datetime(2026, 3, 7, tzinfo=UTC)


@pytest.fixture
async def desk(world: World) -> ContractDesk:
    """The people around contracts."""
    return await ContractDesk.open(world)


async def _milestone(desk: ContractDesk) -> str:
    return await desk.world.milestone(await desk.world.contract(desk.client, desk.expert))


async def _week(desk: ContractDesk, **given: object) -> tuple[str, str]:
    contract_id = await desk.world.contract(desk.client, desk.expert, kind="HOURLY")
    return await desk.world.week(contract_id, **given)  # type: ignore[arg-type]


async def _held(world: World) -> int:
    (row,) = await world.rows("SELECT key FROM ledger_account WHERE kind = 'held'")
    return await world.on(row["key"])


async def test_a_part_of_escrow_leaves_the_rest_held(desk: ContractDesk) -> None:
    """C30, D11: the approved part goes to the client, the rest stays in escrow and the milestone FUNDED."""
    world, milestone_id = desk.world, await _milestone(desk)
    case_id = await desk.ask_escrow(milestone_id, "200")
    await desk.approve(desk.expert, case_id, "150")
    assert (await world.balance(desk.client), await _held(world)) == (15_000, 35_000)
    assert (await world.rows("SELECT status FROM milestone"))[0]["status"] == "FUNDED"


async def test_all_of_escrow_returns_the_milestone_and_a_reversal_funds_it_again(desk: ContractDesk) -> None:
    """C30, D16: a full refund makes the milestone RETURNED; its reversal holds the money again."""
    world, milestone_id = desk.world, await _milestone(desk)
    case_id = await desk.issue(IssueDecision.FULL, milestone_id=milestone_id)
    assert (await world.balance(desk.client), await _held(world)) == (50_000, 0)
    assert (await world.rows("SELECT status FROM milestone"))[0]["status"] == "RETURNED"
    await desk.reverse(desk.ada, case_id)
    assert (await world.balance(desk.client), await _held(world)) == (0, 50_000)
    assert (await world.rows("SELECT status FROM milestone"))[0]["status"] == "FUNDED"


async def test_escrow_that_is_refused(desk: ContractDesk) -> None:
    """Strangers see no milestone, experts ask for none, and more than is held is refused."""
    world, milestone_id = desk.world, await _milestone(desk)
    foreign = await world.milestone(await world.contract(desk.stranger, desk.stranger))
    assert told(await world.refused(lambda: desk.ask_escrow(foreign, "1"))) == [("NOT_FOUND", None)]
    (refusal,) = await world.refused(lambda: desk.ask_escrow(milestone_id, "500.01"))
    assert refusal.code.value == "AMOUNT_EXCEEDS_REFUNDABLE"


async def test_a_timesheet_dispute_holds_the_week_until_decided(desk: ContractDesk) -> None:
    """C25: the money stays held past the cut-off; support's part goes to the client and the rest to the expert."""
    world = desk.world
    week_id, _ = await _week(desk)
    case_id = await desk.dispute_week(week_id, "100")
    assert (await world.case(case_id))["state"] == "DISPUTED"
    world.clock.at = CUT_OFF
    await sweep_due(world.uow)
    assert (await world.balance(desk.expert), await _held(world)) == (0, 40_000)
    await desk.approve(desk.ivy, case_id, "80")
    assert await world.events(case_id) == ["OPEN_TIMESHEET_DISPUTE", "DUE_SOON", "APPROVE", "CREDIT"]
    assert (await world.balance(desk.client), await world.balance(desk.expert), await _held(world)) == (
        8_000,
        32_000,
        0,
    )
    assert (await world.rows("SELECT released_at FROM billing_week"))[0]["released_at"] is not None


@pytest.mark.parametrize("end", ["decline", "cancel"])
async def test_a_dispute_that_comes_to_nothing_after_the_cut_off_releases_the_week(
    desk: ContractDesk, end: str
) -> None:
    """Declined or cancelled past the cut-off, all of the week's money goes to the expert at once."""
    world = desk.world
    week_id, _ = await _week(desk)
    case_id = await desk.dispute_week(week_id, "100")
    world.clock.at = CUT_OFF + timedelta(days=2)
    await sweep_due(world.uow)
    await (desk.decline(desk.ivy, case_id) if end == "decline" else desk.cancel(desk.client, case_id))
    assert (await world.balance(desk.expert), await _held(world)) == (40_000, 0)


async def test_a_dispute_decided_before_the_cut_off_leaves_the_rest_to_it(desk: ContractDesk) -> None:
    """The rest stays held until the cut-off and is released by its clock."""
    world = desk.world
    week_id, _ = await _week(desk)
    case_id = await desk.dispute_week(week_id, "100")
    await desk.approve(desk.ivy, case_id)
    assert (await world.balance(desk.client), await world.balance(desk.expert)) == (10_000, 0)
    world.clock.at = CUT_OFF
    await sweep_due(world.uow)
    assert (await world.balance(desk.expert), await _held(world)) == (30_000, 0)


async def test_a_dispute_supersedes_the_request_on_its_week(desk: ContractDesk) -> None:
    """C25: the undecided INVOICE case on the week is cancelled in the same transaction, with its event."""
    world = desk.world
    week_id, _ = await _week(desk)
    asked = await desk.ask(None, "50", billing_week_id=week_id)  # type: ignore[arg-type]
    disputed = await desk.dispute_week(week_id, "100")
    assert (await world.case(asked))["state"] == "CANCELLED"
    assert await world.events(asked) == ["REQUEST", "SUPERSEDE"]
    assert (await world.case(disputed))["state"] == "DISPUTED"
    assert await world.rows("SELECT * FROM clock WHERE case_id = ?", asked) == []
    assert {f"case:{asked}", f"case:{disputed}"} <= set(world.bus.rung)


async def test_the_cut_off_is_exact(desk: ContractDesk) -> None:
    """The week ending Sunday 1 March is disputable through Friday's last microsecond and refused from Saturday."""
    world = desk.world
    week_id, _ = await _week(desk)
    world.clock.at = CUT_OFF
    assert told(await world.refused(lambda: desk.dispute_week(week_id, "1"))) == [("WINDOW_CLOSED", "C28")]
    assert told(await world.refused(lambda: desk.dispute_week(week_id, "1", explanation=" "))) == [
        ("INVALID_INPUT", "C25")
    ]
    world.clock.at = CUT_OFF - timedelta(microseconds=1)
    await desk.dispute_week(week_id, "1")


async def test_running_and_unpaid_weeks_are_refused(desk: ContractDesk) -> None:
    """C10, C11: a running week is UNBILLED_PERIOD until its end, an ended unpaid one INVOICE_NOT_PAID."""
    world = desk.world
    running, _ = await _week(desk, starts_at=datetime(2026, 3, 2, tzinfo=UTC), paid_at=None)
    ended, _ = await _week(desk, paid_at=None)

    async def why(week_id: str) -> list[tuple[str, str | None]]:
        return told(await world.refused(lambda: desk.ask(None, "1", billing_week_id=week_id)))  # type: ignore[arg-type]

    assert [code for code, _ in await why(running)] == ["UNBILLED_PERIOD"]
    assert [code for code, _ in await why(ended)] == ["INVOICE_NOT_PAID"]


async def test_issuing_on_a_week_takes_held_money_first(desk: ContractDesk) -> None:
    """INVOICE credits draw on held(week) before the expert's balance."""
    world = desk.world
    week_id, _ = await _week(desk)
    await desk.issue(IssueDecision.PARTIAL, billing_week_id=week_id, amount=usd("10"))
    assert (await world.balance(desk.client), await _held(world)) == (1_000, 39_000)
