"""Applying records about people, leads and their chats to the working set."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from uuid_utils import uuid7

from refundgql.commands.sync_book import Book, Revised
from refundgql.domain.calendar import to_micros
from refundgql.domain.entries import charge_entry, opening_entry
from refundgql.domain.ledger import balance
from refundgql.domain.money import Money
from refundgql.domain.records import AccountRecord, LeadRecord, MessageRecord, RecordError
from refundgql.domain.sentences import Sentence, phrase, sentence
from refundgql.domain.vocabulary import BalancePurpose, PaymentKind, RefusalCode, Role
from refundgql.storage.record_rows import PaidShare, Stored, StoredAccount, StoredLead, StoredMessage


class RecordOutcome(StrEnum):
    """What a record did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STALE = "stale"


def redescribe(row: Stored, superseded: bool, **values: Any) -> RecordOutcome:
    """Set what may change freely, and tell whether anything did.

    A record that a later one of its source restates leaves a row that was there before alone: so does a replay.
    """
    if superseded and row.stored:
        return RecordOutcome.UNCHANGED
    changed = False
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed = True
    if not changed:
        return RecordOutcome.UNCHANGED
    row.dirty = True
    return RecordOutcome.UPDATED


def fixed(same: bool, what: Sentence, *path: str) -> None:
    """Refuse another value for what is fixed.

    Refuses: RecordError.
    """
    if not same:
        raise RecordError(
            sentence("CANNOT_CHANGE", "{what} cannot change any more: send the record with what it was.", what=what),
            *path,
        )


def behind(row: Revised, revision: str | None, contradiction: RecordError) -> RecordOutcome:
    """Tell what becomes of a record that says less than has happened: nothing, since it is an old one told again.

    Refuses: the contradiction, when its revision says that it is newer than what is held.
    """
    if revision is not None and row.revision is not None and revision > row.revision:
        raise contradiction
    return RecordOutcome.UNCHANGED


_RECORDED = frozenset({Role.SUPPORT, Role.ADMIN, Role.SERVICE})
"""Roles that are recorded from the beginning; of others only changes are."""


def apply_account(book: Book, record: AccountRecord, superseded: bool) -> RecordOutcome:
    """Create or update an account; each opening balance is posted once, from outside or, below zero, to it."""
    roles = ",".join(record.roles)
    row = book.accounts.get(record.ref)
    if row is None:
        row = StoredAccount(str(uuid7()), record.ref, record.name, roles, None, None, book.at)
        book.accounts[record.ref] = row
        if _RECORDED.intersection(record.roles):
            book.role_changes.append((row.id, "", roles))
        _open_balances(book, row, record)
        return RecordOutcome.CREATED
    if record.name != row.name and not (superseded and row.stored):
        book.renamed[row.id] = record.name
    before = row.roles
    outcome = redescribe(row, superseded, name=record.name, roles=roles)
    if row.roles != before:
        book.role_changes.append((row.id, before, row.roles))
    return RecordOutcome.UPDATED if _open_balances(book, row, record) else outcome


def _open_balances(book: Book, row: StoredAccount, record: AccountRecord) -> bool:
    """Post the opening balances that were not known yet, and tell whether there were any."""
    opening, lead_credit = record.opening_balance, record.opening_lead_credit
    at = book.at if record.opening_at is None else to_micros(record.opening_at)
    known = row.opening_minor is not None or row.opening_leads_minor is not None
    if known and record.opening_at is not None and row.opening_at is not None:
        fixed(row.opening_at == at, phrase("The instant of an opening balance that was posted"), "openingAt")
    posted = False
    if opening is not None:
        held = (row.opening_minor, row.opening_currency)
        if row.opening_minor is None:
            book.post(opening_entry(row.id, BalancePurpose.CONTRACTS, opening), at)
            row.opening_minor, row.opening_currency, posted = opening.minor, opening.currency, True
        else:
            same = held == (opening.minor, opening.currency)
            fixed(same, phrase("An opening balance that was posted"), "openingBalance")
    if lead_credit is not None:
        held = (row.opening_leads_minor, row.opening_leads_currency)
        if row.opening_leads_minor is None:
            book.post(opening_entry(row.id, BalancePurpose.LEADS, lead_credit), at)
            row.opening_leads_minor, row.opening_leads_currency, posted = lead_credit.minor, lead_credit.currency, True
        else:
            same = held == (lead_credit.minor, lead_credit.currency)
            fixed(same, phrase("Lead credit that was posted"), "openingLeadCredit")
    if posted:
        row.opening_at, row.dirty = at, True
    return posted


