"""From a record's JSON shape to its typed value: names, forms, lengths and amounts, each checked strictly.

An import line and a `SyncRecord` have the same shape and pass through here alike. It must not look at other records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeGuard, TypeVar

from refundgql.domain.calendar import CalendarError, parse_date, parse_instant
from refundgql.domain.money import Money, MoneyError, exponent, parse_decimal
from refundgql.domain.records import (
    AccountRecord,
    BillingWeekRecord,
    ContractRecord,
    InvoiceRecord,
    LeadRecord,
    MessageRecord,
    MilestoneRecord,
    Record,
    RecordError,
    ReviewRecord,
    WithdrawalRecord,
)
from refundgql.domain.reviews import HIGHEST_RATING, LOWEST_RATING
from refundgql.domain.vocabulary import (
    ContractKind,
    ContractStatus,
    MilestoneStatus,
    RefusalCode,
    Role,
    WithdrawalStatus,
)

REF_CHARS = 200
"""External references, names, categories: what a list can still show."""
TITLE_CHARS = 500
NUMBER_CHARS = 100
BODY_CHARS = 20_000
"""Chat messages and reviews: longer than anybody types, short enough to freeze a whole chat as evidence."""
REASON_CHARS = 500
HOURS_PER_WEEK = 168
HOURS_DECIMALS = 6
"""Enough for seconds in a decimal hour."""
FIRST_YEAR, LAST_YEAR = 1970, 2999
"""Instants outside are typing errors, and windows counted from them would leave the calendar."""

Shape = Mapping[str, Any]
Chosen = TypeVar("Chosen", bound=StrEnum)
_WITHDRAWAL_ID = re.compile(r"Withdrawal_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII).fullmatch
_MEMBERS: dict[type[StrEnum], dict[str, StrEnum]] = {
    vocabulary: {member.value: member for member in vocabulary}
    for vocabulary in (ContractKind, ContractStatus, MilestoneStatus, Role, WithdrawalStatus)
}
"""Looked up by text: calling an enumeration takes four times as long."""
_SURROGATE = re.compile("[\ud800-\udfff]").search


def parse_record(shape: object) -> Record:
    """Return the typed record of a shape such as `{"lead": {…}}`, with the names the API has.

    Instants, decimals and enum values may be texts, as in a file, or parsed values, as the API holds them.
    Refuses: RecordError for the first thing that is wrong.
    """
    if (type(shape) is not dict and not _is_object(shape)) or len(shape) != 1:
        raise RecordError(f"Give an object with exactly one of {', '.join(_PARSERS)} in it.")
    ((kind, values),) = shape.items()
    known = _PARSERS.get(kind)
    if known is None:
        raise RecordError(f"{str(kind)[:40]!r} is no kind of record: give one of {', '.join(_PARSERS)}.")
    if type(values) is not dict and not _is_object(values):
        raise RecordError("Give the record's fields as an object.", kind)
    parse, fields = known
    try:
        if not fields.issuperset(values):
            raise RecordError("There is no such field: check its name.", str(next(iter(values.keys() - fields)))[:40])
        return parse(values)
    except RecordError as error:
        raise error.under(kind) from None


def shape_ref(shape: object) -> tuple[str, str] | None:
    """Return the kind and external reference that even a faulty record may show, or nothing."""
    if isinstance(shape, Mapping) and len(shape) == 1:
        ((kind, values),) = shape.items()
        if isinstance(values, Mapping) and isinstance(values.get("externalRef"), str):
            return str(kind), values["externalRef"]
    return None


def _account(values: Shape) -> AccountRecord:
    roles = values.get("roles")
    if not isinstance(roles, list | tuple):
        raise RecordError("Give a list of roles; it may be empty.", "roles")
    chosen = {_choice({"roles": role}, "roles", Role) for role in roles}
    opening = _optional(_money, values, "openingBalance")
    return AccountRecord(_ref(values), _text(values, "name", REF_CHARS), tuple(sorted(chosen)), opening)


def _lead(values: Shape) -> LeadRecord:
    return LeadRecord(
        _ref(values),
        _ref(values, "pro"),
        _ref(values, "customer"),
        _text(values, "title", TITLE_CHARS),
        _text(values, "category", REF_CHARS),
        _text(values, "location", TITLE_CHARS),
        _money(values, "price"),
        _instant(values, "chargedAt"),
    )


def _message(values: Shape) -> MessageRecord:
    return MessageRecord(
        _ref(values),
        _ref(values, "lead"),
        _ref(values, "author"),
        _text(values, "body", BODY_CHARS, blank=True),
        _instant(values, "sentAt"),
        _optional(_instant, values, "deletedAt"),
    )


def _contract(values: Shape) -> ContractRecord:
    status = _choice(values, "status", ContractStatus)
    started, ended = _instant(values, "startedAt"), _optional(_instant, values, "endedAt")
    if (status is ContractStatus.CLOSED) != (ended is not None):
        raise RecordError("A CLOSED contract has endedAt, and an OPEN one has none.", "endedAt")
    if ended is not None and ended < started:
        raise RecordError("A contract does not end before it starts.", "endedAt")
    return ContractRecord(
        _ref(values),
        _choice(values, "kind", ContractKind),
        _ref(values, "client"),
        _ref(values, "expert"),
        _text(values, "title", TITLE_CHARS),
        status,
        _currency(values, "currencyCode"),
        started,
        ended,
    )


def _milestone(values: Shape) -> MilestoneRecord:
    status = _choice(values, "status", MilestoneStatus)
    funded, released = _optional(_instant, values, "fundedAt"), _optional(_instant, values, "releasedAt")
    if status is MilestoneStatus.UNFUNDED and funded is not None:
        raise RecordError("An UNFUNDED milestone has no fundedAt.", "fundedAt")
    if status is not MilestoneStatus.RELEASED and released is not None:
        raise RecordError("Only a RELEASED milestone has releasedAt.", "releasedAt")
    if funded is not None and released is not None and released < funded:
        raise RecordError("A milestone is not released before it is funded.", "releasedAt")
    amount, from_balance = _money(values, "amount"), _share(values, "amount")
    if from_balance is not None and status is MilestoneStatus.UNFUNDED:
        raise RecordError("fromBalance says how the milestone was funded: give it with status FUNDED.", "fromBalance")
    return MilestoneRecord(
        _ref(values),
        _ref(values, "contract"),
        _text(values, "title", TITLE_CHARS),
        amount,
        status,
        funded,
        released,
        from_balance,
    )


def _billing_week(values: Shape) -> BillingWeekRecord:
    starts_on = _date(values, "startsOn")
    if starts_on.weekday() != 0:
        raise RecordError("A billing week starts on a Monday.", "startsOn", rule="C25")
    hours = _decimal(values, "hours")
    if not 0 <= hours <= HOURS_PER_WEEK:
        raise RecordError(f"A week has 0 to {HOURS_PER_WEEK} hours.", "hours")
    if hours != round(hours, HOURS_DECIMALS):
        raise RecordError(f"Give the hours with at most {HOURS_DECIMALS} decimals.", "hours")
    record = BillingWeekRecord(_ref(values), _ref(values, "contract"), starts_on, hours, _money(values, "rate"))
    try:
        _ = record.amount
    except MoneyError as error:
        raise RecordError(str(error), "rate", "amount", rule="D2") from None
    return record


def _invoice(values: Shape) -> InvoiceRecord:
    paid, from_balance = _optional(_instant, values, "paidAt"), _share(values, "amount")
    if from_balance is not None and paid is None:
        raise RecordError("fromBalance says how the invoice was paid: give it with paidAt.", "fromBalance")
    week, milestone = _optional(_ref, values, "billingWeek"), _optional(_ref, values, "milestone")
    if week is not None and milestone is not None:
        raise RecordError("An invoice is for a billing week or for a milestone, not for both.", "milestone")
    return InvoiceRecord(
        _ref(values),
        _ref(values, "contract"),
        _text(values, "number", NUMBER_CHARS),
        _money(values, "amount"),
        _instant(values, "issuedAt"),
        paid,
        week,
        milestone,
        from_balance,
    )


def _review(values: Shape) -> ReviewRecord:
    rating = values.get("rating")
    if type(rating) is not int or not LOWEST_RATING <= rating <= HIGHEST_RATING:
        raise RecordError(f"A rating is a whole number from {LOWEST_RATING} to {HIGHEST_RATING}.", "rating")
    return ReviewRecord(
        _ref(values),
        _ref(values, "contract"),
        _ref(values, "author"),
        rating,
        _text(values, "body", BODY_CHARS),
        _instant(values, "postedAt"),
    )


def _withdrawal(values: Shape) -> WithdrawalRecord:
    given = values.get("id")
    found = _WITHDRAWAL_ID(given) if isinstance(given, str) else None
    if found is None:
        message = "There is no such withdrawal that you can see; check the id."
        raise RecordError(message, "id", code=RefusalCode.NOT_FOUND)
    status = _choice(values, "status", WithdrawalStatus)
    reason = None
    if values.get("failureReason") is not None:
        if status is not WithdrawalStatus.FAILED:
            raise RecordError("Only a FAILED withdrawal has a failureReason.", "failureReason")
        reason = _text(values, "failureReason", REASON_CHARS)
    return WithdrawalRecord(found[1], status, reason)


def _is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    return type(value) is dict or isinstance(value, Mapping)


def _optional(read: Callable[[Shape, str], Any], values: Shape, name: str) -> Any:
    return None if values.get(name) is None else read(values, name)


def _text(values: Shape, name: str, limit_chars: int, *, blank: bool = False) -> str:
    value = values.get(name)
    if type(value) is str and value.isprintable() and len(value) <= limit_chars and (blank or value.strip()):
        return value  # as nearly every text is; what follows finds out what is wrong with the others, if anything
    if not isinstance(value, str):
        raise RecordError("Give a text.", name)
    if len(value) > limit_chars:
        raise RecordError(f"The text is longer than {limit_chars} characters: shorten it.", name)
    if not blank and not value.strip():
        raise RecordError("The text is empty: write something.", name)
    if "\0" in value or _SURROGATE(value):
        raise RecordError("The text holds characters that are not text (NUL or half a surrogate pair).", name)
    return value


def _ref(values: Shape, name: str = "externalRef") -> str:
    value = values.get(name)
    if type(value) is str and value.isprintable() and len(value) <= REF_CHARS and value.strip():
        return value
    return _text(values, name, REF_CHARS)


def _instant(values: Shape, name: str) -> datetime:
    value = values.get(name)
    if isinstance(value, datetime):
        at = value.astimezone(UTC)
    elif isinstance(value, str):
        try:
            at = parse_instant(value)
        except CalendarError as error:
            raise RecordError(str(error), name, rule="D1") from None
    else:
        raise RecordError("Give an instant in UTC with Z, such as 2026-03-06T23:59:59Z.", name)
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise RecordError(f"Give an instant in the years {FIRST_YEAR} to {LAST_YEAR}.", name)
    return at


def _date(values: Shape, name: str) -> date:
    value = values.get(name)
    if isinstance(value, date) and not isinstance(value, datetime):
        day = value
    elif isinstance(value, str):
        try:
            day = parse_date(value)
        except CalendarError as error:
            raise RecordError(str(error), name, rule="D1") from None
    else:
        raise RecordError("Give a date such as 2026-03-02.", name)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise RecordError(f"Give a date in the years {FIRST_YEAR} to {LAST_YEAR}.", name)
    return day


def _decimal(values: Shape, *path: str) -> Decimal:
    value = values.get(path[-1])
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise RecordError("Give a finite number.", *path)
        return value
    if not isinstance(value, str):
        raise RecordError('Give a decimal number as text, such as "12.50": numbers would be rounded.', *path)
    try:
        return parse_decimal(value)
    except MoneyError as error:
        raise RecordError(str(error), *path) from None


def _currency(values: Shape, *path: str) -> str:
    code = values.get(path[-1])
    if not isinstance(code, str):
        raise RecordError("Give an ISO 4217 code such as USD.", *path, rule="D2")
    try:
        exponent(code)
    except MoneyError as error:
        raise RecordError(str(error), *path, rule="D2") from None
    return code


def _money(values: Shape, name: str) -> Money:
    given = values.get(name)
    if type(given) is dict and len(given) == 2:
        amount, currency = given.get("amount"), given.get("currencyCode")
        if type(amount) is str and type(currency) is str:
            money = Money.plain(amount, currency)
            if money is not None and money.minor > 0:
                return money  # as nearly every amount is written; what follows finds out what is wrong with the others
    if not _is_object(given) or given.keys() - {"amount", "currencyCode"}:
        raise RecordError("Give money as an object with amount and currencyCode.", name)
    code = _currency(given, name, "currencyCode")
    number = _decimal(given, name, "amount")
    try:
        money = Money.parse(number, code)
    except MoneyError as error:
        raise RecordError(str(error), name, "amount", rule="D2") from None
    if money.minor <= 0:
        raise RecordError("An amount is more than zero.", name, "amount", rule="D2")
    return money


def _share(values: Shape, of: str) -> Money | None:
    """Read fromBalance: the part of the amount that the client's balance paid (C19)."""
    if values.get("fromBalance") is None:
        return None
    share, whole = _money(values, "fromBalance"), _money(values, of)
    if share.currency != whole.currency:
        message = f"The balance that pays is in {whole.currency}, as the amount is."
        raise RecordError(message, "fromBalance", "currencyCode", code=RefusalCode.CURRENCY_MISMATCH, rule="D2")
    if share.minor > whole.minor:
        raise RecordError(f"The balance pays at most the amount, {whole}.", "fromBalance", "amount", rule="C19")
    return share


