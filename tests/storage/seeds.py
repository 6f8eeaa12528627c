"""Rows and decisions to test storage with, written as storage's own callers would give them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from refundgql.domain import ledger as keys
from refundgql.domain.decisions import Decision, DueClock, Event, Posting
from refundgql.domain.facts import Case, Facts
from refundgql.domain.money import Money
from refundgql.domain.vocabulary import (
    BalancePurpose,
    ClockName,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundRoute,
    SettlementStatus,
)
from refundgql.storage.cases import SavedDecision, save_decision
from refundgql.storage.database import Database, Transaction
from refundgql.storage.facts import load_case_facts, load_payment_facts
from refundgql.storage.ids import new_id
from refundgql.storage.ledger import post

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
STATES = RefundCaseState


def usd(minor: int) -> Money:
    """Return dollars in cents."""
    return Money(minor, "USD")


async def account(tx: Transaction, *roles: str) -> str:
    """Add an account."""
    account_id = new_id()
    await tx.execute(
        "INSERT INTO account (id, external_ref, name, roles, created_at) VALUES (?, ?, ?, ?, 0)",
        (account_id, f"ref-{account_id}", "Somebody", ",".join(sorted(roles))),
    )
    return account_id


async def payment(tx: Transaction, kind: str, paid_minor: int, contract_id: str | None = None) -> str:
    """Add a payment."""
    payment_id = new_id()
    await tx.execute(
        "INSERT INTO payment (id, kind, contract_id, currency, paid_minor) VALUES (?, ?, ?, 'USD', ?)",
        (payment_id, kind, contract_id, paid_minor),
    )
    return payment_id


@dataclass(frozen=True, slots=True)
class Lead:
    """A charged lead."""

    id: str
    payment_id: str
    pro_id: str
    customer_id: str


async def lead(tx: Transaction, *, price_minor: int = 1_000, pro_id: str | None = None) -> Lead:
    """Add a lead that was topped up and charged."""
    pro_id = pro_id or await account(tx, "PRO")
    customer_id = await account(tx, "CUSTOMER")
    payment_id = await payment(tx, "LEAD", price_minor)
    made = Lead(new_id(), payment_id, pro_id, customer_id)
    await tx.execute(
        "INSERT INTO lead (id, external_ref, payment_id, pro_id, customer_id, customer_name, title, category, location,"
        " price_minor, currency, charged_at) VALUES (?, ?, ?, ?, ?, 'C', 'Title', 'Cat', 'Town', ?, 'USD', 0)",
        (made.id, f"ref-{made.id}", payment_id, pro_id, customer_id, price_minor),
    )
    purse = keys.balance(pro_id, BalancePurpose.LEADS, "USD")
    await post(
        tx,
        [
            posting("TOP_UP", keys.external("USD"), purse, price_minor, payment_id=payment_id),
            posting("CHARGE", purse, keys.platform_leads("USD"), price_minor, payment_id=payment_id),
        ],
        NOW,
    )
    return made


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract with one paid fixed-price invoice."""

    id: str
    client_id: str
    expert_id: str
    invoice_id: str
    payment_id: str


async def contract(tx: Transaction, *, paid_minor: int = 10_000) -> Contract:
    """Add a contract whose one invoice was paid to the expert."""
    client_id, expert_id = await account(tx, "CLIENT"), await account(tx, "EXPERT")
    contract_id = new_id()
    await tx.execute(
        "INSERT INTO contract (id, external_ref, kind, client_id, expert_id, title, status, currency, started_at)"
        " VALUES (?, ?, 'FIXED_PRICE', ?, ?, 'Work', 'OPEN', 'USD', 0)",
        (contract_id, f"ref-{contract_id}", client_id, expert_id),
    )
    payment_id = await payment(tx, "INVOICE", paid_minor, contract_id)
    invoice_id = new_id()
    await tx.execute(
        "INSERT INTO invoice (id, external_ref, number, contract_id, payment_id, amount_minor, currency, status,"
        " issued_at, paid_at) VALUES (?, ?, '1', ?, ?, ?, 'USD', 'PAID', 0, 0)",
        (invoice_id, f"ref-{invoice_id}", contract_id, payment_id, paid_minor),
    )
    expert = keys.balance(expert_id, BalancePurpose.CONTRACTS, "USD")
    await post(tx, [posting("PAYMENT", keys.external("USD"), expert, paid_minor, payment_id=payment_id)], NOW)
    return Contract(contract_id, client_id, expert_id, invoice_id, payment_id)


