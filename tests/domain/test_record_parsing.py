"""The shape of one record: what is taken, and the one field that is named when it is not."""

from __future__ import annotations

import copy
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refundgql.domain.money import Money, MoneyError, parse_decimal
from refundgql.domain.record_fields import REF_CHARS
from refundgql.domain.record_parsing import BODY_CHARS, parse_record, shape_ref
from refundgql.domain.records import RecordError, hours_amount
from refundgql.domain.vocabulary import ContractKind, ContractStatus, Role, WithdrawalStatus

GOOD: dict[str, dict[str, Any]] = {
    "account": {"externalRef": "a", "name": "Ada", "roles": ["PRO", "CLIENT"], "openingBalance": None},
    "lead": {
        "externalRef": "l",
        "pro": "p",
        "customer": "c",
        "title": "Fence",
        "category": "Painting",
        "location": "Leeds",
        "price": {"amount": "18.00", "currencyCode": "USD"},
        "chargedAt": "2026-01-31T00:10:00Z",
    },
    "message": {"externalRef": "m", "lead": "l", "author": "p", "body": "", "sentAt": "2026-01-31T00:10:00Z"},
    "contract": {
        "externalRef": "k",
        "kind": "HOURLY",
        "client": "c",
        "expert": "e",
        "title": "Site",
        "status": "CLOSED",
        "currencyCode": "KWD",
        "startedAt": "2025-01-31T00:10:00Z",
        "endedAt": "2026-01-31T00:10:00Z",
    },
    "milestone": {
        "externalRef": "s",
        "contract": "k",
        "title": "Step",
        "amount": {"amount": "5", "currencyCode": "JPY"},
        "status": "RELEASED",
        "fundedAt": "2026-01-31T00:10:00Z",
        "releasedAt": "2026-01-31T00:10:00Z",
        "fromBalance": {"amount": "5", "currencyCode": "JPY"},
    },
    "billingWeek": {
        "externalRef": "w",
        "contract": "k",
        "startsOn": "2026-02-23",
        "hours": "10.25",
        "rate": {"amount": "1.005", "currencyCode": "KWD"},
    },
    "invoice": {
        "externalRef": "i",
        "contract": "k",
        "number": "1",
        "amount": {"amount": "1", "currencyCode": "USD"},
        "issuedAt": "2026-01-31T00:10:00Z",
        "paidAt": "2026-01-31T00:10:00.000001Z",
        "billingWeek": "w",
        "fromBalance": {"amount": "0.5", "currencyCode": "USD"},
    },
    "review": {
        "externalRef": "r",
        "contract": "k",
        "author": "c",
        "rating": 5,
        "body": "Good.",
        "postedAt": "2026-01-31T00:10:00Z",
    },
    "withdrawal": {
        "id": "Withdrawal_0192f0c4-0000-7000-8000-000000000000",
        "status": "FAILED",
        "failureReason": "Closed.",
    },
    "refund": {
        "externalRef": "r",
        "invoice": "i",
        "amount": {"amount": "1", "currencyCode": "USD"},
        "creditedAt": "2026-01-31T00:10:00Z",
    },
    "chargeback": {
        "externalRef": "b",
        "lead": "l",
        "amount": {"amount": "1", "currencyCode": "USD"},
        "status": "OPEN",
        "openedAt": "2026-01-31T00:10:00Z",
    },
}

