"""People, payments and cases for the domain's tests: facts in which everything is allowed, to be spoilt one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from refundgql.domain.cases import decide
from refundgql.domain.decisions import Act, Decision
from refundgql.domain.facts import (
    Case,
    ContractFacts,
    CreditedPart,
    Facts,
    FundsFacts,
    InvoiceFacts,
    LeadFacts,
    MilestoneFacts,
    PaymentFacts,
    WeekFacts,
)
from refundgql.domain.money import Money
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refusal, Refused
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    ContractKind,
    ContractStatus,
    InvoiceStatus,
    IssueDecision,
    MilestoneStatus,
    PaymentKind,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundReason,
    RefundReasonDetail,
    RefundRoute,
    Role,
    SettlementStatus,
    WhoseMove,
)

A, K, S = RefundActionName, RefundCaseKind, RefundCaseState
POLICY = Policy()
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
WEEK_STARTS, WEEK_ENDS = datetime(2026, 2, 23, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)


def person(name: str, *roles: Role) -> Viewer:
    """Return somebody with roles."""
    return Viewer(name, f"ref-{name}", name.title(), frozenset(roles))


PRO = person("pro", Role.PRO)
CUSTOMER = person("customer", Role.CUSTOMER)
CLIENT = person("client", Role.CLIENT)
EXPERT = person("expert", Role.EXPERT)
SUPPORT = person("support", Role.SUPPORT)
COLLEAGUE = person("colleague", Role.SUPPORT)
ADMIN = person("admin", Role.ADMIN)
SERVICE = person("service", Role.SERVICE)
STRANGER = person("stranger", Role.PRO, Role.CLIENT, Role.EXPERT, Role.CUSTOMER)

LEDGER = {
    "platform": "platform_leads:USD",
    "pro": "balance:pro:LEADS:USD",
    "client": "balance:client:CONTRACTS:USD",
    "expert": "balance:expert:CONTRACTS:USD",
    "held": "held:payment:USD",
}


def day(text: str) -> datetime:
    """Return an instant from ISO text, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def usd(minor: int) -> Money:
    """Return US cents."""
    return Money(minor, "USD")


def lead_facts(*, price: int = 2_000, charged_at: datetime = NOW - timedelta(days=3), **payment: Any) -> Facts:
    """Return a charged lead without case."""
    return Facts(
        payment=PaymentFacts(id="payment", kind=PaymentKind.LEAD, currency="USD", paid_minor=price, **payment),
        lead=LeadFacts(
            id="lead", title="Garden", pro_id="pro", customer_id="customer", charged_at=charged_at, price=usd(price)
        ),
    )


def contract(kind: ContractKind = ContractKind.HOURLY, **given: Any) -> ContractFacts:
    """Return a contract between the client and the expert, 100.00 USD paid."""
    base = {"paid_minor": 10_000, "status": ContractStatus.OPEN, "started_at": day("2025-01-01")}
    return ContractFacts(
        id="contract", kind=kind, client_id="client", expert_id="expert", currency="USD", **(base | given)
    )


def invoice(paid_at: datetime | None = NOW - timedelta(days=2), amount: int = 10_000) -> InvoiceFacts:
    """Return an invoice of 100.00 USD, paid unless no instant is given."""
    status = InvoiceStatus.PAID if paid_at is not None else InvoiceStatus.ISSUED
    return InvoiceFacts(id="invoice", status=status, amount=usd(amount), issued_at=day("2025-01-02"), paid_at=paid_at)


def invoice_facts(
    *,
    contract_kind: ContractKind = ContractKind.HOURLY,
    paid_at: datetime | None = NOW - timedelta(days=2),
    funds: int = 10_000,
    **payment: Any,
) -> Facts:
    """Return an invoice of its own, whose money the expert has."""
    paid = 10_000 if paid_at is not None else 0
    shared = {name: payment[name] for name in ("refunded_minor", "reserved_minor") if name in payment}
    return Facts(
        payment=PaymentFacts(
            id="payment", kind=PaymentKind.INVOICE, currency="USD", **({"paid_minor": paid} | payment)
        ),
        contract=contract(contract_kind, paid_minor=paid, **shared),
        invoice=invoice(paid_at),
        funds=FundsFacts(expert_available_minor=funds, requester_available_minor=funds),
    )


