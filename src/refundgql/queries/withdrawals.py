"""Withdrawals for a viewer.

It must not show anybody's withdrawals to anybody but their owner, staff and the marketplace that sends the money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from refundgql.domain.calendar import from_micros, midnight, window_end_at
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import WithdrawalStatus
from refundgql.queries.accounts import AccountRow
from refundgql.queries.listing import Listing, fetch_owned_pages, fetch_page, wanted_nodes
from refundgql.queries.pages import Condition, ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.storage import visibility
from refundgql.storage.database import Source


@dataclass(slots=True)
class WithdrawalRow:
    """A withdrawal."""

    TYPENAME: ClassVar[str] = "Withdrawal"
    id: str
    status: str
    amount_minor: int
    currency: str
    requested_at: int
    estimated_from: str
    estimated_until: str
    failure_reason: str | None
    account_id: str
    refund_case_id: str | None
    external_ref: str | None
    cancelled_at: int | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """From when a withdrawal is on its way, and the exclusive end of the days on which it should arrive."""

    filed_at: datetime
    expected_until: datetime


SHAPE = Shape(
    WithdrawalRow,
    ("id",),
    {
        "status": ("status",),
        "amount": ("amount_minor", "currency"),
        "requested_at": ("requested_at",),
        "estimated_from": ("estimated_from",),
        "estimated_until": ("estimated_until",),
        "failure_reason": ("failure_reason", "cancelled_at"),
        "wording": ("failure_reason", "cancelled_at"),
        "account": ("account_id",),
        "refund_case": ("refund_case_id",),
        "external_ref": ("external_ref",),
        "cancelled_at": ("cancelled_at",),
    },
)
_ESTIMATED: dict[str, Any] = {"status": {}, "requested_at": {}, "estimated_until": {}}
_ON_THE_WAY = (WithdrawalStatus.REQUESTED, WithdrawalStatus.SENT)
NEWEST = Order("withdrawals", (Key("w.requested_at", "int", descending=True), Key("w.id", "uuid", descending=True)))


def _listing(wanted: Mapping[str, Any], *conditions: Condition) -> Listing:
    columns = SHAPE.columns(wanted)
    return Listing(
        columns=SHAPE.select(columns, "w"),
        relation="withdrawal w",
        order=NEWEST,
        make=SHAPE.maker(columns),
        conditions=conditions,
    )


async def withdrawals_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the withdrawals of these ids that the viewer sees."""
    columns = SHAPE.columns(wanted)
    make, (condition, parameters) = SHAPE.maker(columns), visibility.withdrawals(viewer, "w")
    rows = await source.fetch(
        f"SELECT {SHAPE.select(columns, 'w')} FROM withdrawal w WHERE w.id = ANY(?) AND {condition}",
        (list(ids), *parameters),
    )
    return {row[0]: make(row) for row in rows}


async def estimates_by_id(source: Source, viewer: Viewer, ids: Sequence[str]) -> dict[str, Estimate]:
    """Return when those of these withdrawals that the viewer sees, and that are on their way, should arrive (D10)."""
    found = await withdrawals_by_id(source, viewer, ids, _ESTIMATED)
    return {
        one.id: Estimate(
            filed_at=from_micros(one.requested_at),
            expected_until=window_end_at(midnight(date.fromisoformat(one.estimated_until)), 0),
        )
        for one in found.values()
        if one.status in _ON_THE_WAY
    }


async def list_withdrawals(
    source: Source,
    viewer: Viewer,
    statuses: Sequence[WithdrawalStatus] | None,
    page: Page,
    wanted: Mapping[str, Any],
) -> ConnectionRow:
    """Return a page of all withdrawals, newest first, narrowed to some states."""
    conditions: list[Condition] = [visibility.withdrawals(viewer, "w")]
    if statuses is not None:
        conditions.append(("w.status = ANY(?)", (sorted({status.value for status in statuses}),)))
    return await fetch_page(source, _listing(wanted_nodes(wanted), *conditions), page, wanted)


async def list_account_withdrawals(
    source: Source, rows: Sequence[AccountRow], page: Page, wanted: Mapping[str, Any]
) -> list[ConnectionRow]:
    """Return the same page of each account's withdrawals, newest first; empty for accounts that are not open."""
    return await fetch_owned_pages(source, _listing(wanted_nodes(wanted)), page, wanted, "w.account_id", rows)
