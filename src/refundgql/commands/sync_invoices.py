"""Applying invoices to the working set: paid once, into escrow, into the week's hold, or to the expert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from uuid_utils import uuid7

from refundgql.commands.sync_book import Book, client_balance, expert_balance
from refundgql.commands.sync_contracts import other_currency, steps_back, way
from refundgql.commands.sync_people import RecordOutcome, behind, check_cover, check_from_balance, fixed, redescribe
from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.deadlines import CUT_OFF
from refundgql.domain.invoices import InvoiceStatusMachine
from refundgql.domain.kept_texts import INVOICE, INVOICED_WEEK_RELEASED
from refundgql.domain.ledger import held
from refundgql.domain.milestones import advance_milestone
from refundgql.domain.money import Money
from refundgql.domain.policy import Policy
from refundgql.domain.records import InvoiceRecord, RecordError
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.vocabulary import InvoiceStatus, MilestoneStatus, PaymentKind
from refundgql.storage.record_rows import Claim, StoredBillingWeek, StoredContract, StoredInvoice, StoredMilestone

Part = TypeVar("Part", StoredBillingWeek, StoredMilestone)


def apply_invoice(book: Book, policy: Policy, record: InvoiceRecord, superseded: bool) -> RecordOutcome:
    """Create or redescribe an invoice, and pay it when the record says so for the first time."""
    row = book.invoices.get(record.ref)
    contract = book.contract(record.contract)
    if record.amount.currency != contract.currency:
        raise other_currency(contract, "amount", "currencyCode")
    week = _part(book, contract, "billingWeek", record.billing_week, book.weeks)
    milestone = _part(book, contract, "milestone", record.milestone, book.milestones)
    if row is not None and row.status == InvoiceStatus.PAID:
        _check_links(row, contract, week, milestone)
        return _describe_paid(book, row, record, superseded)
    part = week or milestone
    # A week's invoice says what was charged for its hours, which is what can come back, however it was rounded.
    if milestone is not None and record.amount.minor != milestone.amount_minor:
        due = Money(milestone.amount_minor, milestone.currency)
        message = sentence(
            "MILESTONE_AMOUNT", "The amount of the milestone is {amount}: its invoice has the same.", amount=due
        )
        raise RecordError(message, "amount", "amount")
    if row is None:
        return _new_invoice(book, policy, record, contract, week, milestone)
    _check_links(row, contract, week, milestone)
    paid_at = None if record.paid_at is None else to_micros(record.paid_at)
    if paid_at is not None:
        _check_money(book, record, contract, part)
    outcome = redescribe(
        row,
        superseded and paid_at is None,
        number=record.number,
        amount_minor=record.amount.minor,
        issued_at=to_micros(record.issued_at),
        paid_at=paid_at,
        status=_status(paid_at),
    )
    if paid_at is not None:
        _pay(book, policy, row, record, contract, week, milestone, paid_at)
    return outcome


def _part(book: Book, contract: StoredContract, name: str, ref: str | None, rows: Mapping[str, Part]) -> Part | None:
    """Return the week or the milestone that an invoice is for."""
    if ref is None:
        return None
    row = book.known(rows, name, ref)
    if row.contract_id != contract.id:
        raise RecordError(
            sentence("OF_ANOTHER_CONTRACT", "The {what} '{ref}' belongs to another contract.", what=name, ref=ref), name
        )
    return row


def _status(paid_at: int | None) -> str:
    return (InvoiceStatus.ISSUED if paid_at is None else InvoiceStatus.PAID).value


def _check_links(
    row: StoredInvoice, contract: StoredContract, week: StoredBillingWeek | None, milestone: StoredMilestone | None
) -> None:
    fixed(row.contract_id == contract.id, phrase("The contract of an invoice"), "contract")
    fixed(row.billing_week_id == (None if week is None else week.id), phrase("The week of an invoice"), "billingWeek")
    fixed(
        row.milestone_id == (None if milestone is None else milestone.id),
        phrase("The milestone of an invoice"),
        "milestone",
    )


def _describe_paid(book: Book, row: StoredInvoice, record: InvoiceRecord, superseded: bool) -> RecordOutcome:
    if record.paid_at is None:
        return behind(row, record.revision, steps_back(phrase("An invoice"), row.status, _status(None), "paidAt"))
    fixed(row.amount_minor == record.amount.minor, phrase("The amount of a paid invoice"), "amount")
    fixed(row.paid_at == to_micros(record.paid_at), phrase("The instant of a payment"), "paidAt")
    check_from_balance(book, row.payment_id, record.from_balance)
    return redescribe(row, superseded, number=record.number, issued_at=to_micros(record.issued_at))


def _new_invoice(
    book: Book,
    policy: Policy,
    record: InvoiceRecord,
    contract: StoredContract,
    week: StoredBillingWeek | None,
    milestone: StoredMilestone | None,
) -> RecordOutcome:
    part = week or milestone
    if part is not None and part.payment_id in book.claims:
        taken = book.claims[part.payment_id].external_ref or ""
        name = "billingWeek" if week is not None else "milestone"
        message = sentence(
            "INVOICED_ALREADY", "The invoice '{ref}' is for it already: one payment has one invoice.", ref=taken
        )
        raise RecordError(message, name, rule="D14")
    paid_at = None if record.paid_at is None else to_micros(record.paid_at)
    if paid_at is not None:
        _check_money(book, record, contract, part)
    if part is None:
        payment_id = book.new_payment(PaymentKind.INVOICE.value, contract, contract.currency).id
    else:
        payment_id = part.payment_id
    row = StoredInvoice(
        str(uuid7()),
        record.ref,
        record.number,
        contract.id,
        payment_id,
        None if week is None else week.id,
        None if milestone is None else milestone.id,
        record.amount.minor,
        contract.currency,
        _status(paid_at),
        to_micros(record.issued_at),
        paid_at,
    )
    book.invoices[record.ref] = row
    book.claims[payment_id] = Claim(payment_id, record.ref)
    if paid_at is not None:
        _pay(book, policy, row, record, contract, week, milestone, paid_at)
    return RecordOutcome.CREATED


def _check_money(
    book: Book, record: InvoiceRecord, contract: StoredContract, part: StoredBillingWeek | StoredMilestone | None
) -> None:
    """Refuse a share of the balance that is not there, or not what already funded the milestone."""
    if way(InvoiceStatusMachine, InvoiceStatus.ISSUED.value, InvoiceStatus.PAID.value) is None:
        raise steps_back(phrase("An invoice"), InvoiceStatus.ISSUED.value, InvoiceStatus.PAID.value)
    payment = None if part is None else book.payments[part.payment_id]
    if payment is not None and payment.paid_minor:
        check_from_balance(book, payment.id, record.from_balance)
    else:
        check_cover(book, client_balance(contract), record.from_balance, phrase("client's balance"), "C19")


def _pay(
    book: Book,
    policy: Policy,
    row: StoredInvoice,
    record: InvoiceRecord,
    contract: StoredContract,
    week: StoredBillingWeek | None,
    milestone: StoredMilestone | None,
    paid_at: int,
) -> None:
    payment = book.payments[row.payment_id]
    if payment.paid_minor:
        return  # the milestone's funding was this very payment: one posting
    share = 0 if record.from_balance is None else record.from_balance.minor
    told = INVOICE.of(number=row.number)
    hold = held(payment.id, row.currency)
    if milestone is not None:
        advance_milestone(MilestoneStatus(milestone.status), MilestoneStatus.FUNDED)
        milestone.status, milestone.funded_at, milestone.dirty = MilestoneStatus.FUNDED.value, paid_at, True
        book.pay(payment, contract, hold, row.amount_minor, share, paid_at, told)
        return
    cut_off = None if week is None else to_micros(CUT_OFF.end(from_micros(week.ends_at), policy))
    if week is None or cut_off is None or paid_at >= cut_off:
        book.pay(payment, contract, expert_balance(contract), row.amount_minor, share, paid_at, told)
        if week is not None:
            week.released_at, week.dirty = paid_at, True
        return
    book.pay(payment, contract, hold, row.amount_minor, share, paid_at, told)
    if book.at < cut_off:
        book.set_clock(week, cut_off)
        return
    # The cut-off has passed before the payment was told: nobody can dispute the week any more (C25).
    book.release(payment, contract, cut_off, INVOICED_WEEK_RELEASED.of(number=row.number))
    week.released_at, week.dirty = cut_off, True