def week_facts(*, paid_at: datetime | None = NOW - timedelta(days=1), held: int = 10_000, **week: Any) -> Facts:
    """Return a billing week with its invoice, held until the cut-off."""
    facts = invoice_facts(paid_at=paid_at, funds=0)
    base = {"hours": Decimal(4), "starts_at": WEEK_STARTS, "ends_at": WEEK_ENDS}
    return replace(
        facts,
        payment=replace(facts.payment, kind=PaymentKind.WEEK),
        week=WeekFacts(id="week", rate=usd(2_500), amount=usd(10_000), **(base | week)),
        funds=FundsFacts(held_minor=held, requester_available_minor=10_000),
    )


def escrow_facts(
    *, status: MilestoneStatus = MilestoneStatus.FUNDED, with_invoice: bool = True, **payment: Any
) -> Facts:
    """Return a funded milestone of a fixed-price contract."""
    funded_at = NOW - timedelta(days=2)
    funded = status is not MilestoneStatus.UNFUNDED
    facts = invoice_facts(contract_kind=ContractKind.FIXED_PRICE, paid_at=funded_at if funded else None, **payment)
    released = status is MilestoneStatus.RELEASED
    return replace(
        facts,
        payment=replace(facts.payment, kind=PaymentKind.MILESTONE),
        invoice=facts.invoice if with_invoice else None,
        milestone=MilestoneFacts(
            id="milestone", status=status, amount=usd(10_000), funded_at=funded_at if funded else None
        ),
        funds=FundsFacts(
            held_minor=0 if released or not funded else facts.payment.paid_minor - facts.payment.refunded_minor,
            expert_available_minor=10_000 if released else 0,
            requester_available_minor=10_000,
        ),
    )


def facts_of(kind: RefundCaseKind) -> Facts:
    """Return facts without case in which everything of a kind is allowed."""
    return {K.LEAD: lead_facts, K.INVOICE: invoice_facts, K.ESCROW: escrow_facts, K.TIMESHEET: week_facts}[kind]()


def case_in(state: RefundCaseState, kind: RefundCaseKind = K.INVOICE, **given: Any) -> Case:
    """Return a case in a state as it would have come there, asked about 60.00 USD (a lead's price)."""
    lead = kind is K.LEAD
    asked = 2_000 if lead else 6_000
    decided = state in (S.APPROVED, S.DECLINED, S.CREDITED)
    base: dict[str, Any] = {
        "id": "case",
        "number": 7,
        "kind": kind,
        "state": state,
        "route": RefundRoute.SUPPORT if kind in (K.LEAD, K.TIMESHEET) else RefundRoute.DIRECT,
        "opened_by": A.OPEN_TIMESHEET_DISPUTE if kind is K.TIMESHEET else A.REQUEST,
        "payment_id": "payment",
        "requester_id": "pro" if lead else "client",
        "counterparty_id": None if lead else "expert",
        "filed_by_id": "pro" if lead else "client",
        "currency": "USD",
        "requested_minor": asked,
        "opened_at": NOW - timedelta(days=1),
        "updated_at": NOW - timedelta(hours=20),
        "decided_at": NOW - timedelta(hours=20) if decided else None,
        "declined_at": NOW - timedelta(hours=20) if state is S.DECLINED else None,
        "approved_minor": asked if state in (S.APPROVED, S.CREDITED) else None,
        "approved_at": NOW - timedelta(days=20) if state is S.APPROVED else None,
        "credited_minor": asked if state is S.CREDITED else None,
        "settlement": {S.APPROVED: SettlementStatus.AWAITING_FUNDS, S.CREDITED: SettlementStatus.SETTLED}.get(
            state, SettlementStatus.NOT_DUE
        ),
        "support_decided": kind is K.TIMESHEET and decided,
        "version": 3,
        "policy_version": POLICY.version,
    }
    return Case(**(base | given))