def _choice(values: Shape, name: str, vocabulary: type[Chosen]) -> Chosen:
    value = values.get(name)
    if type(value) is str and value in _MEMBERS[vocabulary]:
        return _MEMBERS[vocabulary][value]  # type: ignore[return-value]  # each by its own vocabulary
    try:
        return vocabulary(str(value))
    except ValueError:
        raise RecordError(f"Give one of {', '.join(vocabulary)}.", name) from None


_Parser = tuple[Callable[[Shape], Record], frozenset[str]]


def _parser(parse: Callable[[Shape], Record], fields: str) -> _Parser:
    return parse, frozenset(fields.split())


_PARSERS: dict[str, _Parser] = {
    "account": _parser(_account, "externalRef name roles openingBalance"),
    "lead": _parser(_lead, "externalRef pro customer title category location price chargedAt"),
    "message": _parser(_message, "externalRef lead author body sentAt deletedAt"),
    "contract": _parser(_contract, "externalRef kind client expert title status currencyCode startedAt endedAt"),
    "milestone": _parser(_milestone, "externalRef contract title amount status fundedAt releasedAt fromBalance"),
    "billingWeek": _parser(_billing_week, "externalRef contract startsOn hours rate"),
    "invoice": _parser(
        _invoice, "externalRef contract number amount issuedAt paidAt billingWeek milestone fromBalance"
    ),
    "review": _parser(_review, "externalRef contract author rating body postedAt"),
    "withdrawal": _parser(_withdrawal, "id status failureReason"),
}
