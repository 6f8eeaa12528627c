"""What `ledger verify` proves, one by one: a sound desk has no findings, and each kind of damage is told."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from command_world import START, World, usd
from contract_desk import ContractDesk
from marketplace import chargeback, everything, refund, sync
from test_sync_money import desk_of, identified

from refundgql.commands.withdrawals import RequestWithdrawal, request_withdrawal
from refundgql.domain.policy import Policy
from refundgql.domain.vocabulary import Role
from refundgql.storage.database import Dialect, Row, Transaction
from refundgql.storage.ledger_checks import INVARIANTS, verify

LIMITED = replace(Policy(), decision_limit_minor={"USD": 1_000})

_FIRST = "position = (SELECT MIN(position) FROM posting)"
_LAST = "position = (SELECT MAX(position) FROM posting)"
DAMAGE: dict[str, tuple[str, ...]] = {
    "a credit is reversed whole, each of its postings by one as large (D16)": (
        "UPDATE posting SET amount_minor = amount_minor + 1 WHERE fact = 'REVERSAL'",
        "UPDATE posting SET reverses_id = NULL WHERE fact = 'REVERSAL'",
        "UPDATE posting SET from_key = 'external:USD' WHERE fact = 'REVERSAL'",
    ),
    "postings of a currency sum to zero": (f"UPDATE posting SET to_key = 'held:x:EUR' WHERE {_FIRST}",),
    "a posting moves a positive amount between two accounts": (
        f"UPDATE posting SET amount_minor = -amount_minor WHERE {_FIRST}",
        f"UPDATE posting SET to_key = from_key WHERE {_FIRST}",
    ),
    "a balance equals the sum of its postings": (
        "UPDATE ledger_account SET balance_minor = balance_minor + 1 WHERE kind = 'balance' AND balance_minor > 0",
        f"DELETE FROM posting WHERE {_LAST}",
    ),
    "the balance kept with a posting is the balance after it": (
        "UPDATE posting SET to_balance_after_minor = to_balance_after_minor + 1 WHERE fact = 'CREDIT'",
    ),
    "a balance may be negative only through a support decision (D13), a chargeback (D25) or the told past": (
        "UPDATE ledger_account SET balance_minor = -1 WHERE purpose = 'LEADS'",
    ),
    "what is paid is what was posted for it": ("UPDATE payment SET paid_minor = paid_minor + 1 WHERE paid_minor > 0",),
    "credits less reversals of a payment are what it says and no more than was paid (D9)": (
        "UPDATE payment SET refunded_minor = refunded_minor - 1 WHERE refunded_minor > 0",
        "UPDATE payment SET refunded_minor = paid_minor + 1 WHERE refunded_minor > 0",
    ),
    "refunds of the past are posted once": ("UPDATE past_refund SET amount_minor = amount_minor + 1",),
    "credited and charged back together are no more than was paid (D25)": (
        "UPDATE payment SET charged_back_minor = charged_back_minor + 1 WHERE charged_back_minor > 0",
        "UPDATE payment SET charged_back_minor = 0",
        "UPDATE chargeback SET status = 'WON' WHERE status = 'OPEN'",
    ),
    "a lost chargeback has left for the bank once (D25)": (
        "UPDATE chargeback SET status = 'OPEN' WHERE status = 'LOST'",
        "UPDATE chargeback SET status = 'LOST' WHERE status = 'OPEN'",
    ),
    "what is reserved is what is approved and not credited (D9)": (
        "UPDATE payment SET reserved_minor = 1 WHERE reserved_minor = 0",
        # What is only proposed reserves nothing.
        "UPDATE payment SET reserved_minor = 2000"
        " WHERE id IN (SELECT payment_id FROM refund_case WHERE proposed_decision IS NOT NULL)",
    ),
    "a case is credited at most once, with what was approved, and reversed at most once (D16)": (
        "UPDATE refund_case SET credited_minor = 1, approved_minor = 1 WHERE state = 'CREDITED'",
        "UPDATE refund_case SET reversed_at = NULL WHERE reversed_at IS NOT NULL",
        "UPDATE refund_case SET state = 'APPROVED' WHERE state = 'CREDITED'",
    ),
    "a credit is of an event that says so": ("UPDATE refund_event SET name = 'APPROVE' WHERE name = 'CREDIT'",),
    "a reversal points to one posting that is not reversed twice": (
        "UPDATE posting SET reverses_id = NULL WHERE fact = 'REVERSAL'",
        "UPDATE posting SET reverses_id = id WHERE fact = 'REVERSAL'",
    ),
    "nothing stays held for a week or a milestone that is over": (
        "UPDATE milestone SET status = 'RELEASED' WHERE status = 'FUNDED'",
    ),
    "events of a case are numbered without gaps up to its version, and end in its state": (
        "UPDATE refund_case SET version = version + 1",
        "UPDATE refund_case SET state = 'CANCELLED'",
        "DELETE FROM refund_event WHERE name = 'PROPOSE'",
        "DELETE FROM refund_event WHERE name = 'REOPEN'",
    ),
    "what a balance books later was booked no earlier (C20)": (f"UPDATE posting SET booked_at = 1 WHERE {_LAST}",),
    "a withdrawal's money is in transit until it has arrived or is back (D10)": (
        "UPDATE withdrawal SET status = 'PAID'",
        "UPDATE withdrawal SET amount_minor = amount_minor + 1",
    ),
    "a proposed decision holds nothing: its case is undecided, nothing of it is approved or credited (D23)": (
        "UPDATE refund_case SET approved_minor = requested_minor WHERE proposed_decision IS NOT NULL",
        "UPDATE refund_case SET state = 'APPROVED' WHERE proposed_decision IS NOT NULL",
        "UPDATE refund_case SET proposed_by_id = NULL WHERE proposed_decision IS NOT NULL",
    ),
    "a decision is confirmed by somebody else than its proposer, and taken with the confirmation (D23)": (
        "UPDATE refund_event SET actor_id = (SELECT p.actor_id FROM refund_event p"
        " WHERE p.case_id = refund_event.case_id AND p.name = 'PROPOSE') WHERE name = 'CONFIRM'",
        "UPDATE refund_event SET name = 'RETURN' WHERE name = 'PROPOSE'",
        "UPDATE refund_event SET name = 'ASSIGN' WHERE name = 'APPROVE'",
    ),
    "a case is reopened once at most, after it was declined, and says so (D22)": (
        "UPDATE refund_case SET reopened_at = NULL",
        "UPDATE refund_event SET name = 'REOPEN' WHERE name = 'DECLINE'",
        "UPDATE refund_event SET from_state = 'REQUESTED' WHERE name = 'REOPEN'",
    ),
    "a payment has one open case at most (D14)": ("UPDATE refund_case SET state = 'ESCALATED'",),
}
"""Statements that damage a desk, by the invariant that tells of them."""


async def _everything_happens(world: World) -> None:
    """Credit, reverse, wait, propose, confirm, reopen, charge back, and tell the past."""
    await sync(world, *everything())
    await sync(world, refund("past", "1.00", invoice="invoice-done"))
    desk = await desk_of(world)
    lou = await world.person("lou", Role.ADMIN)
    extra = await identified(world, "invoice", "extra")
    reversed_id = await desk.ask(extra, "30.00")
    await desk.approve(desk.expert, reversed_id)
    await desk.reverse(desk.ada, reversed_id)
    await desk.cancel(desk.client, await desk.ask(extra, "1.00"))
    await sync(world, chargeback("open", "2.00", invoice="extra"), chargeback("lost", "1.00", "LOST", lead="lead"))
    world.policy = LIMITED
    await _signed(desk)
    week_id = await identified(world, "billing_week", "week-8")
    declined = await desk.dispute_week(week_id, "50.00")
    await desk.decline(desk.ada, declined)
    await desk.reopen(lou, declined)
    escrow = await desk.ask_escrow(await identified(world, "milestone", "escrow"), "20.00")
    await desk.dispute(desk.client, escrow)
    await desk.approve(desk.ivy, escrow)
    assert (await world.case(escrow))["proposed_decision"] == "APPROVE"
    given = RequestWithdrawal(amount=usd("5.00"), idempotency_key=world.key())
    await request_withdrawal(world.uow, desk.expert, given)


async def _signed(desk: ContractDesk) -> None:
    """Confirm a proposed approval and reverse nothing of it."""
    contract_id = await desk.world.contract(desk.client, desk.expert, kind="HOURLY")
    case_id = await desk.ask(await desk.world.invoice(contract_id, desk.expert, paid_at=START.replace(day=1)), "60.00")
    await desk.dispute(desk.client, case_id)
    await desk.approve(desk.ivy, case_id, "40.00")
    await desk.confirm(desk.ada, case_id)


async def _unguard(tx: Transaction) -> None:
    """Take triggers, checks and unique indexes away: verify is for what they could not prevent."""
    if tx.dialect is Dialect.POSTGRES:
        await tx.execute("""DO $$ DECLARE it record; BEGIN
          FOR it IN SELECT conrelid::regclass AS place, conname FROM pg_constraint
            WHERE contype IN ('c', 'f') AND connamespace = 'public'::regnamespace
          LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', it.place, it.conname); END LOOP;
          FOR it IN SELECT DISTINCT tgrelid::regclass AS place FROM pg_trigger WHERE NOT tgisinternal
          LOOP EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', it.place); END LOOP;
        END $$""")
    else:
        for row in await tx.fetch("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            await tx.execute(f"DROP TRIGGER {row['name']}")
    for index in ("one_open_case_per_payment", "one_live_case_per_lead", "one_credit_per_case"):
        await tx.execute(f"DROP INDEX IF EXISTS {index}")


class _Undone(Exception):
    """Takes damage back."""


class _Inside:
    """Lets verify read what only one transaction sees."""

    def __init__(self, tx: Transaction) -> None:
        """Keep the transaction."""
        self.tx = tx

    async def stream(self, sql: str) -> AsyncIterator[Row]:
        """Yield the rows of a statement."""
        for row in await self.tx.fetch(sql):
            yield row


async def test_each_kind_of_damage_is_told(world: World) -> None:
    """On a desk where everything happened nothing is found, and each row that contradicts an invariant is, by name."""
    await _everything_happens(world)
    await world.check_ledger()
    async with world.database.transaction() as tx:
        await _unguard(tx)
    for invariant, statements in DAMAGE.items():
        for statement in statements:
            with contextlib.suppress(_Undone):
                async with world.database.transaction() as tx:
                    if tx.dialect is Dialect.SQLITE:
                        await tx.execute("PRAGMA ignore_check_constraints = ON")
                    assert await tx.execute(statement), f"nothing to damage: {statement}"
                    found = {finding.invariant async for finding in verify(_Inside(tx))}  # type: ignore[arg-type]
                    assert invariant in found, statement
                    raise _Undone
    assert set(DAMAGE) == set(INVARIANTS), "no invariant is proven without damage that it tells of"
