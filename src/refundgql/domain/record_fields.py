"""Reading one field of a record: texts, instants, amounts and choices, each checked strictly.

Values may be texts, as in a file, or parsed already, as the API holds them. It must not know which record it reads.
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
from refundgql.domain.records import RecordError
from refundgql.domain.sentences import sentence
from refundgql.domain.vocabulary import (
    ChargebackStatus,
    ContractKind,
    ContractStatus,
    MilestoneStatus,
    RefusalCode,
    Role,
    WithdrawalStatus,
)

REF_CHARS = 200
"""External references, names, categories: what a list can still show."""
REVISION_DIGITS = 30
FIRST_YEAR, LAST_YEAR = 1970, 2999
"""Instants outside are typing errors, and windows counted from them would leave the calendar."""

Shape = Mapping[str, Any]
Chosen = TypeVar("Chosen", bound=StrEnum)
_MEMBERS: dict[type[StrEnum], dict[str, StrEnum]] = {
    vocabulary: {member.value: member for member in vocabulary}
    for vocabulary in (ChargebackStatus, ContractKind, ContractStatus, MilestoneStatus, Role, WithdrawalStatus)
}
"""Looked up by text: calling an enumeration takes four times as long."""
_NUMBER = re.compile(rf"\d{{1,{REVISION_DIGITS}}}", re.ASCII).fullmatch
_FRACTION = re.compile(r"\.(\d+)").search
_SURROGATE = re.compile("[\ud800-\udfff]").search


def read_revision(values: Shape) -> str | None:
    """Read what grows at the source, a number or an instant, as a text that compares as they do."""
    given = values.get("revision")
    if given is None:
        return None
    if isinstance(given, str) and _NUMBER(given):
        return f"n{given.zfill(REVISION_DIGITS)}"
    try:
        at = parse_instant(given if isinstance(given, str) else "")
    except CalendarError:
        message = sentence(
            "NOT_A_REVISION",
            "Give a whole number of at most {digits} digits or an instant, as text.",
            digits=REVISION_DIGITS,
        )
        raise RecordError(message, "revision") from None
    fraction = _FRACTION(given)
    return f"t{at.replace(microsecond=0).isoformat()}.{fraction[1] if fraction else '':0<9}"


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Tell whether a value is a JSON object."""
    return type(value) is dict or isinstance(value, Mapping)


def optional(read: Callable[[Shape, str], Any], values: Shape, name: str) -> Any:
    """Read a field unless it is missing."""
    return None if values.get(name) is None else read(values, name)


def read_text(values: Shape, name: str, limit_chars: int, *, blank: bool = False) -> str:
    """Read a text; it says something unless it may be blank.

    Refuses: RecordError.
    """
    value = values.get(name)
    if type(value) is str and value.isprintable() and len(value) <= limit_chars and (blank or value.strip()):
        return value  # as nearly every text is; what follows finds out what is wrong with the others, if anything
    if not isinstance(value, str):
        raise RecordError(sentence("NOT_A_TEXT", "Give a text."), name)
    if len(value) > limit_chars:
        message = sentence(
            "RECORD_TEXT_TOO_LONG", "The text is longer than {limit} characters: shorten it.", limit=limit_chars
        )
        raise RecordError(message, name)
    if not blank and not value.strip():
        raise RecordError(sentence("RECORD_TEXT_EMPTY", "The text is empty: write something."), name)
    if "\0" in value or _SURROGATE(value):
        message = sentence(
            "RECORD_TEXT_UNSTORABLE", "The text holds characters that are not text (NUL or half a surrogate pair)."
        )
        raise RecordError(message, name)
    return value


def read_ref(values: Shape, name: str = "externalRef") -> str:
    """Read an external reference.

    Refuses: RecordError.
    """
    value = values.get(name)
    if type(value) is str and value.isprintable() and len(value) <= REF_CHARS and value.strip():
        return value
    return read_text(values, name, REF_CHARS)


def read_instant(values: Shape, name: str) -> datetime:
    """Read an instant of the years that there are.

    Refuses: RecordError.
    """
    value = values.get(name)
    if isinstance(value, datetime):
        at = value.astimezone(UTC)
    elif isinstance(value, str):
        try:
            at = parse_instant(value)
        except CalendarError as error:
            raise RecordError(error.why, name, rule="D1") from None
    else:
        raise RecordError(
            sentence("NOT_AN_INSTANT_IN_UTC", "Give an instant in UTC with Z, such as 2026-03-06T23:59:59Z."), name
        )
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        message = sentence(
            "INSTANT_OUT_OF_RANGE",
            "Give an instant in the years {first_year} to {last_year}.",
            first_year=FIRST_YEAR,
            last_year=LAST_YEAR,
        )
        raise RecordError(message, name)
    return at


