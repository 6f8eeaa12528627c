"""What records do to the ledger: every business fact posts once, and what follows from money follows at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from command_world import World, usd
from contract_desk import ContractDesk
from marketplace import (
    SERVICE,
    Shape,
    account,
    contract,
    everything,
    having,
    invoice,
    lead,
    milestone,
    money,
    people,
    refused,
    review,
    sync,
    told_fields,
    week,
)

from patience import until
from refundgql.commands.import_records import import_files
from refundgql.commands.sweep import sweep_due
from refundgql.commands.sync_records import sync_records
from refundgql.commands.unit_of_work import Unit
from refundgql.commands.withdrawals import RequestWithdrawal, request_withdrawal
from refundgql.domain.calendar import to_micros
from refundgql.domain.money import Money
from refundgql.domain.refusals import Refusal, Refused
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.domain.withdrawals import cancel
from refundgql.storage.database import Database
from refundgql.storage.ledger import post
from refundgql.storage.withdrawals import lock_withdrawal, update_withdrawal

CUT_OFF = datetime(2026, 3, 7, tzinfo=UTC)
PRAISE = review("praise", "fixed", "client")


async def postings(world: World) -> list[tuple[str, str, str, int]]:
    """Return fact, both accounts' kinds and amount of every posting, in order."""
    rows = await world.rows("SELECT fact, from_key, to_key, amount_minor FROM posting ORDER BY position")
    return [(row["fact"], _kind(row["from_key"]), _kind(row["to_key"]), row["amount_minor"]) for row in rows]


def _kind(key: str) -> str:
    kind, *rest = key.split(":")
    return f"{rest[1].lower()}" if kind == "balance" else kind


async def viewer(world: World, ref: str, role: Role) -> Viewer:
    """Return an account that came by sync."""
    (row,) = await world.rows("SELECT id, name FROM account WHERE external_ref = ?", ref)
    return Viewer(row["id"], ref, row["name"], frozenset({role}))


async def identified(world: World, table: str, ref: str) -> str:
    """Return the id behind a reference."""
    return str((await world.rows(f"SELECT id FROM {table} WHERE external_ref = ?", ref))[0]["id"])


async def desk_of(world: World) -> ContractDesk:
    """Return the desk around the synchronised client and expert."""
    return ContractDesk(
        world,
        await viewer(world, "client", Role.CLIENT),
        await viewer(world, "expert", Role.EXPERT),
        await world.person("ivy", Role.SUPPORT),
        await world.person("ada", Role.ADMIN),
        await world.person("stranger", Role.CLIENT),
    )


async def test_every_business_fact_posts_once(world: World) -> None:
    """Charges, openings, weeks, escrow, releases and other invoices move money as the ledger's table says."""
    await sync(world, *everything())
    assert await postings(world) == [
        ("OPENING", "external", "contracts", 10_000),
        ("TOP_UP", "external", "leads", 1_800),
        ("CHARGE", "leads", "platform_leads", 1_800),
        # paid before its cut-off, told after it: held and released at once
        ("PAYMENT", "external", "held", 21_000),
        ("RELEASE", "held", "contracts", 21_000),
        # paid in part from the balance, held until the cut-off
        ("PAYMENT", "contracts", "held", 6_000),
        ("PAYMENT", "external", "held", 15_000),
        ("PAYMENT", "external", "held", 30_000),
        ("PAYMENT", "external", "held", 30_000),
        ("RELEASE", "held", "contracts", 30_000),
        # the released milestone's invoice was that funding; the other invoice goes to the expert
        ("PAYMENT", "external", "contracts", 4_000),
    ]
    (clock,) = await world.rows("SELECT name, due_at FROM clock")
    assert clock == {"name": "WEEK_RELEASE", "due_at": to_micros(CUT_OFF)}
    expert = await viewer(world, "expert", Role.EXPERT)
    assert await world.balance(expert) == 21_000 + 30_000 + 4_000
    world.clock.at = CUT_OFF
    await sweep_due(world.uow)
    assert await world.balance(expert) == 21_000 + 30_000 + 4_000 + 21_000


