"""The marketplace's records taken in: one batch, one transaction, upsert by external reference."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from refundgql.commands.assignments import take_back_cases
from refundgql.commands.chargebacks import tell_cases
from refundgql.commands.settle import settle_balances
from refundgql.commands.sync_book import Book, DependsOnFaulty
from refundgql.commands.sync_contracts import apply_contract, apply_review, apply_week
from refundgql.commands.sync_finding import DatabaseFinder, fill
from refundgql.commands.sync_invoices import apply_invoice
from refundgql.commands.sync_keeping import Keeping, keeping_of
from refundgql.commands.sync_milestones import apply_milestone
from refundgql.commands.sync_people import RecordOutcome, apply_account, apply_lead, apply_message
from refundgql.commands.sync_takebacks import apply_chargeback, apply_refund
from refundgql.commands.sync_withdrawals import apply_withdrawal
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.commands.withdrawals import change_withdrawal
from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.ledger import contracts_owner
from refundgql.domain.past import check_past
from refundgql.domain.policy import Policy
from refundgql.domain.record_parsing import parse_record
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
    RecordError,
    RefundRecord,
    ReviewRecord,
    WithdrawalRecord,
    is_older,
)
from refundgql.domain.refusals import BasicRefusal, Refused, refusal
from refundgql.domain.sentences import sentence
from refundgql.domain.topics import ACCOUNTS
from refundgql.domain.viewers import STAFF, Viewer
from refundgql.domain.vocabulary import RefusalCode
from refundgql.domain.webhooks import reviews_told
from refundgql.domain.withdrawals import withdrawal_told
from refundgql.storage.accounts import roles_from
from refundgql.storage.audit import AuditAction
from refundgql.storage.audit import record as record_act
from refundgql.storage.clocks import look_at_cases
from refundgql.storage.faults import ConstraintViolated, TransientFault
from refundgql.storage.records import lock_unchanged, recount_last_messages, rename_customers, take_turn, write_rows
from refundgql.storage.settlements import Waiting

BATCH_AT_MOST = 1_000
"""Records in one call: a batch holds the write lock, and other people's decisions wait for it."""
REFUSALS_AT_MOST = 100
"""A batch that is wrong throughout says so often enough."""


