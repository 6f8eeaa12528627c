"""Apply what the marketplace reports of withdrawals: steps of those made here, and those it made itself (D10)."""

from __future__ import annotations

from dataclasses import replace

from uuid_utils import uuid7

from refundgql.commands.sync_book import Book
from refundgql.commands.sync_contracts import is_behind, steps_back, way
from refundgql.commands.sync_people import RecordOutcome, behind, fixed
from refundgql.domain.business_days import withdrawal_estimate
from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.money import Money
from refundgql.domain.policy import Policy
from refundgql.domain.records import RecordError, WithdrawalRecord
from refundgql.domain.refusals import not_found
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.vocabulary import RefusalCode, WithdrawalStatus
from refundgql.domain.withdrawals import Withdrawal, WithdrawalMachine, money_of, take_out
from refundgql.storage.record_rows import StoredWithdrawal


def apply_withdrawal(book: Book, policy: Policy, record: WithdrawalRecord) -> RecordOutcome:
    """Tell whether the report takes the withdrawal further; its steps are taken after the batch's rows are kept."""
    row = book.withdrawals.get(record.ref)
    if record.status is WithdrawalStatus.FAILED and record.failure_reason is None and row is None:
        raise _unexplained()
    if row is None:
        return _told(book, policy, record)
    _check_same(book, row, record)
    if row.status == record.status:
        same = record.failure_reason is None or record.failure_reason == row.failure_reason
        fixed(same or row.cancelled_at is not None, phrase("The reason of a failure"), "failureReason")
        return RecordOutcome.UNCHANGED
    refused = steps_back(phrase("A withdrawal"), row.status, record.status.value)
    if row.cancelled_at is not None:
        message = sentence(
            "WITHDRAWAL_WAS_CANCELLED", "Its owner cancelled this withdrawal before it was sent: do not send its money."
        )
        raise RecordError(message, "status", code=RefusalCode.STALE, rule="D10")
    if is_behind(WithdrawalMachine, record.status.value, row.status):
        return behind(row, record.revision, refused)
    on_the_way = way(WithdrawalMachine, row.status, record.status.value)
    if on_the_way is None:
        raise refused
    if record.status is WithdrawalStatus.FAILED and record.failure_reason is None:
        raise _unexplained()
    row.status, row.failure_reason, row.dirty = record.status.value, record.failure_reason, True
    if not row.stored:  # it is kept as it stands now, with where its money has gone
        _end(book, row)
        return RecordOutcome.UPDATED
    for status in on_the_way:
        book.withdrawal_steps.append((row.id, WithdrawalStatus(status), record.failure_reason))
    book.refunding = book.refunding or record.status is WithdrawalStatus.FAILED
    return RecordOutcome.UPDATED


def _unexplained() -> RecordError:
    return RecordError(
        sentence("FAILURE_REASON_MISSING", "Say why the withdrawal failed: its owner reads it."), "failureReason"
    )


def _check_same(book: Book, row: StoredWithdrawal, record: WithdrawalRecord) -> None:
    if record.account is not None and row.account_id not in book.erased:
        owner = book.account(record.account, "account")
        fixed(owner.id == row.account_id, phrase("The owner of a withdrawal"), "account")
    if record.amount is not None:
        same = (record.amount.minor, record.amount.currency) == (row.amount_minor, row.currency)
        fixed(same, phrase("The amount of a withdrawal"), "amount")
    if record.requested_at is not None:
        fixed(to_micros(record.requested_at) == row.requested_at, phrase("The instant of a withdrawal"), "requestedAt")


def _told(book: Book, policy: Policy, record: WithdrawalRecord) -> RecordOutcome:
    """Keep a withdrawal that the marketplace made: it has happened, so that it may overdraw the balance."""
    if record.made_here or (record.account is None and record.amount is None and record.requested_at is None):
        raise RecordError(not_found(phrase("withdrawal")).message, "id", code=RefusalCode.NOT_FOUND)
    if record.account is None or record.amount is None or record.requested_at is None:
        missing = {"account": record.account, "amount": record.amount, "requestedAt": record.requested_at}
        path = next(name for name, value in missing.items() if value is None)
        raise RecordError(
            sentence("WITHDRAWAL_INCOMPLETE", "Tell account, amount and requestedAt of a withdrawal that you made."),
            path,
        )
    owner = book.account(record.account, "account")
    minor, currency, at = record.amount.minor, record.amount.currency, to_micros(record.requested_at)
    estimate = withdrawal_estimate(record.requested_at, policy, book.holiday_calendar)
    row = StoredWithdrawal(
        str(uuid7()),
        record.ref,
        owner.id,
        currency,
        minor,
        record.status.value,
        at,
        at,
        estimate[0].isoformat(),
        estimate[1].isoformat(),
        record.failure_reason,
    )
    book.withdrawals[record.ref] = row
    book.post([replace(take_out(_withdrawal_of(row)), may_overdraw=True)], at)
    _end(book, row)
    return RecordOutcome.CREATED


def _withdrawal_of(row: StoredWithdrawal) -> Withdrawal:
    at = from_micros(row.requested_at)
    return Withdrawal(
        id=row.id,
        account_id=row.account_id,
        amount=Money(row.amount_minor, row.currency),
        status=WithdrawalStatus(row.status),
        requested_at=at,
        updated_at=at,
        failure_reason=row.failure_reason,
    )


def _end(book: Book, row: StoredWithdrawal) -> None:
    """Let the money of a withdrawal of this batch arrive, or come back, as its status says."""
    posting_id = next(one.id for one in book.postings if one.withdrawal_id == row.id)
    book.post(money_of(replace(_withdrawal_of(row), posting_id=posting_id)), row.requested_at)
