"""Applying records about contracts, their billing weeks and their reviews to the working set."""

from __future__ import annotations

from functools import cache

from uuid_utils import uuid7

from refundgql.commands.sync_book import Book
from refundgql.commands.sync_people import RecordOutcome, behind, fixed, redescribe
from refundgql.domain.advancing import StrictMachine, steps
from refundgql.domain.calendar import midnight, to_micros
from refundgql.domain.contracts import ContractMachine
from refundgql.domain.records import BillingWeekRecord, ContractRecord, RecordError, ReviewRecord
from refundgql.domain.sentences import Sentence, phrase, sentence
from refundgql.domain.vocabulary import ContractKind, PaymentKind, RefusalCode, Role
from refundgql.storage.record_rows import Claim, StoredBillingWeek, StoredContract, StoredReview

WEEK_MICROS = 7 * 86_400_000_000


@cache
def way(
    machine: type[StrictMachine], current: str, target: str, events: tuple[str, ...] | None = None
) -> tuple[str, ...] | None:
    """Return the states on the machine's way from the present one to the target, or None when there is no way.

    Only the named events are taken, where some are named.
    """
    reached: dict[str, tuple[str, ...]] = {current: ()}
    frontier = [current]
    while frontier and target not in reached:
        state = frontier.pop(0)
        for (source, following), event in steps(machine).items():
            if source == state and following not in reached and (events is None or event in events):
                reached[following] = (*reached[state], following)
                frontier.append(following)
    return reached.get(target)


def is_behind(machine: type[StrictMachine], stated: str, current: str, events: tuple[str, ...] | None = None) -> bool:
    """Tell whether a stated state lies on the way to the present one."""
    return stated != current and way(machine, stated, current, events) is not None


def steps_back(what: Sentence, current: str, target: str, path: str = "status") -> RecordError:
    """Return the refusal of a state that lies behind the present one."""
    message = sentence(
        "STATES_ONLY_ADVANCE",
        "{what} that is {state} cannot become {target}: states only advance.",
        what=what,
        state=current,
        target=target,
    )
    return RecordError(message, path, code=RefusalCode.TRANSITION_NOT_ALLOWED)


def apply_contract(book: Book, record: ContractRecord, superseded: bool) -> RecordOutcome:
    """Create, redescribe or close a contract; its parties, kind and currency stay."""
    row = book.contracts.get(record.ref)
    started_at = to_micros(record.started_at)
    ended_at = None if record.ended_at is None else to_micros(record.ended_at)
    if row is None:
        client = book.account(record.client, "client", Role.CLIENT)
        expert = book.account(record.expert, "expert", Role.EXPERT)
        if client is expert:
            message = sentence("PARTIES_ARE_ONE_ACCOUNT", "The client and the expert of a contract are two accounts.")
            raise RecordError(message, "expert")
        row = StoredContract(
            str(uuid7()),
            record.ref,
            record.contract_kind.value,
            client.id,
            expert.id,
            record.title,
            record.status.value,
            record.currency,
            started_at,
            ended_at,
            False,
        )
        book.add_contract(row)
        return RecordOutcome.CREATED
    for ref, held_id, what, party in (
        (record.client, row.client_id, phrase("The client of a contract"), "client"),
        (record.expert, row.expert_id, phrase("The expert of a contract"), "expert"),
    ):
        fixed(held_id in book.erased or held_id == book.account(ref, party).id, what, party)
    fixed(row.kind == record.contract_kind, phrase("The kind of a contract"), "kind")
    fixed(row.currency == record.currency, phrase("The currency of a contract"), "currencyCode")
    status = record.status.value
    if way(ContractMachine, row.status, status) is None:  # it says OPEN, and was closed since
        return behind(row, record.revision, steps_back(phrase("A contract"), row.status, status))
    advances = status != row.status and superseded
    return redescribe(
        row,
        superseded and not advances,
        title=record.title,
        status=status,
        started_at=started_at,
        ended_at=ended_at,
    )


