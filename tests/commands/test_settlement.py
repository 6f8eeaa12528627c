"""Approved refunds that wait for the expert's money (D13), and withdrawals, which they block."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from command_world import START, World, told, usd
from contract_desk import ContractDesk

from refundgql.commands import sweep as sweeping
from refundgql.commands.sweep import sweep_due
from refundgql.commands.unit_of_work import Unit
from refundgql.commands.withdrawals import RequestWithdrawal, change_withdrawal, request_withdrawal
from refundgql.domain.ledger import balance, external
from refundgql.domain.refusals import Refused
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import BalancePurpose, Role, WithdrawalStatus


@pytest.fixture
async def desk(world: World) -> ContractDesk:
    """The people around contracts."""
    return await ContractDesk.open(world)


async def _spend(desk: ContractDesk, minor: int) -> None:
    own = balance(desk.expert.account_id, BalancePurpose.CONTRACTS, "USD")
    await desk.world.post("PAYMENT", own, external("USD"), minor)


async def _withdraw(world: World, viewer: Viewer, amount: str, key: str | None = None) -> str:
    given = RequestWithdrawal(amount=usd(amount), idempotency_key=key or world.key())
    return (await request_withdrawal(world.uow, viewer, given)).withdrawal_id


async def _change(world: World, withdrawal_id: str, status: WithdrawalStatus, why: str | None = None) -> bool:
    async def work(unit: Unit) -> bool:
        return await change_withdrawal(unit, withdrawal_id, status, why)

    return await world.uow.run(work)


async def test_an_approval_without_cover_waits_and_reserves(desk: ContractDesk) -> None:
    """The case stays APPROVED, visibly awaiting funds; its amount is spoken for (D9)."""
    world, invoice_id = desk.world, await desk.paid_invoice()
    await _spend(desk, 7_000)
    case_id = await desk.ask(invoice_id, "60")
    await desk.approve(desk.expert, case_id)
    case = await world.case(case_id)
    assert (case["state"], case["settlement"], case["credited_minor"]) == ("APPROVED", "AWAITING_FUNDS", None)
    assert await world.events(case_id) == ["REQUEST", "APPROVE"]
    (payment,) = await world.rows("SELECT * FROM payment")
    assert (payment["refunded_minor"], payment["reserved_minor"]) == (0, 6_000)
    assert told(await world.refused(lambda: _withdraw(world, desk.expert, "1"))) == [("FUNDS_INSUFFICIENT", "D13")]
    world.clock.at = START + timedelta(days=14)
    assert told(await world.refused(lambda: desk.escalate(desk.client, case_id))) == [("NOT_YET_AVAILABLE", "D13")]
    world.clock.at = START + timedelta(days=15)
    await desk.escalate(desk.client, case_id)
    assert (await world.rows("SELECT reserved_minor FROM payment"))[0]["reserved_minor"] == 0
    await desk.approve(desk.ivy, case_id)
    assert (await world.balance(desk.client), await world.balance(desk.expert)) == (6_000, -3_000)
    assert told(await world.refused(lambda: _withdraw(world, desk.expert, "1"))) == [("BALANCE_INSUFFICIENT", "D13")]


async def test_waiting_cases_are_credited_in_order_by_the_act_that_brings_the_money(desk: ContractDesk) -> None:
    """A reversal brings the expert 50: the case approved first gets it, then whichever the rest covers."""
    world = desk.world
    given_back = await desk.ask(await desk.paid_invoice(), "50")
    await desk.approve(desk.expert, given_back)
    first = await desk.ask(await desk.paid_invoice(), "40")
    second = await desk.ask(await desk.paid_invoice(), "5")
    third = await desk.ask(await desk.paid_invoice(), "11")
    await _spend(desk, await world.balance(desk.expert))
    for case_id in (first, third, second):
        world.clock.at += timedelta(minutes=1)
        await desk.approve(desk.expert, case_id)
    await desk.reverse(desk.ada, given_back)
    states = {case_id: (await world.case(case_id))["state"] for case_id in (first, second, third)}
    assert states == {first: "CREDITED", third: "APPROVED", second: "CREDITED"}
    assert await world.balance(desk.expert) == 500
    assert await world.events(first) == ["REQUEST", "APPROVE", "CREDIT"]
    assert f"case:{first}" in world.bus.rung
    (payment,) = await world.rows(
        "SELECT p.* FROM payment p JOIN refund_case c ON c.payment_id = p.id WHERE c.id = ?", first
    )
    assert (payment["refunded_minor"], payment["reserved_minor"]) == (4_000, 0)


async def test_a_released_week_settles_what_waits(desk: ContractDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cut-off brings the week's money, and the waiting case is credited in the same transaction."""
    world = desk.world
    monkeypatch.setattr(sweeping, "list_coverable", _nothing)  # what a sweep makes up for afterwards
    contract_id = await world.contract(desk.client, desk.expert, kind="HOURLY")
    await world.week(contract_id)
    case_id = await desk.ask(await desk.paid_invoice(), "60")
    await _spend(desk, 10_000)
    await desk.approve(desk.expert, case_id)
    world.clock.at = START + timedelta(days=2, hours=12)
    assert await sweep_due(world.uow) == 1
    assert (await world.case(case_id))["state"] == "CREDITED"
    assert (await world.balance(desk.client), await world.balance(desk.expert)) == (6_000, 34_000)


