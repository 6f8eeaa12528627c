"""The scalars of the API, strict in what they take and canonical in what they give.

It must not round or guess: a value that is not exactly right is refused as BAD_USER_INPUT.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from refundgql.api.languages import said
from refundgql.domain import calendar, money
from refundgql.domain.calendar import CalendarError, from_micros, to_micros
from refundgql.domain.money import MoneyError, exponent
from refundgql.domain.sentences import Sentence, sentence
from refundgql.gql.declare import gives, passes

CurrencyCode = NewType("CurrencyCode", str)


_A_CURRENCY_CODE = sentence("GIVE_CURRENCY_CODE", 'give an ISO 4217 code such as "USD".')


def _refuse(what: str, why: Sentence) -> GraphQLError:
    return GraphQLError(f"{what}: {said(why)}")


def parse_date_time(value: Any) -> datetime:
    """Return the aware UTC instant of an RFC 3339 text, as records have it too. Refuses: GraphQLError."""
    try:
        return calendar.parse_instant(value if isinstance(value, str) else "")
    except CalendarError as error:
        raise _refuse("Not a DateTime", error.why) from None


def parse_date(value: Any) -> date:
    """Return the date of an ISO 8601 text. Refuses: GraphQLError for anything else."""
    try:
        return calendar.parse_date(value if isinstance(value, str) else "")
    except CalendarError as error:
        raise _refuse("Not a Date", error.why) from None


def parse_decimal(value: Any) -> Decimal:
    """Return the exact number of a plain decimal text.

    Refuses: GraphQLError for numbers that are not texts, exponents, and more digits than any amount has.
    """
    try:
        return money.parse_decimal(value if isinstance(value, str) else "")
    except MoneyError as error:
        raise _refuse("Not a Decimal", error.why) from None


def parse_currency_code(value: Any) -> str:
    """Return an ISO 4217 code that money can have. Refuses: GraphQLError for anything else."""
    if not isinstance(value, str) or len(value) != 3:
        raise _refuse("Not a CurrencyCode", _A_CURRENCY_CODE)
    try:
        exponent(value)
    except MoneyError:
        raise _refuse("Not a CurrencyCode", _A_CURRENCY_CODE) from None
    return value


_MINUTE_MICROS = 60_000_000
_MINUTES = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1_440)]
_DAYS_KEPT = 4_096
"""Eleven years of days; a list is of one or two."""


class _Days(dict[int, str]):
    """Days since the epoch as text, each worked out once."""

    def __missing__(self, day: int) -> str:
        if len(self) >= _DAYS_KEPT:
            self.clear()
        text = self[day] = (date(1970, 1, 1) + timedelta(days=day)).isoformat()
        return text


class _Seconds(dict[int, str]):
    """Microseconds of a minute as text; whole seconds are known, and the sixty million others are not kept."""

    def __missing__(self, micros: int) -> str:
        second, fraction = divmod(micros, 1_000_000)
        return f"{second:02d}.{fraction:06d}Z"


_DAYS = _Days()
_SECONDS = _Seconds((second * 1_000_000, f"{second:02d}Z") for second in range(60))


def format_micros(micros: int) -> str:
    """Return microseconds since the epoch as RFC 3339 in UTC, with a fraction only when there is one."""
    minutes = micros // _MINUTE_MICROS
    day = minutes // 1_440
    return f"{_DAYS[day]}{_MINUTES[minutes - day * 1_440]}{_SECONDS[micros - minutes * _MINUTE_MICROS]}"


@gives(int, format_micros)
def serialize_date_time(value: Any) -> str:
    """Return an instant (microseconds since the epoch, or an aware datetime) as RFC 3339 in UTC with Z."""
    if type(value) is int:
        return format_micros(value)
    if isinstance(value, datetime):
        return format_micros(to_micros(value))
    raise TypeError("a DateTime is microseconds or an aware datetime")


@passes(str)
def serialize_date(value: Any) -> str:
    """Return a date as ISO 8601."""
    return value if isinstance(value, str) else value.isoformat()


@passes(str)
def serialize_decimal(value: Any) -> str:
    """Return an exact number as plain text, never with an exponent."""
    return value if isinstance(value, str) else format(value, "f")


@passes(str)
def serialize_currency_code(value: Any) -> str:
    """Return a currency code as it is."""
    return str(value)


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant as RFC 3339 text. Answers are always in UTC with Z and have at most six decimals "
        "of a second; input may carry another offset and up to nine decimals, of which six are kept. Leap seconds are "
        "refused.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=serialize_date_time,
        parse_value=parse_date_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day of the UTC calendar as ISO 8601 text, such as 2026-03-01.",
        serialize=serialize_date,
        parse_value=parse_date,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number as a string, such as "12.50": no exponent, at most 20 digits on '
        "each side of the point. Numbers that are not strings are refused, because clients would round them.",
        serialize=serialize_decimal,
        parse_value=parse_decimal,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description="A currency by its ISO 4217 code in capitals, such as USD.",
        specified_by_url="https://www.iso.org/iso-4217-currency-codes.html",
        serialize=serialize_currency_code,
        parse_value=parse_currency_code,
    ),
}
"""What strawberry puts in place of the Python types in declarations."""

__all__ = ["SCALARS", "CurrencyCode", "from_micros"]
