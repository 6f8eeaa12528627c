"""Runs the statements of a page: one for its items, and one more for each thing that only some clients ask for.

It must not know what is listed: columns, conditions and orders come in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from refundgql.queries.pages import BareEdge, Condition, ConnectionRow, EdgeRow, Order, Page, PageInfoRow
from refundgql.storage.database import Dialect, Source

Wanted = Mapping[str, Any]
"""The child fields a client asks for, by Python name, nested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list: what is selected from where, and how a record becomes a row."""

    columns: str
    relation: str
    order: Order
    make: Callable[[Any], Any]
    conditions: Sequence[Condition] = field(default_factory=tuple)
    count_relation: str | None = None
    """A relation with fewer joins that has the same number of rows."""
    relation_parameters: Sequence[Any] = ()
    """The parameters of the relation itself; a relation that has some needs another one for counting."""
    is_indexed: bool = True
    """Whether one index has the rows in their order."""

    def statement(self, *conditions: Condition) -> tuple[str, list[Any]]:
        """Return FROM and WHERE with their parameters."""
        body, parameters = _where(self.relation, [*self.conditions, *conditions])
        return body, [*self.relation_parameters, *parameters]

    def counted(self, *conditions: Condition) -> tuple[str, list[Any]]:
        """Return FROM and WHERE for counting."""
        return _where(self.count_relation or self.relation, [*self.conditions, *conditions])


def _where(relation: str, conditions: Sequence[Condition]) -> tuple[str, list[Any]]:
    sql = f"FROM {relation}"
    if conditions:
        sql += " WHERE " + " AND ".join(condition for condition, _ in conditions)
    return sql, [value for _, parameters in conditions for value in parameters]


def bounds_of(order: Order, page: Page, dialect: Dialect) -> list[Condition]:
    """Return the conditions that a page's cursors set; refuses BadPage for cursors of other lists."""
    found, by_first = [], dialect is Dialect.SQLITE
    if page.after is not None:
        found.append(order.beyond(order.values(page.after), later=True, by_first=by_first))
    if page.before is not None:
        found.append(order.beyond(order.values(page.before), later=False, by_first=by_first))
    return found


def wanted_nodes(wanted: Wanted) -> Wanted:
    """Return the fields that are asked for of a connection's items."""
    found: Wanted = (wanted.get("edges") or {}).get("node") or {}
    return found


def asks_for_items(wanted: Wanted) -> bool:
    """Tell whether a connection's items or their places are asked for at all."""
    return "edges" in wanted or "page_info" in wanted


async def fetch_page(source: Source, listing: Listing, page: Page, wanted: Wanted) -> ConnectionRow:
    """Return one page of a list; refuses BadPage for cursors of other lists."""
    found = await fetch_pages(source, listing, page, wanted, None, (None,))
    return found[None]


async def fetch_pages(
    source: Source,
    listing: Listing,
    page: Page,
    wanted: Wanted,
    parent_column: str | None,
    parents: Sequence[Any],
) -> dict[Any, ConnectionRow]:
    """Return the same page of the lists of several parents, with the same number of statements as of one.

    Refuses: BadPage for cursors of other lists.
    """
    bounds = bounds_of(listing.order, page, source.dialect)
    records: dict[Any, list[Any]] = {parent: [] for parent in parents}
    if asks_for_items(wanted) and records:
        sql, parameters = _items(source.dialect, listing, page, bounds, parent_column, tuple(records))
        for record in await source.fetch(sql, parameters):
            records[record[-1] if parent_column else None].append(record)
    totals = await _totals(source, listing, wanted, parent_column, tuple(records))
    info = wanted.get("page_info") or {}
    behind = await _outside(source, listing, page.after, False, parent_column, records, "has_previous_page" in info)
    ahead = await _outside(source, listing, page.before, True, parent_column, records, "has_next_page" in info)
    places, told = "cursor" in (wanted.get("edges") or {}), "page_info" in wanted
    return {
        parent: _assemble(
            listing, page, rows, totals.get(parent, 0), parent in behind, parent in ahead, parent_column, places, told
        )
        for parent, rows in records.items()
    }


