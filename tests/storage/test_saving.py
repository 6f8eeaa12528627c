"""A decision is saved whole or not at all, and what the database holds is what was decided."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from domain_world import CLIENT, A, S, case_in, done, invoice_facts, with_case
from domain_world import NOW as MARCH
from seeds import (
    NOW,
    STATES,
    account,
    contract,
    credit,
    event_of,
    invoice_case,
    lead,
    lead_case,
    locked_facts,
    note,
    open_case,
    payment,
    posting,
    usd,
)

from refundgql.domain import ledger as keys
from refundgql.domain.decisions import Decision
from refundgql.domain.facts import Case
from refundgql.domain.vocabulary import BalancePurpose, RefundCaseState, RefundReasonDetail
from refundgql.storage.cases import save_decision
from refundgql.storage.clocks import next_due_at
from refundgql.storage.database import Database
from refundgql.storage.events import snapshot_of
from refundgql.storage.facts import load_case_facts, load_payment_facts
from refundgql.storage.faults import (
    ONE_LIVE_CASE_PER_LEAD,
    ONE_OPEN_CASE,
    BalanceRace,
    ConstraintViolated,
    TransientFault,
)
from refundgql.storage.ledger import load_credit, post
from refundgql.storage.ledger_checks import Finding, verify
from refundgql.storage.statements import counted_statements


async def find_balances(database: Database, keys: list[str]) -> dict[str, int]:
    """Return the balances of accounts by key in minor units."""
    rows = await database.fetch("SELECT key, balance_minor FROM ledger_account WHERE key = ANY(?)", (keys,))
    return {row["key"]: row["balance_minor"] for row in rows}


async def _findings(database: Database) -> list[Finding]:
    return [finding async for finding in verify(database)]


async def test_a_case_comes_back_as_it_was_saved(database: Database) -> None:
    """Every field of a case survives the way to its row and back; a new one is given the next number."""
    async with database.transaction() as tx:
        first, second = await lead(tx), await lead(tx)
    case = lead_case(first)
    saved = await open_case(database, case)
    later = await open_case(database, lead_case(second))
    facts = (await load_case_facts(database, [case.id]))[case.id]
    assert facts.case == replace(case, number=saved.number)
    assert later.number == saved.number + 1
    assert facts.payment.open_case_id == case.id
    assert facts.payment.requests_made == 1
    assert facts.lead is not None
    assert facts.lead.case_id == case.id


async def test_approval_and_credit_are_one_transaction(database: Database) -> None:
    """Both events, the posting, the balance, the payment's sum and the dropped clock are there together."""
    async with database.transaction() as tx:
        of = await lead(tx)
    case = lead_case(of)
    await open_case(database, case)
    assert await next_due_at(database) is not None
    purse = keys.balance(of.pro_id, BalancePurpose.LEADS, "USD")
    async with database.transaction() as tx:
        facts = await locked_facts(tx, case.id)
        saved = await save_decision(tx, credit(facts, 700, keys.platform_leads("USD"), purse), facts)
    after = (await load_case_facts(database, [case.id]))[case.id]
    assert after.case is not None
    assert (after.case.state, after.case.version, after.payment.refunded_minor) == (STATES.CREDITED, 3, 700)
    assert after.funds.requester_available_minor == 700
    assert await next_due_at(database) is None
    events = await database.fetch("SELECT id, name, sequence FROM refund_event ORDER BY position")
    assert [(row["name"], row["sequence"]) for row in events] == [("REQUEST", 1), ("APPROVE", 2), ("CREDIT", 3)]
    assert saved.event_id == events[1]["id"]
    kept = await database.fetch_row("SELECT * FROM posting WHERE fact = 'CREDIT'")
    assert kept is not None
    assert (kept["to_balance_after_minor"], kept["from_balance_after_minor"]) == (700, None)
    assert await _findings(database) == []


