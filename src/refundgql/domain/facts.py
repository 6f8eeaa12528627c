"""What the rules may look at: immutable facts, loaded by storage once per decision or once per list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from refundgql.domain.money import Money
from refundgql.domain.vocabulary import (
    ContractKind,
    ContractStatus,
    InvoiceStatus,
    MilestoneStatus,
    PaymentKind,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundDecision,
    RefundReason,
    RefundReasonDetail,
    RefundRoute,
    RestOfEscrow,
    SettlementStatus,
    WhoseMove,
)


# Without slots: a decision replaces a case several times, and copying a dict of 45 fields is one call.
@dataclass(frozen=True, kw_only=True)
class Case:
    """One refund case as it stands; amounts are minor units of `currency`, ids are uuid texts."""

    id: str
    number: int
    kind: RefundCaseKind
    state: RefundCaseState
    route: RefundRoute
    opened_by: RefundActionName  # REQUEST, ISSUE or OPEN_TIMESHEET_DISPUTE
    payment_id: str
    lead_id: str | None = None
    contract_id: str | None = None
    invoice_id: str | None = None
    milestone_id: str | None = None
    billing_week_id: str | None = None
    requester_id: str
    counterparty_id: str | None = None
    filed_by_id: str
    goodwill: bool = False
    reason: RefundReason | None = None
    reason_detail: RefundReasonDetail | None = None
    explanation: str | None = None
    on_behalf_reason: str | None = None
    send_to_payment_method: bool = False
    currency: str
    requested_minor: int | None = None
    approved_minor: int | None = None
    consented_minor: int | None = None
    credited_minor: int | None = None
    settlement: SettlementStatus = SettlementStatus.NOT_DUE
    opened_at: datetime
    updated_at: datetime
    decided_at: datetime | None = None
    decided_by_id: str | None = None
    first_decided_by_id: str | None = None  # who decided a lead's first look, and who had proposed that (D6)
    first_proposed_by_id: str | None = None
    approved_at: datetime | None = None  # starts the 14 days of D13
    declined_at: datetime | None = None
    escalated_at: datetime | None = None
    credited_at: datetime | None = None
    reversed_at: datetime | None = None
    information_from: WhoseMove | None = None  # the party that support has asked and that has not answered (D24)
    information_at: datetime | None = None
    information_days: int | None = None
    target_paused_micros: int = 0  # how long support's target stood still for answers that have come (D24)
    overdue: bool = False  # that the target was missed has been told, once (L14, D20)
    reminded: bool = False  # that a deadline ends soon has been told, once (D21)
    asks_support: bool = False  # a party has written to support, and nobody of it has answered yet
    # The rest of clocks.py's answers that lists and filters look for: an index, which no rule reads (D28).
    respond_by: datetime | None = None
    deadline_at: datetime | None = None
    whose_move: WhoseMove = WhoseMove.NOBODY
    move_until: datetime | None = None
    next_move: WhoseMove | None = None
    final_decision: bool = False  # declined for good: by support, by issue(NONE), or by a later request (D12, D14)
    support_decided: bool = False  # the latest decision is support's, also while it is decided anew (D12, D13, D22)
    second_look_used: bool = False
    assignee_id: str | None = None
    withdrawal_id: str | None = None
    continues_id: str | None = None  # the case approved in part whose rest this one asks for (D19)
    continued_by_id: str | None = None
    reopened_at: datetime | None = None  # D22, once
    proposed_decision: RefundDecision | None = None  # waits for a second signature (D23)
    proposed_minor: int | None = None
    proposed_rest: RestOfEscrow | None = None
    proposed_text: str | None = None  # the note or message that the parties will read
    proposed_internal_note: str | None = None
    proposed_by_id: str | None = None
    proposed_at: datetime | None = None
    version: int = 0  # the last event's sequence number
    policy_version: str

    def changed(self, **changes: Any) -> Case:
        """Return the case with some fields replaced, as dataclasses.replace does at ten times the cost."""
        case = object.__new__(Case)
        case.__dict__.update(self.__dict__, **changes)
        return case

    def without_proposal(self) -> Case:
        """Return the case without the decision that was proposed; who proposed it stays (D23)."""
        if self.proposed_decision is None:
            return self
        return self.changed(
            proposed_decision=None,
            proposed_minor=None,
            proposed_rest=None,
            proposed_text=None,
            proposed_internal_note=None,
            proposed_at=None,
        )

    @property
    def approved_in_part(self) -> bool:
        """Tell whether less was approved than was asked."""
        approved, requested = self.approved_minor, self.requested_minor
        return approved is not None and requested is not None and approved < requested

    @property
    def rest_minor(self) -> int:
        """Return what an expert's part approval declined and nobody has taken further, in minor units (D19)."""
        over = self.support_decided or self.final_decision or self.continued_by_id is not None
        if self.state is not RefundCaseState.CREDITED or over or not self.approved_in_part:
            return 0
        return (self.requested_minor or 0) - (self.credited_minor or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """One payment (D14) and the money of it that is spoken for; minor units of `currency`."""

    id: str
    version: int = 0  # raised by every writer of the payment's facts: an optimistic lock
    kind: PaymentKind
    currency: str
    paid_minor: int = 0
    refunded_minor: int = 0  # credits of all kinds less reversals
    reserved_minor: int = 0  # approved, not yet credited (D9)
    charged_back_minor: int = 0  # wanted or taken by a bank (D25)
    open_case_id: str | None = None
    open_case_number: int | None = None
    open_case_kind: RefundCaseKind | None = None
    requests_made: int = (
        0  # cases opened by REQUEST, but for those approved in part; issued ones count for nothing (D14)
    )
    latest_case_id: str | None = None  # the most recently opened case that was not cancelled, of any kind
    support_decided: bool = False  # support has decided on this money, on another case of whatever kind (D12)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFacts:
    """A charged lead."""

    id: str
    title: str
    pro_id: str
    customer_id: str
    charged_at: datetime
    price: Money
    case_id: str | None = None  # the lead's case, unless its first look was cancelled (D6)
    message_ids: frozenset[str] = frozenset()  # of its chat; filled for REQUEST and evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFacts:
    """A contract and its totals over all payments, in minor units of `currency`."""

    id: str
    version: int = 0  # raised by every writer of the contract's facts, its payments' included
    kind: ContractKind
    status: ContractStatus
    client_id: str
    expert_id: str
    currency: str
    started_at: datetime
    ended_at: datetime | None = None
    paid_minor: int = 0
    refunded_minor: int = 0
    reserved_minor: int = 0
    charged_back_minor: int = 0
    reviews_hidden: bool = False
    client_reviewed: bool = False
    expert_reviewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekFacts:
    """One billing week, Monday 00:00 to next Monday 00:00 UTC."""

    id: str
    starts_at: datetime
    ends_at: datetime
    hours: Decimal
    rate: Money
    amount: Money
    released: bool = False  # its held money has been released to the expert


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneFacts:
    """A milestone and its escrow."""

    id: str
    status: MilestoneStatus
    amount: Money
    funded_at: datetime | None = None
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFacts:
    """An invoice."""

    id: str
    status: InvoiceStatus
    amount: Money
    issued_at: datetime
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsFacts:
    """Balances a decision draws on, in minor units of the payment's currency."""

    held_minor: int = 0  # held(milestone or week) of this payment
    expert_available_minor: int = 0  # balance(expert, CONTRACTS)
    requester_available_minor: int = 0  # the balance a credit went to (reversal takes it from there)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditedPart:
    """One posting of a case's credit, as the ledger has it."""

    posting_id: str
    from_key: str
    to_key: str
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything one decision about one payment looks at.

    LEAD: payment and lead. Others: payment and contract, with the invoice, week and milestone that belong to the
    payment, as far as they exist. `case` is absent while none is acted on (requests, issues, disputes of a week).
    """

    payment: PaymentFacts
    lead: LeadFacts | None = None
    contract: ContractFacts | None = None
    invoice: InvoiceFacts | None = None
    week: WeekFacts | None = None
    milestone: MilestoneFacts | None = None
    case: Case | None = None
    open_case: Case | None = None  # the payment's open case when it is not `case` (to be superseded, or to refuse)
    previous_declined: Case | None = (
        None  # the payment's latest case declined in whole or in part, and not for good; a new request ends it (D14)
    )
    funds: FundsFacts = FundsFacts()
    credit: tuple[CreditedPart, ...] = ()  # of the case; loaded for REVERSE, which undoes each (D16)
    withdrawal_filed_at: datetime | None = None  # of the withdrawal that the case's credit was sent on with (D10)
    withdrawal_expected_until: datetime | None = None
    recipient_erased_at: datetime | None = None  # whoever money of this payment comes back to was forgotten (D30)
    expert_erased_at: datetime | None = None
    # What whoever acts on the case can read of its evidence, by SHA-256 in hexadecimal, oldest first (D26).
    evidence: tuple[str, ...] = ()

    def after(self, refunded_delta_minor: int, reserved_delta_minor: int) -> Facts:
        """Return the facts once so much more is refunded and reserved, in minor units."""
        if refunded_delta_minor == reserved_delta_minor == 0:
            return self
        payment, contract = self.payment, self.contract
        payment = replace(
            payment,
            refunded_minor=payment.refunded_minor + refunded_delta_minor,
            reserved_minor=payment.reserved_minor + reserved_delta_minor,
        )
        if contract is not None:
            contract = replace(
                contract,
                refunded_minor=contract.refunded_minor + refunded_delta_minor,
                reserved_minor=contract.reserved_minor + reserved_delta_minor,
            )
        return replace(self, payment=payment, contract=contract)

    @property
    def paid_at(self) -> datetime | None:
        """Return when the contract's payment was made; a milestone's invoice is its funding."""
        invoice, milestone = self.invoice, self.milestone
        if invoice is not None and invoice.paid_at is not None:
            return invoice.paid_at
        return milestone.funded_at if milestone is not None else None

    @property
    def is_hourly(self) -> bool:
        """Tell whether the contract is billed by the hour."""
        return self.contract is not None and self.contract.kind is ContractKind.HOURLY
