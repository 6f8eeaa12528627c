"""People acting at once: one wins, the others get a typed conflict with what is now true, money stays whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from command_world import World, usd
from contract_desk import ContractDesk

from refundgql.domain.refusals import ConflictRefusal, Refused
from refundgql.domain.vocabulary import IssueDecision, RefundCaseState


@pytest.fixture
async def desk(world: World) -> ContractDesk:
    """The people around contracts."""
    return await ContractDesk.open(world)


async def _outcome(act: Awaitable[object]) -> str:
    try:
        await act
    except Refused as refused:
        return refused.refusals[0].code.value
    return "DONE"


async def test_one_of_two_decisions_wins(desk: ContractDesk) -> None:
    """Approve, decline and cancel at once: exactly one is done, the others learn the state that is now true."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "60")
    refusals: list[ConflictRefusal] = []

    async def tried(act: Awaitable[object]) -> bool:
        try:
            await act
        except Refused as refused:
            (refusal,) = refused.refusals
            assert isinstance(refusal, ConflictRefusal)
            refusals.append(refusal)
            return False
        return True

    done = await asyncio.gather(
        tried(desk.approve(desk.expert, case_id)),
        tried(desk.decline(desk.expert, case_id)),
        tried(desk.cancel(desk.client, case_id)),
    )
    state = (await world.case(case_id))["state"]
    assert sorted(done) == [False, False, True]
    assert {refusal.current_state for refusal in refusals} == {RefundCaseState(state)}
    assert len(await world.events(case_id)) == (3 if state == "CREDITED" else 2)


async def test_a_stale_version_loses(desk: ContractDesk) -> None:
    """Of two who decided on the same version, the second gets VERSION_CONFLICT with the present one."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "60")
    await desk.decline(desk.expert, case_id)
    await desk.escalate(desk.client, case_id)
    version = (await world.case(case_id))["version"]
    outcomes = await asyncio.gather(
        _outcome(desk.approve(desk.ivy, case_id, "10", expected_version=version)),
        _outcome(desk.approve(desk.ada, case_id, "20", expected_version=version)),
    )
    assert sorted(outcomes) == ["DONE", "VERSION_CONFLICT"]


async def test_a_payment_has_one_open_case(desk: ContractDesk) -> None:
    """Eight requests on one invoice at once: one opens, seven are told CASE_ALREADY_OPEN."""
    invoice_id = await desk.paid_invoice()
    outcomes = await asyncio.gather(*(_outcome(desk.ask(invoice_id, "10")) for _ in range(8)))
    assert sorted(outcomes) == ["CASE_ALREADY_OPEN"] * 7 + ["DONE"]


async def test_credited_is_never_more_than_paid(desk: ContractDesk) -> None:
    """Approvals on two invoices and issues at once never give back more than was paid, nor overdraw the expert."""
    world = desk.world
    contract_id = await world.contract(desk.client, desk.expert)
    invoices = [await world.invoice(contract_id, desk.expert, minor=6_000) for _ in range(2)]
    cases = [await desk.ask(invoice_id, "60") for invoice_id in invoices]
    outcomes = await asyncio.gather(
        *(_outcome(desk.approve(desk.expert, case_id)) for case_id in cases for _ in range(3)),
        *(
            _outcome(desk.issue(IssueDecision.PARTIAL, invoice_id=invoice_id, amount=usd("59")))
            for invoice_id in invoices
        ),
    )
    assert outcomes.count("DONE") == 2
    assert (await world.balance(desk.client), await world.balance(desk.expert)) == (12_000, 0)
    for payment in await world.rows("SELECT * FROM payment"):
        assert payment["refunded_minor"] + payment["reserved_minor"] <= payment["paid_minor"]


async def test_two_experts_debts_do_not_deadlock(desk: ContractDesk) -> None:
    """Two people who refund each other at once, both short: every act ends, and the ledger adds up."""
    world = desk.world
    one, two = desk.stranger, await world.person("two", *desk.stranger.roles)
    ab = ContractDesk(world, one, two, desk.ivy, desk.ada, desk.client)
    ba = ContractDesk(world, two, one, desk.ivy, desk.ada, desk.client)
    there = [await ab.ask(await ab.paid_invoice(1_000), "10") for _ in range(4)]
    back = [await ba.ask(await ba.paid_invoice(1_000), "10") for _ in range(4)]
    outcomes = await asyncio.gather(
        *(_outcome(ab.approve(two, case_id)) for case_id in there),
        *(_outcome(ba.approve(one, case_id)) for case_id in back),
    )
    assert outcomes == ["DONE"] * 8
    assert (await world.balance(one), await world.balance(two)) == (4_000, 4_000)
    states = {row["state"] for row in await world.rows("SELECT state FROM refund_case")}
    assert states == {"CREDITED"}