async def test_a_week_paid_at_its_cut_off_goes_to_the_expert_directly(world: World) -> None:
    """The last instant before the cut-off is held, the cut-off itself is not; no clock is left for it."""
    world.clock.at = datetime(2026, 3, 8, tzinfo=UTC)
    await sync(
        world,
        *people(),
        contract("hourly", "HOURLY"),
        week("week-8"),
        week("week-7", "2026-02-16"),
        invoice("late", "hourly", "210.00", "2026-03-07T00:00:00Z", billingWeek="week-8"),
        invoice("in-time", "hourly", "210.00", "2026-02-27T23:59:59.999999Z", billingWeek="week-7"),
    )
    assert (await postings(world))[1:] == [
        ("PAYMENT", "external", "contracts", 21_000),
        ("PAYMENT", "external", "held", 21_000),
        ("RELEASE", "held", "contracts", 21_000),
    ]
    assert await world.rows("SELECT * FROM clock") == []
    assert await world.rows("SELECT * FROM billing_week WHERE released_at IS NULL") == []


@pytest.mark.parametrize(
    ("hours", "rate", "currency", "amount"),
    [
        ("0.5", "0.01", "USD", "0.00"),
        ("1.5", "0.01", "USD", "0.02"),
        ("2.5", "0.01", "USD", "0.02"),
        ("0.333", "1.000", "KWD", "0.333"),
        ("7.5", "1001", "JPY", "7508"),
        ("8.5", "1001", "JPY", "8508"),
    ],
)
async def test_hours_times_rate_is_rounded_half_even(
    world: World, hours: str, rate: str, currency: str, amount: str
) -> None:
    """The week's amount is rounded to its currency's own exponent (D18, D2)."""
    shape = having(week("week"), hours=hours, rate=money(rate, currency))
    await sync(world, *people(), contract("hourly", "HOURLY", currencyCode=currency), shape)
    (row,) = await world.rows("SELECT amount_minor FROM billing_week")
    assert Money(row["amount_minor"], currency).amount == amount


async def test_a_week_s_invoice_is_what_was_charged(world: World) -> None:
    """An invoice that rounds the hours otherwise is paid and held as it is; a milestone's is its funding, exactly."""
    await sync(world, *people(), contract("hourly", "HOURLY"), having(week("week"), hours="0.5", rate=money("0.03")))
    paid = invoice("i", "hourly", "0.02", "2026-03-02T10:00:00Z", billingWeek="week")
    assert await sync(world, having(paid, amount=money("0.03"))) == (1, 0, 0)
    assert (await postings(world))[-1] == ("PAYMENT", "external", "held", 3)


async def test_an_invoice_is_paid_from_the_balance_as_far_as_it_goes(world: World) -> None:
    """More than the balance holds is refused, citing C19; so is a share above the amount, or in another currency."""
    await sync(world, *everything())  # 40.00 are left
    paid = invoice("open", "fixed", "90.00", "2026-03-01T00:00:00Z")
    assert told_fields(await refused(world, having(paid, fromBalance=money("40.01")))) == [
        ("BALANCE_INSUFFICIENT", "C19", "records.0.invoice.fromBalance.amount")
    ]
    assert told_fields(await refused(world, having(paid, fromBalance=money("90.01")))) == [
        ("INVALID_INPUT", "C19", "records.0.invoice.fromBalance.amount")
    ]
    assert told_fields(await refused(world, having(paid, fromBalance=money("4", "EUR")))) == [
        ("CURRENCY_MISMATCH", "D2", "records.0.invoice.fromBalance.currencyCode")
    ]
    assert await sync(world, having(paid, fromBalance=money("40.00"))) == (0, 1, 0)
    assert (await postings(world))[-2:] == [
        ("PAYMENT", "contracts", "contracts", 4_000),
        ("PAYMENT", "external", "contracts", 5_000),
    ]
    second = having(milestone("later", "FUNDED"), fromBalance=money("0.01"))
    assert told_fields(await refused(world, second))[0][0] == "BALANCE_INSUFFICIENT"


async def test_a_milestone_s_paid_invoice_is_its_funding_whichever_comes_first(world: World) -> None:
    """One posting, also when the milestone's own record still says UNFUNDED."""
    unfunded = milestone("step", "UNFUNDED")
    paid = invoice("paid", "fixed", "300.00", "2026-02-01T00:00:00Z", milestone="step")
    batch = [*people(), contract("fixed", "FIXED_PRICE"), unfunded, paid]
    await sync(world, *batch)
    assert (await postings(world))[1:] == [("PAYMENT", "external", "held", 30_000)]
    (row,) = await world.rows("SELECT status, funded_at FROM milestone")
    assert row == {"status": "FUNDED", "funded_at": to_micros(datetime(2026, 2, 1, tzinfo=UTC))}
    assert await sync(world, *batch) == (0, 0, len(batch))
    assert await sync(world, having(unfunded, title="Renamed", revision="2")) == (0, 1, 0)
    assert await world.rows("SELECT title, status FROM milestone") == [{"title": "Renamed", "status": "FUNDED"}]
    released = milestone("step", "RELEASED", fundedAt="2026-02-01T00:00:00Z", releasedAt="2026-02-05T00:00:00Z")
    assert await sync(world, released) == (0, 1, 0)
    assert (await postings(world))[-1] == ("RELEASE", "held", "contracts", 30_000)