async def test_one_credit_can_settle_the_next_person(desk: ContractDesk) -> None:
    """A client who is an expert elsewhere and owes there passes the credit on in the same transaction."""
    world = desk.world
    both = await world.person("both", Role.CLIENT, Role.EXPERT)
    owed = ContractDesk(world, desk.client, both, desk.ivy, desk.ada, desk.stranger)
    case_id = await owed.ask(await owed.paid_invoice(), "30")
    await world.post("PAYMENT", balance(both.account_id, BalancePurpose.CONTRACTS, "USD"), external("USD"), 10_000)
    await owed.approve(both, case_id)
    assert (await world.case(case_id))["state"] == "APPROVED"
    bought = ContractDesk(world, both, desk.expert, desk.ivy, desk.ada, desk.stranger)
    refund = await bought.ask(await bought.paid_invoice(), "35", send_to_payment_method=True)
    await bought.approve(desk.expert, refund)
    assert (await world.case(case_id))["state"] == "CREDITED"
    assert (await world.balance(desk.client), await world.balance(both)) == (3_000, 500)
    assert await world.rows("SELECT * FROM withdrawal") == []  # what was left does not cover what was to be sent on
    events = await world.rows(
        "SELECT name, note, internal_note FROM refund_event WHERE case_id = ? ORDER BY sequence", refund
    )
    assert (events[-1]["name"], events[-1]["note"]) == ("WITHDRAWAL_CHANGED", "KEPT_ON_BALANCE")
    assert events[-1]["internal_note"]


async def _nothing(*_args: object, **_options: object) -> list[object]:
    return []


async def test_credits_settle_along_a_chain(desk: ContractDesk) -> None:
    """Each of three people waits for the next one's refund: one approval at the end credits all of them."""
    world = desk.world
    people = [await world.person(f"person-{number}", Role.CLIENT, Role.EXPERT) for number in range(4)]
    cases = []
    for client, expert in pairwise(people):
        pair = ContractDesk(world, client, expert, desk.ivy, desk.ada, desk.stranger)
        cases.append(await pair.ask(await pair.paid_invoice(), "30"))
        await world.post(
            "PAYMENT", balance(expert.account_id, BalancePurpose.CONTRACTS, "USD"), external("USD"), 10_000
        )
        await pair.approve(expert, cases[-1])
    last = ContractDesk(world, people[-1], desk.expert, desk.ivy, desk.ada, desk.stranger)
    await last.approve(desk.expert, await last.ask(await last.paid_invoice(), "30"))
    assert {(await world.case(case_id))["state"] for case_id in cases} == {"CREDITED"}
    assert [await world.balance(person) for person in people] == [3_000, 0, 0, 0]


