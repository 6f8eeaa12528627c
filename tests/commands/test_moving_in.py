"""A marketplace's past as it was: openings, payouts, refunds and chargebacks; balances and caps as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from command_world import World, usd
from marketplace import (
    Shape,
    account,
    chargeback,
    contract,
    counted,
    everything,
    having,
    invoice,
    lead,
    milestone,
    money,
    people,
    refund,
    refused,
    sync,
    told_fields,
)
from test_sync_money import desk_of, identified, viewer

from refundgql.commands.import_records import import_files
from refundgql.commands.withdrawals import RequestWithdrawal, request_withdrawal
from refundgql.domain.vocabulary import Role
from refundgql.storage.ledger_checks import verify

PAID_OUT = "2025-07-03T09:00:00Z"


def payout(ref: str, owner: str, amount: str, status: str = "PAID", **more: Any) -> Shape:
    """Return a withdrawal that the marketplace made."""
    values = {"id": ref, "status": status, "account": owner, "amount": money(amount), "requestedAt": PAID_OUT}
    return {"withdrawal": values | more}


async def balances(world: World) -> dict[tuple[str, str], int]:
    """Return what everybody has, by reference and purpose; nothing is left out but zeros."""
    rows = await world.rows(
        "SELECT a.external_ref, l.purpose, l.balance_minor FROM ledger_account l JOIN account a ON a.id = l.owner_id"
        " WHERE l.balance_minor <> 0"
    )
    return {(row["external_ref"], row["purpose"]): row["balance_minor"] for row in rows}


async def test_nobody_withdraws_what_was_paid_out_years_ago(world: World) -> None:
    """A payout may be told before what it was paid from: at no instant is there money to take out."""
    await sync(world, *people(), payout("po-1", "expert", "300.00"))
    assert (await balances(world))["expert", "CONTRACTS"] == -30_000
    await sync(world, contract("fixed", "FIXED_PRICE"), milestone("done", "RELEASED"))
    assert await balances(world) == {("client", "CONTRACTS"): 10_000}
    expert = await viewer(world, "expert", Role.EXPERT)
    refusals = await world.refused(
        lambda: request_withdrawal(world.uow, expert, RequestWithdrawal(amount=usd("0.01"), idempotency_key="k"))
    )
    assert [it.code.value for it in refusals] == ["BALANCE_INSUFFICIENT"]
    before = await world.dump()
    assert await sync(world, payout("po-1", "expert", "300.00")) == (0, 0, 1)
    assert await world.dump() == before


@pytest.mark.parametrize(
    ("shape", "code", "path"),
    [
        (payout("po-1", "expert", "301.00"), "INVALID_INPUT", "withdrawal.amount"),
        (payout("po-1", "client", "300.00"), "INVALID_INPUT", "withdrawal.account"),
        (
            payout("po-1", "expert", "300.00", requestedAt="2025-07-03T09:00:01Z"),
            "INVALID_INPUT",
            "withdrawal.requestedAt",
        ),
        (
            payout("po-1", "expert", "300.00", "FAILED", failureReason="Closed."),
            "TRANSITION_NOT_ALLOWED",
            "withdrawal.status",
        ),
        (having(payout("po-2", "expert", "300.00"), account=None), "INVALID_INPUT", "withdrawal.account"),
        (having(payout("po-2", "expert", "300.00"), requestedAt=None), "INVALID_INPUT", "withdrawal.requestedAt"),
        (payout("po-2", "nobody", "300.00"), "NOT_FOUND", "withdrawal.account"),
        (payout("po-2", "expert", "300.00", "FAILED"), "INVALID_INPUT", "withdrawal.failureReason"),
        ({"withdrawal": {"id": "po-2", "status": "PAID"}}, "NOT_FOUND", "withdrawal.id"),
    ],
)
async def test_a_payout_is_fixed_once_told(world: World, shape: Shape, code: str, path: str) -> None:
    """Owner, amount and instant cannot change, a paid one does not fail, and one that was not told is not found."""
    await sync(world, *people(), payout("po-1", "expert", "300.00"))
    ((found, _, field),) = told_fields(await refused(world, shape))
    assert (found, field) == (code, f"records.0.{path}")


async def test_a_payout_under_way_is_told_step_by_step(world: World) -> None:
    """What was sent before moving in arrives, or comes back, afterwards; old steps told again change nothing."""
    await sync(world, *people(), payout("po-1", "client", "40.00", "SENT"), payout("po-2", "client", "10.00", "SENT"))
    assert (await balances(world))["client", "CONTRACTS"] == 5_000
    failed = payout("po-2", "client", "10.00", "FAILED", failureReason="Account closed.")
    assert await sync(world, payout("po-1", "client", "40.00"), failed) == (0, 2, 0)
    assert (await balances(world))["client", "CONTRACTS"] == 6_000
    assert await sync(
        world, payout("po-2", "client", "10.00", "SENT"), {"withdrawal": {"id": "po-1", "status": "SENT"}}
    ) == (
        0,
        0,
        2,
    )


@pytest.mark.parametrize(
    ("status", "left"), [("PAID", -4_000), ("FAILED", 0), ("SENT", -4_000)], ids=["paid", "failed", "sent"]
)
async def test_a_payout_told_twice_in_one_batch_moves_its_money_as_told_last(
    world: World, status: str, left: int
) -> None:
    """Sent and then paid, or failed, before anything of it was kept: its money is out, or back, not in between."""
    more = {"failureReason": "Account closed."} if status == "FAILED" else {}
    sent, last = payout("po-1", "expert", "40.00", "SENT"), payout("po-1", "expert", "40.00", status, **more)
    assert await sync(world, *people(), sent, last) == (len(people()) + 1, int(status != "SENT"), int(status == "SENT"))
    assert (await balances(world)).get(("expert", "CONTRACTS"), 0) == left
    assert [found async for found in verify(world.database)] == []
    assert await sync(world, last) == (0, 0, 1)


async def test_openings_have_any_sign_and_an_instant(world: World) -> None:
    """What is owed is below zero, nothing is nothing, lead credit is apart; each is fixed once posted."""
    opened = [
        account("owes", "EXPERT", openingBalance=money("-12.50"), openingAt="2025-12-31T00:00:00Z"),
        account("even", "CLIENT", openingBalance=money("0.00")),
        account("pro-2", "PRO", openingLeadCredit=money("7.00"), openingBalance=money("1.00")),
    ]
    assert await sync(world, *opened) == (3, 0, 0)
    assert await balances(world) == {
        ("owes", "CONTRACTS"): -1_250,
        ("pro-2", "LEADS"): 700,
        ("pro-2", "CONTRACTS"): 100,
    }
    assert await sync(world, *opened) == (0, 0, 3)
    assert told_fields(await refused(world, account("even", "CLIENT", openingBalance=money("0.01")))) == [
        ("INVALID_INPUT", None, "records.0.account.openingBalance")
    ]
    later = having(opened[0], openingAt="2025-12-31T00:00:01Z")
    assert told_fields(await refused(world, later)) == [("INVALID_INPUT", None, "records.0.account.openingAt")]


async def test_how_a_lead_was_paid_is_said_and_never_guessed(world: World) -> None:
    """Without fromBalance a lead draws nothing, whatever credit there is; with it exactly that, and no more (L17)."""
    await sync(world, *people(), account("pro", "PRO", openingLeadCredit=money("10.00")), lead())
    assert (await balances(world))["pro", "LEADS"] == 1_000
    paid = lead("second", fromBalance=money("4.00"))
    assert await sync(world, paid) == (1, 0, 0)
    assert (await balances(world))["pro", "LEADS"] == 600
    assert await sync(world, paid, lead("second")) == (0, 0, 2)
    assert told_fields(
        await refused(world, lead("second", fromBalance=money("4.01")), lead(fromBalance=money("1.00")))
    ) == [
        ("INVALID_INPUT", None, "records.0.lead.fromBalance"),
        ("INVALID_INPUT", None, "records.1.lead.fromBalance"),
    ]
    assert told_fields(await refused(world, lead("third", fromBalance=money("6.01")))) == [
        ("BALANCE_INSUFFICIENT", "L17", "records.0.lead.fromBalance.amount")
    ]


async def test_refunds_of_the_past_count_in_every_cap_and_open_no_case(world: World) -> None:
    """Held money goes back first, then the expert's; a milestone is returned, reviews hide (C21)."""
    told = [
        refund("r-lead", "18.00", lead="lead"),
        refund("r-extra", "30.00", invoice="extra"),
        refund("r-week", "10.00", invoice="invoice-8"),
        refund("r-escrow", "300.00", milestone="escrow"),
        refund("r-done", "299.00", invoice="invoice-done"),
    ]
    await sync(world, *everything())
    before = await balances(world)
    assert await sync(world, *told) == (5, 0, 0)
    after = await balances(world)
    assert after["pro", "LEADS"] == 1_800
    assert after["client", "CONTRACTS"] - before["client", "CONTRACTS"] == 3_000 + 1_000 + 30_000 + 29_900
    assert after["expert", "CONTRACTS"] - before["expert", "CONTRACTS"] == -3_000 - 29_900
    assert await world.rows("SELECT * FROM refund_case") == []
    assert await world.rows("SELECT status FROM milestone WHERE external_ref = 'escrow'") == [{"status": "RETURNED"}]
    (fixed,) = await world.rows("SELECT reviews_hidden FROM contract WHERE external_ref = 'fixed'")
    assert fixed["reviews_hidden"]
    assert await sync(world, *told, milestone("escrow", "FUNDED")) == (0, 0, 6)
    assert told_fields(await refused(world, refund("more", "10.01", invoice="extra"))) == [
        ("AMOUNT_EXCEEDS_REFUNDABLE", "D9", "records.0.refund.amount.amount")
    ]
    desk = await desk_of(world)
    extra = await identified(world, "invoice", "extra")
    refusals = await world.refused(lambda: desk.ask(extra, "10.01"))
    assert [(it.code.value, it.maximum.amount) for it in refusals] == [("AMOUNT_EXCEEDS_REFUNDABLE", "10.00")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("shape", "code", "path"),
    [
        (refund("r", "1.00", invoice="nothing"), "NOT_FOUND", "refund.invoice"),
        (refund("r", "1.00", milestone="nothing"), "NOT_FOUND", "refund.milestone"),
        (refund("r", "1.00", lead="nothing"), "NOT_FOUND", "refund.lead"),
        (refund("r", "1.00", invoice="open"), "INVOICE_NOT_PAID", "refund.invoice"),
        (refund("r", "1.00", milestone="later"), "MILESTONE_NOT_FUNDED", "refund.milestone"),
        (
            having(refund("r", "1.00", invoice="extra"), amount=money("1.00", "EUR")),
            "CURRENCY_MISMATCH",
            "refund.amount.currencyCode",
        ),
        (refund("known", "2.00", invoice="extra"), "INVALID_INPUT", "refund.amount"),
        (refund("known", "1.00", invoice="invoice-8"), "INVALID_INPUT", "refund.invoice"),
        (chargeback("c", "40.00", invoice="extra"), "AMOUNT_EXCEEDS_REFUNDABLE", "chargeback.amount.amount"),
        (chargeback("c", "1.00", invoice="open"), "INVOICE_NOT_PAID", "chargeback.invoice"),
        (chargeback("lost", "5.00", "WON", lead="lead"), "TRANSITION_NOT_ALLOWED", "chargeback.status"),
        (chargeback("lost", "4.00", "LOST", lead="lead"), "INVALID_INPUT", "chargeback.amount"),
    ],
)
async def test_what_cannot_have_gone_back_is_refused(world: World, shape: Shape, code: str, path: str) -> None:
    """Each at its field, and nothing changes."""
    known, lost = refund("known", "1.00", invoice="extra"), chargeback("lost", "5.00", "LOST", lead="lead")
    await sync(world, *everything(), known, lost)
    ((found, _, field),) = told_fields(await refused(world, shape))
    assert (found, field) == (code, f"records.0.{path}")


