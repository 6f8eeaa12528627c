"""Accounts and balances for a viewer.

It must not show more of another person than name and external reference: roles and balances stay empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from refundgql.domain.calendar import to_micros
from refundgql.domain.money import Money
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import OPEN_STATES, Role
from refundgql.queries.listing import Listing, fetch_page
from refundgql.queries.pages import Condition, ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.queries.texts import contains
from refundgql.storage import visibility
from refundgql.storage.accounts import find_viewer_by_ref, find_viewers_by_ref
from refundgql.storage.database import Source

COLUMNS = "id, external_ref, name, roles"
"""What an account row is made of, in this order."""


@dataclass(slots=True)
class AccountRow:
    """An account as one viewer sees it; `is_open` when they see all of it."""

    TYPENAME: ClassVar[str] = "Account"
    id: str
    external_ref: str
    name: str
    roles: list[str]
    is_open: bool


FOR_EVERYBODY = Shape(AccountRow, "external_ref name")
"""What whoever comes across an account sees of it; for anything else an account is read whole."""


def is_for_everybody(wanted: Iterable[str]) -> bool:
    """Tell whether nothing is asked for that depends on who is looking."""
    return {"id", "external_ref", "name"}.issuperset(wanted)


@dataclass(slots=True)
class BalanceRow:
    """Money of one purpose and currency, in minor units."""

    purpose: str
    currency: str
    available_minor: int
    in_transit_minor: int


def account_columns(alias: str) -> str:
    """Return the select list of an account row."""
    return f"{alias}.id, {alias}.external_ref, {alias}.name, {alias}.roles"


def account_row(viewer: Viewer, values: Sequence[Any]) -> AccountRow:
    """Return the account of four values as the viewer sees it."""
    account_id, external_ref, name, roles = values
    is_open = visibility.owns(viewer, account_id)
    return AccountRow(account_id, external_ref, name, roles.split(",") if is_open and roles else [], is_open)


class Callers:
    """Reads who is calling for many requests with few statements: those that ask during one share the next one.

    Nothing is kept: a viewer is always read by a statement that began after it was asked for.
    """

    __slots__ = ("_reading", "_source", "_task", "_waiting")

    def __init__(self, source: Source) -> None:
        """Prepare; nothing is read yet."""
        self._source = source
        self._reading = False
        self._waiting: list[tuple[str, asyncio.Future[Viewer | None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def find(self, external_ref: str) -> Viewer | None:
        """Return who an external reference stands for, with the roles of this moment.

        Refuses: StorageError, for all who shared the statement that failed.
        """
        if self._reading:
            future: asyncio.Future[Viewer | None] = asyncio.get_running_loop().create_future()
            self._waiting.append((external_ref, future))
            return await future
        self._reading = True
        try:
            return await find_viewer_by_ref(self._source, external_ref)
        finally:
            self._go_on()

    def _go_on(self) -> None:
        self._reading = bool(self._waiting)
        if self._reading:
            self._task = asyncio.get_running_loop().create_task(self._read_waiting())

    async def _read_waiting(self) -> None:
        asked, self._waiting = self._waiting, []
        try:
            found = await find_viewers_by_ref(self._source, {external_ref for external_ref, _ in asked})
        except Exception as error:
            for _, future in asked:
                if not future.done():  # whoever does not wait any more is done
                    future.set_exception(error)
        else:
            for external_ref, future in asked:
                if not future.done():
                    future.set_result(found.get(external_ref))
        self._go_on()


async def find_viewers(source: Source, external_refs: Collection[str]) -> dict[str, Viewer]:
    """Return who many external references stand for, with the roles of this moment; unknown ones are left out."""
    return await find_viewers_by_ref(source, external_refs)


async def accounts_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, AccountRow]:
    """Return the accounts that rows the viewer sees point at.

    Whoever sees such a row may know the names in it, so no condition of its own is needed here.
    """
    if set(ids) == {viewer.account_id}:
        roles = sorted(role.value for role in viewer.roles)
        return {viewer.account_id: AccountRow(viewer.account_id, viewer.external_ref, viewer.name, roles, True)}
    rows = await source.fetch(f"SELECT {COLUMNS} FROM account WHERE id = ANY(?)", (list(ids),))
    return {row[0]: account_row(viewer, tuple(row)) for row in rows}


async def visible_accounts(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, AccountRow]:
    """Return the accounts that the viewer may come across, for ids that a client gives."""
    condition, parameters = visibility.accounts(viewer, "a")
    rows = await source.fetch(
        f"SELECT {account_columns('a')} FROM account a WHERE a.id = ANY(?) AND {condition}", (list(ids), *parameters)
    )
    return {row[0]: account_row(viewer, tuple(row)) for row in rows}


async def list_balances(source: Source, rows: Iterable[AccountRow]) -> list[list[BalanceRow]]:
    """Return the balances of each account, by purpose, then currency; none of accounts that are not open."""
    rows = list(rows)
    ids = list({row.id for row in rows if row.is_open})
    found: dict[str, dict[tuple[str, str], BalanceRow]] = {one: {} for one in ids}
    if ids:
        statement = (
            "SELECT owner_id, purpose, currency, balance_minor, 0 AS in_transit FROM ledger_account"
            " WHERE kind = 'balance' AND owner_id = ANY(?)"
            " UNION ALL SELECT account_id, 'CONTRACTS', currency, 0, CAST(SUM(amount_minor) AS BIGINT) FROM withdrawal"
            " WHERE status IN ('REQUESTED', 'SENT') AND account_id = ANY(?) GROUP BY account_id, currency"
        )
        for owner_id, purpose, currency, available, in_transit in await source.fetch(statement, (ids, ids)):
            balance = found[owner_id].setdefault((purpose, currency), BalanceRow(purpose, currency, 0, 0))
            balance.available_minor += available
            balance.in_transit_minor += in_transit
    return [[found[row.id][key] for key in sorted(found[row.id])] if row.is_open else [] for row in rows]


class AccountFilter(Protocol):
    """What accounts are narrowed by; every value may be None."""

    text: str | None
    external_refs: list[str] | None
    roles: list[Role] | None


NEWEST = Order("accounts", (Key("a.created_at", "int", descending=True), Key("a.id", "uuid", descending=True)))
STAFF_ROLES = (Role.ADMIN, Role.SUPPORT)


async def list_accounts(
    source: Source, viewer: Viewer, given: AccountFilter | None, page: Page, wanted: Mapping[str, Any]
) -> ConnectionRow:
    """Return a page of the accounts that the viewer may come across, newest first."""
    return await _list(source, viewer, [] if given is None else _filtered(given), page, wanted)


async def list_staff(source: Source, viewer: Viewer, page: Page, wanted: Mapping[str, Any]) -> ConnectionRow:
    """Return a page of the members of staff, newest first."""
    return await _list(source, viewer, [_in_roles(STAFF_ROLES)], page, wanted)


async def _list(
    source: Source, viewer: Viewer, conditions: Sequence[Condition], page: Page, wanted: Mapping[str, Any]
) -> ConnectionRow:
    listing = Listing(
        columns=account_columns("a"),
        relation="account a",
        order=NEWEST,
        make=lambda record: account_row(viewer, tuple(record)[:4]),
        conditions=[visibility.accounts(viewer, "a"), *conditions],
    )
    return await fetch_page(source, listing, page, wanted)


def _filtered(given: AccountFilter) -> list[Condition]:
    found: list[Condition] = []
    if given.text is not None and given.text.strip():
        found.append(contains("a.folded", given.text))
    if given.external_refs is not None:
        found.append(("a.external_ref = ANY(?)", (sorted(set(given.external_refs)),)))
    if given.roles is not None:
        found.append(_in_roles(given.roles))
    return found


def _in_roles(roles: Sequence[Role]) -> Condition:
    """Return the condition that an account has one of these roles."""
    some = [f"%,{role.value},%" for role in dict.fromkeys(roles)]
    return "(" + (" OR ".join(["',' || a.roles || ',' LIKE ?"] * len(some)) or "FALSE") + ")", some


@dataclass(slots=True)
class SummaryRow:
    """What a decision about somebody looks at first."""

    open_cases: int
    requests90_days: int
    approved_share: float | None
    waiting_for_funds: Money | None


REQUESTS_DAYS = 90
_SUMMARY = """
SELECT COUNT(CASE WHEN c.state = ANY(?) THEN 1 END),
  COUNT(CASE WHEN c.opened_by <> 'ISSUE' AND c.requester_id = p.account_id AND c.opened_at >= ? THEN 1 END),
  COUNT(CASE WHEN c.opened_by <> 'ISSUE' AND c.requester_id = p.account_id
    AND c.state IN ('APPROVED', 'CREDITED', 'DECLINED') THEN 1 END),
  COUNT(CASE WHEN c.opened_by <> 'ISSUE' AND c.requester_id = p.account_id
    AND c.state IN ('APPROVED', 'CREDITED') THEN 1 END), p.account_id