TOO_LONG = "x" * (REF_CHARS + 1)
USD_0 = {"amount": "0.00", "currencyCode": "USD"}

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("account", {"externalRef": ""}, "externalRef"),
    ("account", {"externalRef": TOO_LONG}, "externalRef"),
    ("account", {"externalRef": 7}, "externalRef"),
    ("account", {"externalRef": None}, "externalRef"),
    ("account", {"name": " \n "}, "name"),
    ("account", {"name": "a\0b"}, "name"),
    ("account", {"name": "\ud800"}, "name"),
    ("account", {"roles": {"PRO": 1}}, "roles"),
    ("account", {"roles": ["SYSTEM"]}, "roles"),
    ("account", {"roles": [None]}, "roles"),
    ("account", {"openingBalance": {"amount": "1.001", "currencyCode": "USD"}}, "openingBalance.amount"),
    ("account", {"openingLeadCredit": {"amount": "-1.00", "currencyCode": "USD"}}, "openingLeadCredit.amount"),
    ("account", {"openingAt": "2026-01-31T00:00:00Z"}, "openingAt"),
    ("account", {"revision": 7}, "revision"),
    ("account", {"revision": "-7"}, "revision"),
    ("account", {"revision": "1.5"}, "revision"),
    ("account", {"revision": ""}, "revision"),
    ("account", {"revision": "9" * 31}, "revision"),
    ("account", {"revision": "2026-02-30T00:00:00Z"}, "revision"),
    ("account", {"surname": "x"}, "surname"),
    ("lead", {"price": {"amount": "18.001", "currencyCode": "USD"}}, "price.amount"),
    ("lead", {"price": {"amount": "-18", "currencyCode": "USD"}}, "price.amount"),
    ("lead", {"price": {"amount": 18, "currencyCode": "USD"}}, "price.amount"),
    ("lead", {"price": {"amount": 18.0, "currencyCode": "USD"}}, "price.amount"),
    ("lead", {"price": {"amount": "1e3", "currencyCode": "USD"}}, "price.amount"),
    ("lead", {"price": {"amount": "NaN", "currencyCode": "USD"}}, "price.amount"),
    ("lead", {"price": {"amount": "90071992547409.93", "currencyCode": "USD"}}, "price.amount"),
    ("lead", {"price": {"amount": "1" * 4400, "currencyCode": "USD"}}, "price.amount"),
    ("lead", {"price": {"amount": "1", "currencyCode": "usd"}}, "price.currencyCode"),
    ("lead", {"price": {"amount": "1"}}, "price.currencyCode"),
    ("lead", {"price": {"amount": "1", "currencyCode": "USD", "x": 1}}, "price"),
    ("lead", {"price": "18.00"}, "price"),
    ("lead", {"chargedAt": "2026-01-31T23:59:60Z"}, "chargedAt"),
    ("lead", {"chargedAt": "2026-02-29T00:00:00Z"}, "chargedAt"),
    ("lead", {"chargedAt": "2026-01-31T00:00:00+24:00"}, "chargedAt"),
    ("lead", {"fromBalance": {"amount": "18.01", "currencyCode": "USD"}}, "fromBalance.amount"),
    ("lead", {"chargedAt": "2026-01-31T00:00:00"}, "chargedAt"),
    ("lead", {"chargedAt": "2026-01-31T00:00:00.1234567890Z"}, "chargedAt"),
    ("lead", {"chargedAt": "9999-12-31T00:00:00Z"}, "chargedAt"),
    ("lead", {"chargedAt": 1769818200}, "chargedAt"),
    ("message", {"body": None}, "body"),
    ("message", {"body": "x" * (BODY_CHARS + 1)}, "body"),
    ("contract", {"kind": "Hourly"}, "kind"),
    ("contract", {"status": "OPEN"}, "endedAt"),
    ("contract", {"endedAt": None}, "endedAt"),
    ("contract", {"endedAt": "2025-01-31T00:09:59Z"}, "endedAt"),
    ("contract", {"currencyCode": "XAU"}, "currencyCode"),
    ("milestone", {"status": "UNFUNDED"}, "fundedAt"),
    ("milestone", {"status": "FUNDED"}, "releasedAt"),
    ("milestone", {"releasedAt": "2026-01-31T00:09:59Z"}, "releasedAt"),
    ("milestone", {"fromBalance": {"amount": "6", "currencyCode": "JPY"}}, "fromBalance.amount"),
    ("milestone", {"fromBalance": {"amount": "5.00", "currencyCode": "USD"}}, "fromBalance.currencyCode"),
    ("milestone", {"amount": {"amount": "5.5", "currencyCode": "JPY"}}, "amount.amount"),
    ("billingWeek", {"startsOn": "2026-02-24"}, "startsOn"),
    ("billingWeek", {"startsOn": "2026-02-30"}, "startsOn"),
    ("billingWeek", {"startsOn": "2026-02-23T00:00:00Z"}, "startsOn"),
    ("billingWeek", {"hours": "168.01"}, "hours"),
    ("billingWeek", {"hours": "-0.5"}, "hours"),
    ("billingWeek", {"hours": "0.0000001"}, "hours"),
    ("billingWeek", {"hours": 10}, "hours"),
    (
        "billingWeek",
        {"hours": "168", "rate": {"amount": "90071992547409.91", "currencyCode": "USD"}},
        "rate.amount",
    ),
    ("invoice", {"paidAt": None}, "fromBalance"),
    ("invoice", {"milestone": "s"}, "milestone"),
    ("review", {"rating": 0}, "rating"),
    ("review", {"rating": 6}, "rating"),
    ("review", {"rating": True}, "rating"),
    ("review", {"rating": "5"}, "rating"),
    ("withdrawal", {"id": " "}, "id"),
    ("refund", {"lead": "l"}, "lead"),
    ("refund", {"invoice": None}, "invoice"),
    ("refund", {"amount": USD_0}, "amount.amount"),
    ("chargeback", {"invoice": "i", "milestone": "s"}, "lead"),
    ("chargeback", {"status": "PAID"}, "status"),
    ("withdrawal", {"status": "PAID"}, "failureReason"),
    ("withdrawal", {"failureReason": " "}, "failureReason"),
]


