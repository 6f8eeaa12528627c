"""Withdrawals for a viewer.

It must not show anybody's withdrawals to anybody but their owner, staff and the marketplace that sends the money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from refundgql.domain.calendar import from_micros, midnight, window_end_at
from refundgql.domain.facts import Case
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import WithdrawalStatus
from refundgql.queries.accounts import AccountRow
from refundgql.queries.pages import ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table, among
from refundgql.storage import visibility
from refundgql.storage.database import Source
from refundgql.storage.withdrawals import find_awaiting_case


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


WITHDRAWALS = Table(
    name="withdrawal",
    alias="w",
    shape=Shape(
        WithdrawalRow,
        "status requested_at estimated_from estimated_until external_ref cancelled_at",
        {
            "amount": ("amount_minor", "currency"),
            "failure_reason": ("failure_reason", "cancelled_at"),
            "wording": ("failure_reason", "cancelled_at"),
            "account": ("account_id",),
            "refund_case": ("refund_case_id",),
        },
    ),
    order=Order("withdrawals", (Key("w.requested_at", "int", descending=True), Key("w.id", "uuid", descending=True))),
    visible=visibility.withdrawals,
)
"""Newest first."""
withdrawals_by_id = WITHDRAWALS.by_id
_ESTIMATED: dict[str, Any] = {"status": {}, "requested_at": {}, "estimated_until": {}}
_ON_THE_WAY = (WithdrawalStatus.REQUESTED, WithdrawalStatus.SENT)


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


async def stays_on_balance(source: Source, case: Case) -> bool:
    """Tell whether a credit that was to be sent on stays: an approved refund waits for the requester's funds (D13)."""
    return case.send_to_payment_method and await find_awaiting_case(source, case.requester_id) is not None


async def list_withdrawals(
    source: Source,
    viewer: Viewer,
    statuses: Sequence[WithdrawalStatus] | None,
    page: Page,
    wanted: Mapping[str, Any],
) -> ConnectionRow:
    """Return a page of all withdrawals, newest first, narrowed to some states."""
    return await WITHDRAWALS.page(source, viewer, page, wanted, *among("w.status", statuses))


async def list_account_withdrawals(
    source: Source, viewer: Viewer, rows: Sequence[AccountRow], page: Page, wanted: Mapping[str, Any]
) -> list[ConnectionRow]:
    """Return the same page of each account's withdrawals, newest first; empty for accounts that are not open."""
    return await WITHDRAWALS.owned_pages(source, viewer, rows, page, wanted, owner_column="w.account_id")
