"""The history of an account (C20): postings that touch its balances, and requests that are not credited yet.

It must not show a balance to anybody but its owner and staff.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from refundgql.domain.kept_texts import REFUND_REQUEST
from refundgql.domain.viewers import Viewer
from refundgql.queries.accounts import AccountRow
from refundgql.queries.listing import Listing, bounds_of, fetch_owned_pages
from refundgql.queries.pages import ConnectionRow, Key, Order, Page
from refundgql.storage import visibility
from refundgql.storage.database import Dialect, Source


@dataclass(slots=True)
class TransactionRow:
    """One line of the history of `account_id`; amounts in minor units, negative when money left."""

    TYPENAME: ClassVar[str] = "Transaction"
    id: str
    account_id: str
    at: int
    booked_at: int
    status: str
    purpose: str
    amount_minor: int
    currency: str
    balance_after_minor: int | None
    description: str
    refund_case_id: str | None
    withdrawal_id: str | None
    reverses_id: str | None


COLUMNS = (
    "t.id, t.account_id, t.at, t.booked_at, t.status, t.purpose, t.amount_minor, t.currency, t.balance_after_minor,"
    " t.description, t.case_id, t.withdrawal_id, t.reverses_id"
)
# A balance's postings have positions in the order in which they were booked, and their instants never go back; requests
# are booked nowhere, and stand behind what was booked at the same instant.
NEWEST = Order(
    "booked",
    (
        Key("t.booked_at", "int", descending=True),
        Key("t.position", "int", descending=True),
        Key("t.id", "uuid", descending=True),
    ),
)
_BOOKED_AT = "COALESCE({posting}.booked_at, {posting}.at)"

_REVERSED = (
    "CASE WHEN EXISTS (SELECT 1 FROM posting r WHERE r.reverses_id = p.id) THEN 'REVERSED' ELSE 'POSTED' END AS status"
)

_WIDTH = len(COLUMNS.split(","))


def _leg(side: str, sign: str, postings: str = "JOIN posting p ON p.{side}_key = o.key") -> str:
    return (
        f"SELECT p.id, o.owner_id AS account_id, p.at,"
        f" {_BOOKED_AT.format(posting='p')} AS booked_at, p.position, {_REVERSED}, o.purpose,"
        f" {sign}p.amount_minor AS amount_minor, p.currency,"
        f" p.{side}_balance_after_minor AS balance_after_minor, p.description, p.case_id, p.withdrawal_id,"
        f" p.reverses_id FROM ledger_account o {postings.format(side=side)} WHERE o.kind = 'balance'"
    )


# A request is a line until it is credited: for whoever gets the money, which is the client when an expert issued it.
_REQUESTS = (
    "SELECT c.id, CASE WHEN c.opened_by = 'ISSUE' THEN c.counterparty_id ELSE c.requester_id END AS account_id,"
    " c.opened_at AS at, c.opened_at AS booked_at, 0 AS position,"
    " CASE c.state WHEN 'DECLINED' THEN 'DECLINED' WHEN 'CANCELLED' THEN 'CANCELLED'"
    " ELSE 'PENDING' END AS status, CASE c.kind WHEN 'LEAD' THEN 'LEADS' ELSE 'CONTRACTS' END AS purpose,"
    " COALESCE(c.approved_minor, c.requested_minor) AS amount_minor, c.currency, NULL AS balance_after_minor,"
    f" '{REFUND_REQUEST.template}' AS description, c.id AS case_id, NULL AS withdrawal_id, NULL AS reverses_id"
    " FROM refund_case c WHERE c.state <> 'CREDITED' AND COALESCE(c.approved_minor, c.requested_minor) IS NOT NULL"
)
_LINES = f"({_leg('from', '-')} UNION ALL {_leg('to', '')} UNION ALL {_REQUESTS}) t"


# Of each balance only as many postings are read, off its index, as the page can hold.
_NEAREST = {
    Dialect.POSTGRES: "CROSS JOIN LATERAL (SELECT * FROM posting q WHERE q.{{side}}_key = o.key{bounds}"
    " ORDER BY {by} LIMIT ?) p",
    Dialect.SQLITE: "JOIN posting p ON p.position IN (SELECT q.position FROM posting q"
    " WHERE q.{{side}}_key = o.key{bounds} ORDER BY {by} LIMIT ?)",
}
_OF_ONE_BALANCE = Order(
    NEWEST.name,
    (
        Key(_BOOKED_AT.format(posting="q"), "int", descending=True),
        Key("q.position", "int", descending=True),
        Key("q.id", "uuid", descending=True),
    ),
)


def _nearest_lines(dialect: Dialect, page: Page) -> tuple[str, list[Any]]:
    """Return the lines among which a page of any account's history is, with their parameters."""
    bounds = bounds_of(_OF_ONE_BALANCE, page, dialect)
    where = "".join(f" AND {condition}" for condition, _ in bounds)
    postings = _NEAREST[dialect].format(bounds=where, by=_OF_ONE_BALANCE.by(page.backward))
    parameters = [*(value for _, values in bounds for value in values), page.size + 1]
    legs = f"{_leg('from', '-', postings)} UNION ALL {_leg('to', '', postings)}"
    return f"({legs} UNION ALL {_REQUESTS}) t", parameters * 2


def _row(record: Any) -> TransactionRow:
    return TransactionRow(*tuple(record)[:_WIDTH])


async def list_transactions(
    source: Source, viewer: Viewer, rows: Sequence[AccountRow], page: Page, wanted: Mapping[str, Any]
) -> list[ConnectionRow]:
    """Return the same page of each account's history, newest first; empty for accounts that are not open."""
    relation, parameters = _nearest_lines(source.dialect, page)
    listing = Listing(
        columns=COLUMNS,
        relation=relation,
        relation_parameters=parameters,
        count_relation=_LINES,
        order=NEWEST,
        make=_row,
        conditions=[visibility.transactions(viewer)],
        is_indexed=False,
    )
    return await fetch_owned_pages(source, listing, page, wanted, "t.account_id", rows)


async def reversed_transactions(
    source: Source, viewer: Viewer, rows: Sequence[TransactionRow], wanted: Mapping[str, Any]
) -> list[TransactionRow | None]:
    """Return the line of the same history that each line undoes, if any."""
    ids = [row.reverses_id for row in rows if row.reverses_id is not None]
    if not ids:
        return [None] * len(rows)
    found = await _lines(source, viewer, ids)
    by_place = {(line.id, line.account_id): line for line in found}
    return [None if row.reverses_id is None else by_place.get((row.reverses_id, row.account_id)) for row in rows]


async def transactions_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, TransactionRow]:
    """Return the lines of the viewer's own history; to staff, from the side that the money came to."""
    found = await _lines(source, viewer, ids)
    mine = [line for line in found if line.account_id == viewer.account_id]
    return {line.id: line for line in [*sorted(found, key=lambda line: line.amount_minor), *mine]}


async def _lines(source: Source, viewer: Viewer, ids: Sequence[str]) -> list[TransactionRow]:
    condition, parameters = visibility.transactions(viewer)
    sql = f"SELECT {COLUMNS} FROM {_LINES} WHERE t.id = ANY(?) AND {condition}"
    return [_row(record) for record in await source.fetch(sql, (list(ids), *parameters))]
