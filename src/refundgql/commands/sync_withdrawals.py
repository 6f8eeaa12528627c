"""Checking what the marketplace reports of a withdrawal before its own command takes it further (D10).

It must not move money: commands/withdrawals.py does, with the withdrawal's machine.
"""

from __future__ import annotations

from refundgql.commands.sync_book import Book
from refundgql.commands.sync_contracts import steps_back, way
from refundgql.commands.sync_people import Outcome, fixed
from refundgql.domain.records import RecordError, WithdrawalRecord
from refundgql.domain.vocabulary import RefusalCode, WithdrawalStatus
from refundgql.domain.withdrawals import WithdrawalMachine


def apply_withdrawal(book: Book, record: WithdrawalRecord, superseded: bool) -> Outcome:
    """Tell whether the report takes the withdrawal further; its steps are taken after the batch's rows are kept."""
    row = book.withdrawals.get(record.ref)
    if row is None:
        message = "There is no such withdrawal that you can see; check the id."
        raise RecordError(message, "id", code=RefusalCode.NOT_FOUND)
    if row.status == record.status:
        same = record.failure_reason is None or record.failure_reason == row.failure_reason
        fixed(same, "The reason of a failure", "failureReason")
        return Outcome.UNCHANGED
    on_the_way = way(WithdrawalMachine, row.status, record.status.value)
    if on_the_way is None:
        if superseded:
            return Outcome.UNCHANGED
        raise steps_back("withdrawal", row.status, record.status.value)
    if record.status is WithdrawalStatus.FAILED and record.failure_reason is None:
        raise RecordError("Say why the withdrawal failed: its owner reads it.", "failureReason")
    for status in on_the_way:
        book.withdrawal_steps.append((row.id, WithdrawalStatus(status), record.failure_reason))
    book.refunding = record.status is WithdrawalStatus.FAILED
    row.status, row.failure_reason, row.dirty = record.status.value, record.failure_reason, True
    return Outcome.UPDATED