async def test_a_chargeback_is_kept_from_being_refunded_and_then_gone_or_given_back(world: World) -> None:
    """OPEN and LOST lower what requests, issues and approvals may have, with CHARGED_BACK; WON gives it back (D25)."""
    await sync(world, *everything())
    desk = await desk_of(world)
    extra = await identified(world, "invoice", "extra")
    case_id = await desk.ask(extra, "40.00")
    assert await counted(world, chargeback("cb", "25.00", invoice="extra")) == (1, 0, 0, 0)
    assert await world.events(case_id) == ["REQUEST", "CHARGEBACK"]
    refusals = await world.refused(lambda: desk.approve(desk.expert, case_id))
    assert [(it.code.value, it.rule, it.maximum.amount) for it in refusals] == [("CHARGED_BACK", "D25", "15.00")]  # type: ignore[attr-defined]
    assert await counted(world, chargeback("cb", "25.00", "WON", invoice="extra")) == (0, 1, 0, 0)
    assert await counted(world, chargeback("cb", "25.00", invoice="extra")) == (0, 0, 1, 0)
    await desk.approve(desk.expert, case_id)
    assert (await world.events(case_id))[2:] == ["CHARGEBACK", "APPROVE", "CREDIT"]
    second = chargeback("cb-2", "0.01", "LOST", invoice="extra")
    assert told_fields(await refused(world, second)) == [
        ("AMOUNT_EXCEEDS_REFUNDABLE", "D25", "records.0.chargeback.amount.amount")
    ]


