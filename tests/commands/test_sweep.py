"""Due clocks: acted on exactly once, in due order, after any outage, by however many processes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from command_world import DAY, START, World
from contract_desk import ContractDesk

from patience import PATIENCE_SECONDS, until
from refundgql.commands import sweep as sweeping
from refundgql.commands.arming import arm_deadlines
from refundgql.commands.requests import RequestLeadRefund, request_lead_refund
from refundgql.commands.sweep import Sweeper, sweep_due
from refundgql.commands.unit_of_work import UnitOfWork
from refundgql.domain.vocabulary import RefundReason, RefundReasonDetail, Role
from refundgql.storage.database import Database, Dialect
from refundgql.storage.sweeping import take_turn


@pytest.fixture
async def desk(world: World) -> ContractDesk:
    """The people around contracts."""
    return await ContractDesk.open(world)


async def _lead_case(world: World, number: int = 1) -> str:
    pro = await world.person(f"pro-{number}", Role.PRO)
    customer = await world.person(f"customer-{number}", Role.CUSTOMER)
    given = RequestLeadRefund(
        lead_id=await world.lead(pro, customer, ref=f"lead-{number}"),
        reason=RefundReason.JOB_CHANGED,
        reason_detail=RefundReasonDetail.OTHER_CHANGE,
        idempotency_key="request",
    )
    return (await request_lead_refund(world.uow, pro, given)).case_id


async def test_a_missed_target_flags_the_case_once(world: World) -> None:
    """L14: 48 hours after the request the case is overdue, with an event; nothing is decided, and only once."""
    case_id = await _lead_case(world)
    world.clock.at = START + timedelta(hours=48) - timedelta(microseconds=1)
    await sweep_due(world.uow)
    assert await world.events(case_id) == ["REQUEST", "DUE_SOON"]
    world.bus.rung.clear()
    world.clock.at = START + timedelta(hours=48)
    assert await sweep_due(world.uow) == 1
    case = await world.case(case_id)
    assert (case["state"], bool(case["overdue"]), case["version"]) == ("REQUESTED", True, 3)
    assert await world.events(case_id) == ["REQUEST", "DUE_SOON", "TARGET_MISSED"]
    assert f"case:{case_id}" in world.bus.rung
    assert "queue" in world.bus.rung
    world.clock.at += 30 * DAY
    assert await sweep_due(world.uow) == 0
    assert await world.events(case_id) == ["REQUEST", "DUE_SOON", "TARGET_MISSED"]


async def test_no_answer_within_seven_days_hands_over(desk: ContractDesk) -> None:
    """D8: an hourly request unanswered at `respondBy` is ESCALATED by the system; a fixed-price one waits."""
    world = desk.world
    hourly = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    fixed = await desk.ask(await desk.paid_invoice(), "10")
    due = datetime(2026, 3, 12, tzinfo=UTC)
    world.clock.at = due - timedelta(microseconds=1)
    await sweep_due(world.uow)
    assert await world.events(hourly) == ["REQUEST", "DUE_SOON"]
    world.clock.at = due
    assert await sweep_due(world.uow) == 1
    case = await world.case(hourly)
    assert (case["state"], case["route"], case["whose_move"]) == ("ESCALATED", "DIRECT", "SUPPORT")
    (event,) = await world.rows("SELECT * FROM refund_event WHERE name = 'HAND_OVER'")
    assert (event["actor_id"], event["actor_role"], event["case_id"]) == (None, "SYSTEM", hourly)
    assert (await world.case(fixed))["state"] == "REQUESTED"


async def test_day_181_hands_over(desk: ContractDesk) -> None:
    """D7: a direct request still unanswered on day 181 from the payment moves to support with its history."""
    world = desk.world
    world.clock.at = datetime(2025, 10, 28, 12, tzinfo=UTC)
    case_id = await desk.ask(await desk.paid_invoice(paid_at=datetime(2025, 5, 1, 23, 30, tzinfo=UTC)), "10")
    world.clock.at = datetime(2025, 10, 29, tzinfo=UTC)
    assert await sweep_due(world.uow) == 1
    assert await world.events(case_id) == ["REQUEST", "HAND_OVER"]
    assert (await world.case(case_id))["route"] == "DIRECT"


async def test_an_answer_takes_its_clocks_away(desk: ContractDesk) -> None:
    """A decided case has no clock left that could act on it."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    await desk.decline(desk.expert, case_id)
    world.clock.at += 400 * DAY
    assert await sweep_due(world.uow) == 0
    assert await world.events(case_id) == ["REQUEST", "DECLINE"]


