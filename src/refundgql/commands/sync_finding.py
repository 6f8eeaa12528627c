"""Filling the working set of a batch: every row its records touch, with one statement a table.

Rows that others change too are locked when a batch is written, and compared with what is found here; a batch that lost
such a race is worked out under their locks, in everybody's order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from refundgql.commands.sync_book import Book, client_balance, expert_balance
from refundgql.domain.calendar import midnight, to_micros
from refundgql.domain.ledger import balance, held
from refundgql.domain.records import (
    AccountRecord,
    BillingWeekRecord,
    ChargebackRecord,
    ContractRecord,
    InvoiceRecord,
    LeadRecord,
    MessageRecord,
    MilestoneRecord,
    Record,
    RefundRecord,
    ReviewRecord,
    SubjectKind,
    WithdrawalRecord,
)
from refundgql.domain.vocabulary import OPEN_STATES, BalancePurpose
from refundgql.storage.database import Source, Transaction
from refundgql.storage.persons import erased_reference
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
    StoredReview,
    StoredTotals,
    StoredWithdrawal,
    WithdrawalById,
)
from refundgql.storage.records import (
    find_claims,
    find_open_cases,
    find_paid_shares,
    find_rows,
    find_totals,
)
from refundgql.storage.settlements import find_awaiting

RowType = TypeVar("RowType", bound=Stored)


class Finder(Protocol):
    """Where rows are found: in the database, or also among those that earlier lines of a file will make."""

    @property
    def source(self) -> Source | Transaction:
        """Return where cases are found."""
        ...

    async def rows(self, row_type: type[RowType], keys: Collection[str]) -> Iterable[RowType]:
        """Return the rows with these keys."""
        ...

    async def claims(self, row_type: type[Stored], owners: Mapping[str, str]) -> Iterable[Claim]:
        """Return who has taken these unique places; the values say which contract or payment owns the place."""
        ...

    async def totals(self, contract_ids: Collection[str]) -> Iterable[StoredTotals]:
        """Return what the payments of these contracts sum up to."""
        ...

    async def shares(self, payment_ids: Collection[str]) -> Iterable[PaidShare]:
        """Return how much of these payments a balance paid."""
        ...


@dataclass(frozen=True, slots=True)
class DatabaseFinder:
    """Finds rows in the database alone."""

    source: Source | Transaction
    locks: bool = False

    async def rows(self, row_type: type[RowType], keys: Collection[str]) -> Iterable[RowType]:
        """Return the rows with these keys."""
        return await find_rows(self.source, row_type, keys, lock=self.locks) if keys else ()

    async def claims(self, row_type: type[Stored], owners: Mapping[str, str]) -> Iterable[Claim]:
        """Return who has taken these unique places."""
        return await find_claims(self.source, row_type, set(owners.values())) if owners else ()

    async def totals(self, contract_ids: Collection[str]) -> Iterable[StoredTotals]:
        """Return what the payments of these contracts sum up to."""
        return await find_totals(self.source, contract_ids) if contract_ids else ()

    async def shares(self, payment_ids: Collection[str]) -> Iterable[PaidShare]:
        """Return how much of these payments a balance paid."""
        return await find_paid_shares(self.source, payment_ids) if payment_ids else ()


@dataclass(slots=True)
class _Wanted:
    """References that a batch names, by what they lead to; and the records that move money."""

    accounts: set[str]
    leads: set[str]
    messages: set[str]
    contracts: set[str]
    weeks: set[str]
    milestones: set[str]
    invoices: set[str]
    reviews: set[str]
    withdrawals: list[WithdrawalRecord]
    past_refunds: list[RefundRecord]
    chargebacks: list[ChargebackRecord]
    opened: list[AccountRecord]
    charged: list[LeadRecord]
    agreed: dict[str, ContractRecord]
    paying: list[InvoiceRecord | MilestoneRecord]
    worked: list[BillingWeekRecord]
    reviewed: list[ReviewRecord]
    said: list[MessageRecord]

    def taken_back(self) -> Iterable[RefundRecord | ChargebackRecord]:
        """Return the records of money that went back."""
        return (*self.past_refunds, *self.chargebacks)

    @classmethod
    def by(cls, records: Sequence[Record]) -> _Wanted:
        """Return what these records name."""
        of: defaultdict[type[Record], list[Any]] = defaultdict(list)
        for record in records:
            of[type(record)].append(record)
        accounts, leads, messages = of[AccountRecord], of[LeadRecord], of[MessageRecord]
        contracts, weeks, milestones = of[ContractRecord], of[BillingWeekRecord], of[MilestoneRecord]
        invoices, reviews, withdrawals = of[InvoiceRecord], of[ReviewRecord], of[WithdrawalRecord]
        about: defaultdict[SubjectKind, set[str]] = defaultdict(set)
        for record in (*of[RefundRecord], *of[ChargebackRecord]):
            about[record.about].add(record.subject)
        return cls(
            accounts={it.ref for it in accounts}
            | {it.pro for it in leads}
            | {it.customer for it in leads}
            | {it.client for it in contracts}
            | {it.expert for it in contracts}
            | {it.author for it in (*messages, *reviews)}
            | {it.account for it in withdrawals if it.account is not None},
            leads={it.ref for it in leads} | {it.lead for it in messages} | about[SubjectKind.LEAD],
            messages={it.ref for it in messages},
            contracts={it.ref for it in contracts} | {it.contract for it in (*weeks, *milestones, *invoices, *reviews)},
            weeks={it.ref for it in weeks} | {it.billing_week for it in invoices if it.billing_week is not None},
            milestones={it.ref for it in milestones}
            | {it.milestone for it in invoices if it.milestone is not None}
            | about[SubjectKind.MILESTONE],
            invoices={it.ref for it in invoices} | about[SubjectKind.INVOICE],
            reviews={it.ref for it in reviews},
            withdrawals=withdrawals,
            past_refunds=of[RefundRecord],
            chargebacks=of[ChargebackRecord],
            opened=[it for it in accounts if it.opening_balance is not None or it.opening_lead_credit is not None],
            charged=leads,
            agreed={it.ref: it for it in contracts},
            paying=[*milestones, *invoices],
            worked=weeks,
            reviewed=reviews,
            said=messages,
        )


async def fill(book: Book, finder: Finder, records: Sequence[Record]) -> None:
    """Find every row that these records name or move money for, and lock those that others change too."""
    wanted = _Wanted.by(records)
    for contract in await finder.rows(StoredContract, wanted.contracts):
        book.add_contract(contract)
    for account in await finder.rows(StoredAccount, wanted.accounts):
        book.accounts[account.external_ref] = account
    for lead in await finder.rows(StoredLead, wanted.leads):
        book.leads[lead.external_ref] = lead
    for message in await finder.rows(StoredMessage, wanted.messages):
        book.messages[message.external_ref] = message
    for review in await finder.rows(StoredReview, wanted.reviews):
        book.reviews[review.external_ref] = review
    await _fill_withdrawals(book, finder, wanted.withdrawals)
    await _fill_erased(book, finder, wanted)
    for refund in await finder.rows(StoredPastRefund, {it.ref for it in wanted.past_refunds}):
        book.past_refunds[refund.external_ref] = refund
    for chargeback in await finder.rows(StoredChargeback, {it.ref for it in wanted.chargebacks}):
        book.chargebacks[chargeback.external_ref] = chargeback
    await _fill_payments(book, finder, wanted)
    await _fill_claims(book, finder, wanted)
    await _fill_money(book, finder, wanted)
    book.note_read()


async def _fill_erased(book: Book, finder: Finder, wanted: _Wanted) -> None:
    """Find which parties that records name by a reference that is not theirs were erased, and have none any more."""
    named: list[tuple[str, tuple[str, ...]]] = []
    for told in wanted.charged:
        if (lead := book.leads.get(told.ref)) is not None:
            named += [(told.pro, (lead.pro_id,)), (told.customer, (lead.customer_id,))]
    for agreed in wanted.agreed.values():
        if (contract := book.contracts.get(agreed.ref)) is not None:
            named += [(agreed.client, (contract.client_id,)), (agreed.expert, (contract.expert_id,))]
    for said in wanted.said:
        if (lead := book.leads.get(said.lead)) is not None:
            named.append((said.author, (lead.pro_id, lead.customer_id)))
    for reviewed in wanted.reviewed:
        if (contract := book.contracts.get(reviewed.contract)) is not None:
            named.append((reviewed.author, (contract.client_id, contract.expert_id)))
    for paid in wanted.withdrawals:
        if paid.account is not None and (withdrawal := book.withdrawals.get(paid.ref)) is not None:
            named.append((paid.account, (withdrawal.account_id,)))
    ids = {one for ref, ids in named if not (row := book.accounts.get(ref)) or row.id not in ids for one in ids}
    for account in await finder.rows(StoredAccount, {erased_reference(one) for one in ids}):
        book.erased.add(account.id)


async def _fill_withdrawals(book: Book, finder: Finder, records: Sequence[WithdrawalRecord]) -> None:
    """Find withdrawals under the names that records give them; one that has two names is one row."""
    by_ref = await finder.rows(StoredWithdrawal, {it.ref for it in records if not it.made_here})
    by_id = await finder.rows(WithdrawalById, {it.ref for it in records if it.made_here})
    rows: dict[str, StoredWithdrawal] = {}
    for row in (*by_ref, *by_id):
        one = rows.setdefault(row.id, row)
        book.withdrawals[row.id if isinstance(row, WithdrawalById) else row.external_ref or ""] = one


async def _fill_payments(book: Book, finder: Finder, wanted: _Wanted) -> None:
    for week in await finder.rows(StoredBillingWeek, wanted.weeks):
        book.weeks[week.external_ref] = week
    for milestone in await finder.rows(StoredMilestone, wanted.milestones):
        book.milestones[milestone.external_ref] = milestone
    for invoice in await finder.rows(StoredInvoice, wanted.invoices):
        book.invoices[invoice.external_ref] = invoice
    await _fill_subjects(book, finder, wanted)
    of_milestones = {row.payment_id for row in book.milestones.values()}
    parts = of_milestones | {row.payment_id for row in book.weeks.values()}
    for claim in await finder.claims(StoredInvoice, {payment_id: payment_id for payment_id in parts}):
        book.claims[claim.key] = claim
    ids = parts | {row.payment_id for row in book.invoices.values()}
    ids |= {book.leads[it.subject].payment_id for it in wanted.taken_back() if it.subject in book.leads}
    for payment in await finder.rows(StoredPayment, sorted(ids)):
        book.payments[payment.id] = payment
    untold = {
        book.claims[payment_id].external_ref
        for payment_id in of_milestones
        if payment_id in book.claims and book.claims[payment_id].external_ref not in book.invoices
    }
    for invoice in await finder.rows(StoredInvoice, {ref for ref in untold if ref is not None}):
        book.invoices[invoice.external_ref] = invoice
    if of_milestones:
        book.open_cases = await find_open_cases(finder.source, of_milestones, OPEN_STATES)
    shared = {row.payment_id for row in book.invoices.values()} | of_milestones
    if not any(record.from_balance is not None for record in wanted.paying):
        shared = set()
    shared |= {
        book.leads[it.ref].payment_id for it in wanted.charged if it.from_balance is not None and it.ref in book.leads
    }
    if shared:
        for share in await finder.shares(shared):
            book.shares[share.key] = share


async def _fill_subjects(book: Book, finder: Finder, wanted: _Wanted) -> None:
    """Find what refunds of the past and chargebacks are about, which they name by one of its parts only."""
    if not wanted.past_refunds and not wanted.chargebacks:
        return
    invoices = list(book.invoices.values())
    paid = {f"milestone:{row.payment_id}": row.payment_id for row in invoices if row.milestone_id is not None}
    for claim in await finder.claims(StoredMilestone, paid):
        book.claims[claim.key] = claim
    untold = {book.claims[key].external_ref for key in paid if key in book.claims} - book.milestones.keys()
    for milestone in await finder.rows(StoredMilestone, {ref for ref in untold if ref is not None}):
        book.milestones[milestone.external_ref] = milestone
    ids = {row.contract_id for row in invoices} | {row.contract_id for row in book.milestones.values()}
    claims = await finder.claims(StoredContract, {contract_id: contract_id for contract_id in ids})
    refs = {claim.external_ref for claim in claims} - book.contracts.keys()
    for contract in await finder.rows(StoredContract, {ref for ref in refs if ref is not None}):
        book.add_contract(contract)


async def _fill_claims(book: Book, finder: Finder, wanted: _Wanted) -> None:
    weeks: dict[str, str] = {}
    for worked in wanted.worked:
        contract = book.contracts.get(worked.contract)
        if contract is not None and worked.ref not in book.weeks:
            weeks[f"{contract.id}:{to_micros(midnight(worked.starts_on))}"] = contract.id
    for claim in await finder.claims(StoredBillingWeek, weeks):
        book.claims[claim.key] = claim
    reviews: dict[str, str] = {}
    for reviewed in wanted.reviewed:
        contract, author = book.contracts.get(reviewed.contract), book.accounts.get(reviewed.author)
        if contract is not None and author is not None and reviewed.ref not in book.reviews:
            reviews[f"{contract.id}:{author.id}"] = contract.id
    for claim in await finder.claims(StoredReview, reviews):
        book.claims[claim.key] = claim


async def _fill_money(book: Book, finder: Finder, wanted: _Wanted) -> None:
    keys: set[str] = set()
    receivers: set[str] = set()
    for opened in wanted.opened:
        account = book.accounts.get(opened.ref)
        if account is None:
            continue
        if opened.opening_balance is not None:
            keys.add(balance(account.id, BalancePurpose.CONTRACTS, opened.opening_balance.currency))
            receivers.add(account.id)
        if opened.opening_lead_credit is not None:
            keys.add(balance(account.id, BalancePurpose.LEADS, opened.opening_lead_credit.currency))
    for told in wanted.withdrawals:
        account = book.accounts.get(told.account or "")
        if account is not None and told.amount is not None:
            keys.add(balance(account.id, BalancePurpose.CONTRACTS, told.amount.currency))
    for charged in wanted.charged:
        account = book.accounts.get(charged.pro)
        if account is not None and charged.ref not in book.leads:
            keys.add(balance(account.id, BalancePurpose.LEADS, charged.price.currency))
    contracts = _fill_taken_back(book, wanted, keys, receivers)
    parties: tuple[str, ...]
    for paying in wanted.paying:
        contract = book.contracts.get(paying.contract)
        if contract is not None:
            contracts.add(contract.id)
            currency, parties = contract.currency, (contract.client_id, contract.expert_id)
        elif paying.contract in wanted.agreed:
            agreed = wanted.agreed[paying.contract]
            found = (book.accounts.get(agreed.client), book.accounts.get(agreed.expert))
            currency, parties = agreed.currency, tuple(row.id for row in found if row is not None)
        else:
            continue
        keys.update(balance(account_id, BalancePurpose.CONTRACTS, currency) for account_id in parties)
        receivers.update(parties)
    keys.update(held(row.id, row.currency) for row in book.payments.values())
    for running in await finder.rows(StoredBalance, sorted(keys)):
        book.balances[running.key] = running
    for totals in await finder.totals(contracts):
        book.totals[totals.key] = totals
    if receivers:
        book.awaiting = {
            balance(one.account_id, BalancePurpose.CONTRACTS, one.currency)
            for one in await find_awaiting(finder.source, receivers)
        }


def _fill_taken_back(book: Book, wanted: _Wanted, keys: set[str], receivers: set[str]) -> set[str]:
    """Name the balances that refunds of the past and chargebacks move, and return the ids of their contracts."""
    contracts: dict[str, StoredContract] = {}
    for record in wanted.taken_back():
        if record.about is SubjectKind.LEAD:
            lead = book.leads.get(record.subject)
            if lead is not None:
                keys.add(balance(lead.pro_id, BalancePurpose.LEADS, lead.currency))
            continue
        rows: Mapping[str, StoredInvoice | StoredMilestone]
        rows = book.invoices if record.about is SubjectKind.INVOICE else book.milestones
        row = rows.get(record.subject)
        if row is not None:
            contracts[row.contract_id] = book.contract_by_id(row.contract_id)
    for contract in contracts.values():
        keys.update((client_balance(contract), expert_balance(contract)))
        receivers.update((contract.client_id, contract.expert_id))
    return set(contracts)