async def test_escrow_is_not_released_while_a_case_on_it_is_open(world: World) -> None:
    """The release is refused with the case's number, citing C30; what a part refund leaves is released later (D11)."""
    await sync(world, *everything())
    desk = await desk_of(world)
    case_id = await desk.ask_escrow(await identified(world, "milestone", "escrow"), "100")
    release = milestone("escrow", "RELEASED")
    (refusal,) = await refused(world, release)
    assert told_fields([refusal]) == [("CASE_ALREADY_OPEN", "C30", "records.0.milestone.status")]
    assert "RC-000001" in refusal.message
    await desk.approve(desk.expert, case_id)
    before = await world.balance(desk.expert)
    assert await sync(world, release) == (0, 1, 0)
    assert await world.balance(desk.expert) == before + 20_000


async def test_a_returned_milestone_stays_returned(world: World) -> None:
    """The marketplace may go on saying FUNDED, which it last knew; it cannot release what is gone."""
    await sync(world, *everything())
    desk = await desk_of(world)
    case_id = await desk.ask_escrow(await identified(world, "milestone", "escrow"), "300")
    await desk.approve(desk.expert, case_id)
    assert await sync(world, milestone("escrow")) == (0, 0, 1)
    assert await sync(world, milestone("escrow", title="Sketches")) == (0, 1, 0)
    assert told_fields(await refused(world, milestone("escrow", "RELEASED"))) == [
        ("TRANSITION_NOT_ALLOWED", None, "records.0.milestone.status")
    ]
    assert await sync(world, milestone("escrow", "RETURNED")) == (0, 1, 0)  # its title, again


async def _owing_expert(world: World) -> tuple[ContractDesk, str]:
    """Approve a refund of 40.00 that the expert cannot pay any more."""
    await sync(
        world,
        *people(),
        contract("fixed", "FIXED_PRICE"),
        invoice("extra", "fixed", "40.00", "2026-02-01T00:00:00Z"),
        PRAISE,
    )
    desk = await desk_of(world)
    given = RequestWithdrawal(amount=usd("40"), idempotency_key=world.key())
    withdrawal_id = (await request_withdrawal(world.uow, desk.expert, given)).withdrawal_id
    case_id = await desk.ask(await identified(world, "invoice", "extra"), "40")
    await desk.approve(desk.expert, case_id)
    assert (await world.case(case_id))["settlement"] == "AWAITING_FUNDS"
    return desk, withdrawal_id


ARRIVALS: dict[str, Shape] = {
    "an invoice": invoice("more", "fixed", "40.00", "2026-03-01T00:00:00Z"),
    "a released milestone": milestone("step", "RELEASED", "40.00"),
    "an opening balance": account("expert", "EXPERT", openingBalance=money("40.00")),
}


@pytest.mark.parametrize("shape", ARRIVALS.values(), ids=list(ARRIVALS))
async def test_money_that_arrives_settles_waiting_cases_in_the_same_batch(world: World, shape: Shape) -> None:
    """The approved case is credited by the transaction that brings the funds (D13), and later records see it."""
    desk, _ = await _owing_expert(world)
    paying = invoice("next", "fixed", "140.00", "2026-03-02T00:00:00Z", fromBalance=money("140.00"))
    world.bus.rung.clear()
    await sync(world, shape, paying)  # 100.00 of the opening balance and the 40.00 just credited
    (case,) = await world.rows("SELECT * FROM refund_case")
    assert (case["state"], case["settlement"]) == ("CREDITED", "SETTLED")
    assert await world.events(case["id"]) == ["REQUEST", "APPROVE", "CREDIT"]
    assert await world.balance(desk.client) == 0
    assert f"case:{case['id']}" in world.bus.rung