async def test_a_lost_chargeback_takes_what_is_held_and_then_what_the_expert_has(world: World) -> None:
    """The expert's balance may go below zero: the money has left (D25)."""
    await sync(
        world,
        *people(),
        contract("fixed", "FIXED_PRICE"),
        milestone("escrow"),
        invoice("extra", "fixed", "40.00", "2026-02-01T00:00:00Z"),
        payout("po", "expert", "40.00"),
    )
    lost = [
        chargeback("c-1", "100.00", "LOST", milestone="escrow"),
        chargeback("c-2", "40.00", "LOST", invoice="extra"),
    ]
    assert await sync(world, *lost) == (2, 0, 0)
    assert await balances(world) == {("client", "CONTRACTS"): 10_000, ("expert", "CONTRACTS"): -4_000}
    assert await sync(world, *lost) == (0, 0, 2)
    await sync(world, milestone("escrow", "RELEASED"))
    assert (await balances(world))["expert", "CONTRACTS"] == -4_000 + 20_000


async def test_an_approved_refund_waits_for_a_chargeback(world: World) -> None:
    """What a bank wants back is not credited meanwhile; when it is won, the refund follows by itself (D13, D25)."""
    await sync(world, *people(), payout("po", "expert", "40.00"), contract("fixed", "FIXED_PRICE"))
    await sync(world, invoice("extra", "fixed", "40.00", "2026-02-01T00:00:00Z"))
    desk = await desk_of(world)
    extra = await identified(world, "invoice", "extra")
    case_id = await desk.ask(extra, "30.00")
    await desk.approve(desk.expert, case_id)  # the expert has nothing: it waits
    await sync(world, chargeback("cb", "20.00", invoice="extra"))
    await sync(world, invoice("more", "fixed", "100.00", "2026-02-02T00:00:00Z"))
    assert (await world.case(case_id))["state"] == "APPROVED"
    await sync(world, chargeback("cb", "20.00", "WON", invoice="extra"))
    assert (await world.case(case_id))["state"] == "CREDITED"


async def test_sums_beyond_sixty_four_bits_are_a_record_s_error(world: World, tmp_path: Path) -> None:
    """A balance that cannot be kept refuses the batch and the line, by either road, without a traceback."""
    most = "90071992547409.92"
    first = [
        *people(),
        contract("fixed", "FIXED_PRICE"),
        *(invoice(f"i-{n}", "fixed", most, "2026-02-01T00:00:00Z") for n in range(1_023)),
    ]
    for start in range(0, len(first), 900):
        await sync(world, *first[start : start + 900])
    over = invoice("over", "fixed", most, "2026-02-01T00:00:00Z")
    assert told_fields(await refused(world, over, invoice("unpaid", "fixed", most))) == [
        ("INVALID_INPUT", None, "records.0.invoice")
    ]
    file = tmp_path / "over.jsonl"
    file.write_bytes(orjson.dumps(over))
    report = await import_files(world.uow, [str(file)])
    assert [(bad.line, bad.field) for bad in report.bad_lines] == [(1, "invoice")]
    assert [finding async for finding in verify(world.database)] == []
