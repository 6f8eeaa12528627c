"""An invoice's refund: routes, cap, decisions, issuing, consent, reversal; money and refusals exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from command_world import World, told, usd
from contract_desk import ContractDesk

from refundgql.domain.refusals import AmountRefusal
from refundgql.domain.vocabulary import IssueDecision, RefundReason

NOBODY = "0192f0c4-0000-7000-8000-000000000000"


@pytest.fixture
async def desk(world: World) -> ContractDesk:
    """The people around contracts."""
    return await ContractDesk.open(world)


async def test_an_approved_part_moves_from_expert_to_client(desk: ContractDesk) -> None:
    """C04, C12, C16: part of a paid invoice is asked for, approved and on the client's balance at once."""
    world, invoice_id = desk.world, await desk.paid_invoice()
    case_id = await desk.ask(invoice_id, "60.00", reason=RefundReason.QUALITY)
    case = await world.case(case_id)
    assert (case["state"], case["route"], case["counterparty_id"]) == ("REQUESTED", "DIRECT", desk.expert.account_id)
    await desk.approve(desk.expert, case_id, "45.00")
    assert await world.events(case_id) == ["REQUEST", "APPROVE", "CREDIT"]
    assert (await world.balance(desk.client), await world.balance(desk.expert)) == (4500, 5500)
    (payment,) = await world.rows("SELECT * FROM payment")
    assert (payment["refunded_minor"], payment["reserved_minor"]) == (4500, 0)
    assert {f"viewer:{desk.client.account_id}", f"viewer:{desk.expert.account_id}"} <= set(world.bus.rung)


async def test_requests_that_are_refused(desk: ContractDesk) -> None:
    """Each refusal of a request exactly, with nothing changed."""
    world, invoice_id = desk.world, await desk.paid_invoice()
    contract_id = await world.contract(desk.client, desk.expert)
    unpaid = await world.invoice(contract_id, desk.expert, paid_at=None)

    async def why(**given: object) -> list[tuple[str, str | None]]:
        asked, which = str(given.pop("asked", "10")), given.pop("invoice_id", invoice_id)
        return told(await world.refused(lambda: desk.ask(which, asked, **given)))  # type: ignore[arg-type]

    assert await why(invoice_id=NOBODY) == [("NOT_FOUND", None)]
    assert await why(invoice_id=None) == [("INVALID_INPUT", None)]
    assert await why(billing_week_id=NOBODY) == [("INVALID_INPUT", None)]
    assert await why(reason=RefundReason.NOT_HIRED) == [("INVALID_INPUT", "D17")]
    assert await why(asked="0") == [("INVALID_INPUT", "D2")]
    assert await why(invoice_id=unpaid) == [("INVOICE_NOT_PAID", "C04")]
    (refusal,) = await world.refused(lambda: desk.ask(invoice_id, "100.01"))
    assert isinstance(refusal, AmountRefusal)
    assert (refusal.code.value, refusal.maximum.minor, refusal.requested.minor) == (
        "AMOUNT_EXCEEDS_REFUNDABLE",
        10_000,
        10_001,
    )
    await desk.ask(invoice_id, "10")
    assert await why() == [("CASE_ALREADY_OPEN", "D14")]


async def test_the_route_follows_the_age(desk: ContractDesk) -> None:
    """Paid 2025-05-01T23:30Z: direct through 28 October, support from the 29th through 1 May, refused from 2 May."""
    world = desk.world
    invoice_id = await desk.paid_invoice(paid_at=datetime(2025, 5, 1, 23, 30, tzinfo=UTC))
    for at, state, route in (
        (datetime(2025, 10, 28, 23, 59, 59, 999999, tzinfo=UTC), "REQUESTED", "DIRECT"),
        (datetime(2025, 10, 29, tzinfo=UTC), "ESCALATED", "SUPPORT"),
        (datetime(2026, 5, 1, 23, 59, 59, 999999, tzinfo=UTC), "ESCALATED", "SUPPORT"),
    ):
        world.clock.at = at
        case = await world.case(await desk.ask(invoice_id, "10"))
        assert (case["state"], case["route"]) == (state, route)
        await desk.cancel(desk.client, case["id"])
    world.clock.at = datetime(2026, 5, 2, tzinfo=UTC)
    refusals = told(await world.refused(lambda: desk.ask(invoice_id, "10")))
    assert ("WINDOW_CLOSED", "C07") in refusals


async def test_who_decides(desk: ContractDesk) -> None:
    """The expert decides a direct request, support an escalated one; strangers see neither."""
    world, invoice_id = desk.world, await desk.paid_invoice(kind="HOURLY")
    case_id = await desk.ask(invoice_id, "60")
    assert told(await world.refused(lambda: desk.approve(desk.stranger, case_id))) == [("NOT_FOUND", None)]
    for viewer in (desk.client, desk.ivy):
        refusals = await world.refused(lambda viewer=viewer: desk.approve(viewer, case_id))  # type: ignore[misc]
        assert [refusal.code.value for refusal in refusals] == ["FORBIDDEN"]
    await desk.decline(desk.expert, case_id)
    await desk.escalate(desk.client, case_id)
    await desk.consent(desk.expert, case_id, "20")
    assert (await world.case(case_id))["consented_minor"] == 2000
    await desk.approve(desk.ivy, case_id, "30")
    assert await world.events(case_id) == ["REQUEST", "DECLINE", "ESCALATE", "CONSENT", "APPROVE", "CREDIT"]
    assert await world.balance(desk.client) == 3000