def with_case(facts: Facts, case: Case) -> Facts:
    """Return facts of a payment with a case on it, the sums being those of its state."""
    open_now = case.state in (S.REQUESTED, S.APPROVED, S.ESCALATED, S.DISPUTED)
    reserved = case.approved_minor or 0 if case.state is S.APPROVED else 0
    refunded = case.credited_minor or 0 if case.state is S.CREDITED and case.reversed_at is None else 0
    payment = replace(
        facts.payment,
        open_case_id=case.id if open_now else None,
        open_case_number=case.number if open_now else None,
        open_case_kind=case.kind if open_now else None,
        requests_made=1,
        latest_case_id=case.id,
        reserved_minor=facts.payment.reserved_minor + reserved,
        refunded_minor=facts.payment.refunded_minor + refunded,
    )
    there = facts.contract
    if there is not None:
        there = replace(
            there,
            reserved_minor=there.reserved_minor + reserved,
            refunded_minor=there.refunded_minor + refunded,
        )
    lead = replace(facts.lead, case_id=case.id) if facts.lead is not None else None
    if refunded and case.kind is K.LEAD:
        facts = replace(facts, funds=FundsFacts(requester_available_minor=refunded))
    credit = (credited_part(case, facts),) if case.state is S.CREDITED else ()
    return replace(facts, payment=payment, contract=there, lead=lead, case=case, credit=credit)


def credited_part(case: Case, facts: Facts) -> CreditedPart:
    """Return the posting that credited a case, from where its payment's money was then."""
    was = "platform" if facts.lead else "held" if facts.week or facts.milestone else "expert"
    to_key = LEDGER["pro" if facts.lead else "client"]
    return CreditedPart(posting_id="posting-1", from_key=LEDGER[was], to_key=to_key, minor=case.credited_minor or 0)


def good_act(
    action: RefundActionName, kind: RefundCaseKind, viewer: Viewer | None, at: datetime = NOW, **given: Any
) -> Act:
    """Return an act whose input is right for its kind and action."""
    base: dict[str, Any] = {
        "action": action,
        "at": at,
        "viewer": viewer,
        "kind": kind,
        "case_id": "case",
        "follow_up_id": "next",
        "text": "Why.",
    }
    if action is A.REQUEST and kind is K.LEAD:
        base |= {"reason": RefundReason.JOB_CHANGED, "reason_detail": RefundReasonDetail.OTHER_CHANGE}
        if viewer is not None and viewer.account_id != "pro":
            base["on_behalf_reason"] = "Asked by mail."
    elif action in (A.REQUEST, A.OPEN_TIMESHEET_DISPUTE):
        base["amount"] = usd(6_000)
    elif action is A.ISSUE:
        base["decision"] = IssueDecision.FULL
    elif action is A.CONSENT:
        base["amount"] = usd(3_000)
    elif action is A.REQUEST_INFORMATION:
        base["asked_party"] = WhoseMove.REQUESTER
    return Act(**(base | given))


def refused(act: Act, facts: Facts, policy: Policy = POLICY) -> tuple[Refusal, ...]:
    """Return why an act is refused; that it is, is asserted."""
    try:
        decision = decide(act, facts, policy)
    except Refused as why:
        return why.refusals
    raise AssertionError(f"not refused: {[event.name for event in decision.events]}")


def only(act: Act, facts: Facts) -> Refusal:
    """Return the one refusal of an act."""
    (refusal,) = refused(act, facts)
    return refusal


def told(refusals: tuple[Refusal, ...]) -> list[tuple[str, str | None]]:
    """Return codes and rules."""
    return [(refusal.code.value, refusal.rule) for refusal in refusals]


def why(action: RefundActionName, facts: Facts, viewer: Viewer | None, at: datetime = NOW, **given: Any) -> list[Any]:
    """Return the codes and rules against an act whose input is right but for what is given."""
    kind = facts.case.kind if facts.case is not None else given.pop("kind", _kind(facts))
    return told(refused(good_act(action, kind, viewer, at, **given), facts))


def done(action: RefundActionName, facts: Facts, viewer: Viewer | None, at: datetime = NOW, **given: Any) -> Decision:
    """Return the decision of an act whose input is right."""
    kind = facts.case.kind if facts.case is not None else given.pop("kind", _kind(facts))
    return decide(good_act(action, kind, viewer, at, **given), facts, POLICY)


def moves(decision: Decision) -> list[tuple[str, str, int]]:
    """Return the postings by the names of LEDGER."""
    names = {key: name for name, key in LEDGER.items()}
    return [(names[one.from_key], names[one.to_key], one.amount.minor) for one in decision.postings]


def _kind(facts: Facts) -> RefundCaseKind:
    if facts.lead is not None:
        return K.LEAD
    return K.ESCROW if facts.milestone is not None else K.INVOICE
