"""The orders of a list of cases, and the key that each one pages by."""

from __future__ import annotations

from enum import StrEnum

from iso4217 import Currency

from refundgql.queries.pages import Key, Order

# Later than any deadline, so that cases without one come last and every place in the order is a number.
NEVER = 2**62


class RefundCaseOrder(StrEnum):
    """Orders that clients may ask for."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"
    RECENTLY_CHANGED = "RECENTLY_CHANGED"
    SOONEST_DEADLINE = "SOONEST_DEADLINE"
    LARGEST_AMOUNT = "LARGEST_AMOUNT"


def _major_units() -> str:
    """Return the SQL of a case's amount in major units: minor units of different currencies do not compare."""
    scales: dict[int, list[str]] = {}
    for currency in Currency:
        if currency.exponent not in (2, None):
            scales.setdefault(currency.exponent, []).append(currency.code)
    cases = " ".join(
        f"WHEN c.currency IN ({', '.join(repr(code) for code in sorted(codes))}) THEN {10**exponent}"
        for exponent, codes in sorted(scales.items())
    )
    amount = "COALESCE(c.requested_minor, c.approved_minor, 0)"
    return f"CAST({amount} AS DOUBLE PRECISION) / CASE {cases} ELSE 100 END"


_ID = Key("c.id", "uuid")
_NEWEST_ID = Key("c.id", "uuid", descending=True)
_DEADLINE = Key(f"COALESCE(c.deadline_at, {NEVER})", "int")

ORDERS = {
    RefundCaseOrder.NEWEST: Order("cases-newest", (Key("c.opened_at", "int", descending=True), _NEWEST_ID)),
    RefundCaseOrder.OLDEST: Order("cases-oldest", (Key("c.opened_at", "int"), _ID)),
    RefundCaseOrder.RECENTLY_CHANGED: Order("cases-changed", (Key("c.updated_at", "int", descending=True), _NEWEST_ID)),
    RefundCaseOrder.SOONEST_DEADLINE: Order("cases-deadline", (_DEADLINE, Key("c.opened_at", "int"), _ID)),
    RefundCaseOrder.LARGEST_AMOUNT: Order(
        "cases-amount", (Key(_major_units(), "float", descending=True), Key("c.currency", "text"), _ID)
    ),
}

OWN_BY_DEADLINE = Order(
    "cases-deadline", (Key(f"+{_DEADLINE.sql}", "int"), Key("c.opened_at", "int"), Key("c.id", "uuid"))
)
"""The same for somebody's own cases: the plus keeps the databases from walking everybody's for them."""

QUEUE = Order(
    "queue",
    (
        _DEADLINE,
        Key("c.opened_at", "int"),
        _ID,
    ),
)
"""The desk's own order: the earliest target first, and with it what is late, then the oldest (L14, D20)."""