async def test_a_failure_anywhere_leaves_nothing(database: Database) -> None:
    """A decision whose last write is refused has changed no table."""
    async with database.transaction() as tx:
        of = await lead(tx)
    case = lead_case(of)
    await open_case(database, case)

    async def contents() -> list[list[tuple[object, ...]]]:
        tables = ("refund_case", "refund_event", "posting", "ledger_account", "payment", "clock", "customer_report")
        return [[tuple(row) for row in await database.fetch(f"SELECT * FROM {table}")] for table in tables]

    before = await contents()
    purse = keys.balance(of.pro_id, BalancePurpose.LEADS, "USD")

    async def save(refunded_minor: int) -> None:
        async with database.transaction() as tx:
            facts = await locked_facts(tx, case.id)
            decision = credit(facts, 700, keys.platform_leads("USD"), purse)
            await save_decision(tx, replace(decision, payment_refunded_delta_minor=refunded_minor), facts)
            await tx.flush()
            raise RuntimeError("the machine stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        await save(700)
    with pytest.raises(ConstraintViolated, match="payment_within_paid"):
        await save(1_001)
    assert await contents() == before


async def test_two_who_open_at_once_have_one_case(database: Database) -> None:
    """Of many openings of a case on one payment at the same time exactly one holds (D14, D6)."""
    async with database.transaction() as tx:
        of, invoiced = await lead(tx), await contract(tx)
    for make, name in (
        (lambda: lead_case(of), ONE_LIVE_CASE_PER_LEAD),
        (lambda: invoice_case(invoiced), ONE_OPEN_CASE),
    ):
        results = await asyncio.gather(*(open_case(database, make()) for _ in range(6)), return_exceptions=True)
        refused = [result for result in results if isinstance(result, BaseException)]
        assert len(refused) == 5
        assert {type(error) for error in refused} == {ConstraintViolated}
        assert {error.name for error in refused} <= {ONE_OPEN_CASE, name}  # type: ignore[attr-defined]


async def test_a_stale_decision_is_run_again(database: Database) -> None:
    """A decision on a version that is no longer the case's is a transient fault, and changes nothing."""
    async with database.transaction() as tx:
        of = await lead(tx)
    case = lead_case(of)
    await open_case(database, case)
    stale = (await load_case_facts(database, [case.id]))[case.id]
    async with database.transaction() as tx:
        await note(tx, case.id)
    assert stale.case is not None
    after = replace(stale.case, version=2)
    decision = Decision(cases=(after,), events=(event_of(after, "ASSIGN"),))
    with pytest.raises(TransientFault):
        async with database.transaction() as tx:
            await save_decision(tx, decision, stale)
    assert await database.fetch_value("SELECT count(*) FROM refund_event") == 2


async def test_writers_of_one_case_take_turns(database: Database) -> None:
    """Sixteen acts at once on one case all hold, in one sequence without a gap."""
    async with database.transaction() as tx:
        of = await lead(tx)
    case = lead_case(of)
    await open_case(database, case)

    async def act() -> None:
        async with database.transaction() as tx:
            await note(tx, case.id)

    await asyncio.gather(*(act() for _ in range(16)))
    rows = await database.fetch("SELECT sequence FROM refund_event WHERE case_id = ? ORDER BY position", (case.id,))
    assert [row["sequence"] for row in rows] == list(range(1, 18))


async def test_a_balance_is_never_spent_twice(database: Database) -> None:
    """Twenty payments at once from a balance that covers seven: seven hold, none overdraws, the sums are right."""
    async with database.transaction() as tx:
        spender, receiver = await account(tx, "CLIENT"), await account(tx, "EXPERT")
        purse = keys.balance(spender, BalancePurpose.CONTRACTS, "USD")
        other = keys.balance(receiver, BalancePurpose.CONTRACTS, "USD")
        await post(tx, [posting("OPENING", keys.external("USD"), purse, 750)], NOW)

    async def spend() -> None:
        while True:
            try:
                async with database.transaction() as tx:
                    await post(tx, [posting("SPENT", purse, other, 100)], NOW)
                return
            except TransientFault as lost:
                # Whoever opens the other balance at the same time as the first begins again, as commands do.
                if type(lost) is not TransientFault or "ledger_account(key)" not in str(lost):
                    raise

    results = await asyncio.gather(*(spend() for _ in range(20)), return_exceptions=True)
    assert Counter(type(result) for result in results) == {type(None): 7, BalanceRace: 13}
    assert await find_balances(database, [purse, other]) == {purse: 50, other: 700}
    assert await _findings(database) == []


async def test_only_a_support_decision_overdraws_an_expert(database: Database) -> None:
    """An expert's balance goes below zero by a posting that may, can then only rise, and is found sound (D13)."""
    async with database.transaction() as tx:
        of = await contract(tx, paid_minor=1_000)
        expert = keys.balance(of.expert_id, BalancePurpose.CONTRACTS, "USD")
        client = keys.balance(of.client_id, BalancePurpose.CONTRACTS, "USD")
        await post(tx, [posting("SPENT", expert, keys.external("USD"), 900)], NOW)
    case = invoice_case(of)
    await open_case(database, case)

    async def save(*, overdraw: bool) -> None:
        async with database.transaction() as tx:
            facts = await locked_facts(tx, case.id)
            await save_decision(tx, credit(facts, 600, expert, client, overdraw=overdraw), facts)

    with pytest.raises(BalanceRace):
        await save(overdraw=False)
    await save(overdraw=True)
    assert (await find_balances(database, [expert]))[expert] == -500
    assert await _findings(database) == []
    with pytest.raises(BalanceRace):
        async with database.transaction() as tx:
            await post(tx, [posting("SPENT", expert, client, 1)], NOW)
    async with database.transaction() as tx:
        await post(tx, [posting("PAYMENT", keys.external("USD"), expert, 200)], NOW)
    assert (await find_balances(database, [expert]))[expert] == -300
    async with database.transaction() as tx:
        await post(tx, [posting("PAYMENT", keys.external("USD"), expert, 300)], NOW)
        await post(tx, [posting("PAYMENT", keys.external("USD"), expert, 5)], NOW)
    with pytest.raises(BalanceRace):
        async with database.transaction() as tx:
            await post(tx, [posting("SPENT", expert, client, 6)], NOW)


async def test_a_reversal_undoes_each_posting_of_its_credit(database: Database) -> None:
    """Each reversing posting names the one of its own case that it takes back; half a reversal is found out (D16)."""
    async with database.transaction() as tx:
        of = await contract(tx)
        expert = keys.balance(of.expert_id, BalancePurpose.CONTRACTS, "USD")
        client = keys.balance(of.client_id, BalancePurpose.CONTRACTS, "USD")
        held = keys.held(of.payment_id, "USD")
        await post(tx, [posting("HOLD", expert, held, 1_000)], NOW)
    cases = []
    for _ in range(3):
        case = invoice_case(of)
        await open_case(database, case)
        async with database.transaction() as tx:
            facts = await locked_facts(tx, case.id)
            decision = credit(facts, 500, held, client)
            halves = tuple(posting("CREDIT", key, client, 250, case=decision.case) for key in (held, expert))
            await save_decision(tx, replace(decision, postings=halves), facts)
        cases.append(case)

    async def reverse(case: Case, count: int) -> None:
        async with database.transaction() as tx:
            facts = await locked_facts(tx, case.id)
            assert facts.case is not None
            after = replace(facts.case, reversed_at=NOW, version=facts.case.version + 1)
            parts = await load_credit(tx, case.id)
            assert [(part.from_key, part.to_key, part.minor) for part in parts] == [
                (held, client, 250),
                (expert, client, 250),
            ]
            back = tuple(
                posting("REVERSAL", client, part.from_key, 500 // count, case=after, reverses_id=part.posting_id)
                for part in parts[:count]
            )
            decision = Decision(
                cases=(after,),
                events=(event_of(after, "REVERSE", facts.case),),
                postings=back,
                payment_refunded_delta_minor=-500,
            )
            await save_decision(tx, decision, facts)

    await reverse(cases[1], 2)
    rows = await database.fetch(
        "SELECT o.case_id, o.from_key FROM posting r JOIN posting o ON o.id = r.reverses_id WHERE r.fact = 'REVERSAL'"
        " ORDER BY r.position"
    )
    assert [tuple(row) for row in rows] == [(cases[1].id, held), (cases[1].id, expert)]
    assert await _findings(database) == []
    await reverse(cases[2], 1)
    # One posting is undone by twice as much as it was, the other not at all.
    found = [one for one in await _findings(database) if one.invariant.startswith("a credit is reversed whole")]
    assert sorted(one.detail["reversed_minor"] or 0 for one in found) == [0, 500]


async def test_postings_stand_in_the_order_in_which_balances_were_locked(postgres: Database) -> None:
    """One that waited for a balance comes after everything that was posted while it waited."""
    async with postgres.transaction() as tx:
        purse = keys.balance(await account(tx, "CLIENT"), BalancePurpose.CONTRACTS, "USD")
        await post(tx, [posting("OPENING", keys.external("USD"), purse, 100)], NOW)

    async def wait() -> None:
        async with postgres.transaction() as tx:
            await post(tx, [posting("LATER", keys.external("USD"), purse, 1)], NOW)

    async with postgres.transaction() as tx:
        await post(tx, [posting("FIRST", keys.external("USD"), purse, 1)], NOW)
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.3)
        await post(tx, [posting("SECOND", keys.external("USD"), purse, 1)], NOW)
    await waiting
    rows = await postgres.fetch("SELECT fact, to_balance_after_minor FROM posting ORDER BY position")
    assert [tuple(row) for row in rows] == [("OPENING", 100), ("FIRST", 101), ("SECOND", 102), ("LATER", 103)]
    assert await _findings(postgres) == []


async def test_a_case_gives_way_to_the_one_that_takes_its_place(database: Database) -> None:
    """A decision that cancels a payment's open case and opens another saves both (C25)."""
    async with database.transaction() as tx:
        of = await contract(tx)
    asked = invoice_case(of)
    await open_case(database, asked)
    async with database.transaction() as tx:
        facts = (await load_payment_facts(tx, [of.payment_id], lock=True))[of.payment_id]
        assert facts.open_case is not None
        cancelled = replace(facts.open_case, state=STATES.CANCELLED, version=2)
        disputed = replace(invoice_case(of), state=STATES.DISPUTED)
        decision = Decision(
            cases=(cancelled, disputed),
            events=(event_of(cancelled, "SUPERSEDE", facts.open_case), event_of(disputed, "OPEN_TIMESHEET_DISPUTE")),
        )
        saved = await save_decision(tx, decision, facts)
    after = (await load_payment_facts(database, [of.payment_id]))[of.payment_id]
    assert after.payment.open_case_id == disputed.id == saved.case_id
    assert saved.event_id == saved.event_ids[1]
    assert await _findings(database) == []


async def test_a_report_is_filed_with_the_case(database: Database) -> None:
    """A case about the terms leaves a report on the customer with its detail (L10)."""
    async with database.transaction() as tx:
        of = await lead(tx)
        facts = (await load_payment_facts(tx, [of.payment_id], lock=True))[of.payment_id]
        case = replace(lead_case(of), reason_detail=RefundReasonDetail.MINOR)
        decision = Decision(cases=(case,), events=(event_of(case, "REQUEST"),), customer_reported=True)
        await save_decision(tx, decision, facts)
    row = await database.fetch_row("SELECT customer_id, case_id, detail FROM customer_report")
    assert row is not None
    assert tuple(row) == (of.customer_id, case.id, "MINOR")


async def test_facts_of_many_take_as_many_statements_as_of_one(database: Database) -> None:
    """Loading facts runs the same number of statements for one case and for twenty."""
    async with database.transaction() as tx:
        leads, contracts = [await lead(tx) for _ in range(10)], [await contract(tx) for _ in range(10)]
    cases = [lead_case(of) for of in leads] + [invoice_case(of) for of in contracts]
    for case in cases:
        await open_case(database, case)
    counts = []
    for ids in ([cases[-1].id], [case.id for case in cases]):
        with counted_statements() as statements:
            assert set(await load_case_facts(database, ids)) == set(ids)
        counts.append(len(statements))
    assert counts == [1, 1]
    many = await load_payment_facts(database, [case.payment_id for case in cases])
    assert {facts.payment.open_case_id for facts in many.values()} == {case.id for case in cases}
    one = many[contracts[0].payment_id]
    assert one.contract is not None
    assert (one.contract.paid_minor, one.funds.expert_available_minor) == (10_000, 10_000)


async def test_a_new_case_is_not_found_by_another_id(database: Database) -> None:
    """Ids that exist nowhere are missing from the answer instead of being an error."""
    async with database.transaction() as tx:
        missing = await payment(tx, "LEAD", 5)
    assert await load_case_facts(database, [missing]) == {}
    assert await load_payment_facts(database, []) == {}
    assert (await load_payment_facts(database, [missing]))[missing].payment.paid_minor == 5
    assert usd(5).minor == 5


@pytest.mark.parametrize(
    ("state", "paid_days_ago", "name"),
    [(S.REQUESTED, 2, "RESPOND_BY"), (S.REQUESTED, 179, "RESPOND_BY"), (S.ESCALATED, 2, "SLA_DECISION")],
)
def test_an_event_tells_the_clock_that_runs(state: RefundCaseState, paid_days_ago: int, name: str) -> None:
    """The expert's time to answer, which the direct window's end may cut short, and then support's target (D7, D8)."""
    facts = with_case(invoice_facts(paid_at=MARCH - timedelta(days=paid_days_ago)), case_in(state))
    snapshot = snapshot_of(done(A.ADD_EVIDENCE, facts, CLIENT).event)
    assert snapshot["clock"] == name
    assert snapshot["clock_ends_at"] == snapshot["deadline_at"] is not None