def posting(
    fact: str,
    from_key: str,
    to_key: str,
    minor: int,
    *,
    case: Case | None = None,
    payment_id: str | None = None,
    may_overdraw: bool = False,
    reverses_id: str | None = None,
) -> Posting:
    """Return a posting in dollars."""
    return Posting(
        fact=fact,
        from_key=from_key,
        to_key=to_key,
        amount=usd(minor),
        description=fact.title(),
        case_id=None if case is None else case.id,
        payment_id=case.payment_id if case is not None else payment_id,
        may_overdraw=may_overdraw,
        reverses_id=reverses_id,
    )


def lead_case(of: Lead, *, minor: int = 1_000, number: int = 0) -> Case:
    """Return a new case on a lead."""
    return Case(
        id=new_id(),
        number=number,
        kind=RefundCaseKind.LEAD,
        state=STATES.REQUESTED,
        route=RefundRoute.SUPPORT,
        opened_by=RefundActionName.REQUEST,
        payment_id=of.payment_id,
        lead_id=of.id,
        requester_id=of.pro_id,
        filed_by_id=of.pro_id,
        currency="USD",
        requested_minor=minor,
        opened_at=NOW,
        updated_at=NOW,
        version=1,
        policy_version="test",
    )


def invoice_case(of: Contract, *, minor: int = 1_000, issued: bool = False) -> Case:
    """Return a new case on an invoice: the client's request, or what the expert issued."""
    requester, counterparty = (of.expert_id, of.client_id) if issued else (of.client_id, of.expert_id)
    return Case(
        id=new_id(),
        number=0,
        kind=RefundCaseKind.INVOICE,
        state=STATES.APPROVED if issued else STATES.REQUESTED,
        route=RefundRoute.DIRECT,
        opened_by=RefundActionName.ISSUE if issued else RefundActionName.REQUEST,
        payment_id=of.payment_id,
        contract_id=of.id,
        invoice_id=of.invoice_id,
        requester_id=requester,
        counterparty_id=counterparty,
        filed_by_id=requester,
        currency="USD",
        requested_minor=None if issued else minor,
        approved_minor=minor if issued else None,
        opened_at=NOW,
        updated_at=NOW,
        version=1,
        policy_version="test",
    )


def event_of(case: Case, name: str, before: Case | None = None, *, at: datetime = NOW) -> Event:
    """Return the event that led to a case's state."""
    return Event(
        name=name,
        sequence=case.version,
        at=at,
        actor_id=case.requester_id,
        actor_role="PRO",
        from_state=None if before is None else before.state,
        to_state=case.state,
        facts=(("rule", "test"),),
        case_after=case,
    )


async def open_case(database: Database, case: Case) -> SavedDecision:
    """Save the opening of a case in a transaction of its own."""
    async with database.transaction() as tx:
        facts = (await load_payment_facts(tx, [case.payment_id], lock=True))[case.payment_id]
        clock = DueClock(name=ClockName.SLA_DECISION, due_at=NOW + timedelta(hours=48), case_id=case.id)
        decision = Decision(cases=(case,), events=(event_of(case, case.opened_by.value),), clocks=(clock,))
        return await save_decision(tx, decision, facts)


async def locked_facts(tx: Transaction, case_id: str) -> Facts:
    """Return a case's facts under lock."""
    return (await load_case_facts(tx, [case_id], lock=True))[case_id]


async def note(tx: Transaction, case_id: str, *, at: datetime = NOW) -> SavedDecision:
    """Save an event that changes nothing but the case's version."""
    facts = await locked_facts(tx, case_id)
    assert facts.case is not None
    after = replace(facts.case, version=facts.case.version + 1, updated_at=at)
    return await save_decision(
        tx, Decision(cases=(after,), events=(event_of(after, "ASSIGN", facts.case, at=at),)), facts
    )


def credit(facts: Facts, minor: int, from_key: str, to_key: str, *, overdraw: bool = False) -> Decision:
    """Return the decision that approves and credits a case at once."""
    before = facts.case
    assert before is not None
    approved = replace(
        before, state=STATES.APPROVED, approved_minor=minor, version=before.version + 1, support_decided=overdraw
    )
    credited = replace(
        approved,
        state=STATES.CREDITED,
        credited_minor=minor,
        credited_at=NOW,
        settlement=SettlementStatus.SETTLED,
        version=before.version + 2,
    )
    return Decision(
        cases=(credited,),
        events=(event_of(approved, "APPROVE", before), event_of(credited, "CREDIT", approved)),
        postings=(posting("CREDIT", from_key, to_key, minor, case=credited, may_overdraw=overdraw),),
        payment_refunded_delta_minor=minor,
    )