async def test_the_sweeper_credits_what_was_left_waiting(desk: ContractDesk) -> None:
    """Money that came without a settlement is found by the next sweep."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "60")
    await _spend(desk, 10_000)
    await desk.approve(desk.expert, case_id)
    assert await sweep_due(world.uow) == 0
    assert (await world.case(case_id))["state"] == "APPROVED"
    await world.fund(desk.expert, 6_000)
    await sweep_due(world.uow)
    assert (await world.case(case_id))["state"] == "CREDITED"


async def test_a_withdrawal_takes_contract_money_only(desk: ContractDesk) -> None:
    """D10, L17: money leaves at once into transit; lead credit stays, and more than there is never leaves."""
    world = desk.world
    await world.fund(desk.client, 5_000)
    pro = await world.person("pro", Role.PRO)
    await world.fund(pro, 5_000, BalancePurpose.LEADS)
    service = await world.person("service", Role.SERVICE)
    assert told(await world.refused(lambda: _withdraw(world, pro, "1"))) == [("BALANCE_INSUFFICIENT", "L17")]
    assert told(await world.refused(lambda: _withdraw(world, service, "1"))) == [("FORBIDDEN", "D10")]
    assert told(await world.refused(lambda: _withdraw(world, desk.client, "50.01"))) == [
        ("BALANCE_INSUFFICIENT", "D10")
    ]
    assert told(await world.refused(lambda: _withdraw(world, desk.client, "0"))) == [("INVALID_INPUT", "D2")]
    withdrawal_id = await _withdraw(world, desk.client, "20", key="once")
    given = RequestWithdrawal(amount=usd("20.0"), idempotency_key="once")
    again = await request_withdrawal(world.uow, desk.client, given)
    assert (again.withdrawal_id, again.replayed) == (withdrawal_id, True)
    assert (await world.balance(desk.client), await world.on(f"in_transit:{withdrawal_id}:USD")) == (3_000, 2_000)
    assert f"viewer:{desk.client.account_id}" in world.bus.rung


async def test_the_marketplace_reports_a_withdrawals_way(desk: ContractDesk) -> None:
    """SENT moves nothing, PAID sends it out, FAILED brings it back; a repeat changes nothing, no step goes back."""
    world = desk.world
    await world.fund(desk.client, 5_000)
    first, second = await _withdraw(world, desk.client, "20"), await _withdraw(world, desk.client, "10")
    assert await _change(world, first, WithdrawalStatus.SENT) is True
    assert await _change(world, first, WithdrawalStatus.SENT) is False
    assert await _change(world, first, WithdrawalStatus.PAID) is True
    assert await world.on(f"in_transit:{first}:USD") == 0
    assert await _change(world, second, WithdrawalStatus.FAILED, "Account closed") is True
    assert await world.balance(desk.client) == 3_000

    async def why(withdrawal_id: str, status: WithdrawalStatus) -> list[str]:
        return [it.code.value for it in await world.refused(lambda: _change(world, withdrawal_id, status))]

    assert await why(first, WithdrawalStatus.SENT) == ["TRANSITION_NOT_ALLOWED"]
    assert await why(second, WithdrawalStatus.PAID) == ["TRANSITION_NOT_ALLOWED"]
    assert await why("nothing", WithdrawalStatus.PAID) == ["NOT_FOUND"]
    with pytest.raises(Refused, match="Say why"):
        await _change(world, await _withdraw(world, desk.client, "1"), WithdrawalStatus.FAILED)


async def test_the_case_tells_what_became_of_its_withdrawal(desk: ContractDesk) -> None:
    """A sent-on credit's case records WITHDRAWAL_CHANGED with each step, the first too, and why it failed for staff."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "60", send_to_payment_method=True)
    await desk.approve(desk.expert, case_id)
    (withdrawal,) = await world.rows("SELECT * FROM withdrawal")
    await _change(world, withdrawal["id"], WithdrawalStatus.SENT)
    await _change(world, withdrawal["id"], WithdrawalStatus.FAILED, "Card expired")
    assert await world.events(case_id) == ["REQUEST", "APPROVE", "CREDIT", *["WITHDRAWAL_CHANGED"] * 3]
    notes = await world.rows(
        "SELECT note, internal_note FROM refund_event WHERE name = 'WITHDRAWAL_CHANGED' ORDER BY sequence"
    )
    assert [(row["note"], row["internal_note"]) for row in notes] == [
        ("REQUESTED", None),
        ("SENT", None),
        ("FAILED", "Card expired"),
    ]
    assert await world.balance(desk.client) == 6_000
    case = await world.case(case_id)
    assert (case["state"], case["version"], case["withdrawal_id"]) == ("CREDITED", 6, withdrawal["id"])


async def test_money_that_comes_back_settles_what_waits(desk: ContractDesk) -> None:
    """A failed withdrawal of an expert brings funds, too."""
    world = desk.world
    case_id = await desk.ask(await desk.paid_invoice(), "60")
    withdrawal_id = await _withdraw(world, desk.expert, "100")
    await desk.approve(desk.expert, case_id)
    assert (await world.case(case_id))["settlement"] == "AWAITING_FUNDS"
    await _change(world, withdrawal_id, WithdrawalStatus.FAILED, "Account closed")
    assert (await world.case(case_id))["state"] == "CREDITED"
    assert await world.balance(desk.expert) == 4_000