def shape(kind: str, /, **more: Any) -> dict[str, Any]:
    """Return a good record with other values."""
    return {kind: copy.deepcopy(GOOD[kind]) | more}


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_record_of_each_kind_is_taken(kind: str) -> None:
    """Each kind has its typed value, which carries its reference."""
    record = parse_record(shape(kind))
    assert record.kind == kind
    assert record.ref in GOOD[kind].values() or GOOD[kind]["id"].endswith(record.ref)


@pytest.mark.parametrize(("kind", "more", "path"), BAD, ids=lambda it: str(it)[:60])
def test_what_is_wrong_is_named(kind: str, more: dict[str, Any], path: str) -> None:
    """The error's path leads from the kind to the one field, and its sentence ends."""
    with pytest.raises(RecordError) as error:
        parse_record(shape(kind, **more))
    assert error.value.path == (kind, *path.split("."))
    assert error.value.message.endswith(".")


@pytest.mark.parametrize("bad", [None, [], 1, "x", {}, {"lead": {}, "account": {}}, {"leads": {}}, {"lead": []}])
def test_only_an_object_with_exactly_one_kind_is_a_record(bad: object) -> None:
    """Anything else is refused without a field, or at the kind whose value is no object."""
    with pytest.raises(RecordError) as error:
        parse_record(bad)
    assert error.value.path in ((), ("lead",))


def test_parsed_values_are_taken_as_texts_are() -> None:
    """What the API has parsed already gives the same record as the texts of a file."""
    values: dict[str, Any] = shape("contract")
    values["contract"] |= {
        "kind": ContractKind.HOURLY,
        "status": ContractStatus.CLOSED,
        "startedAt": datetime(2025, 1, 31, 0, 10, tzinfo=UTC),
        "endedAt": datetime(2026, 1, 31, 0, 10, tzinfo=UTC),
    }
    assert parse_record(values) == parse_record(shape("contract"))
    week = shape("billingWeek", startsOn=date(2026, 2, 23), hours=Decimal("10.25"))
    week["billingWeek"]["rate"]["amount"] = Decimal("1.005")
    assert parse_record(week) == parse_record(shape("billingWeek"))
    account = shape("account", roles=[Role.CLIENT, Role.PRO, Role.PRO])
    assert parse_record(account) == parse_record(shape("account"))
    assert parse_record(shape("withdrawal", status=WithdrawalStatus.FAILED)) == parse_record(shape("withdrawal"))


def test_a_faulty_record_still_shows_what_it_is_about() -> None:
    """The kind and reference of a record that is refused are known where they can be read."""
    assert shape_ref(shape("lead", price=None)) == ("lead", "l")
    assert [shape_ref(it) for it in (None, [], {"lead": {}}, {"lead": {"externalRef": 1}})] == [None] * 4


@given(st.integers(0, 168 * 10**6), st.integers(1, 10**9), st.sampled_from(["JPY", "USD", "KWD"]))
def test_hours_times_rate_is_exact_but_for_the_last_rounding(millionths: int, rate_minor: int, currency: str) -> None:
    """The amount is the nearest number of minor units, half to even, computed in whole numbers (D18)."""
    whole, rest = divmod(millionths * rate_minor, 10**6)
    nearest = whole + (rest * 2 > 10**6 or (rest * 2 == 10**6 and whole % 2 == 1))
    assert hours_amount(Decimal(millionths).scaleb(-6), Money(rate_minor, currency)) == Money(nearest, currency)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_no_value_anywhere_is_a_fault(kind: str, data: st.DataObject) -> None:
    """Whatever stands in a field, the record is taken or refused with a RecordError."""
    name = data.draw(st.sampled_from(sorted(GOOD[kind])))
    with suppress(RecordError):
        parse_record(shape(kind, **{name: data.draw(ANY)}))


AMOUNTS = st.one_of(
    st.from_regex(r"[0-9]{0,14}\.?[0-9]{0,5}", fullmatch=True),
    st.decimals(-20_000, 10**17, allow_nan=False, places=3).map(str),
    st.text("0123456789.-+eE ²٣", max_size=8),
)


@given(AMOUNTS, st.sampled_from(["USD", "JPY", "KWD", "CLF", "XAU", "usd", ""]))
def test_a_plain_amount_is_what_the_exact_one_is(amount: str, currency: str) -> None:
    """The short way to read money knows no amount that the long one refuses or reads otherwise, and every usual one."""
    plain = Money.plain(amount, currency)
    exact = None
    with suppress(MoneyError):
        exact = Money.parse(parse_decimal(amount), currency)
    assert plain in (None, exact)
    if exact is not None and 0 <= exact.minor <= 10**12 and len(amount) <= 12:
        assert plain == exact
