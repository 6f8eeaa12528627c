"""Filters say of each instant what the rules say of each case, without waiting for a sweep (D20, D24, D28)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from command_world import DAY, START, World
from contract_desk import ContractDesk

from refundgql.commands.arming import arm_forgotten
from refundgql.commands.decisions import RequestInformation, request_information
from refundgql.commands.sweep import sweep_due
from refundgql.domain.clocks import whose_move
from refundgql.domain.ledger import balance, held
from refundgql.domain.vocabulary import BalancePurpose, WhoseMove
from refundgql.queries.case_filters import CaseFilter, conditions
from refundgql.storage.clocks import look_at_cases
from refundgql.storage.facts import load_case_facts

TICK = timedelta(microseconds=1)


@pytest.fixture
async def desk(world: World) -> ContractDesk:
    """The people around contracts."""
    return await ContractDesk.open(world)


async def found(desk: ContractDesk, at: datetime, **given: object) -> list[str]:
    """Return the cases that a filter finds at an instant."""
    world = desk.world
    parts = conditions(CaseFilter(**given), desk.ivy, world.database.dialect, at)  # type: ignore[arg-type]
    sql = " AND ".join(condition for condition, _ in parts)
    values: Sequence[object] = [value for _, values in parts for value in values]
    rows = await world.database.fetch(f"SELECT c.id FROM refund_case c WHERE {sql} ORDER BY c.number", values)
    return [str(row["id"]) for row in rows]


async def check_filters(desk: ContractDesk, at: datetime) -> None:
    """Assert that each case is found under the move that the rules tell of it, and under no other."""
    world = desk.world
    ids = [row["id"] for row in await world.rows("SELECT id FROM refund_case ORDER BY number")]
    facts = await load_case_facts(world.database, ids)
    told = {}
    for case_id in ids:
        case = facts[case_id].case
        assert case is not None
        told[case_id] = whose_move(facts[case_id], case, world.policy).at(at)
    for move in WhoseMove:
        assert await found(desk, at, whose_move=move) == [one for one in ids if told[one] is move], (move, at)
    late = await found(desk, at, overdue=True)
    assert await found(desk, at, overdue=False) == [one for one in ids if one not in late]
    assert all(told[one] is WhoseMove.SUPPORT for one in late)


async def test_filters_follow_the_instant(desk: ContractDesk) -> None:
    """Asked, declined, with support and questioned: at every instant around every end, with no sweep in between."""
    hourly = await desk.paid_invoice(kind="HOURLY")
    waits = await desk.ask(hourly, "10")
    declined = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    await desk.decline(desk.expert, declined)
    with_support = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    await desk.dispute(desk.client, with_support)
    asked = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    await desk.dispute(desk.client, asked)
    question = RequestInformation(
        refund_case_id=asked,
        asked_party=WhoseMove.COUNTERPARTY,
        question="Were they?",
        idempotency_key=desk.world.key(),
    )
    await request_information(desk.world.uow, desk.ivy, question)
    for end in (START, START + 3 * DAY, datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 3, 12, tzinfo=UTC)):
        for at in (end - TICK, end, end + TICK):
            await check_filters(desk, at)
    closed = datetime(2027, 3, 2, tzinfo=UTC)  # the support window of what was paid on 2026-03-01
    assert declined in await found(desk, closed - TICK, whose_move=WhoseMove.REQUESTER)
    assert declined in await found(desk, closed, whose_move=WhoseMove.NOBODY)
    assert await found(desk, START + 3 * DAY - TICK, overdue=True) == []
    assert await found(desk, START + 3 * DAY, overdue=True) == [with_support]
    assert waits in await found(desk, datetime(2026, 3, 12, tzinfo=UTC), whose_move=WhoseMove.SYSTEM)


async def test_what_a_release_closes_is_looked_at_again(desk: ContractDesk) -> None:
    """C29: a declined escrow request is nobody's move once its milestone is released, from the next sweep on."""
    world = desk.world
    contract_id = await world.contract(desk.client, desk.expert)
    milestone_id = await world.milestone(contract_id)
    case_id = await desk.ask_escrow(milestone_id, "10")
    await desk.decline(desk.expert, case_id)
    assert await found(desk, START, whose_move=WhoseMove.REQUESTER) == [case_id]
    await sweep_due(world.uow)
    payment_id = (await world.case(case_id))["payment_id"]
    purse = balance(desk.expert.account_id, BalancePurpose.CONTRACTS, "USD")
    await world.post("RELEASE", held(payment_id, "USD"), purse, 50_000, payment_id=payment_id)
    async with world.database.transaction() as tx:
        await tx.execute("UPDATE milestone SET status = 'RELEASED' WHERE id = ?", (milestone_id,))
        for _ in range(2):
            await look_at_cases(tx, [payment_id], world.clock.at)
    assert await sweep_due(world.uow) == 1
    assert await found(desk, START, whose_move=WhoseMove.NOBODY) == [case_id]
    assert await world.events(case_id) == ["REQUEST", "DECLINE"]
    assert await world.rows("SELECT * FROM clock") == []


async def test_cases_without_clocks_get_them(desk: ContractDesk) -> None:
    """What a process of the release before has written without a target gets one, and what has one keeps it."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    await desk.dispute(desk.client, case_id)
    async with world.database.transaction() as tx:
        await tx.execute("DELETE FROM clock WHERE case_id = ?", (case_id,))
        await tx.execute("UPDATE refund_case SET deadline_at = NULL, next_move = NULL WHERE id = ?", (case_id,))
    await arm_forgotten(world.uow)
    await arm_forgotten(world.uow)
    (clock,) = await world.rows("SELECT * FROM clock")
    assert (clock["case_id"], clock["name"]) == (case_id, "SLA_DECISION")
    assert (await world.case(case_id))["deadline_at"] is not None
    assert await world.events(case_id) == ["REQUEST", "DISPUTE"]


async def test_each_deadline_is_reminded_of_once(desk: ContractDesk) -> None:
    """D21: a day before the answer, the decision and the end of the way to support; never twice, and never too late."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "10")
    for hour in range(0, 24 * 9, 6):
        world.clock.at = START + timedelta(hours=hour)
        await sweep_due(world.uow)
    assert await world.events(case_id) == ["REQUEST", "DUE_SOON", "HAND_OVER"]
    world.clock.at += 30 * DAY  # nobody swept: the word before the target would come too late
    await sweep_due(world.uow)
    assert await world.events(case_id) == ["REQUEST", "DUE_SOON", "HAND_OVER", "TARGET_MISSED"]
    other = await desk.ask(await desk.paid_invoice(kind="HOURLY", paid_at=world.clock.at - DAY), "10")
    await desk.decline(desk.expert, other)
    for _ in range(3):
        world.clock.at = datetime(2027, 4, 12, tzinfo=UTC) - timedelta(hours=12)
        await sweep_due(world.uow)
    assert await world.events(other) == ["REQUEST", "DECLINE", "DUE_SOON"]