@dataclass(frozen=True, slots=True)
class SyncCounts:
    """What a batch did, record by record."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0

    def __add__(self, other: SyncCounts) -> SyncCounts:
        """Return the counts of both."""
        return SyncCounts(*map(sum, zip(astuple(self), astuple(other), strict=True)))


class FaultyRecords(Exception):
    """Some records of a batch cannot be taken; each with its place in the batch."""

    def __init__(self, errors: Sequence[tuple[int, RecordError]]) -> None:
        """Keep the errors in the order of the records."""
        super().__init__(f"{len(errors)} records cannot be taken")
        self.errors = errors


async def sync_records(uow: UnitOfWork, viewer: Viewer, shapes: Sequence[Mapping[str, Any]]) -> SyncCounts:
    """Take a batch of records in, all of them or none; a replay changes nothing.

    A shape is as `{"lead": {…}}`, with the API's names; its values are texts or what the API has parsed them to.
    Refuses: FORBIDDEN for everybody but the marketplace's own account; whatever is wrong with a record, at
    `["records", index, …]`.
    """
    if not viewer.is_service:
        message = sentence(
            "RECORDS_FROM_MARKETPLACE", "Records come from the marketplace: use an account with the role SERVICE."
        )
        raise Refused(refusal(RefusalCode.FORBIDDEN, message))
    if len(shapes) > BATCH_AT_MOST:
        message = sentence(
            "BATCH_TOO_LARGE", "A batch has at most {limit} records: send the rest in another.", limit=BATCH_AT_MOST
        )
        raise Refused(refusal(RefusalCode.INVALID_INPUT, message, field=("records",)))
    try:
        return await take_records(uow, shapes)
    except FaultyRecords as faulty:
        raise Refused(*(_refusal(place, error) for place, error in faulty.errors[:REFUSALS_AT_MOST])) from None


async def take_records(uow: UnitOfWork, shapes: Sequence[Mapping[str, Any]]) -> SyncCounts:
    """Take a batch of record shapes in, all of them or none, whoever brings it.

    Refuses: FaultyRecords.
    """
    records = parse_records(shapes)
    superseded = superseded_within(records)

    return await write_records(uow, records, superseded, name="sync_records")


async def write_records(
    uow: UnitOfWork, records: Sequence[Record], superseded: Collection[int], *, name: str
) -> SyncCounts:
    """Take typed records in, in a transaction that locks what others change only while it writes.

    One that lost a race for such a row is worked out again under locks.
    Refuses: FaultyRecords.
    """
    attempts = itertools.count()

    async def work(unit: Unit) -> SyncCounts:
        return await write_batch(unit, records, superseded, locks=next(attempts) > 0)

    return await uow.run(work, name=name)


def parse_records(shapes: Sequence[Mapping[str, Any]]) -> list[Record]:
    """Return the typed records of a batch.

    Refuses: FaultyRecords with every shape that is wrong.
    """
    records: list[Record] = []
    errors: list[tuple[int, RecordError]] = []
    for place, shape in enumerate(shapes):
        try:
            records.append(parse_record(shape))
        except RecordError as error:
            errors.append((place, error))
    if errors:
        raise FaultyRecords(errors)
    return records


def superseded_within(records: Sequence[Record]) -> set[int]:
    """Return the places of records that a later record of the same batch states anew, where no revision tells."""
    last = {(record.kind, record.ref): place for place, record in enumerate(records)}
    if len(last) == len(records):
        return set()
    return {
        place
        for place, record in enumerate(records)
        if record.revision is None and last[record.kind, record.ref] != place
    }


async def write_batch(
    unit: Unit, records: Sequence[Record], superseded: Collection[int], *, locks: bool = True
) -> SyncCounts:
    """Take typed records in within an open transaction.

    `superseded` are the places of records that a later one of the same source states anew. Money that approved cases
    wait for credits them at once (D13), before the next record is looked at.
    Refuses: FaultyRecords, after which the transaction has to be undone.
    """
    await take_turn(unit.tx)
    counted: Counter[RecordOutcome] = Counter()
    start = 0
    while start < len(records):
        book = Book(to_micros(unit.now()), unit.holiday_calendar)
        await fill(book, DatabaseFinder(unit.tx, locks), records[start:])
        start = _apply_all(book, unit.policy, records, superseded, start, counted)
        keeping = keeping_of(book, unit.policy)
        if not locks:
            await lock_unchanged(unit.tx, *book.read)
        await keep(unit, keeping)
        await _follow(unit, book)
    return counts_of(counted)


def counts_of(counted: Counter[RecordOutcome]) -> SyncCounts:
    """Return how many records were created, updated, unchanged and stale."""
    return SyncCounts(*(counted[outcome] for outcome in RecordOutcome))


def _apply_all(
    book: Book,
    policy: Policy,
    records: Sequence[Record],
    superseded: Collection[int],
    start: int,
    counted: Counter[RecordOutcome],
) -> int:
    """Apply records and return the place behind the last one.

    One whose balance does not suffice waits where money that earlier ones set free may still come (D13).
    Refuses: FaultyRecords.
    """
    errors: list[tuple[int, RecordError]] = []
    for place in range(start, len(records)):
        record = records[place]
        try:
            counted[apply(book, policy, record, place in superseded)] += 1
        except RecordError as error:
            if error.code is RefusalCode.BALANCE_INSUFFICIENT and (book.funded or book.refunding) and not errors:
                return place
            note_error(book, record, place, error, errors)
    if errors:
        raise FaultyRecords(errors)
    return len(records)


async def _follow(unit: Unit, book: Book) -> None:
    """Take the steps that follow from a batch's rows: withdrawals, chargebacks on cases, refunds that money covers."""
    for withdrawal_id, status, reason in book.withdrawal_steps:
        await change_withdrawal(unit, withdrawal_id, status, reason)
    await tell_cases(unit, book.charged_back)
    owners = [contracts_owner(key) for key in sorted(book.funded)]
    await settle_balances(unit, [Waiting(*owner) for owner in owners if owner is not None])