def apply_week(book: Book, record: BillingWeekRecord, superseded: bool) -> RecordOutcome:
    """Create a billing week, or change its hours while it is unpaid; its amount is hours × rate (D18)."""
    row = book.weeks.get(record.ref)
    contract = book.contract(record.contract)
    if record.rate.currency != contract.currency:
        raise other_currency(contract, "rate", "currencyCode")
    starts_at = to_micros(midnight(record.starts_on))
    hours = f"{record.hours.normalize():f}"
    amount = record.amount
    if row is None:
        if contract.kind != ContractKind.HOURLY:
            raise RecordError(
                sentence("WEEKS_OF_HOURLY_ONLY", "Only an hourly contract has billing weeks."), "contract"
            )
        claim_week(book, contract, starts_at, record.ref)
        payment = book.new_payment(PaymentKind.WEEK.value, contract, contract.currency)
        book.weeks[record.ref] = StoredBillingWeek(
            str(uuid7()),
            record.ref,
            contract.id,
            payment.id,
            starts_at,
            starts_at + WEEK_MICROS,
            hours,
            record.rate.minor,
            amount.minor,
            contract.currency,
            None,
        )
        return RecordOutcome.CREATED
    fixed(row.contract_id == contract.id, phrase("The contract of a billing week"), "contract")
    fixed(row.starts_at == starts_at, phrase("The first day of a billing week"), "startsOn")
    # What was charged is in the invoice; a newer revision may come after it, though it was written before.
    newer = record.revision is not None and row.revision is not None and record.revision > row.revision
    if book.payments[row.payment_id].paid_minor and not newer:
        fixed(row.hours == hours, phrase("The hours of a week that is paid"), "hours")
        fixed(row.rate_minor == record.rate.minor, phrase("The rate of a week that is paid"), "rate")
    return redescribe(row, superseded, hours=hours, rate_minor=record.rate.minor, amount_minor=amount.minor)


def claim_week(book: Book, contract: StoredContract, starts_at: int, ref: str) -> None:
    """Take a contract's week for one record.

    Refuses: RecordError when another record has it.
    """
    key = f"{contract.id}:{starts_at}"
    if key in book.claims:
        taken = book.claims[key].external_ref or ""
        message = sentence("WEEK_TAKEN", "The billing week '{ref}' of this contract has these days already.", ref=taken)
        raise RecordError(message, "startsOn")
    book.claims[key] = Claim(key, ref)


def other_currency(contract: StoredContract, *path: str) -> RecordError:
    """Return the refusal of an amount in another currency than the contract's (D2)."""
    message = sentence(
        "CONTRACT_CURRENCY", "The contract is in {currency}: give the amount in it.", currency=contract.currency
    )
    return RecordError(message, *path, code=RefusalCode.CURRENCY_MISMATCH, rule="D2")


def apply_review(book: Book, record: ReviewRecord, superseded: bool) -> RecordOutcome:
    """Create or change one party's review of the other; whether it is hidden follows the contract's money (C21)."""
    row = book.reviews.get(record.ref)
    contract = book.contract(record.contract)
    if book.is_about_erased(record.author, contract.client_id, contract.expert_id):
        return RecordOutcome.UNCHANGED
    author = book.account(record.author, "author")
    posted_at = to_micros(record.posted_at)
    if row is not None:
        fixed(row.contract_id == contract.id, phrase("The contract of a review"), "contract")
        fixed(row.author_id == author.id, phrase("The author of a review"), "author")
        if row.edited_at is not None and (record.revision is None or record.revision == row.revision):
            return RecordOutcome.UNCHANGED  # its author has changed it here since (C23)
        return redescribe(row, superseded, rating=record.rating, body=record.body, posted_at=posted_at)
    if author.id not in (contract.client_id, contract.expert_id):
        message = sentence("ONLY_PARTIES_REVIEW", "Only the client and the expert of a contract review each other.")
        raise RecordError(message, "author", rule="C22")
    key = f"{contract.id}:{author.id}"
    if key in book.claims and book.claims[key].external_ref != record.ref:
        message = sentence(
            "ONE_REVIEW_A_PARTY", "This party has reviewed the contract already: there is one review a party."
        )
        raise RecordError(message, "author", code=RefusalCode.REVIEW_ALREADY_POSTED, rule="C22")
    book.claims[key] = Claim(key, record.ref)
    subject_id = contract.expert_id if author.id == contract.client_id else contract.client_id
    book.reviews[record.ref] = StoredReview(
        str(uuid7()), record.ref, contract.id, author.id, subject_id, record.rating, record.body, posted_at, False
    )
    return RecordOutcome.CREATED
