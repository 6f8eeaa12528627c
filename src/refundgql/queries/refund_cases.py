"""Refund cases for a viewer: by id, by number, by payment, and the lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from refundgql.domain.viewers import Viewer
from refundgql.queries.accounts import AccountRow
from refundgql.queries.case_filters import CaseFilter, case_number, conditions, waiting_for_support
from refundgql.queries.case_orders import ORDERS, OWN_BY_DEADLINE, QUEUE, RefundCaseOrder
from refundgql.queries.case_rows import CaseRow, case_statement
from refundgql.queries.events import events_within
from refundgql.queries.invoices import InvoiceRow, add_refundable
from refundgql.queries.listing import Listing, Riding, fetch_owned_pages, fetch_page, fetch_pages, wanted_nodes
from refundgql.queries.pages import MAXIMUM_ITEMS, Condition, ConnectionRow, Order, Page
from refundgql.storage import visibility
from refundgql.storage.database import Dialect, Source


async def cases_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any], events: Page | None = None
) -> dict[str, Any]:
    """Return the cases of these ids that the viewer sees, each with this page of its events if one is given."""
    if len(ids) == 1:
        return await _where(source, viewer, ("c.id = ?", ids), wanted, events)
    return await _where(source, viewer, ("c.id = ANY(?)", (list(ids),)), wanted, events)


async def case_by_number(
    source: Source, viewer: Viewer, number: str, wanted: Mapping[str, Any], events: Page | None = None
) -> CaseRow | None:
    """Return the case of a short number, if there is one that the viewer sees."""
    found = case_number(number)
    if found is None:
        return None
    rows = await _where(source, viewer, ("c.number = ?", (found,)), wanted, events)
    return next(iter(rows.values()), None)


async def _where(
    source: Source, viewer: Viewer, which: Condition, wanted: Mapping[str, Any], events: Page | None
) -> dict[str, Any]:
    statement = case_statement(viewer, wanted, _riding(source, viewer, events, wanted))
    condition, parameters = visibility.cases(viewer, "c")
    rows = await source.fetch(
        f"SELECT {statement.select} FROM {statement.relation} WHERE {which[0]} AND {condition}",
        (*statement.parameters, *which[1], *parameters),
    )
    found = {row[0]: statement.make(row) for row in rows}
    await _complete(source, found.values(), wanted)
    return found


def _riding(source: Source, viewer: Viewer, events: Page | None, wanted: Mapping[str, Any]) -> Riding | None:
    """Return the events of cases (`c`) as a column, where a page of them is asked for that can be one."""
    if events is None:
        return None
    return events_within(source.dialect, viewer, events, wanted["events"], "c.id")


async def list_cases(
    source: Source,
    viewer: Viewer,
    given: CaseFilter | None,
    order: RefundCaseOrder | None,
    page: Page,
    wanted: Mapping[str, Any],
    events: Page | None = None,
    *,
    now: datetime,
) -> ConnectionRow:
    """Return a page of the cases that the viewer sees, newest first unless another order is asked for.

    Each comes with a page of its events, if one is given.
    """
    by = ORDERS[order or RefundCaseOrder.NEWEST]
    if order is RefundCaseOrder.SOONEST_DEADLINE and not viewer.is_staff:
        by = OWN_BY_DEADLINE
    return await _list(source, viewer, given, by, page, wanted, events, now)


async def list_queue(
    source: Source,
    viewer: Viewer,
    given: CaseFilter | None,
    order: RefundCaseOrder | None,
    page: Page,
    wanted: Mapping[str, Any],
    events: Page | None = None,
    *,
    now: datetime,
) -> ConnectionRow:
    """Return a page of the desk's queue, in its own order unless another one is asked for."""
    by = QUEUE if order is None else ORDERS[order]
    return await _list(source, viewer, waiting_for_support(given), by, page, wanted, events, now)


async def _list(
    source: Source,
    viewer: Viewer,
    given: CaseFilter | None,
    order: Order,
    page: Page,
    wanted: Mapping[str, Any],
    events: Page | None,
    now: datetime,
) -> ConnectionRow:
    nodes = wanted_nodes(wanted)
    # SQLite works a select list out before it sorts, so there only the page's own cases are asked for their events.
    sorts_first = source.dialect is Dialect.POSTGRES
    statement = case_statement(viewer, nodes, _riding(source, viewer, events if sorts_first else None, nodes))
    listing = Listing(
        columns=statement.select,
        relation=statement.relation,
        order=order,
        make=statement.make,
        conditions=[visibility.cases(viewer, "c"), *conditions(given, viewer, source.dialect, now)],
        count_relation="refund_case c",
        column_parameters=statement.parameters,
    )
    found = await fetch_page(source, listing, page, wanted)
    await _complete(source, (edge.node for edge in found.edges), nodes)
    return found


_PARTIES = (
    "JOIN (SELECT o.id AS case_id, o.requester_id AS account_id FROM refund_case o"
    " UNION ALL SELECT o.id, o.counterparty_id FROM refund_case o WHERE o.counterparty_id IS NOT NULL) party"
    " ON party.case_id = c.id"
)


async def list_account_cases(
    source: Source,
    viewer: Viewer,
    rows: Sequence[AccountRow],
    given: CaseFilter | None,
    order: RefundCaseOrder | None,
    page: Page,
    wanted: Mapping[str, Any],
    now: datetime,
) -> list[ConnectionRow]:
    """Return the same page of the cases of each account, as either party; empty for accounts that are not open."""
    nodes = wanted_nodes(wanted)
    statement = case_statement(viewer, nodes)
    listing = Listing(
        columns=statement.select,
        relation=f"{statement.relation} {_PARTIES}",
        order=ORDERS[order or RefundCaseOrder.NEWEST],
        make=statement.make,
        conditions=[visibility.cases(viewer, "c"), *conditions(given, viewer, source.dialect, now)],
        count_relation=f"refund_case c {_PARTIES}",
        column_parameters=statement.parameters,
        is_indexed=False,
    )
    pages = await fetch_owned_pages(source, listing, page, wanted, "party.account_id", rows)
    await _complete(source, (edge.node for one in pages for edge in one.edges), nodes)
    return pages


async def cases_of_payments(
    source: Source, viewer: Viewer, payment_ids: Sequence[str], wanted: Mapping[str, Any]
) -> list[list[CaseRow]]:
    """Return every case about each payment, newest first, the latest hundred."""
    statement = case_statement(viewer, wanted)
    listing = Listing(
        columns=statement.select,
        relation=statement.relation,
        order=ORDERS[RefundCaseOrder.NEWEST],
        make=statement.make,
        conditions=[visibility.cases(viewer, "c")],
    )
    parents = list(dict.fromkeys(payment_ids))
    found = await fetch_pages(source, listing, Page(MAXIMUM_ITEMS), {"edges": {}}, "c.payment_id", parents)
    await _complete(source, (edge.node for page in found.values() for edge in page.edges), wanted)
    return [[edge.node for edge in found[one].edges] for one in payment_ids]


async def _complete(source: Source, rows: Iterable[CaseRow], wanted: Mapping[str, Any]) -> None:
    """Add what joined invoices need from their contracts."""
    subject = wanted.get("subject")
    if subject and "refundable" in subject:
        found = [row.subject for row in rows if isinstance(row.subject, InvoiceRow)]
        await add_refundable(source, found, subject)