async def test_an_opening_balance_told_late_settles_beside_somebody_new(world: World) -> None:
    """An account that its own record creates has no balance to read; those after it in the batch have."""
    await _owing_expert(world)
    newcomer = account("newcomer", "PRO", openingLeadCredit=money("1.00"))
    assert await sync(world, newcomer, ARRIVALS["an opening balance"]) == (1, 1, 0)
    (case,) = await world.rows("SELECT state, settlement FROM refund_case")
    assert case == {"state": "CREDITED", "settlement": "SETTLED"}


async def test_money_that_an_import_brings_settles_waiting_cases_too(world: World, tmp_path: Path) -> None:
    """What an import's check has worked out ends where a case is settled: later lines find its money."""
    desk, _ = await _owing_expert(world)
    lines = [
        *(account(f"filler-{number}", "PRO") for number in range(4)),
        ARRIVALS["an opening balance"],
        invoice("next", "fixed", "40.00", "2026-03-02T00:00:00Z", fromBalance=money("40.00")),
    ]
    file = tmp_path / "arrivals.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    report = await import_files(world.uow, [str(file)], batch_records=2)
    assert (report.ok, report.counts.created, report.counts.updated) == (True, 5, 1)
    (case,) = await world.rows("SELECT state, settlement FROM refund_case")
    assert case == {"state": "CREDITED", "settlement": "SETTLED"}
    assert await world.balance(desk.client) == 100_00


async def test_a_failed_withdrawal_brings_the_money_back_and_settles(world: World) -> None:
    """The steps of a withdrawal come by sync; a failure needs its reason, and what comes back is money that arrived."""
    _, withdrawal_id = await _owing_expert(world)

    def step(status: str, **more: Any) -> Shape:
        return {"withdrawal": {"id": f"Withdrawal_{withdrawal_id}", "status": status, **more}}

    assert await sync(world, step("SENT")) == (0, 1, 0)
    assert await sync(world, step("SENT")) == (0, 0, 1)
    assert await sync(world, step("REQUESTED")) == (0, 0, 1)
    assert told_fields(await refused(world, step("FAILED"))) == [
        ("INVALID_INPUT", None, "records.0.withdrawal.failureReason")
    ]
    failed = step("FAILED", failureReason="The account is closed.")
    assert await sync(world, account("later", "CLIENT"), failed, account("last", "CLIENT")) == (2, 1, 0)
    assert await sync(world, failed) == (0, 0, 1)
    (case,) = await world.rows("SELECT settlement FROM refund_case")
    assert case == {"settlement": "SETTLED"}
    assert told_fields(await refused(world, step("PAID"))) == [
        ("TRANSITION_NOT_ALLOWED", None, "records.0.withdrawal.status")
    ]


async def test_a_withdrawal_may_be_reported_paid_at_once(world: World) -> None:
    """It passes through SENT on its way; an unknown one is not found."""
    _, withdrawal_id = await _owing_expert(world)
    paid = {"withdrawal": {"id": f"Withdrawal_{withdrawal_id}", "status": "PAID"}}
    assert await sync(world, paid) == (0, 1, 0)
    assert (await world.rows("SELECT status FROM withdrawal"))[0]["status"] == "PAID"
    unknown = {"withdrawal": {"id": f"Withdrawal_{SERVICE.account_id}", "status": "SENT"}}
    assert told_fields(await refused(world, unknown)) == [("NOT_FOUND", None, "records.0.withdrawal.id")]


async def test_reviews_hide_and_show_as_payments_come_in(world: World) -> None:
    """24.98 left after a refund hides, so does a cent more; a payment that lifts it to 25.00 shows again (C21)."""
    await sync(
        world,
        *people(),
        contract("fixed", "FIXED_PRICE"),
        invoice("extra", "fixed", "40.00", "2026-02-01T00:00:00Z"),
        PRAISE,
    )
    desk = await desk_of(world)
    await desk.approve(desk.expert, await desk.ask(await identified(world, "invoice", "extra"), "15.02"))

    async def hidden() -> bool:
        return bool((await world.rows("SELECT reviews_hidden FROM contract"))[0]["reviews_hidden"])

    assert await hidden()
    await sync(world, review("reply", "fixed", "expert"))
    assert await hidden()
    await sync(world, invoice("cent", "fixed", "0.01", "2026-03-01T00:00:00Z"))
    assert await hidden()
    await sync(world, invoice("another", "fixed", "0.01", "2026-03-02T00:00:00Z"))
    assert not await hidden()