def apply_lead(book: Book, record: LeadRecord, superseded: bool) -> RecordOutcome:
    """Create or update a lead; its price is charged once, from the professional's lead balance (L17)."""
    row = book.leads.get(record.ref)
    if row is not None and not book.erased.isdisjoint((row.pro_id, row.customer_id)):
        return RecordOutcome.UNCHANGED  # its words are not told again (D30)
    pro = book.account(record.pro, "pro", Role.PRO if row is None else None)
    customer = book.account(record.customer, "customer", Role.CUSTOMER if row is None else None)
    charged_at = to_micros(record.charged_at)
    if row is not None:
        fixed(row.pro_id == pro.id, phrase("The professional of a lead"), "pro")
        fixed(row.customer_id == customer.id, phrase("The customer of a lead"), "customer")
        price = record.price
        fixed((row.price_minor, row.currency) == (price.minor, price.currency), phrase("A charged price"), "price")
        fixed(row.charged_at == charged_at, phrase("The instant of a charge"), "chargedAt")
        check_from_balance(book, row.payment_id, record.from_balance)
        return redescribe(row, superseded, title=record.title, category=record.category, location=record.location)
    if pro is customer:
        raise RecordError(
            sentence("LEAD_PARTIES_ARE_ONE_ACCOUNT", "The professional and the customer of a lead are two accounts."),
            "customer",
        )
    minor, currency = record.price.minor, record.price.currency
    purse = balance(pro.id, BalancePurpose.LEADS, currency)
    check_cover(book, purse, record.from_balance, phrase("professional's lead credit"), "L17")
    payment = book.new_payment(PaymentKind.LEAD.value, None, currency, minor)
    book.leads[record.ref] = StoredLead(
        str(uuid7()),
        record.ref,
        payment.id,
        pro.id,
        customer.id,
        customer.name,
        record.title,
        record.category,
        record.location,
        minor,
        currency,
        charged_at,
        None,
    )
    share = 0 if record.from_balance is None else record.from_balance.minor
    if share:
        book.shares[payment.id] = PaidShare(payment.id, share)
    book.post(charge_entry(payment.id, pro.id, record.price, share, record.title), charged_at)
    return RecordOutcome.CREATED


def check_cover(book: Book, key: str, from_balance: Money | None, whose: Sentence, rule: str) -> None:
    """Refuse to pay from a balance that does not hold the amount (C19, L17)."""
    if from_balance is None:
        return
    row = book.balances.get(key)
    available = 0 if row is None else row.balance_minor
    if from_balance.minor > available:
        message = sentence(
            "FROM_BALANCE_NOT_COVERED",
            "The {whose} holds {available}, less than fromBalance.",
            whose=whose,
            available=Money(max(available, 0), from_balance.currency),
        )
        raise RecordError(message, "fromBalance", "amount", code=RefusalCode.BALANCE_INSUFFICIENT, rule=rule)


def check_from_balance(book: Book, payment_id: str, stated: Money | None) -> None:
    """Refuse another share from the balance than the one that was posted."""
    if stated is not None:
        share = book.shares.get(payment_id)
        fixed(share is not None and share.minor == stated.minor, phrase("What the balance paid"), "fromBalance")


def apply_message(book: Book, record: MessageRecord, superseded: bool) -> RecordOutcome:
    """Create, edit or delete a chat message; what was frozen as evidence stays as it was (L16)."""
    lead = book.lead(record.lead)
    if book.is_about_erased(record.author, lead.pro_id, lead.customer_id):
        return RecordOutcome.UNCHANGED
    author = book.account(record.author, "author")
    if author.id not in (lead.pro_id, lead.customer_id):
        message = sentence("NOT_IN_THIS_CHAT", "Only the professional and the customer of a lead write in its chat.")
        raise RecordError(message, "author")
    sent_at = to_micros(record.sent_at)
    deleted_at = None if record.deleted_at is None else to_micros(record.deleted_at)
    row = book.messages.get(record.ref)
    if row is None:
        book.messages[record.ref] = StoredMessage(
            str(uuid7()), record.ref, lead.id, author.id, record.body, sent_at, deleted_at
        )
        if deleted_at is None and (lead.last_message_at is None or sent_at > lead.last_message_at):
            lead.last_message_at = sent_at
            lead.dirty = True
        return RecordOutcome.CREATED
    fixed(row.lead_id == lead.id, phrase("The lead of a message"), "lead")
    fixed(row.author_id == author.id, phrase("The author of a message"), "author")
    if row.deleted_at is not None and deleted_at is None:
        told = sentence("DELETED_MESSAGE_STAYS", "A deleted message does not come back: send it with deletedAt.")
        return behind(row, record.revision, RecordError(told, "deletedAt"))
    if (row.sent_at, row.deleted_at) != (sent_at, deleted_at):
        book.recounted.add(lead.id)
    return redescribe(row, superseded, body=record.body, sent_at=sent_at, deleted_at=deleted_at)