async def test_an_outage_is_caught_up_in_due_order(desk: ContractDesk) -> None:
    """After a month without sweeps every due clock is acted on, the one due first at the front."""
    world = desk.world
    leads = [await _lead_case(world, number) for number in (1, 2)]
    contract_id = await world.contract(desk.client, desk.expert, kind="HOURLY")
    await world.week(contract_id)
    world.clock.at += timedelta(hours=1)
    asked = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    world.clock.at = START + 30 * DAY
    assert await sweep_due(world.uow) == 4
    events = await world.rows("SELECT case_id, name FROM refund_event WHERE name <> 'REQUEST' ORDER BY position")
    assert [(row["case_id"], row["name"]) for row in events] == [
        (leads[0], "TARGET_MISSED"),
        (leads[1], "TARGET_MISSED"),
        (asked, "HAND_OVER"),
    ]
    (left,) = await world.rows("SELECT * FROM clock")
    assert (left["case_id"], left["name"]) == (asked, "SLA_DECISION")
    assert await world.balance(desk.expert) == 50_000


async def test_a_clock_that_is_moved_back_does_not_act_twice(world: World) -> None:
    """Stepping the domain's clock forth and back and forth again changes nothing that was done."""
    case_id = await _lead_case(world)
    for at in (START + 3 * DAY, START - 3 * DAY, START + 3 * DAY):
        world.clock.at = at
        await sweep_due(world.uow)
    assert await world.events(case_id) == ["REQUEST", "TARGET_MISSED"]


async def test_a_clock_that_fails_does_not_hold_up_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The failing clock stays for the next sweep and is logged, the others are acted on, and it is made up for."""
    first, second = [await _lead_case(world, number) for number in (1, 2)]
    world.clock.at = START + 3 * DAY
    good = sweeping.run_out

    def broken(facts: object, *rest: object, **more: object) -> object:
        if facts.case.id == first:  # type: ignore[attr-defined]
            raise RuntimeError("cannot be judged")
        return good(facts, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(sweeping, "run_out", broken)
    assert await sweep_due(world.uow) == 1
    assert await world.events(first) == ["REQUEST"]
    assert await world.events(second) == ["REQUEST", "TARGET_MISSED"]
    assert "left for later" in caplog.text
    monkeypatch.setattr(sweeping, "run_out", good)
    assert await sweep_due(world.uow) == 1
    assert await world.events(first) == ["REQUEST", "TARGET_MISSED"]


async def test_a_reminder_looked_at_late_overtakes_nobody(desk: ContractDesk) -> None:
    """A missed reminder of a later deadline, as old as an earlier deadline, does not hand its case over first."""
    world = desk.world
    first = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    world.clock.at = START + DAY
    second = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    world.clock.at = datetime(2026, 3, 11, tzinfo=UTC)
    await sweep_due(world.uow)
    assert (await world.events(first), await world.events(second)) == (["REQUEST", "DUE_SOON"], ["REQUEST"])
    world.clock.at += 10 * DAY
    await sweep_due(world.uow)
    events = await world.rows("SELECT case_id FROM refund_event WHERE name = 'HAND_OVER' ORDER BY position")
    assert [row["case_id"] for row in events] == [first, second]
    assert await world.events(second) == ["REQUEST", "HAND_OVER"]


async def test_arming_leaves_clocks_that_are_right(desk: ContractDesk) -> None:
    """Arming again by the same rules keeps every clock's row; one that is wrong is set anew, and only that one."""
    world = desk.world
    await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    case_id = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "20")
    await world.week(await world.contract(desk.client, desk.expert, kind="HOURLY"))
    await arm_deadlines(world.uow)
    before = (await world.dump())["clock"]
    assert {row["name"] for row in before} == {"RESPOND_BY", "WEEK_RELEASE"}
    for wrong in ("id IS NULL", f"case_id = '{case_id}'", "case_id IS NULL"):
        async with world.database.transaction() as tx:
            moved = await tx.execute(f"UPDATE clock SET due_at = due_at + 1 WHERE {wrong}")
            await tx.execute("DELETE FROM armed_rules")
        await arm_deadlines(world.uow)
        after = (await world.dump())["clock"]
        assert sorted(map(_but_id, after)) == sorted(map(_but_id, before))
        assert len({row["id"] for row in after} - {row["id"] for row in before}) == moved
        before = after


