"""The working set of one batch of records: the rows it touches, found once, changed in memory, kept at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from uuid_utils import uuid7

from refundgql.domain.decisions import Posting
from refundgql.domain.entries import held_first, payment_entry, release_entry
from refundgql.domain.kept_texts import TAKEN_BACK
from refundgql.domain.ledger import balance, held, platform_leads
from refundgql.domain.money import Money
from refundgql.domain.records import Record, RecordError
from refundgql.domain.sentences import sentence
from refundgql.domain.vocabulary import (
    BalancePurpose,
    ChargebackStatus,
    ClockName,
    RefusalCode,
    Role,
    WithdrawalStatus,
)
from refundgql.storage.record_rows import (
    Claim,
    PaidShare,
    Stored,
    StoredAccount,
    StoredBalance,
    StoredBillingWeek,
    StoredChargeback,
    StoredContract,
    StoredInvoice,
    StoredLead,
    StoredMessage,
    StoredMilestone,
    StoredPastRefund,
    StoredPayment,
    StoredPosting,
    StoredReview,
    StoredTotals,
    StoredWeekClock,
    StoredWithdrawal,
)

Revised = (
    StoredAccount
    | StoredLead
    | StoredMessage
    | StoredContract
    | StoredMilestone
    | StoredBillingWeek
    | StoredInvoice
    | StoredReview
    | StoredWithdrawal
    | StoredPastRefund
    | StoredChargeback
)
"""Rows of records, each with the revision it was told with."""
Known = TypeVar("Known", bound=Stored)
DESCRIPTION_CHARS = 300
LARGEST_MINOR = 2**63 - 1
UNCOUNTED = ("external:", "platform_leads:")
"""Accounts without a running balance, as storage/ledger.py keeps them."""


class DependsOnFaulty(RecordError):
    """A record that refers to one refused before it: mending that one may mend this one, so it is not reported."""


class ChargebackStep(NamedTuple):
    """What the cases of a payment are told of a chargeback."""

    payment_id: str
    status: ChargebackStatus
    amount: Money


class PaidSubject(NamedTuple):
    """What a refund of the past or a chargeback is about; a lead has no contract."""

    payment: StoredPayment
    contract: StoredContract | None
    lead: StoredLead | None
    milestone: StoredMilestone | None
    what: str


@dataclass(slots=True)
class Book:
    """Rows by external reference (payments by id, balances by key) and what follows from changing them."""

    at: int  # microseconds
    holiday_calendar: str = ""
    accounts: dict[str, StoredAccount] = field(default_factory=dict)
    contracts: dict[str, StoredContract] = field(default_factory=dict)
    payments: dict[str, StoredPayment] = field(default_factory=dict)
    leads: dict[str, StoredLead] = field(default_factory=dict)
    messages: dict[str, StoredMessage] = field(default_factory=dict)
    weeks: dict[str, StoredBillingWeek] = field(default_factory=dict)
    milestones: dict[str, StoredMilestone] = field(default_factory=dict)
    invoices: dict[str, StoredInvoice] = field(default_factory=dict)
    reviews: dict[str, StoredReview] = field(default_factory=dict)
    balances: dict[str, StoredBalance] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    totals: dict[str, StoredTotals] = field(default_factory=dict)
    postings: list[StoredPosting] = field(default_factory=list)
    clocks: list[StoredWeekClock] = field(default_factory=list)
    released: list[str] = field(default_factory=list)  # payments whose held money has gone to the expert
    withdrawals: dict[str, StoredWithdrawal] = field(default_factory=dict)  # by what records call them
    past_refunds: dict[str, StoredPastRefund] = field(default_factory=dict)
    chargebacks: dict[str, StoredChargeback] = field(default_factory=dict)
    charged_back: list[ChargebackStep] = field(default_factory=list)
    told_changes: list[tuple[str, int, int]] = field(default_factory=list)  # payment id, refunded, charged back
    open_cases: dict[str, int] = field(default_factory=dict)  # payment id -> case number
    shares: dict[str, PaidShare] = field(default_factory=dict)  # by payment id
    awaiting: set[str] = field(default_factory=set)  # keys of balances that approved cases wait for (D13)
    funded: set[str] = field(default_factory=set)  # those of them that money has arrived on
    withdrawal_steps: list[tuple[str, WithdrawalStatus, str | None]] = field(default_factory=list)
    refunding: bool = False  # a failed withdrawal's money comes back once the batch is kept
    renamed: dict[str, str] = field(default_factory=dict)  # account id -> new name
    role_changes: list[tuple[str, str, str]] = field(default_factory=list)  # account id, roles before and after
    recounted: set[str] = field(default_factory=set)  # ids of leads whose last message is to be found anew
    erased: set[str] = field(default_factory=set)  # ids of erased accounts that records name as they were called (D30)
    faulty: set[tuple[str, str]] = field(default_factory=set)  # (kind, reference) of refused records
    read: tuple[dict[str, int], dict[str, int], dict[str, int]] = field(default_factory=lambda: ({}, {}, {}))
    """Versions of contracts and payments by id, and balances by key, as they were found."""

    def tables(self) -> tuple[tuple[type[Stored], Mapping[str, Stored]], ...]:
        """Return the rows of every table by key, referenced ones before those that refer to them."""
        return (
            (StoredAccount, self.accounts),
            (StoredContract, self.contracts),
            (StoredPayment, self.payments),
            (StoredLead, self.leads),
            (StoredMessage, self.messages),
            (StoredBillingWeek, self.weeks),
            (StoredMilestone, self.milestones),
            (StoredInvoice, self.invoices),
            (StoredReview, self.reviews),
            (StoredWithdrawal, self.withdrawals),
            (StoredPastRefund, self.past_refunds),
            (StoredChargeback, self.chargebacks),
            (StoredBalance, self.balances),
        )

    def note_read(self) -> None:
        """Remember how the rows were found that others change too."""
        contracts = {row.id: row.version for row in self.contracts.values()}
        payments = {row.id: row.version for row in self.payments.values()}
        self.read = contracts, payments, {row.key: row.balance_minor for row in self.balances.values()}

    def row_of(self, record: Record) -> Revised | None:
        """Return the row that a record brings up to date, if there is one."""
        found: Revised | None = getattr(self, _ROWS[record.kind]).get(record.ref)
        return found

    def missing(self, kind: str, ref: str, field_name: str) -> RecordError:
        """Return why a reference leads nowhere."""
        if (kind, ref) in self.faulty:
            return DependsOnFaulty(sentence("REFERS_TO_REFUSED", "It refers to a record that is refused."), field_name)
        message = sentence(
            "MISSING_RECORD", "There is no {kind} '{ref}': it has to exist, or stand earlier.", kind=kind, ref=ref
        )
        return RecordError(message, field_name, code=RefusalCode.NOT_FOUND)

    def is_about_erased(self, author_ref: str, *party_ids: str) -> bool:
        """Tell whether words may be those of a party that was erased: nobody else of the two is called so (D30)."""
        author = self.accounts.get(author_ref)
        return not self.erased.isdisjoint(party_ids) and (author is None or author.id not in party_ids)

    def account(self, ref: str, field_name: str, role: Role | None = None) -> StoredAccount:
        """Return the account of a reference, which has to hold the role where one is named.

        Refuses: RecordError.
        """
        row = self.accounts.get(ref)
        if row is None:
            raise self.missing("account", ref, field_name)
        if role is not None and row.roles != role and role not in row.roles.split(","):
            message = sentence(
                "ACCOUNT_WITHOUT_ROLE", "The account '{ref}' does not have the role {role}.", ref=ref, role=role
            )
            raise RecordError(message, field_name)
        return row

    def known(self, rows: Mapping[str, Known], kind: str, ref: str) -> Known:
        """Return the row of a reference, which stands in the field that is named as its kind.

        Refuses: RecordError.
        """
        row = rows.get(ref)
        if row is None:
            raise self.missing(kind, ref, kind)
        return row

    def lead(self, ref: str) -> StoredLead:
        """Return the lead of a reference. Refuses: RecordError."""
        return self.known(self.leads, "lead", ref)

    def contract(self, ref: str) -> StoredContract:
        """Return the contract of a reference. Refuses: RecordError."""
        return self.known(self.contracts, "contract", ref)

    def add_contract(self, row: StoredContract) -> None:
        """Add a contract, to be found by its reference and by its id."""
        self.contracts[row.external_ref] = row
        claim = self.claims[row.id] = Claim(row.id, row.external_ref)
        claim.stored = row.stored

    def contract_by_id(self, contract_id: str) -> StoredContract:
        """Return the contract that a payment belongs to."""
        return self.contracts[self.claims[contract_id].external_ref or ""]

    def new_payment(
        self, kind: str, contract: StoredContract | None, currency: str, paid_minor: int = 0
    ) -> StoredPayment:
        """Add a payment, the unit that cases draw on (D14)."""
        contract_id = None if contract is None else contract.id
        row = StoredPayment(str(uuid7()), kind, contract_id, currency, paid_minor, 0, 0)
        self.payments[row.id] = row
        return row

    def balance_of(self, key: str) -> StoredBalance:
        """Return the running balance of a ledger account, a new one at zero."""
        row = self.balances.get(key)
        if row is None:
            kind, *rest, currency = key.split(":")
            owner_id, purpose = rest if kind == "balance" else (None, None)
            row = StoredBalance(key, kind, owner_id, purpose, currency, 0, False, 0)
            self.balances[key] = row
        return row

    def post(self, entry: Sequence[Posting], at: int) -> list[str]:
        """Append an entry that the domain has made, move the balances that it touches, and return its postings' ids.

        The outside world and the platform keep no balance. What has happened outside may overdraw one.
        Refuses: RecordError when a balance would be larger than can be kept.
        """
        ids = []
        for one in entry:
            minor = one.amount.minor
            counted = [self.balance_of(key) for key in (one.from_key, one.to_key) if not key.startswith(UNCOUNTED)]
            booked_at = max([self.at, *(row.booked_at for row in counted)])  # never before what they have booked (C20)
            for row in counted:
                row.booked_at = booked_at
            ids.append(str(uuid7()))
            self.postings.append(
                StoredPosting(
                    ids[-1],
                    at,
                    one.fact,
                    one.from_key,
                    one.to_key,
                    minor,
                    one.amount.currency,
                    one.description[:DESCRIPTION_CHARS],
                    one.payment_id,
                    one.withdrawal_id,
                    one.reverses_id,
                    self._changed(one.from_key, -minor, one.may_overdraw),
                    self._changed(one.to_key, minor),
                    booked_at,
                )
            )
        return ids

    def _changed(self, key: str, delta_minor: int, may_overdraw: bool = False) -> int | None:
        if key.startswith(UNCOUNTED):
            return None
        row = self.balance_of(key)
        row.balance_minor = keepable(row.balance_minor + delta_minor)
        row.may_be_negative = row.balance_minor < 0 and (may_overdraw or row.may_be_negative)
        row.dirty = True
        if delta_minor > 0 and key in self.awaiting:
            self.funded.add(key)
        return row.balance_minor

    def pay(
        self,
        payment: StoredPayment,
        contract: StoredContract,
        to_key: str,
        amount_minor: int,
        from_minor: int,
        at: int,
        what: str,
    ) -> None:
        """Pay a contract's payment into an account, `from_minor` of it from the client's balance (C19)."""
        amount = Money(amount_minor, contract.currency)
        self.post(payment_entry(payment.id, contract.client_id, to_key, amount, from_minor, what), at)
        payment.paid_minor += amount_minor
        payment.dirty = True
        if from_minor:
            self.shares[payment.id] = PaidShare(payment.id, from_minor)
        totals = self.totals.setdefault(contract.id, StoredTotals(contract.id, 0, 0))
        totals.paid_minor = keepable(totals.paid_minor + amount_minor)
        totals.dirty = True

    def take_back(
        self, payment: StoredPayment, about: PaidSubject, to_key: str, amount_minor: int, fact: str, at: int
    ) -> None:
        """Take money of a payment back to where it goes now: what is held first, then what its receiver has."""
        amount, hold = Money(amount_minor, payment.currency), held(payment.id, payment.currency)
        receiver = platform_leads(amount.currency) if about.contract is None else expert_balance(about.contract)
        held_minor = self.balances[hold].balance_minor if hold in self.balances else 0
        what = TAKEN_BACK[fact].of(what=about.what)
        entry = held_first(fact, hold, held_minor, receiver, to_key, amount, what, payment.id)
        self.post([replace(one, may_overdraw=one.from_key == receiver) for one in entry], at)

    def release(self, payment: StoredPayment, contract: StoredContract, at: int, what: str) -> None:
        """Let what is still held for a payment go to the expert."""
        hold = held(payment.id, contract.currency)
        left = Money(self.balance_of(hold).balance_minor, contract.currency)
        self.released.append(payment.id)
        self.post(release_entry(payment.id, hold, contract.expert_id, left, what), at)

    def set_clock(self, week: StoredBillingWeek, due_at: int) -> None:
        """Let the sweeper release a week's money at the dispute cut-off (C25)."""
        self.clocks.append(StoredWeekClock(str(uuid7()), week.id, ClockName.WEEK_RELEASE.value, due_at))


def keepable(minor: int) -> int:
    """Return an amount in minor units that the databases can keep.

    Refuses: RecordError.
    """
    if abs(minor) > LARGEST_MINOR:
        raise RecordError(
            sentence("SUM_TOO_LARGE", "With this the sum is larger than can be kept (2^63 - 1 minor units).")
        )
    return minor


_ROWS = {
    "account": "accounts",
    "lead": "leads",
    "message": "messages",
    "contract": "contracts",
    "milestone": "milestones",
    "billingWeek": "weeks",
    "invoice": "invoices",
    "review": "reviews",
    "withdrawal": "withdrawals",
    "refund": "past_refunds",
    "chargeback": "chargebacks",
}


def client_balance(contract: StoredContract) -> str:
    """Return the key of the balance that may pay for a contract, and that its refunds go to."""
    return balance(contract.client_id, BalancePurpose.CONTRACTS, contract.currency)


def expert_balance(contract: StoredContract) -> str:
    """Return the key of the balance that a contract's money goes to."""
    return balance(contract.expert_id, BalancePurpose.CONTRACTS, contract.currency)