FROM (SELECT o.id AS case_id, o.requester_id AS account_id FROM refund_case o WHERE o.requester_id = ANY(?)
  UNION ALL SELECT o.id, o.counterparty_id FROM refund_case o WHERE o.counterparty_id = ANY(?)) p
JOIN refund_case c ON c.id = p.case_id WHERE {visible} GROUP BY p.account_id"""
_WAITING = """
SELECT k.expert_id, c.currency, CAST(SUM(c.approved_minor) AS BIGINT) FROM refund_case c
JOIN contract k ON k.id = c.contract_id
WHERE k.expert_id = ANY(?) AND c.settlement = 'AWAITING_FUNDS' AND {visible}
GROUP BY k.expert_id, c.currency ORDER BY 3"""


async def account_summaries(
    source: Source, viewer: Viewer, rows: Sequence[AccountRow], now: datetime
) -> list[SummaryRow | None]:
    """Return what is known of each account's refunds; nothing for accounts that are not open."""
    ids = list({row.id for row in rows if row.is_open})
    if not ids:
        return [None] * len(rows)
    condition, parameters = visibility.cases(viewer, "c")
    since = to_micros(now - timedelta(days=REQUESTS_DAYS))
    counted = await source.fetch(
        _SUMMARY.format(visible=condition), (sorted(OPEN_STATES), since, ids, ids, *parameters)
    )
    waiting = await source.fetch(_WAITING.format(visible=condition), (ids, *parameters))
    most = {row[0]: Money(row[2], row[1]) for row in waiting}  # of several currencies, the largest sum
    found = {row[4]: row for row in counted}
    return [_summary(found.get(row.id), most.get(row.id)) if row.is_open else None for row in rows]


def _summary(counts: Any, waiting: Money | None) -> SummaryRow:
    if counts is None:
        return SummaryRow(0, 0, None, waiting)
    open_cases, requests, decided, approved = counts[0], counts[1], counts[2], counts[3]
    return SummaryRow(open_cases, requests, approved / decided if decided else None, waiting)