def _but_id(row: dict[str, object]) -> str:
    return repr({name: value for name, value in row.items() if name != "id"})


async def test_several_sweepers_act_exactly_once_and_in_order(desk: ContractDesk) -> None:
    """Three processes' sweepers at once: every clock once, in the order they were due."""
    world = desk.world
    cases = []
    for number in range(12):
        world.clock.at = START + timedelta(minutes=number)
        cases.append(await _lead_case(world, number))
    world.clock.at = START + 5 * DAY
    others = [World(await Database.open(world.database.url), world.clock) for _ in range(2)]
    try:
        acted = 0
        while acted < len(cases):
            acted += sum(await asyncio.gather(*(sweep_due(one.uow) for one in (world, *others))))
    finally:
        for one in others:
            await one.database.close()
    events = await world.rows("SELECT case_id FROM refund_event WHERE name = 'TARGET_MISSED' ORDER BY position")
    assert [row["case_id"] for row in events] == cases


async def test_only_one_process_sweeps_at_a_time(world: World) -> None:
    """While another process has its turn, a sweep acts on nothing instead of overtaking it."""
    if world.database.dialect is not Dialect.POSTGRES:
        pytest.skip("SQLite has one writer at a time by itself")
    case_id = await _lead_case(world)
    world.clock.at = START + 3 * DAY
    async with world.database.transaction() as tx:
        assert await take_turn(tx)
        assert await sweep_due(world.uow) == 0
    assert await world.events(case_id) == ["REQUEST"]
    assert await sweep_due(world.uow) == 1


async def _has(world: World, case_id: str, events: int) -> bool:
    return len(await world.events(case_id)) == events


async def test_the_sweeper_runs_until_it_is_told_to_stop(world: World) -> None:
    """It acts on what is due, notices a clock that was moved, and ends promptly."""
    first = await _lead_case(world)
    stop = asyncio.Event()
    running = asyncio.create_task(Sweeper(world.uow).run(stop))
    await asyncio.sleep(0.2)
    assert await world.events(first) == ["REQUEST"]
    world.clock.at = START + 3 * DAY
    await until(lambda: _has(world, first, 2))
    assert await world.events(first) == ["REQUEST", "TARGET_MISSED"]
    stop.set()
    await asyncio.wait_for(running, PATIENCE_SECONDS)


async def test_the_sweeper_survives_what_goes_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that fails, for whatever reason, is followed by the next one."""
    case_id = await _lead_case(world)
    world.clock.at = START + 3 * DAY
    good, looks = sweeping.sweep_due, 0

    async def broken(uow: UnitOfWork, **armed: bool) -> int:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError("no database")
        return await good(uow, **armed)

    monkeypatch.setattr(sweeping, "sweep_due", broken)
    monkeypatch.setattr(sweeping, "LONGEST_SLEEP_SECONDS", 0.05)
    stop = asyncio.Event()
    running = asyncio.create_task(Sweeper(world.uow).run(stop))
    await until(lambda: _has(world, case_id, 2))
    stop.set()
    await running
    assert await world.events(case_id) == ["REQUEST", "TARGET_MISSED"]


async def test_old_keys_are_purged_by_the_sweeper(world: World) -> None:
    """Idempotency keys older than 30 days go with the sweeper's first round."""
    await _lead_case(world)
    world.clock.at = START + 29 * DAY
    stop = asyncio.Event()
    for days, left in ((29, 1), (31, 0)):
        world.clock.at = START + days * DAY
        stop.clear()
        running = asyncio.create_task(Sweeper(world.uow).run(stop))
        await asyncio.sleep(0)
        stop.set()  # it ends what it has begun
        await running
        assert len(await world.rows("SELECT * FROM idempotent_result")) == left
