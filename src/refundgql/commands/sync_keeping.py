"""What a working set writes, as plain values: sync_records.py writes it at once, an import when all is checked."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from refundgql.commands.sync_book import Book
from refundgql.domain.policy import Policy
from refundgql.domain.review_hiding import reviews_hidden
from refundgql.domain.vocabulary import WithdrawalStatus
from refundgql.storage.record_rows import (
    StoredBillingWeek,
    StoredInvoice,
    StoredMilestone,
    StoredPosting,
    StoredReview,
    StoredWeekClock,
)
from refundgql.storage.records import RowsWritten, inserted_rows, told_changes, updated_rows

UNDER_WAY = (WithdrawalStatus.REQUESTED.value, WithdrawalStatus.SENT.value)
"""Made withdrawals that concern their owner now; others are of the past, and moving in rings nobody's phone."""


class Keeping(NamedTuple):
    """Everything that keeping a working set does, in texts, numbers, tuples, lists and dicts alone."""

    written: list[RowsWritten]
    renamed: dict[str, str]
    recounted: list[str]
    changed_account_ids: list[str]
    hidden: dict[str, bool]
    """Contracts whose reviews are hidden now, or shown again (C21)."""
    role_changes: list[tuple[str, str, str]]
    """Account id, roles before and after."""
    answered_payment_ids: list[str]
    """Payments that were released or refunded elsewhere: ways on from an answer may have closed with that."""
    under_way: list[tuple[str, str, str]]
    """Withdrawals that the marketplace made and that have not arrived: id, account id, status."""


def keeping_of(book: Book, policy: Policy) -> Keeping:
    """Return what the working set holds that the tables do not."""
    hidden = _hide_reviews(book, policy)
    _raise_versions(book)
    written: list[RowsWritten | None] = []
    for row_type, rows in book.tables():
        written.append(inserted_rows(row_type, [row for row in rows.values() if not row.stored]))
        written.append(updated_rows(row_type, [row for row in rows.values() if row.stored and row.dirty]))
    written.append(inserted_rows(StoredPosting, book.postings))
    written.append(inserted_rows(StoredWeekClock, book.clocks))
    written.append(told_changes(book.told_changes, book.at))
    changed = [row.id for row in book.accounts.values() if row.stored and row.dirty]
    kept = [rows for rows in written if rows is not None]
    made = [row for row in book.withdrawals.values() if not row.stored and row.status in UNDER_WAY]
    under_way = [(row.id, row.account_id, row.status) for row in made]
    refunded = [one for one, refunded_minor, _ in book.told_changes if refunded_minor and book.payments[one].stored]
    answered = [*book.released, *refunded]
    return Keeping(kept, book.renamed, sorted(book.recounted), changed, hidden, book.role_changes, answered, under_way)


def _raise_versions(book: Book) -> None:
    """Write contracts and payments anew whose facts lie in rows beside them: that raises their versions."""
    contracts = {row.id: row for row in book.contracts.values()}
    beside: chain[StoredBillingWeek | StoredMilestone | StoredInvoice | StoredReview] = chain(
        book.weeks.values(), book.milestones.values(), book.invoices.values(), book.reviews.values()
    )
    for row in beside:
        if row.dirty or not row.stored:
            contracts[row.contract_id].dirty = True


def _hide_reviews(book: Book, policy: Policy) -> dict[str, bool]:
    """Compute anew whether the reviews of contracts that were paid are hidden (C21); return which changed."""
    changed = [totals for totals in book.totals.values() if totals.dirty]
    found: dict[str, bool] = {}
    if not changed:
        return found
    contracts = {row.id: row for row in book.contracts.values()}
    for totals in changed:
        contract = contracts[totals.key]
        hidden = reviews_hidden(totals.paid_minor, totals.refunded_minor, contract.currency, policy)
        if hidden != bool(contract.reviews_hidden):
            contract.reviews_hidden, contract.dirty = hidden, True
            found[contract.id] = hidden
    return found
