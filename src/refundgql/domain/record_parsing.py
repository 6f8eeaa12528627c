"""From a record's JSON shape to its typed value: names, forms, lengths and amounts, each checked strictly.

An import line and a `SyncRecord` have the same shape and pass through here alike. It must not look at other records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from refundgql.domain.money import MoneyError
from refundgql.domain.record_fields import (
    REF_CHARS,
    Shape,
    is_object,
    optional,
    read_choice,
    read_currency,
    read_day,
    read_decimal,
    read_instant,
    read_money,
    read_ref,
    read_revision,
    read_share,
    read_signed_money,
    read_text,
)
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
    SubjectKind,
    WithdrawalRecord,
)
from refundgql.domain.reviews import HIGHEST_RATING, LOWEST_RATING
from refundgql.domain.sentences import sentence
from refundgql.domain.vocabulary import (
    ChargebackStatus,
    ContractKind,
    ContractStatus,
    MilestoneStatus,
    Role,
    WithdrawalStatus,
)

TITLE_CHARS = 500
NUMBER_CHARS = 100
BODY_CHARS = 20_000
"""Chat messages and reviews: longer than anybody types, short enough to freeze a whole chat as evidence."""
REASON_CHARS = 500
HOURS_PER_WEEK = 168
HOURS_DECIMALS = 6
"""Enough for seconds in a decimal hour."""

_WITHDRAWAL_ID = re.compile(r"Withdrawal_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII).fullmatch


def parse_record(shape: object) -> Record:
    """Return the typed record of a shape such as `{"lead": {…}}`, with the names the API has.

    Instants, decimals and enum values may be texts, as in a file, or parsed values, as the API holds them.
    Refuses: RecordError for the first thing that is wrong.
    """
    if (type(shape) is not dict and not is_object(shape)) or len(shape) != 1:
        raise RecordError(
            sentence("NOT_ONE_KIND", "Give an object with exactly one of {kinds} in it.", kinds=", ".join(_PARSERS))
        )
    ((kind, values),) = shape.items()
    known = _PARSERS.get(kind)
    if known is None:
        message = sentence(
            "UNKNOWN_KIND",
            "'{kind}' is no kind of record: give one of {kinds}.",
            kind=str(kind)[:40],
            kinds=", ".join(_PARSERS),
        )
        raise RecordError(message)
    if type(values) is not dict and not is_object(values):
        raise RecordError(sentence("NOT_A_RECORD", "Give the record's fields as an object."), kind)
    parse, fields = known
    try:
        if not fields.issuperset(values):
            message = sentence("UNKNOWN_FIELD", "There is no such field: check its name.")
            raise RecordError(message, str(next(iter(values.keys() - fields)))[:40])
        return parse(values)
    except RecordError as error:
        raise error.under(kind) from None


def shape_ref(shape: object) -> tuple[str, str] | None:
    """Return the kind and external reference that even a faulty record may show, or nothing."""
    if isinstance(shape, Mapping) and len(shape) == 1:
        ((kind, values),) = shape.items()
        ref = values.get("externalRef", values.get("id")) if isinstance(values, Mapping) else None
        if isinstance(ref, str):
            return str(kind), ref
    return None


def _account(values: Shape) -> AccountRecord:
    roles = values.get("roles")
    if isinstance(roles, str):
        roles = [roles]  # as GraphQL takes one value for a list of it
    if not isinstance(roles, list | tuple):
        raise RecordError(sentence("NOT_A_LIST_OF_ROLES", "Give a list of roles; it may be empty."), "roles")
    chosen = {read_choice({"roles": role}, "roles", Role) for role in roles}
    opening = optional(read_signed_money, values, "openingBalance")
    lead_credit = optional(read_signed_money, values, "openingLeadCredit")
    opening_at = optional(read_instant, values, "openingAt")
    if lead_credit is not None and lead_credit.minor < 0:
        message = sentence("LEAD_CREDIT_BELOW_ZERO", "Lead credit is never below zero.")
        raise RecordError(message, "openingLeadCredit", "amount", rule="L17")
    if opening_at is not None and opening is None and lead_credit is None:
        raise RecordError(
            sentence("OPENING_AT_ALONE", "openingAt says since when the opening balance was there: give one with it."),
            "openingAt",
        )
    return AccountRecord(
        read_ref(values),
        read_text(values, "name", REF_CHARS),
        tuple(sorted(chosen)),
        opening,
        opening_at,
        lead_credit,
        read_revision(values),
    )


def _lead(values: Shape) -> LeadRecord:
    return LeadRecord(
        read_ref(values),
        read_ref(values, "pro"),
        read_ref(values, "customer"),
        read_text(values, "title", TITLE_CHARS),
        read_text(values, "category", REF_CHARS),
        read_text(values, "location", TITLE_CHARS),
        read_money(values, "price"),
        read_instant(values, "chargedAt"),
        read_share(values, "price"),
        read_revision(values),
    )


def _message(values: Shape) -> MessageRecord:
    return MessageRecord(
        read_ref(values),
        read_ref(values, "lead"),
        read_ref(values, "author"),
        read_text(values, "body", BODY_CHARS, blank=True),
        read_instant(values, "sentAt"),
        optional(read_instant, values, "deletedAt"),
        read_revision(values),
    )


def _contract(values: Shape) -> ContractRecord:
    status = read_choice(values, "status", ContractStatus)
    started, ended = read_instant(values, "startedAt"), optional(read_instant, values, "endedAt")
    if (status is ContractStatus.CLOSED) != (ended is not None):
        raise RecordError(
            sentence("CONTRACT_END_AND_STATUS", "A CLOSED contract has endedAt, and an OPEN one has none."), "endedAt"
        )
    if ended is not None and ended < started:
        raise RecordError(
            sentence("CONTRACT_ENDS_BEFORE_START", "A contract does not end before it starts."), "endedAt"
        )
    return ContractRecord(
        read_ref(values),
        read_choice(values, "kind", ContractKind),
        read_ref(values, "client"),
        read_ref(values, "expert"),
        read_text(values, "title", TITLE_CHARS),
        status,
        read_currency(values, "currencyCode"),
        started,
        ended,
        read_revision(values),
    )


def _milestone(values: Shape) -> MilestoneRecord:
    status = read_choice(values, "status", MilestoneStatus)
    funded, released = optional(read_instant, values, "fundedAt"), optional(read_instant, values, "releasedAt")
    if status is MilestoneStatus.UNFUNDED and funded is not None:
        raise RecordError(sentence("UNFUNDED_WITH_FUNDED_AT", "An UNFUNDED milestone has no fundedAt."), "fundedAt")
    if status is not MilestoneStatus.RELEASED and released is not None:
        raise RecordError(
            sentence("RELEASED_AT_WITHOUT_RELEASE", "Only a RELEASED milestone has releasedAt."), "releasedAt"
        )
    if funded is not None and released is not None and released < funded:
        raise RecordError(
            sentence("RELEASED_BEFORE_FUNDED", "A milestone is not released before it is funded."), "releasedAt"
        )
    amount, from_balance = read_money(values, "amount"), read_share(values, "amount")
    if from_balance is not None and status is MilestoneStatus.UNFUNDED:
        message = sentence(
            "FROM_BALANCE_UNFUNDED", "fromBalance says how the milestone was funded: give it with status FUNDED."
        )
        raise RecordError(message, "fromBalance")
    return MilestoneRecord(
        read_ref(values),
        read_ref(values, "contract"),
        read_text(values, "title", TITLE_CHARS),
        amount,
        status,
        funded,
        released,
        from_balance,
        read_revision(values),
    )


def _billing_week(values: Shape) -> BillingWeekRecord:
    starts_on = read_day(values, "startsOn")
    if starts_on.weekday() != 0:
        raise RecordError(
            sentence("WEEK_NOT_FROM_MONDAY", "A billing week starts on a Monday."), "startsOn", rule="C25"
        )
    hours = read_decimal(values, "hours")
    if not 0 <= hours <= HOURS_PER_WEEK:
        raise RecordError(
            sentence("WEEK_HOURS_OUT_OF_RANGE", "A week has 0 to {limit} hours.", limit=HOURS_PER_WEEK), "hours"
        )
    if hours != round(hours, HOURS_DECIMALS):
        message = sentence("WEEK_HOURS_DECIMALS", "Give the hours with at most {limit} decimals.", limit=HOURS_DECIMALS)
        raise RecordError(message, "hours")
    rate, revision = read_money(values, "rate"), read_revision(values)
    record = BillingWeekRecord(read_ref(values), read_ref(values, "contract"), starts_on, hours, rate, revision)
    try:
        _ = record.amount
    except MoneyError as error:
        raise RecordError(error.why, "rate", "amount", rule="D2") from None
    return record


def _invoice(values: Shape) -> InvoiceRecord:
    paid, from_balance = optional(read_instant, values, "paidAt"), read_share(values, "amount")
    if from_balance is not None and paid is None:
        message = sentence("FROM_BALANCE_UNPAID", "fromBalance says how the invoice was paid: give it with paidAt.")
        raise RecordError(message, "fromBalance")
    week, milestone = optional(read_ref, values, "billingWeek"), optional(read_ref, values, "milestone")
    if week is not None and milestone is not None:
        message = sentence("INVOICE_FOR_BOTH", "An invoice is for a billing week or for a milestone, not for both.")
        raise RecordError(message, "milestone")
    return InvoiceRecord(
        read_ref(values),
        read_ref(values, "contract"),
        read_text(values, "number", NUMBER_CHARS),
        read_money(values, "amount"),
        read_instant(values, "issuedAt"),
        paid,
        week,
        milestone,
        from_balance,
        read_revision(values),
    )


def _whole(value: Any) -> Any:
    """Return a number that has no fraction as the integer it is, as GraphQL takes it; anything else as it is."""
    told = getattr(value, "is_integer", None)
    return int(value) if told is not None and not isinstance(value, bool) and told() else value


def _review(values: Shape) -> ReviewRecord:
    rating = _whole(values.get("rating"))
    if type(rating) is not int or not LOWEST_RATING <= rating <= HIGHEST_RATING:
        message = sentence(
            "RATING_OUT_OF_RANGE",
            "A rating is a whole number from {lowest} to {highest}.",
            lowest=LOWEST_RATING,
            highest=HIGHEST_RATING,
        )
        raise RecordError(message, "rating")
    return ReviewRecord(
        read_ref(values),
        read_ref(values, "contract"),
        read_ref(values, "author"),
        rating,
        read_text(values, "body", BODY_CHARS),
        read_instant(values, "postedAt"),
        read_revision(values),
    )


def _withdrawal(values: Shape) -> WithdrawalRecord:
    given = _whole(values.get("id"))
    if type(given) is int:
        values = {**values, "id": str(given)}  # as GraphQL takes an ID
    ref = read_text(values, "id", REF_CHARS)
    named = _WITHDRAWAL_ID(ref)
    status = read_choice(values, "status", WithdrawalStatus)
    reason = None
    if values.get("failureReason") is not None:
        if status is not WithdrawalStatus.FAILED:
            message = sentence("FAILURE_REASON_WITHOUT_FAILURE", "Only a FAILED withdrawal has a failureReason.")
            raise RecordError(message, "failureReason")
        reason = read_text(values, "failureReason", REASON_CHARS)
    return WithdrawalRecord(
        named[1] if named is not None else ref,
        named is not None,
        status,
        reason,
        optional(read_ref, values, "account"),
        optional(read_money, values, "amount"),
        optional(read_instant, values, "requestedAt"),
        read_revision(values),
    )


def _refund(values: Shape) -> RefundRecord:
    about, subject = _subject(values)
    amount, credited_at = read_money(values, "amount"), read_instant(values, "creditedAt")
    return RefundRecord(read_ref(values), about, subject, amount, credited_at, read_revision(values))


def _chargeback(values: Shape) -> ChargebackRecord:
    about, subject = _subject(values)
    amount, status = read_money(values, "amount"), read_choice(values, "status", ChargebackStatus)
    return ChargebackRecord(
        read_ref(values), about, subject, amount, status, read_instant(values, "openedAt"), read_revision(values)
    )


def _subject(values: Shape) -> tuple[SubjectKind, str]:
    """Read which payment a record is about: that of an invoice, a milestone or a lead."""
    named = [about for about in SubjectKind if values.get(about.value) is not None]
    if len(named) != 1:
        message = sentence("NOT_ONE_PAYMENT", "Name exactly one of invoice, milestone and lead.")
        raise RecordError(message, (named or [SubjectKind.INVOICE])[-1].value)
    return named[0], read_ref(values, named[0].value)


_Parser = tuple[Callable[[Shape], Record], frozenset[str]]


def _parser(parse: Callable[[Shape], Record], fields: str) -> _Parser:
    return parse, frozenset(["revision", *fields.split()])


_PARSERS: dict[str, _Parser] = {
    "account": _parser(_account, "externalRef name roles openingBalance openingAt openingLeadCredit"),
    "lead": _parser(_lead, "externalRef pro customer title category location price chargedAt fromBalance"),
    "message": _parser(_message, "externalRef lead author body sentAt deletedAt"),
    "contract": _parser(_contract, "externalRef kind client expert title status currencyCode startedAt endedAt"),
    "milestone": _parser(_milestone, "externalRef contract title amount status fundedAt releasedAt fromBalance"),
    "billingWeek": _parser(_billing_week, "externalRef contract startsOn hours rate"),
    "invoice": _parser(
        _invoice, "externalRef contract number amount issuedAt paidAt billingWeek milestone fromBalance"
    ),
    "review": _parser(_review, "externalRef contract author rating body postedAt"),
    "withdrawal": _parser(_withdrawal, "id status failureReason account amount requestedAt"),
    "refund": _parser(_refund, "externalRef invoice milestone lead amount creditedAt"),
    "chargeback": _parser(_chargeback, "externalRef invoice milestone lead amount status openedAt"),
}
