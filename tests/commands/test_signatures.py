"""Decisions that need a second signature, the rest of escrow, and final declines that are reopened."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from importlib import import_module

from command_world import World, told, usd
from contract_desk import ContractDesk

from refundgql.commands.bulk_decisions import CaseDecision, DecideRefunds, decide_refunds
from refundgql.commands.decisions import (
    ApproveRefund,
    ConfirmDecision,
    ReopenRefund,
    ReturnDecision,
    approve_refund,
    confirm_decision,
    reopen_refund,
    return_decision,
)
from refundgql.commands.requests import RequestLeadRefund, request_lead_refund
from refundgql.domain.policy import Policy
from refundgql.domain.vocabulary import RefundDecision, RefundReason, RestOfEscrow, Role
from refundgql.storage.migrations._steps import FillInBatches

LIMITED = replace(Policy(), decision_limit_minor={"USD": 5_000})


async def disputed(world: World, amount: str = "80.00") -> tuple[ContractDesk, str]:
    """Return a desk with an hourly invoice in dispute, where support decides alone up to 50.00."""
    desk = await ContractDesk.open(world)
    world.policy = LIMITED
    case_id = await desk.ask(await desk.paid_invoice(kind="HOURLY"), amount)
    await desk.dispute(desk.client, case_id)
    return desk, case_id


def confirming(world: World, case_id: str, **given: object) -> ConfirmDecision:
    """Return the input of a confirmation."""
    return replace(ConfirmDecision(refund_case_id=case_id, idempotency_key=world.key()), **given)  # type: ignore[arg-type]


async def test_a_decision_above_the_limit_moves_no_money_until_it_is_signed(world: World) -> None:
    """D23: PROPOSE keeps what was decided; CONFIRM takes it, and its key replays."""
    desk, case_id = await disputed(world)
    await desk.approve(desk.ivy, case_id)
    case = await world.case(case_id)
    assert (case["state"], case["proposed_decision"], case["proposed_minor"]) == ("DISPUTED", "APPROVE", 8_000)
    assert await world.balance(desk.client) == 0
    given = confirming(world, case_id, expected_version=case["version"])
    for viewer, code in ((desk.ivy, "SAME_DECIDER"), (desk.client, "FORBIDDEN")):
        refusals = await world.refused(lambda viewer=viewer: confirm_decision(world.uow, viewer, given))  # type: ignore[misc]
        assert told(refusals) == [(code, "D23")]
    done = await confirm_decision(world.uow, desk.ada, given)
    assert await world.events(case_id) == ["REQUEST", "DISPUTE", "PROPOSE", "CONFIRM", "APPROVE", "CREDIT"]
    assert await world.balance(desk.client) == 8_000
    case = await world.case(case_id)
    assert (case["state"], case["proposed_decision"], case["decided_by_id"]) == ("CREDITED", None, desk.ada.account_id)
    before = await world.dump()
    again = await confirm_decision(world.uow, desk.ada, given)
    assert (again.replayed, again.event_id) == (True, done.event_id)
    assert await world.dump() == before
    await world.check_ledger()


async def test_a_proposal_is_returned_or_overtaken(world: World) -> None:
    """D23: RETURN leaves the case undecided; the requester's own act ends a proposal with the case."""
    desk, case_id = await disputed(world)
    await desk.decline(desk.ivy, case_id)
    assert (await world.case(case_id))["proposed_decision"] == "DECLINE"
    given = ReturnDecision(refund_case_id=case_id, reason="Read the log.", idempotency_key=world.key())
    await return_decision(world.uow, desk.ada, given)
    case = await world.case(case_id)
    assert (case["state"], case["proposed_decision"], case["proposed_text"]) == ("DISPUTED", None, None)
    events = await world.rows(
        "SELECT name, note, internal_note FROM refund_event WHERE case_id = ? ORDER BY sequence DESC LIMIT 2", case_id
    )
    assert [tuple(one.values()) for one in events] == [
        ("RETURN", None, "Read the log."),
        ("PROPOSE", None, "DECLINE: Work was done."),
    ]
    await desk.approve(desk.ivy, case_id)
    await desk.cancel(desk.client, case_id)
    assert (await world.case(case_id))["proposed_decision"] is None
    refusals = await world.refused(lambda: confirm_decision(world.uow, desk.ada, confirming(world, case_id)))
    assert told(refusals) == [("TRANSITION_NOT_ALLOWED", None)]


async def test_what_is_within_the_limit_is_decided_alone(world: World) -> None:
    """D23: up to the limit itself, by administrators without one, and by everybody without a setting."""
    desk, case_id = await disputed(world)
    await desk.approve(desk.ivy, case_id, "50.00")
    assert (await world.case(case_id))["state"] == "CREDITED"
    for viewer, policy in ((desk.ada, LIMITED), (desk.ivy, Policy())):
        world.policy = policy
        case_id = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "80.00")
        await desk.dispute(desk.client, case_id)
        await desk.decline(viewer, case_id)
        assert (await world.case(case_id))["state"] == "DECLINED"


