"""Applying records about people, leads and their chats to the working set.

It must not read or write rows: whatever a record needs has been found before, and is kept afterwards.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from uuid_utils import uuid7

from refundgql.commands.sync_book import Book, StepsBack
from refundgql.domain.calendar import to_micros
from refundgql.domain.ledger import balance, external, platform_leads
from refundgql.domain.records import AccountRecord, LeadRecord, MessageRecord, RecordError
from refundgql.domain.vocabulary import BalancePurpose, PaymentKind, Role
from refundgql.storage.record_rows import AccountRow, LeadRow, MessageRow, Stored


class Outcome(StrEnum):
    """What a record did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


def describe(row: Stored, superseded: bool, **values: Any) -> Outcome:
    """Set what may change freely, and tell whether anything did.

    A record that a later one of its source restates leaves a row that was there before alone: so does a replay.
    """
    if superseded and row.stored:
        return Outcome.UNCHANGED
    changed = False
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed = True
    if not changed:
        return Outcome.UNCHANGED
    row.dirty = True
    return Outcome.UPDATED


def fixed(same: bool, what: str, *path: str) -> None:
    """Refuse another value for what is fixed.

    Refuses: RecordError.
    """
    if not same:
        raise RecordError(f"{what} cannot change any more: send the record with what it was.", *path)


def apply_account(book: Book, record: AccountRecord, superseded: bool) -> Outcome:
    """Create or update an account; its opening balance is posted once, from outside to its CONTRACTS balance."""
    opening = record.opening_balance
    roles = ",".join(record.roles)
    row = book.accounts.get(record.ref)
    if row is None:
        row = AccountRow(str(uuid7()), record.ref, record.name, roles, None, None, book.at)
        book.accounts[record.ref] = row
        _open_balance(book, row, record)
        return Outcome.CREATED
    known = row.opening_minor is not None
    if known and opening is not None:
        same = (opening.minor, opening.currency) == (row.opening_minor, row.opening_currency)
        fixed(same, "An opening balance that was posted", "openingBalance")
    if record.name != row.name and not (superseded and row.stored):
        book.renamed[row.id] = record.name
    outcome = describe(row, superseded, name=record.name, roles=roles)
    if not known and opening is not None:
        _open_balance(book, row, record)
        outcome = Outcome.UPDATED
    return outcome


def _open_balance(book: Book, row: AccountRow, record: AccountRecord) -> None:
    opening = record.opening_balance
    if opening is None:
        return
    to_key = balance(row.id, BalancePurpose.CONTRACTS, opening.currency)
    book.post(
        "OPENING", external(opening.currency), to_key, opening.minor, opening.currency, book.at, "Opening balance"
    )
    row.opening_minor, row.opening_currency, row.dirty = opening.minor, opening.currency, True


def apply_lead(book: Book, record: LeadRecord, superseded: bool) -> Outcome:
    """Create or update a lead; its price is charged once, from the professional's lead balance (L17)."""
    row = book.leads.get(record.ref)
    pro = book.account(record.pro, "pro", Role.PRO if row is None else None)
    customer = book.account(record.customer, "customer", Role.CUSTOMER if row is None else None)
    charged_at = to_micros(record.charged_at)
    if row is not None:
        fixed(row.pro_id == pro.id, "The professional of a lead", "pro")
        fixed(row.customer_id == customer.id, "The customer of a lead", "customer")
        price = record.price
        fixed((row.price_minor, row.currency) == (price.minor, price.currency), "A charged price", "price")
        fixed(row.charged_at == charged_at, "The instant of a charge", "chargedAt")
        return describe(row, superseded, title=record.title, category=record.category, location=record.location)
    if pro is customer:
        raise RecordError("The professional and the customer of a lead are two accounts.", "customer")
    minor, currency = record.price.minor, record.price.currency
    payment = book.new_payment(PaymentKind.LEAD.value, None, currency, minor)
    book.leads[record.ref] = LeadRow(
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
    purse = balance(pro.id, BalancePurpose.LEADS, currency)
    short = minor - max(book.balance_of(purse).balance_minor, 0)
    if short > 0:
        book.post("TOP_UP", external(currency), purse, short, currency, charged_at, "Paid for a lead", payment.id)
    told = f"Lead: {record.title}"
    book.post("CHARGE", purse, platform_leads(currency), minor, currency, charged_at, told, payment.id)
    return Outcome.CREATED


def apply_message(book: Book, record: MessageRecord, superseded: bool) -> Outcome:
    """Create, edit or delete a chat message; what was frozen as evidence stays as it was (L16)."""
    lead = book.lead(record.lead)
    author = book.account(record.author, "author")
    if author.id not in (lead.pro_id, lead.customer_id):
        raise RecordError("Only the professional and the customer of a lead write in its chat.", "author")
    sent_at = to_micros(record.sent_at)
    deleted_at = None if record.deleted_at is None else to_micros(record.deleted_at)
    row = book.messages.get(record.ref)
    if row is None:
        book.messages[record.ref] = MessageRow(
            str(uuid7()), record.ref, lead.id, author.id, record.body, sent_at, deleted_at
        )
        if deleted_at is None and (lead.last_message_at is None or sent_at > lead.last_message_at):
            lead.last_message_at = sent_at
            lead.dirty = True
        return Outcome.CREATED
    fixed(row.lead_id == lead.id, "The lead of a message", "lead")
    fixed(row.author_id == author.id, "The author of a message", "author")
    if row.deleted_at is not None and deleted_at is None:
        if superseded:
            return Outcome.UNCHANGED
        raise StepsBack("A deleted message does not come back: send it with deletedAt.", "deletedAt")
    if (row.sent_at, row.deleted_at) != (sent_at, deleted_at):
        book.recounted.add(lead.id)
    return describe(row, superseded, body=record.body, sent_at=sent_at, deleted_at=deleted_at)