def note_error(
    book: Book, record: Record, place: int, error: RecordError, errors: list[tuple[int, RecordError]]
) -> None:
    """Remember a refused record, so that those which refer to it are not blamed as well."""
    book.faulty.add((record.kind, record.ref))
    if not isinstance(error, DependsOnFaulty):
        errors.append((place, error.under(record.kind)))


def apply(book: Book, policy: Policy, record: Record, superseded: bool) -> RecordOutcome:
    """Apply one record to the working set; one with an older revision than the row's changes nothing.

    Refuses: RecordError.
    """
    row = book.row_of(record) if record.revision is not None else None
    if row is not None and is_older(record.revision, row.revision):
        return RecordOutcome.STALE
    check_past(record, from_micros(book.at))
    outcome = _apply(book, policy, record, superseded)
    if record.revision is not None:
        row = book.row_of(record)
        if row is not None and row.revision != record.revision:
            row.revision, row.dirty = record.revision, True
    return outcome


def _apply(book: Book, policy: Policy, record: Record, superseded: bool) -> RecordOutcome:
    match record:
        case MessageRecord():
            return apply_message(book, record, superseded)
        case LeadRecord():
            return apply_lead(book, record, superseded)
        case AccountRecord():
            return apply_account(book, record, superseded)
        case ContractRecord():
            return apply_contract(book, record, superseded)
        case MilestoneRecord():
            return apply_milestone(book, record, superseded)
        case BillingWeekRecord():
            return apply_week(book, record, superseded)
        case InvoiceRecord():
            return apply_invoice(book, policy, record, superseded)
        case ReviewRecord():
            return apply_review(book, record, superseded)
        case WithdrawalRecord():
            return apply_withdrawal(book, policy, record)
        case RefundRecord():
            return apply_refund(book, record)
        case ChargebackRecord():
            return apply_chargeback(book, record)


async def keep(unit: Unit, keeping: Keeping) -> None:
    """Write what a working set holds that the tables do not.

    Refuses: TransientFault when somebody else made one of the new rows meanwhile.
    """
    try:
        for rows in keeping.written:
            await write_rows(unit.tx, rows)
    except ConstraintViolated as violated:
        raise TransientFault(f"A row was made by somebody else meanwhile ({violated.name}).") from violated
    unit.tell(
        *(reviews_told(hidden, contract_id, unit.now()) for contract_id, hidden in keeping.hidden.items()),
        *(withdrawal_told(*one, unit.now()) for one in keeping.under_way),
    )
    await rename_customers(unit.tx, keeping.renamed)
    unit.ring_people(keeping.changed_account_ids)  # their running streams look at their roles again
    if keeping.changed_account_ids:
        unit.topics.add(ACCOUNTS)
    for account_id, before, after in keeping.role_changes:
        detail = {"before": before, "after": after, "by": "records"}
        record_act(unit.tx, AuditAction.ROLES_CHANGED, account_id, None, to_micros(unit.now()), detail)
        if STAFF & roles_from(before) and not STAFF & roles_from(after):
            await take_back_cases(unit, account_id)
    await recount_last_messages(unit.tx, keeping.recounted)
    if keeping.answered_payment_ids:
        await look_at_cases(unit.tx, keeping.answered_payment_ids, unit.now())


def _refusal(place: int, error: RecordError) -> BasicRefusal:
    return refusal(error.code, error.message, error.rule, field=("records", str(place), *error.path))