async def test_many_decisions_are_proposed_one_by_one(world: World) -> None:
    """D23: of a bulk, what is above the limit is proposed and the others are taken."""
    desk, large = await disputed(world)
    small = await desk.ask(await desk.paid_invoice(kind="HOURLY"), "20.00")
    await desk.dispute(desk.client, small)
    decisions = tuple(CaseDecision(refund_case_id=one, decision=RefundDecision.APPROVE) for one in (large, small))
    await decide_refunds(world.uow, desk.ivy, DecideRefunds(decisions=decisions, idempotency_key=world.key()))
    assert [(await world.case(one))["state"] for one in (large, small)] == ["DISPUTED", "CREDITED"]
    assert (await world.case(large))["proposed_decision"] == "APPROVE"


async def test_the_rest_of_escrow_is_released_with_the_decision(world: World) -> None:
    """D11: the part is the client's, the rest the expert's, and the milestone released, in one transaction."""
    desk = await ContractDesk.open(world)
    milestone_id = await world.milestone(await world.contract(desk.client, desk.expert))
    case_id = await desk.ask_escrow(milestone_id, "300.00")
    await desk.dispute(desk.client, case_id)
    given = ApproveRefund(
        refund_case_id=case_id, amount=usd("200.00"), rest=RestOfEscrow.RELEASE, idempotency_key=world.key()
    )
    await approve_refund(world.uow, desk.ivy, given)
    assert (await world.balance(desk.client), await world.balance(desk.expert)) == (20_000, 30_000)
    (milestone,) = await world.rows("SELECT status, released_at FROM milestone WHERE id = ?", milestone_id)
    assert milestone["status"] == "RELEASED"
    assert milestone["released_at"] is not None
    assert (await world.case(case_id))["state"] == "CREDITED"
    await world.check_ledger()
    await desk.reverse(desk.ada, case_id)
    assert (await world.balance(desk.client), await world.balance(desk.expert)) == (0, 50_000)
    await world.check_ledger()


async def test_a_final_decline_is_reopened_once(world: World) -> None:
    """D22: by an administrator who did not decide, within 30 days; one open case at a time, and once."""
    desk = await ContractDesk.open(world)
    lou = await world.person("lou", Role.ADMIN)
    week_id, _ = await world.week(await world.contract(desk.client, desk.expert, kind="HOURLY"))
    case_id = await desk.dispute_week(week_id, "90.00")
    await desk.decline(desk.ada, case_id)
    given = ReopenRefund(refund_case_id=case_id, reason="The log was another week's.", idempotency_key=world.key())
    refusals = await world.refused(lambda: reopen_refund(world.uow, desk.ada, given))
    assert told(refusals) == [("SAME_DECIDER", "D22")]
    asked = await desk.ask(None, "10.00", billing_week_id=week_id)  # type: ignore[arg-type]
    refusals = await world.refused(lambda: reopen_refund(world.uow, lou, given))
    assert told(refusals) == [("CASE_ALREADY_OPEN", "D14")]
    await desk.cancel(desk.client, asked)
    await reopen_refund(world.uow, lou, given)
    assert (await world.case(case_id))["state"] == "DISPUTED"
    world.clock.at += timedelta(days=20)
    await desk.approve(desk.ivy, case_id, "30.00")
    assert await world.balance(desk.client) == 3_000
    await world.check_ledger()


async def test_who_proposed_a_first_look_is_remembered_through_the_second(world: World) -> None:
    """D6, D23: a proposal of the second look leaves it standing, and cases from before read it in their history."""
    desk = await ContractDesk.open(world)
    pro, max_, lou = [
        await world.person(name, role)
        for name, role in (("paula", Role.PRO), ("max", Role.SUPPORT), ("lou", Role.ADMIN))
    ]
    world.policy = replace(Policy(), decision_limit_minor={"USD": 1})
    lead_id = await world.lead(pro, await world.person("carla", Role.CUSTOMER))
    asked = RequestLeadRefund(
        lead_id=lead_id, reason=RefundReason.OTHER, explanation="Another town.", idempotency_key=world.key()
    )
    case_id = (await request_lead_refund(world.uow, pro, asked)).case_id
    await desk.decline(desk.ivy, case_id)
    await desk.confirm(desk.ada, case_id)
    await desk.escalate(pro, case_id)
    await desk.decline(max_, case_id)
    kept = "SELECT first_proposed_by_id AS proposed, first_decided_by_id AS decided FROM refund_case"
    first = [{"proposed": desk.ivy.account_id, "decided": desk.ada.account_id}]
    assert await world.rows(kept) == first
    for viewer in (desk.ivy, desk.ada):
        for act in (desk.confirm, desk.give_back):
            refusals = await world.refused(lambda act=act, viewer=viewer: act(viewer, case_id))  # type: ignore[misc]
            assert told(refusals) == [("SAME_DECIDER", "D6")]
    migration = import_module("refundgql.storage.migrations.0031_first_proposals").Migration
    (fill,) = [one for one in migration.operations if isinstance(one, FillInBatches)]
    async with world.database.transaction() as tx:
        await tx.execute("UPDATE refund_case SET first_proposed_by_id = NULL")
        assert await tx.execute(fill.statements[world.database.dialect.value]) == 1
        assert await tx.execute(fill.statements[world.database.dialect.value]) == 0
    assert await world.rows(kept) == first
    await desk.confirm(lou, case_id)
    assert (await world.case(case_id))["final_decision"]
