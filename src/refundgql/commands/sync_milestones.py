"""Applying milestones to the working set: funded into escrow, released to the expert."""

from __future__ import annotations

from uuid_utils import uuid7

from refundgql.commands.sync_book import Book, client_balance
from refundgql.commands.sync_contracts import is_behind, other_currency, steps_back, way
from refundgql.commands.sync_people import RecordOutcome, behind, check_cover, check_from_balance, fixed, redescribe
from refundgql.domain.calendar import to_micros
from refundgql.domain.kept_texts import MILESTONE, TITLED_MILESTONE_RELEASED
from refundgql.domain.ledger import held
from refundgql.domain.milestones import MilestoneMachine, advance_milestone
from refundgql.domain.money import Money
from refundgql.domain.records import MilestoneRecord, RecordError
from refundgql.domain.refusals import Refused
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.vocabulary import ContractKind, MilestoneStatus, PaymentKind
from refundgql.storage.record_rows import Claim, StoredContract, StoredMilestone

SYNCED = ("fund", "release")
FORWARD = ("fund", "release", "give_back")
"""The steps that the marketplace takes; money returns, and is funded again, by refund cases alone (C30, D16)."""


def apply_milestone(book: Book, record: MilestoneRecord, superseded: bool) -> RecordOutcome:
    """Create or redescribe a milestone, fund it into escrow, release it to the expert (C30)."""
    row = book.milestones.get(record.ref)
    contract = book.contract(record.contract)
    if record.amount.currency != contract.currency:
        raise other_currency(contract, "amount", "currencyCode")
    if row is None:
        return _new_milestone(book, record, contract)
    fixed(row.contract_id == contract.id, phrase("The contract of a milestone"), "contract")
    status = record.status.value
    if _states_less(book, row, record.status) and row.amount_minor == record.amount.minor:
        return redescribe(row, superseded, title=record.title)
    if is_behind(MilestoneMachine, status, row.status, FORWARD):
        return behind(row, record.revision, steps_back(phrase("A milestone"), row.status, status))
    if row.status != MilestoneStatus.UNFUNDED:
        fixed(row.amount_minor == record.amount.minor, phrase("The amount of a milestone that was funded"), "amount")
        check_from_balance(book, row.payment_id, record.from_balance)
    on_the_way = way(MilestoneMachine, row.status, status, SYNCED)
    if on_the_way is None:
        raise steps_back(phrase("A milestone"), row.status, status)
    if on_the_way:
        _check_instants(row, record)
        _check_release(book, row, status)
        _check_cover(book, contract, record.from_balance if MilestoneStatus.FUNDED in on_the_way else None)
    values = {"title": record.title, "amount_minor": record.amount.minor, "status": status}
    if record.funded_at is not None:
        values["funded_at"] = to_micros(record.funded_at)
    if record.released_at is not None:
        values["released_at"] = to_micros(record.released_at)
    outcome = redescribe(row, superseded and not on_the_way, **values)
    _move_escrow(book, row, contract, record.from_balance, on_the_way)
    return outcome


def _new_milestone(book: Book, record: MilestoneRecord, contract: StoredContract) -> RecordOutcome:
    if contract.kind != ContractKind.FIXED_PRICE:
        raise RecordError(
            sentence("MILESTONES_OF_FIXED_PRICE_ONLY", "Only a fixed-price contract has milestones."), "contract"
        )
    on_the_way = way(MilestoneMachine, MilestoneStatus.UNFUNDED.value, record.status.value, SYNCED)
    if on_the_way is None:
        raise steps_back(phrase("A milestone"), MilestoneStatus.UNFUNDED.value, record.status.value)
    _check_instants(None, record)
    _check_cover(book, contract, record.from_balance)
    payment = book.new_payment(PaymentKind.MILESTONE.value, contract, contract.currency)
    row = StoredMilestone(
        str(uuid7()),
        record.ref,
        contract.id,
        payment.id,
        record.title,
        record.amount.minor,
        contract.currency,
        record.status.value,
        None if record.funded_at is None else to_micros(record.funded_at),
        None if record.released_at is None else to_micros(record.released_at),
    )
    book.milestones[record.ref] = row
    book.claims[f"milestone:{payment.id}"] = Claim(f"milestone:{payment.id}", record.ref)
    _move_escrow(book, row, contract, record.from_balance, on_the_way)
    return RecordOutcome.CREATED


def _states_less(book: Book, row: StoredMilestone, stated: MilestoneStatus) -> bool:
    """Tell whether the record leaves out what happened here, and does not contradict it.

    A milestone may have been funded by its own invoice, or returned by a refund case (C30): the marketplace's record
    of the milestone does not have to say so.
    """
    if row.status == MilestoneStatus.RETURNED and stated is MilestoneStatus.FUNDED:
        return True
    if row.status == MilestoneStatus.FUNDED and stated is MilestoneStatus.UNFUNDED:
        claim = book.claims.get(row.payment_id)
        invoice = None if claim is None else book.invoices.get(claim.external_ref or "")
        return invoice is not None and invoice.paid_at is not None and invoice.paid_at == row.funded_at
    return False


def _check_instants(row: StoredMilestone | None, record: MilestoneRecord) -> None:
    if record.status is MilestoneStatus.UNFUNDED:
        return
    if record.funded_at is None and (row is None or row.funded_at is None):
        raise RecordError(sentence("FUNDED_AT_MISSING", "Say when the milestone was funded."), "fundedAt")
    if record.status is MilestoneStatus.RELEASED and record.released_at is None:
        raise RecordError(sentence("RELEASED_AT_MISSING", "Say when the milestone was released."), "releasedAt")


def _check_release(book: Book, row: StoredMilestone, status: str) -> None:
    number = book.open_cases.get(row.payment_id)
    if status == MilestoneStatus.RELEASED and number is not None:
        try:
            advance_milestone(MilestoneStatus.FUNDED, MilestoneStatus.RELEASED, open_case_number=number)
        except Refused as refused:
            told = refused.refusals[0]
            raise RecordError(told.message, "status", code=told.code, rule=told.rule) from None


def _check_cover(book: Book, contract: StoredContract, from_balance: Money | None) -> None:
    check_cover(book, client_balance(contract), from_balance, phrase("client's balance"), "C19")


def _move_escrow(
    book: Book, row: StoredMilestone, contract: StoredContract, from_balance: Money | None, on_the_way: tuple[str, ...]
) -> None:
    payment = book.payments[row.payment_id]
    if MilestoneStatus.FUNDED in on_the_way and row.funded_at is not None:
        share = 0 if from_balance is None else from_balance.minor
        told = MILESTONE.of(title=row.title)
        book.pay(payment, contract, held(payment.id, row.currency), row.amount_minor, share, row.funded_at, told)
    if MilestoneStatus.RELEASED in on_the_way and row.released_at is not None:
        book.release(payment, contract, row.released_at, TITLED_MILESTONE_RELEASED.of(title=row.title))
