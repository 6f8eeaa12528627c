"""An import's line and a record of `syncRecords` are taken and refused alike, whatever stands in their fields."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from api_world import Desk
from refundgql.commands.import_records import import_lines
from refundgql.commands.sync_records import FaultyRecords

SYNC = "mutation($input: SyncRecordsInput!) { syncRecords(input: $input) { created refusals { message field } } }"

USD = {"amount": "5.00", "currencyCode": "USD"}
SEEN = "2026-02-01T10:00:00Z"
RECORDS: list[dict[str, dict[str, Any]]] = [
    {
        "account": {
            "externalRef": "a",
            "name": "Ada",
            "roles": ["PRO", "EXPERT"],
            "openingBalance": USD,
            "openingAt": SEEN,
            "openingLeadCredit": USD,
            "revision": "1",
        }
    },
    {"account": {"externalRef": "c", "name": "Cleo", "roles": ["CUSTOMER", "CLIENT"]}},
    {
        "lead": {
            "externalRef": "l",
            "pro": "a",
            "customer": "c",
            "title": "Fence",
            "category": "Painting",
            "location": "Leeds",
            "price": USD,
            "chargedAt": SEEN,
            "fromBalance": USD,
        }
    },
    {"message": {"externalRef": "m", "lead": "l", "author": "a", "body": "Hi", "sentAt": SEEN, "deletedAt": SEEN}},
    {
        "contract": {
            "externalRef": "h",
            "kind": "HOURLY",
            "client": "c",
            "expert": "a",
            "title": "Site",
            "status": "CLOSED",
            "currencyCode": "USD",
            "startedAt": SEEN,
            "endedAt": SEEN,
        }
    },
    {"billingWeek": {"externalRef": "w", "contract": "h", "startsOn": "2026-02-16", "hours": "10.5", "rate": USD}},
    {
        "invoice": {
            "externalRef": "i",
            "contract": "h",
            "number": "1",
            "amount": USD,
            "issuedAt": SEEN,
            "paidAt": SEEN,
            "billingWeek": "w",
        }
    },
    {"review": {"externalRef": "r", "contract": "h", "author": "c", "rating": 4, "body": "Good.", "postedAt": SEEN}},
    {"refund": {"externalRef": "f", "invoice": "i", "amount": USD, "creditedAt": SEEN}},
    {"withdrawal": {"id": "po", "status": "PAID", "account": "c", "amount": USD, "requestedAt": SEEN}},
    {"chargeback": {"externalRef": "b", "lead": "l", "amount": USD, "status": "OPEN", "openedAt": SEEN}},
]

ODD: list[Any] = [
    None,
    "",
    " ",
    "x" * 30_000,
    "a\0b",
    "PRO",
    "pro",
    0,
    4,
    4.0,
    4.5,
    10**20,
    True,
    [],
    ["PRO"],
    [None],
    {},
    "5",
    "5.001",
    "1e3",
    "-5.00",
    "2026-02-01",
    "2026-02-16",
    "2026-02-01T10:00:00+00:00",
    "2026-02-01T11:00:00+01:00",
    "2026-02-01t10:00:00.0000000z",
    "2026-02-01T10:00:60Z",
    "1969-12-31T23:59:59Z",
    {"amount": "5.00", "currencyCode": "USD", "x": 1},
    {"amount": 5, "currencyCode": "USD"},
    {"amount": "-5.00", "currencyCode": "USD"},
    {"amount": "5", "currencyCode": "usd"},
    {"amount": "0", "currencyCode": "USD"},
]


def changed() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every record with an odd value in one of its fields, without it, or with a field that it does not have."""
    for record in RECORDS:
        ((kind, values),) = record.items()
        for name in (*values, "surname"):
            for odd in ODD:
                yield f"{kind}.{name} = {odd!r:.40}", {kind: copy.deepcopy(values) | {name: odd}}
            yield f"{kind} without {name}", {kind: {key: values[key] for key in values if key != name}}


async def test_a_record_is_taken_by_both_roads_or_by_neither(small_desk: Desk) -> None:
    """What the API takes is unchanged as a line; what it refuses, by whichever of its means, is refused as a line."""
    await import_lines(small_desk.app.uow, RECORDS)
    told_apart = []
    for what, record in changed():
        answer = await small_desk.answer("market", SYNC, input={"records": [record]})
        by_api = "errors" not in answer and answer["data"]["syncRecords"]["refusals"] == []
        try:
            counts = await import_lines(small_desk.app.uow, [record])
            by_line, again = True, counts.created == 0
        except FaultyRecords:
            by_line = again = False
        if by_api is not by_line or (by_api and not again):
            told_apart.append((what, "taken" if by_api else answer))
    assert told_apart == []
