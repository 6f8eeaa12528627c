"""Scalars take exactly what they say, give it back in one form, and refuse everything else as BAD_USER_INPUT."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from api_world import Desk
from refundgql.api.types.scalars import (
    format_micros,
    parse_currency_code,
    parse_date,
    parse_date_time,
    parse_decimal,
    serialize_date_time,
)
from refundgql.domain.calendar import from_micros, to_micros

METRICS = 'query($from: DateTime!) { supportMetrics(from: $from, until: "9999-12-31T00:00:00Z") { opened } }'


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-06T23:59:59.999999Z", "2026-03-06T23:59:59.999999Z"),
        ("2026-03-06T23:59:59.5Z", "2026-03-06T23:59:59.500000Z"),
        ("2026-03-06T23:59:59.9999999Z", "2026-03-06T23:59:59.999999Z"),
        ("2026-03-06T23:59:59.000000999+02:00", "2026-03-06T21:59:59Z"),
        ("2026-03-06T23:59:59.12345678Z", "2026-03-06T23:59:59.123456Z"),
        ("2026-03-01t09:30:00z", "2026-03-01T09:30:00Z"),
        ("2026-03-01T09:30:00+01:00", "2026-03-01T08:30:00Z"),
        ("2026-03-01T00:30:00+05:30", "2026-02-28T19:00:00Z"),
        ("2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_instants(text: str, instant: str) -> None:
    """RFC 3339 instants are taken with any offset and given back in UTC."""
    assert serialize_date_time(parse_date_time(text)) == instant


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-30T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T12:60:00Z",
        "2026-03-01",
        "2026-03-01T09:30Z",
        "2026-03-01T09:30:00",
        "2026-03-01 09:30:00Z",
        "2026-03-01T09:30:00.1234567890Z",
        "2026-03-01T09:30:001Z",
        "2026-03-01T09:30:00+24:00",
        "2026-03-01T09:30:00+01:60",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
        "２０２６-03-01T09:30:00Z",
        "2026-03-01T09:30:00Z\n",
        "",
        0,
        1772355000,
        True,
        None,
        ["2026-03-01T09:30:00Z"],
    ],
)
def test_what_is_no_instant(text: Any) -> None:
    """Leap seconds, missing zones, impossible days and numbers are refused."""
    with pytest.raises(GraphQLError, match="Not a DateTime"):
        parse_date_time(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_come_back(instant: datetime) -> None:
    """Every instant of the calendar is given in a form that is taken back as the same."""
    text = format_micros(to_micros(instant))
    assert parse_date_time(text) == instant == from_micros(to_micros(instant))


@pytest.mark.parametrize("text", ["12.50", "0", "-3.1", "00.10", "9007199254740992", "0.00000000000000000001"])
def test_decimals(text: str) -> None:
    """Plain decimal numbers in strings are exact."""
    assert parse_decimal(text) == Decimal(text)


@pytest.mark.parametrize(
    "value",
    [12.5, 12, True, None, "", " 1", "1 ", "+1", "1e3", "1E400", "NaN", "Infinity", "-", ".5", "5.", "1,000", "0x10"],
)
def test_what_is_no_decimal(value: Any) -> None:
    """Numbers that are not strings, exponents, specials and other forms are refused."""
    with pytest.raises(GraphQLError, match="Not a Decimal"):
        parse_decimal(value)


@pytest.mark.parametrize(
    "value",
    ["1_000", "١٢", "1" * 21, "0." + "1" * 21, "1\n", "--1", [], {}],
)
def test_odd_digits(value: Any) -> None:
    """Other scripts, separators and endless digits are refused."""
    with pytest.raises(GraphQLError, match="Not a Decimal"):
        parse_decimal(value)


@pytest.mark.parametrize("value", ["usd", "XXX", "XAU", "US", "USDD", "", "US ", 840, None, "ÜSD"])
def test_what_is_no_currency(value: Any) -> None:
    """Codes that are not of a currency that money can have are refused."""
    with pytest.raises(GraphQLError, match="Not a CurrencyCode"):
        parse_currency_code(value)
    assert [parse_currency_code(code) for code in ("USD", "JPY", "KWD")] == ["USD", "JPY", "KWD"]


@pytest.mark.parametrize("value", ["2026-02-29", "2026-3-1", "20260301", "2026-03-01T00:00:00Z", "", 5, None])
def test_what_is_no_date(value: Any) -> None:
    """Days that do not exist and other forms are refused."""
    with pytest.raises(GraphQLError, match="Not a Date"):
        parse_date(value)
    assert parse_date("2024-02-29").day == 29


@pytest.mark.parametrize("value", ["2026-06-30T23:59:60Z", "now", 5, None, {"a": 1}])
async def test_malformed_variables(small_desk: Desk, value: Any) -> None:
    """A malformed scalar in a variable is BAD_USER_INPUT in errors, without data."""
    answer = await small_desk.answer("sam", METRICS, **{"from": value})
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert "data" not in answer


MONEY = 'mutation($m: MoneyInput!) { requestWithdrawal(input: { amount: $m, idempotencyKey: "k" }) { replayed } }'


@pytest.mark.parametrize(
    "money",
    [
        {"amount": "1e3", "currencyCode": "USD"},
        {"amount": 5, "currencyCode": "USD"},
        {"amount": "5.00", "currencyCode": "usd"},
        {"amount": "NaN", "currencyCode": "USD"},
        {"amount": "5.00"},
    ],
)
async def test_malformed_money(small_desk: Desk, money: Any) -> None:
    """Malformed amounts never reach a command."""
    assert await small_desk.code("karl", MONEY, m=money) == "BAD_USER_INPUT"


@pytest.mark.parametrize("amount", ["0", "0.00", "-5.00", "5.001", "90071992547409.93", "99999999999999999999"])
async def test_amounts_that_are_refused(small_desk: Desk, amount: str) -> None:
    """Well-formed numbers that cannot be money are refused as data (D2)."""
    document = MONEY.replace("{ replayed }", "{ refusals { code rule field } }")
    found = await small_desk.run("karl", document, m={"amount": amount, "currencyCode": "USD"})
    (refusal,) = found["requestWithdrawal"]["refusals"]
    assert (refusal["code"], refusal["rule"], refusal["field"][0]) == ("INVALID_INPUT", "D2", "amount")
