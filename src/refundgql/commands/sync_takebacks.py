"""Applying refunds of the past and chargebacks (D25) to the working set: money of a payment that went back."""

from __future__ import annotations

from uuid_utils import uuid7

from refundgql.commands.sync_book import Book, ChargebackStep, PaidSubject, client_balance, expert_balance
from refundgql.commands.sync_contracts import is_behind, steps_back, way
from refundgql.commands.sync_people import RecordOutcome, behind, fixed
from refundgql.domain.calendar import to_micros
from refundgql.domain.chargebacks import ChargebackMachine
from refundgql.domain.entries import CHARGEBACK, REFUND
from refundgql.domain.ledger import balance, external
from refundgql.domain.milestones import advance_milestone
from refundgql.domain.money import Money
from refundgql.domain.records import ChargebackRecord, RecordError, RefundRecord, SubjectKind
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.vocabulary import BalancePurpose, ChargebackStatus, MilestoneStatus, RefusalCode
from refundgql.storage.record_rows import StoredChargeback, StoredContract, StoredPastRefund, StoredTotals


def apply_refund(book: Book, record: RefundRecord) -> RecordOutcome:
    """Credit a refund of the past once: in the client's balance, or in the professional's lead credit."""
    about = _subject(book, record.about, record.subject)
    payment, minor = about.payment, record.amount.minor
    _check_currency(about, record.amount)
    credited_at = to_micros(record.credited_at)
    row = book.past_refunds.get(record.ref)
    if row is not None:
        fixed(row.payment_id == payment.id, phrase("What a refund is about"), record.about.value)
        fixed(row.amount_minor == minor, phrase("The amount of a refund"), "amount")
        fixed(row.credited_at == credited_at, phrase("The instant of a refund"), "creditedAt")
        return RecordOutcome.UNCHANGED
    left = payment.paid_minor - payment.refunded_minor - payment.reserved_minor - payment.charged_back_minor
    _check_left(about, record, left, "D9")
    currency = payment.currency
    book.past_refunds[record.ref] = StoredPastRefund(str(uuid7()), record.ref, payment.id, currency, minor, credited_at)
    if about.lead is not None:
        to_key = balance(about.lead.pro_id, BalancePurpose.LEADS, currency)
    else:
        to_key = client_balance(_contract_of(about))
    book.take_back(payment, about, to_key, minor, REFUND, credited_at)
    payment.refunded_minor += minor
    payment.dirty = True
    book.told_changes.append((payment.id, minor, 0))
    if about.contract is not None:
        totals = book.totals.setdefault(about.contract.id, StoredTotals(about.contract.id, 0, 0))
        totals.refunded_minor += minor
        totals.dirty = True
    milestone = about.milestone
    is_back = payment.refunded_minor >= payment.paid_minor
    if is_back and milestone is not None and milestone.status == MilestoneStatus.FUNDED:
        advance_milestone(MilestoneStatus.FUNDED, MilestoneStatus.RETURNED)
        milestone.status, milestone.dirty = MilestoneStatus.RETURNED.value, True
    return RecordOutcome.CREATED


def apply_chargeback(book: Book, record: ChargebackRecord) -> RecordOutcome:
    """Keep what a bank wants back from being refunded; what is lost leaves, what is won may be refunded again."""
    about = _subject(book, record.about, record.subject)
    payment, minor, status = about.payment, record.amount.minor, record.status
    _check_currency(about, record.amount)
    opened_at = to_micros(record.opened_at)
    row = book.chargebacks.get(record.ref)
    if row is None:
        _check_left(about, record, payment.paid_minor - payment.refunded_minor - payment.charged_back_minor, "D25")
        row = StoredChargeback(
            str(uuid7()), record.ref, payment.id, payment.currency, minor, status.value, opened_at, book.at
        )
        book.chargebacks[record.ref] = row
        _move(book, about, row, 0)
        return RecordOutcome.CREATED
    fixed(row.payment_id == payment.id, phrase("What a chargeback is about"), record.about.value)
    fixed(row.opened_at == opened_at, phrase("The instant of a chargeback"), "openedAt")
    on_the_way = way(ChargebackMachine, row.status, status.value)
    if on_the_way is None:
        refused = steps_back(phrase("A chargeback"), row.status, status.value)
        if is_behind(ChargebackMachine, status.value, row.status):
            return behind(row, record.revision, refused)
        raise refused
    before = row.amount_minor
    if row.status != ChargebackStatus.OPEN:
        fixed(before == minor, phrase("The amount of a chargeback that is decided"), "amount")
    if not on_the_way and before == minor:
        return RecordOutcome.UNCHANGED
    left = payment.paid_minor - payment.refunded_minor - payment.charged_back_minor + before
    _check_left(about, record, left, "D25")
    row.amount_minor, row.status, row.updated_at, row.dirty = minor, status.value, book.at, True
    _move(book, about, row, before)
    return RecordOutcome.UPDATED