async def test_a_credit_sent_on_files_a_withdrawal(desk: ContractDesk) -> None:
    """C18, D10: the credit leaves the balance again at once, as a withdrawal of its own that the case points at."""
    world, invoice_id = desk.world, await desk.paid_invoice()
    case_id = await desk.ask(invoice_id, "60", send_to_payment_method=True)
    await desk.approve(desk.expert, case_id)
    (withdrawal,) = await world.rows("SELECT * FROM withdrawal")
    assert (withdrawal["status"], withdrawal["amount_minor"], withdrawal["refund_case_id"]) == (
        "REQUESTED",
        6000,
        case_id,
    )
    assert (withdrawal["estimated_from"], withdrawal["estimated_until"]) == ("2026-03-09", "2026-03-11")
    assert (await world.case(case_id))["withdrawal_id"] == withdrawal["id"]
    assert await world.balance(desk.client) == 0
    assert await world.on(f"in_transit:{withdrawal['id']}:USD") == 6000


async def test_an_expert_issues(desk: ContractDesk) -> None:
    """C12, C13: all, a part or nothing, without any request; staff and the client issue nothing."""
    world, invoice_id = desk.world, await desk.paid_invoice()
    part = await desk.issue(IssueDecision.PARTIAL, invoice_id=invoice_id, amount=usd("40"))
    assert (await world.case(part))["state"] == "CREDITED"
    none = await desk.issue(IssueDecision.NONE, invoice_id=invoice_id, note="That was all.")
    assert (await world.case(none))["state"] == "DECLINED"
    rest = await desk.issue(IssueDecision.FULL, invoice_id=invoice_id)
    assert (await world.case(rest))["credited_minor"] == 6000
    assert (await world.balance(desk.client), await world.balance(desk.expert)) == (10_000, 0)

    async def why(**given: object) -> list[str]:
        decision = IssueDecision.PARTIAL if "amount" in given else IssueDecision.FULL
        return [it.code.value for it in await world.refused(lambda: desk.issue(decision, **given))]  # type: ignore[arg-type]

    other = await desk.paid_invoice()
    assert await why(viewer=desk.client, invoice_id=other) == ["FORBIDDEN"]
    assert await why(viewer=desk.ivy, invoice_id=other) == ["FORBIDDEN"]
    assert await why(viewer=desk.stranger, invoice_id=other) == ["NOT_FOUND"]
    assert await why() == ["INVALID_INPUT"]
    assert await why(invoice_id=other, milestone_id=other) == ["INVALID_INPUT"]
    assert await why(invoice_id=other, amount=usd("100")) == ["INVALID_INPUT"]


async def test_only_an_administrator_reverses_and_only_while_the_money_is_there(desk: ContractDesk) -> None:
    """D16: a compensating posting, once; refused when the client has spent the credit."""
    world, invoice_id = desk.world, await desk.paid_invoice()
    case_id = await desk.ask(invoice_id, "60")
    await desk.approve(desk.expert, case_id)
    assert [it.code.value for it in await world.refused(lambda: desk.reverse(desk.ivy, case_id))] == ["FORBIDDEN"]
    await world.post("PAYMENT", f"balance:{desk.client.account_id}:CONTRACTS:USD", "external:USD", 1)
    refusals = await world.refused(lambda: desk.reverse(desk.ada, case_id))
    assert told(refusals) == [("BALANCE_INSUFFICIENT", "D16")]
    await world.fund(desk.client, 1)
    world.clock.at += timedelta(days=3)
    await desk.reverse(desk.ada, case_id)
    case = await world.case(case_id)
    assert (case["state"], case["settlement"]) == ("CREDITED", "REVERSED")
    assert case["reversed_at"] is not None
    assert (await world.balance(desk.client), await world.balance(desk.expert)) == (0, 10_000)
    (reversal,) = await world.rows("SELECT * FROM posting WHERE fact = 'REVERSAL'")
    (credit,) = await world.rows("SELECT * FROM posting WHERE fact = 'CREDIT'")
    assert reversal["reverses_id"] == credit["id"]
    refusals = await world.refused(lambda: desk.reverse(desk.ada, case_id))
    assert refusals[0].code.value == "TRANSITION_NOT_ALLOWED"


async def test_reviews_hide_under_the_threshold(desk: ContractDesk) -> None:
    """C21: 25.00 exactly keeps the reviews, 24.99 hides them, a reversal shows them again."""
    world, invoice_id = desk.world, await desk.paid_invoice()
    first = await desk.ask(invoice_id, "75.00")
    await desk.approve(desk.expert, first)
    hidden = "SELECT reviews_hidden FROM contract"
    assert not (await world.rows(hidden))[0]["reviews_hidden"]
    second = await desk.ask(invoice_id, "0.01")
    await desk.approve(desk.expert, second)
    assert (await world.rows(hidden))[0]["reviews_hidden"]
    await desk.reverse(desk.ada, second)
    assert not (await world.rows(hidden))[0]["reviews_hidden"]


async def test_dispute_resolution(desk: ContractDesk) -> None:
    """C31: an hourly invoice paid at most 30 days ago is disputed and decided by support alone."""
    world, invoice_id = desk.world, await desk.paid_invoice(kind="HOURLY")
    case_id = await desk.ask(invoice_id, "60")
    await desk.dispute(desk.client, case_id)
    assert (await world.case(case_id))["state"] == "DISPUTED"
    refusals = await world.refused(lambda: desk.approve(desk.expert, case_id))
    assert [it.code.value for it in refusals] == ["FORBIDDEN"]
    await desk.approve(desk.ivy, case_id)
    assert (await world.case(case_id))["state"] == "CREDITED"
    fixed = await desk.ask(await desk.paid_invoice(), "10")
    assert told(await world.refused(lambda: desk.dispute(desk.client, fixed))) == [("DISPUTE_NOT_AVAILABLE", "C31")]