def _items(
    dialect: Dialect,
    listing: Listing,
    page: Page,
    bounds: Sequence[Condition],
    parent_column: str | None,
    parents: tuple[Any, ...],
) -> tuple[str, list[Any]]:
    """Return the statement for one item more than the page has, so that the end of the list is known."""
    by, limit = listing.order.by(page.backward), page.size + 1
    columns = f"{listing.columns}, {listing.order.columns}"
    if parent_column is None:
        body, parameters = listing.statement(*bounds)
        return f"SELECT {columns} {body} ORDER BY {by} LIMIT ?", [*parameters, limit]
    parent = f"{parent_column} AS parent_id"
    if len(parents) == 1:
        body, parameters = listing.statement((f"{parent_column} = ?", parents), *bounds)
        return f"SELECT {columns}, 0 AS place, {parent} {body} ORDER BY {by} LIMIT ?", [*parameters, limit]
    if dialect is Dialect.POSTGRES:
        body, parameters = listing.statement((f"{parent_column} = parent.id", ()), *bounds)
        lateral = f"SELECT {columns}, 0 AS place, {parent} {body} ORDER BY {by} LIMIT ?"
        sql = f"SELECT item.* FROM unnest(CAST(? AS uuid[])) AS parent(id) CROSS JOIN LATERAL ({lateral}) AS item"
        return sql, [list(parents), *parameters, limit]
    body, parameters = listing.statement((f"{parent_column} = ANY(?)", (list(parents),)), *bounds)
    place = f"ROW_NUMBER() OVER (PARTITION BY {parent_column} ORDER BY {by}) AS place"
    numbered = f"SELECT {columns}, {place}, {parent} {body}"
    return f"SELECT * FROM ({numbered}) WHERE place <= ? ORDER BY parent_id, place", [*parameters, limit]


async def _totals(
    source: Source, listing: Listing, wanted: Wanted, parent_column: str | None, parents: tuple[Any, ...]
) -> dict[Any, int]:
    if "total_count" not in wanted or not parents:
        return {}
    if parent_column is None:
        body, parameters = listing.counted()
        return {None: await source.fetch_value(f"SELECT COUNT(*) {body}", parameters)}
    body, parameters = listing.counted((f"{parent_column} = ANY(?)", (list(parents),)))
    rows = await source.fetch(f"SELECT {parent_column}, COUNT(*) {body} GROUP BY {parent_column}", parameters)
    return {row[0]: row[1] for row in rows}


async def _outside(
    source: Source,
    listing: Listing,
    cursor: str | None,
    later: bool,
    parent_column: str | None,
    parents: Mapping[Any, Any],
    asked: bool,
) -> set[Any]:
    """Return the parents that have items at or beyond a cursor, on the side that the page leaves out."""
    if cursor is None or not asked or not parents:
        return set()
    place, by_first = listing.order.values(cursor), source.dialect is Dialect.SQLITE
    outside = listing.order.beyond(place, later=later, inclusive=True, by_first=by_first)
    # The nearest item is looked for, not any: a plan without an order may read the whole table for it.
    nearest = f"ORDER BY {listing.order.by(not later)} LIMIT 1" if listing.is_indexed else "LIMIT 1"
    if len(parents) == 1:
        (only,) = parents
        belonging = [(f"{parent_column} = ?", (only,))] if parent_column else []
        body, parameters = listing.counted(*belonging, outside)
        return {only} if await source.fetch(f"SELECT 1 {body} {nearest}", parameters) else set()
    body, parameters = listing.counted((f"{parent_column} = ANY(?)", (list(parents),)), outside)
    return {row[0] for row in await source.fetch(f"SELECT DISTINCT {parent_column} {body}", parameters)}


def _assemble(
    listing: Listing,
    page: Page,
    records: list[Any],
    total: int,
    behind: bool,
    ahead: bool,
    parent_column: str | None,
    with_places: bool,
    with_info: bool,
) -> ConnectionRow:
    more = len(records) > page.size
    kept = records[: page.size]
    if page.backward:
        kept.reverse()
    order, count = listing.order, len(listing.order.keys)
    places = slice(-count - 2, -2) if parent_column else slice(-count, None)
    edges: Sequence[EdgeRow | BareEdge]
    if with_places:
        edges = [
            EdgeRow(node, record, order, places) for node, record in zip(map(listing.make, kept), kept, strict=True)
        ]
    else:
        edges = [*map(BareEdge, map(listing.make, kept))]
    if not with_info:
        return ConnectionRow(edges, None, total)
    info = PageInfoRow(
        has_next_page=ahead if page.backward else more or ahead,
        has_previous_page=more or behind if page.backward else behind,
        first=EdgeRow(None, kept[0], order, places) if kept else None,
        last=EdgeRow(None, kept[-1], order, places) if kept else None,
    )
    return ConnectionRow(edges, info, total)
