"""A history told in any legal order, in pieces, with repeats, by either road, ends as the history in order does."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from command_world import World
from hypothesis import given, settings
from hypothesis import strategies as st
from marketplace import (
    SERVICE,
    Shape,
    account,
    contract,
    having,
    invoice,
    lead,
    message,
    milestone,
    money,
    review,
    week,
)
from test_moving_in import chargeback, payout, refund

from databases import LIMITS, new_database_url
from refundgql.commands.import_records import import_files
from refundgql.commands.sync_records import sync_records
from refundgql.storage.database import Database
from refundgql.storage.ledger_checks import verify

PEOPLE = 3
STATES = (
    "SELECT external_ref, name, roles, opening_minor, opening_leads_minor, opening_at, revision FROM account",
    "SELECT a.external_ref, l.purpose, l.currency, l.balance_minor FROM ledger_account l JOIN account a"
    " ON a.id = l.owner_id WHERE l.balance_minor <> 0",
    "SELECT external_ref, customer_name, title, price_minor, charged_at, last_message_at, revision FROM lead",
    "SELECT external_ref, body, sent_at, deleted_at, revision FROM message",
    "SELECT external_ref, title, status, ended_at, reviews_hidden, revision FROM contract",
    "SELECT external_ref, hours, amount_minor, released_at, revision FROM billing_week",
    "SELECT m.external_ref, m.title, m.status, m.funded_at, m.released_at, m.revision, p.paid_minor, p.refunded_minor,"
    " p.charged_back_minor FROM milestone m JOIN payment p ON p.id = m.payment_id",
    "SELECT i.external_ref, i.number, i.status, i.paid_at, i.revision, p.paid_minor, p.refunded_minor,"
    " p.charged_back_minor FROM invoice i JOIN payment p ON p.id = i.payment_id",
    "SELECT external_ref, rating, body, revision FROM review",
    "SELECT external_ref, status, amount_minor, revision FROM withdrawal",
    "SELECT external_ref, amount_minor, credited_at FROM past_refund",
    "SELECT external_ref, amount_minor, status, revision FROM chargeback",
)
"""What two tellings have to agree on; who moved which money first is not of it."""


def history(rng: random.Random) -> list[tuple[Shape, set[str]]]:
    """Return a history in order: each record, and the names of the records that have to stand before it."""
    told: list[tuple[Shape, set[str]]] = []

    def tell(shape: Shape, *needs: str, newest: bool = True) -> None:
        ((kind, values),) = shape.items()
        name = f"{kind}:{values.get('externalRef', values.get('id'))}"
        known = sum(1 for one, _ in told if _name(one) == name)
        revised = having(shape, revision=str(known + 1))
        told.append((revised, {*needs}))

    for n in range(PEOPLE):
        owing = money(rng.choice(["-5.00", "0.00", "60.00"]))
        tell(account(f"pro-{n}", "PRO", openingLeadCredit=money("9.00")))
        tell(account(f"customer-{n}", "CUSTOMER"))
        tell(account(f"client-{n}", "CLIENT", openingBalance=money("60.00")))
        tell(account(f"expert-{n}", "EXPERT", openingBalance=owing, openingAt="2025-01-01T00:00:00Z"))
        if rng.random() < 0.7:
            tell(having(account(f"customer-{n}", "CUSTOMER"), name=f"Renamed {n}"))
        tell(payout(f"payout-{n}", f"expert-{n}", "40.00", "SENT"), f"account:expert-{n}")
        tell(payout(f"payout-{n}", f"expert-{n}", "40.00"), f"account:expert-{n}")
        sides = {"client": f"client-{n}", "expert": f"expert-{n}"}
        of_lead = {"pro": f"pro-{n}", "customer": f"customer-{n}", "fromBalance": money("4.00")}
        people = (f"account:pro-{n}", f"account:customer-{n}")
        tell(lead(f"lead-{n}", **of_lead), *people)
        tell(lead(f"lead-{n}", **of_lead, title="A longer fence"), *people)
        sent = message(f"message-{n}", f"pro-{n}", "2026-02-20T08:05:00Z", lead=f"lead-{n}")
        tell(sent, f"lead:lead-{n}")
        tell(having(sent, body="Edited"), f"lead:lead-{n}")
        if rng.random() < 0.5:
            tell(having(sent, deletedAt="2026-02-21T00:00:00Z"), f"lead:lead-{n}")
        tell(refund(f"refund-lead-{n}", "5.00", lead=f"lead-{n}"), f"lead:lead-{n}")
        parties = (f"account:client-{n}", f"account:expert-{n}")
        tell(contract(f"hourly-{n}", "HOURLY", **sides), *parties)
        tell(contract(f"fixed-{n}", "FIXED_PRICE", **sides), *parties)
        ended = {"status": "CLOSED", "endedAt": "2026-03-01T00:00:00Z"}
        if rng.random() < 0.5:
            tell(contract(f"fixed-{n}", "FIXED_PRICE", **sides, **ended), *parties)
        _work(tell, n, rng)
    return told


def _work(tell: Any, n: int, rng: random.Random) -> None:
    hourly, fixed = f"hourly-{n}", f"fixed-{n}"
    tell(week(f"week-{n}", "2026-02-16", hours="9", contract=hourly), f"contract:{hourly}")
    tell(week(f"week-{n}", "2026-02-16", hours="10.5", contract=hourly), f"contract:{hourly}")
    bill = {"billingWeek": f"week-{n}"}
    needs = (f"contract:{hourly}", f"billingWeek:week-{n}")
    tell(invoice(f"bill-{n}", hourly, "210.00", **bill), *needs)
    tell(invoice(f"bill-{n}", hourly, "210.00", "2026-02-23T01:00:00Z", **bill), *needs)
    tell(milestone(f"step-{n}", "UNFUNDED", contract=fixed), f"contract:{fixed}")
    share = {"fromBalance": money("20.00"), "contract": fixed}
    tell(milestone(f"step-{n}", "FUNDED", **share), f"contract:{fixed}")
    tell(milestone(f"step-{n}", "RELEASED", **share), f"contract:{fixed}")
    tell(invoice(f"extra-{n}", fixed, "39.00"), f"contract:{fixed}")
    tell(invoice(f"extra-{n}", fixed, "40.00"), f"contract:{fixed}")
    tell(invoice(f"extra-{n}", fixed, "40.00", "2026-02-01T00:00:00Z"), f"contract:{fixed}")
    praise = having(review(f"praise-{n}", fixed, f"client-{n}"), rating=2)
    tell(praise, f"contract:{fixed}", f"account:client-{n}")
    tell(having(praise, rating=5), f"contract:{fixed}", f"account:client-{n}")
    tell(refund(f"refund-step-{n}", rng.choice(["50.00", "299.00"]), milestone=f"step-{n}"), f"milestone:step-{n}!")
    tell(refund(f"refund-extra-{n}", "30.00", invoice=f"extra-{n}"), f"invoice:extra-{n}!")
    back = chargeback(f"back-{n}", "10.00", invoice=f"extra-{n}")
    tell(back, f"invoice:extra-{n}!")
    if rng.random() < 0.7:
        tell(having(back, status=rng.choice(["WON", "LOST"])), f"invoice:extra-{n}!")


def _name(shape: Shape) -> str:
    ((kind, values),) = shape.items()
    return f"{kind}:{values.get('externalRef', values.get('id'))}"


def shuffled(told: list[tuple[Shape, set[str]]], rng: random.Random) -> list[Shape]:
    """Return the records in a random order that references allow, with repeats; `!` asks for the newest revision."""
    newest: dict[str, str] = {}
    for shape, _ in told:
        newest[_name(shape)] = next(iter(shape.values()))["revision"]
    left, done, seen = list(told), list[Shape](), set[str]()
    while left:
        may = [one for one in left if one[1] <= seen]
        chosen = rng.choice(may)
        left.remove(chosen)
        shape, name = chosen[0], _name(chosen[0])
        done.append(shape)
        seen.add(name)
        if next(iter(shape.values()))["revision"] == newest[name]:
            seen.add(f"{name}!")
        if rng.random() < 0.3:
            done.append(rng.choice(done))
    return done


async def state(world: World) -> list[list[list[Any]]]:
    """Return what there is, without ids and the order in which it came, after proving the ledger."""
    assert [finding async for finding in verify(world.database)] == []
    return [sorted((list(row.values()) for row in await world.rows(sql)), key=repr) for sql in STATES]


async def told_by_sync(world: World, records: list[Shape], rng: random.Random) -> None:
    """Tell the records in batches of random sizes, some of them twice."""
    start = 0
    while start < len(records):
        count = rng.randrange(1, 30)
        for _ in range(rng.choice([1, 1, 2])):
            await sync_records(world.uow, SERVICE, records[start : start + count])
        start += count


async def told_by_import(world: World, records: list[Shape], rng: random.Random, folder: Path) -> None:
    """Tell the records as a file, twice."""
    file = folder / "history.jsonl"
    file.write_bytes(b"\n".join(map(orjson.dumps, records)))
    for _ in range(2):
        report = await import_files(world.uow, [str(file)], batch_records=rng.choice([7, 40, 10_000]))
        assert report.ok, report.bad_lines


async def fresh(dialect: str, folder: Path) -> World:
    """Return a new desk."""
    return World(await Database.open(new_database_url(dialect, folder), LIMITS))


async def check(dialect: str, seed: int, folder: Path) -> None:
    """Tell one history in order and in two other ways, and compare."""
    rng = random.Random(seed)
    told = history(rng)
    in_order, by_sync, by_import = [await fresh(dialect, folder) for _ in range(3)]
    try:
        await sync_records(in_order.uow, SERVICE, [shape for shape, _ in told])
        expected = await state(in_order)
        await told_by_sync(by_sync, shuffled(told, rng), rng)
        assert await state(by_sync) == expected
        await told_by_import(by_import, shuffled(told, rng), rng, folder)
        assert await state(by_import) == expected
    finally:
        for world in (in_order, by_sync, by_import):
            await world.database.close()


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
async def test_any_legal_order_with_repeats_ends_alike(tmp_path: Path, seed: int) -> None:
    """States, balances, caps and revisions are those of the history in order, whichever road it came by."""
    await check("sqlite", seed, tmp_path)


@pytest.mark.slow
async def test_any_legal_order_with_repeats_ends_alike_on_postgres(tmp_path: Path) -> None:
    """The same where batches lock what they write."""
    for seed in range(3):
        await check("postgres", seed, tmp_path)