async def test_a_contract_that_was_always_small_keeps_its_reviews(world: World) -> None:
    """Without a refund nothing hides, however little was paid (C21)."""
    tiny = invoice("tiny", "fixed", "9.00", "2026-02-01T00:00:00Z")
    await sync(world, *people(), contract("fixed", "FIXED_PRICE"), tiny, PRAISE)
    assert not (await world.rows("SELECT reviews_hidden FROM contract"))[0]["reviews_hidden"]


async def test_many_invoices_of_one_contract_add_up(world: World) -> None:
    """Each has a payment of its own, and the contract's totals are their sum."""
    invoices = [invoice(f"i-{number}", "fixed", "10.00", "2026-02-01T00:00:00Z") for number in range(30)]
    await sync(world, *people(), contract("fixed", "FIXED_PRICE"), *invoices)
    (row,) = await world.rows("SELECT COUNT(*) AS payments, CAST(SUM(paid_minor) AS BIGINT) AS paid FROM payment")
    assert row == {"payments": 30, "paid": 30_000}


async def test_a_refused_batch_leaves_no_trace_of_what_was_settled(world: World) -> None:
    """A record refused after money had already settled a case undoes the settling as well."""
    await _owing_expert(world)
    arriving = ARRIVALS["an invoice"]
    assert told_fields(await refused(world, arriving, lead("bad", pro="nobody"))) == [
        ("NOT_FOUND", None, "records.1.lead.pro")
    ]


async def test_a_week_may_change_until_it_is_paid(world: World) -> None:
    """Hours follow the marketplace until the week's invoice is paid, and an unpaid invoice's amount with them."""
    await sync(world, *people(), contract("hourly", "HOURLY"), week("week-8"))
    await sync(world, invoice("i", "hourly", "210.00", billingWeek="week-8"))
    assert await sync(world, week("week-8", hours="12")) == (0, 1, 0)
    paid = invoice("i", "hourly", "210.00", "2026-03-02T00:00:00Z", billingWeek="week-8")
    assert await sync(world, having(paid, amount=money("240.00"))) == (0, 1, 0)
    assert told_fields(await refused(world, week("week-8"))) == [("INVALID_INPUT", None, "records.0.billingWeek.hours")]


async def test_two_feeds_at_once_make_each_record_once(world: World) -> None:
    """Batches that overlap wait for one another; none fails, and the second finds what the first made."""
    records = everything()
    counts = await asyncio.gather(*(sync_records(world.uow, SERVICE, records) for _ in range(6)))
    assert sorted(count.created for count in counts) == [0, 0, 0, 0, 0, len(records)]


async def test_nothing_is_refused_as_a_fault(world: World) -> None:
    """A refusal is a Refused with a sentence that ends, never a bare error."""
    with pytest.raises(Refused) as refusal:
        await sync_records(world.uow, SERVICE, [{"lead": {}}, {}, {"lead": None}, [], {"a": {}, "b": {}}])  # type: ignore[list-item, dict-item]
    assert len(refusal.value.refusals) == 5
    assert all(it.message.endswith(".") for it in refusal.value.refusals)


async def test_a_batch_waits_for_whoever_cancels(postgres: Database) -> None:
    """Money that its owner keeps is not sent: the report is looked at when the cancelling is done (D10)."""
    world = World(postgres)
    _, withdrawal_id = await _owing_expert(world)
    cancelling, sending = asyncio.Event(), asyncio.Event()

    async def cancel_slowly(unit: Unit) -> None:
        withdrawal = await lock_withdrawal(unit.tx, withdrawal_id)
        assert withdrawal is not None
        changed, entry = cancel(withdrawal, unit.now())
        await update_withdrawal(unit.tx, changed)
        await post(unit.tx, entry, changed.updated_at)
        cancelling.set()
        await sending.wait()

    async def send() -> tuple[Refusal, ...]:
        sent = {"withdrawal": {"id": f"Withdrawal_{withdrawal_id}", "status": "SENT"}}
        with pytest.raises(Refused) as why:
            await sync_records(world.uow, SERVICE, [sent])
        return why.value.refusals

    async with asyncio.TaskGroup() as group:
        group.create_task(world.uow.run(cancel_slowly))
        await cancelling.wait()
        told = group.create_task(send())
        try:
            await until(lambda: postgres.fetch_value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        finally:
            sending.set()
    assert told_fields(told.result()) == [("STALE", "D10", "records.0.withdrawal.status")]