def read_day(values: Shape, name: str) -> date:
    """Read a date of the years that there are.

    Refuses: RecordError.
    """
    value = values.get(name)
    if isinstance(value, date) and not isinstance(value, datetime):
        day = value
    elif isinstance(value, str):
        try:
            day = parse_date(value)
        except CalendarError as error:
            raise RecordError(error.why, name, rule="D1") from None
    else:
        raise RecordError(sentence("NOT_A_DATE", "Give a date such as 2026-03-02."), name)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        message = sentence(
            "DATE_OUT_OF_RANGE",
            "Give a date in the years {first_year} to {last_year}.",
            first_year=FIRST_YEAR,
            last_year=LAST_YEAR,
        )
        raise RecordError(message, name)
    return day


def read_decimal(values: Shape, *path: str) -> Decimal:
    """Read an exact number.

    Refuses: RecordError.
    """
    value = values.get(path[-1])
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise RecordError(sentence("NOT_FINITE", "Give a finite number."), *path)
        return value
    if not isinstance(value, str):
        raise RecordError(
            sentence("NOT_A_DECIMAL_TEXT", 'Give a decimal number as text, such as "12.50": numbers would be rounded.'),
            *path,
        )
    try:
        return parse_decimal(value)
    except MoneyError as error:
        raise RecordError(error.why, *path) from None


def read_currency(values: Shape, *path: str) -> str:
    """Read the code of a currency.

    Refuses: RecordError.
    """
    code = values.get(path[-1])
    if not isinstance(code, str):
        raise RecordError(sentence("NOT_A_CURRENCY_CODE", "Give an ISO 4217 code such as USD."), *path, rule="D2")
    try:
        exponent(code)
    except MoneyError as error:
        raise RecordError(error.why, *path, rule="D2") from None
    return code


def read_money(values: Shape, name: str) -> Money:
    """Read an amount of more than zero.

    Refuses: RecordError.
    """
    given = values.get(name)
    if type(given) is dict and len(given) == 2:
        amount, currency = given.get("amount"), given.get("currencyCode")
        if type(amount) is str and type(currency) is str:
            money = Money.plain(amount, currency)
            if money is not None and money.minor > 0:
                return money  # as nearly every amount is written; what follows finds out what is wrong with the others
    money = read_signed_money(values, name)
    if money.minor <= 0:
        raise RecordError(
            sentence("RECORD_AMOUNT_NOT_POSITIVE", "An amount is more than zero."), name, "amount", rule="D2"
        )
    return money


def read_signed_money(values: Shape, name: str) -> Money:
    """Read an amount of any sign.

    Refuses: RecordError.
    """
    given = values.get(name)
    if not is_object(given) or given.keys() - {"amount", "currencyCode"}:
        raise RecordError(sentence("NOT_MONEY", "Give money as an object with amount and currencyCode."), name)
    code = read_currency(given, name, "currencyCode")
    number = read_decimal(given, name, "amount")
    try:
        return Money.parse(number, code)
    except MoneyError as error:
        raise RecordError(error.why, name, "amount", rule="D2") from None


def read_share(values: Shape, of: str) -> Money | None:
    """Read fromBalance: the part of the amount that a balance paid (C19, L17)."""
    if values.get("fromBalance") is None:
        return None
    share, whole = read_money(values, "fromBalance"), read_money(values, of)
    if share.currency != whole.currency:
        message = sentence(
            "FROM_BALANCE_CURRENCY",
            "The balance that pays is in {currency}, as the amount is.",
            currency=whole.currency,
        )
        raise RecordError(message, "fromBalance", "currencyCode", code=RefusalCode.CURRENCY_MISMATCH, rule="D2")
    if share.minor > whole.minor:
        message = sentence("FROM_BALANCE_TOO_MUCH", "The balance pays at most the amount, {maximum}.", maximum=whole)
        raise RecordError(message, "fromBalance", "amount", rule="C19")
    return share


def read_choice(values: Shape, name: str, vocabulary: type[Chosen]) -> Chosen:
    """Read one of a closed vocabulary.

    Refuses: RecordError.
    """
    value = values.get(name)
    if type(value) is str and value in _MEMBERS[vocabulary]:
        return _MEMBERS[vocabulary][value]  # type: ignore[return-value]  # each by its own vocabulary
    try:
        return vocabulary(str(value))
    except ValueError:
        raise RecordError(
            sentence("NOT_A_CHOICE", "Give one of {choices}.", choices=", ".join(vocabulary)), name
        ) from None