def _move(book: Book, about: PaidSubject, row: StoredChargeback, before_minor: int) -> None:
    """Count a chargeback as it stands now instead of as it was, and take the money where it is lost."""
    payment, minor = about.payment, row.amount_minor
    delta_minor = (0 if row.status == ChargebackStatus.WON else minor) - before_minor
    payment.charged_back_minor += delta_minor
    payment.dirty = True
    book.told_changes.append((payment.id, 0, delta_minor))
    if row.status == ChargebackStatus.LOST:
        book.take_back(payment, about, external(payment.currency), minor, CHARGEBACK, book.at)
    elif row.status == ChargebackStatus.WON and about.contract is not None:
        key = expert_balance(about.contract)
        if key in book.awaiting:
            book.funded.add(key)  # an approved refund may have waited for this, not for money
    told = Money(minor, payment.currency)
    book.charged_back.append(ChargebackStep(payment.id, ChargebackStatus(row.status), told))


def _subject(book: Book, about: SubjectKind, ref: str) -> PaidSubject:
    """Return the payment that a record is about.

    Refuses: RecordError.
    """
    if about is SubjectKind.LEAD:
        lead = book.lead(ref)
        return PaidSubject(book.payments[lead.payment_id], None, lead, None, lead.title)
    if about is SubjectKind.MILESTONE:
        milestone = book.known(book.milestones, "milestone", ref)
        contract = book.contract_by_id(milestone.contract_id)
        return PaidSubject(book.payments[milestone.payment_id], contract, None, milestone, milestone.title)
    invoice = book.known(book.invoices, "invoice", ref)
    of_invoice = next((it for it in book.milestones.values() if it.payment_id == invoice.payment_id), None)
    contract = book.contract_by_id(invoice.contract_id)
    return PaidSubject(book.payments[invoice.payment_id], contract, None, of_invoice, f"invoice {invoice.number}")


def _contract_of(about: PaidSubject) -> StoredContract:
    if about.contract is None:
        raise ValueError("this payment belongs to a lead, not to a contract")
    return about.contract


def _check_currency(about: PaidSubject, amount: Money) -> None:
    if amount.currency != about.payment.currency:
        message = sentence(
            "PAYMENT_CURRENCY", "The payment is in {currency}: give the amount in it.", currency=about.payment.currency
        )
        raise RecordError(message, "amount", "currencyCode", code=RefusalCode.CURRENCY_MISMATCH, rule="D2")


def _check_left(about: PaidSubject, record: RefundRecord | ChargebackRecord, left_minor: int, rule: str) -> None:
    """Refuse more than what is left of a payment, and anything of one that was not paid."""
    if about.payment.paid_minor == 0:
        code, what = (
            RefusalCode.INVOICE_NOT_PAID,
            sentence("INVOICE_NOT_PAID", "This invoice is not paid: tell its payment first."),
        )
        if record.about is SubjectKind.MILESTONE:
            code, what = (
                RefusalCode.MILESTONE_NOT_FUNDED,
                sentence("MILESTONE_NOT_FUNDED", "This milestone is not funded: tell its funding first."),
            )
        raise RecordError(what, record.about.value, code=code, rule="C11")
    if record.amount.minor > left_minor:
        left = Money(max(left_minor, 0), about.payment.currency)
        message = sentence(
            "LESS_IS_LEFT", "Of this payment {left} are left, after what was refunded and charged back.", left=left
        )
        raise RecordError(message, "amount", "amount", code=RefusalCode.AMOUNT_EXCEEDS_REFUNDABLE, rule=rule)
