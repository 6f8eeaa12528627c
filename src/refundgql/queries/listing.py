"""Runs the statements of a page: one for its items, and one more for each thing that only some clients ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import orjson

from refundgql.queries.pages import NOT_ASKED, BareEdge, Condition, ConnectionRow, EdgeRow, Order, Page, PageInfoRow
from refundgql.storage.database import Dialect, Source
from refundgql.storage.events import stream_head

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
    make_edges: Callable[[Sequence[Any]], Sequence[BareEdge]] | None = None
    """What makes all edges of a page at once where nobody asks for their places; for lists within lists."""
    column_parameters: Sequence[Any] = ()
    """The parameters of the select list."""
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


class Owner(Protocol):
    """Whoever a list belongs to: an account, of which the viewer sees all or the name alone."""

    @property
    def id(self) -> str:
        """Return the owner's id."""

    @property
    def is_open(self) -> bool:
        """Tell whether the viewer sees the owner's lists."""


async def fetch_owned_pages(
    source: Source, listing: Listing, page: Page, wanted: Wanted, owner_column: str, owners: Sequence[Owner]
) -> list[ConnectionRow]:
    """Return the same page of each owner's list, in their order; empty for owners that are not open.

    Refuses: BadPage for cursors of other lists.
    """
    found = await fetch_pages(source, listing, page, wanted, owner_column, list({o.id for o in owners if o.is_open}))
    empty = ConnectionRow.empty()
    empty.as_of = str(await stream_head(source)) if "as_of" in wanted and len(found) < len(owners) else ""
    return [found.get(one.id, empty) for one in owners]


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
    # The head is read first: what happens while the page is read lies after it, and is told again.
    as_of = str(await stream_head(source)) if "as_of" in wanted else ""
    records: dict[Any, list[Any]] = {parent: [] for parent in parents}
    trailing = 0
    places, told = "cursor" in (wanted.get("edges") or {}), "page_info" in wanted
    if asks_for_items(wanted) and records:
        size, parents = _size(page, told), tuple(records)
        items = _items(source.dialect, listing, page, bounds, parent_column, parents, places or told, size)
        found, trailing = await source.fetch(items.sql, items.parameters), items.trailing
        if len(records) == 1:
            (only,) = records
            records[only] = list(found)
        else:
            # A parent is told by its place in the list, or by itself.
            lists = dict(enumerate(records.values(), 1)) if items.by_place else records
            for record in found:
                lists[record[-1]].append(record)
    totals = await _totals(source, listing, wanted, parent_column, tuple(records))
    info = wanted.get("page_info") or {}
    behind = await _outside(source, listing, page.after, False, parent_column, records, "has_previous_page" in info)
    ahead = await _outside(source, listing, page.before, True, parent_column, records, "has_next_page" in info)
    keys = slice(-len(listing.order.keys) - trailing, -trailing or None)
    assemble = _Assembler(listing, page, keys, places, told)
    found_pages = {
        parent: assemble(rows, totals.get(parent, 0), parent in behind, parent in ahead)
        for parent, rows in records.items()
    }
    for one in found_pages.values():
        one.as_of = as_of
    return found_pages


def _size(page: Page, told: bool) -> int:
    """Return how many items to read: one more than the page has where it is told whether the list goes on."""
    return page.size + 1 if told else page.size


class _Items(NamedTuple):
    """The statement of a page's items."""

    sql: str
    parameters: list[Any]
    trailing: int = 0
    """How many columns follow the keys of the order; the last one tells the parent."""
    by_place: bool = False
    """It tells the parent's place in the list of parents, from one, and not the parent."""


def _items(
    dialect: Dialect,
    listing: Listing,
    page: Page,
    bounds: Sequence[Condition],
    parent_column: str | None,
    parents: tuple[Any, ...],
    with_keys: bool,
    limit: int,
) -> _Items:
    """Return the statement for so many items from where the page begins."""
    by = listing.order.by(page.backward)
    columns = f"{listing.columns}, {listing.order.columns}" if with_keys else listing.columns
    if parent_column is None and dialect is Dialect.POSTGRES and _is_steady(listing):
        body, parameters = listing.statement(*bounds)
        given = [*listing.column_parameters, *parameters]
        return _Items(f"SELECT {columns} {body} ORDER BY {by} LIMIT {int(limit)}", given)
    if parent_column is None or len(parents) == 1:
        of_parent = [] if parent_column is None else [(f"{parent_column} = ?", parents)]
        body, parameters = listing.statement(*of_parent, *bounds)
        given = [*listing.column_parameters, *parameters, limit]
        return _Items(f"SELECT {columns} {body} ORDER BY {by} LIMIT ?", given)
    if dialect is Dialect.POSTGRES:
        body, parameters = listing.statement((f"{parent_column} = parent.id", ()), *bounds)
        lateral = f"SELECT {columns} {body} ORDER BY {by} LIMIT ?"
        each = "unnest(CAST(? AS uuid[])) WITH ORDINALITY AS parent(id, place)"
        sql = f"SELECT item.*, parent.place FROM {each} CROSS JOIN LATERAL ({lateral}) AS item"
        given = [list(parents), *listing.column_parameters, *parameters, limit]
        return _Items(sql, given, trailing=1, by_place=True)
    body, parameters = listing.statement((f"{parent_column} = ANY(?)", (list(parents),)), *bounds)
    place = f"ROW_NUMBER() OVER (PARTITION BY {parent_column} ORDER BY {by}) AS place"
    numbered = f"SELECT {columns}, {place}, {parent_column} AS parent_id {body}"
    sql = f"SELECT * FROM ({numbered}) WHERE place <= ? ORDER BY parent_id, place"
    return _Items(sql, [*listing.column_parameters, *parameters, limit], trailing=2)


def _is_steady(listing: Listing) -> bool:
    """Tell whether parameters only say where on its order a page begins.

    Then the plan is the same for all of them, and PostgreSQL keeps it, if the text says how many items are wanted:
    planning costs as much as a page. Elsewhere it has to know the values, which may be rare or of half the table.
    """
    key = listing.order.keys[0].sql
    starts = (f"{key} < ?", f"{key} >= ?")
    return not listing.relation_parameters and all(
        sql in starts or not parameters for sql, parameters in listing.conditions
    )


MakePage = Callable[[str | None], ConnectionRow]


class Riding(NamedTuple):
    """A page that is read as a column of its parent's row: one statement less, and less work for both sides."""

    column: str
    parameters: Sequence[Any]
    make: MakePage
    """Makes the page of the column's JSON: a list of records, each a list of values."""


def riding(dialect: Dialect, listing: Listing, page: Page, wanted: Wanted, belongs: str) -> Riding | None:
    """Return a page for its parent's select list; `belongs` is the condition that its items are the parent's.

    Nothing for pages that take more than one statement. Values must be what JSON can say as well as the database.
    """
    if page.after is not None or page.before is not None or "total_count" in wanted or not asks_for_items(wanted):
        return None
    places, told = "cursor" in (wanted.get("edges") or {}), "page_info" in wanted
    order = listing.order
    columns = f"{listing.columns}, {order.columns}" if places or told else listing.columns
    body, parameters = listing.statement((belongs, ()))
    record, records = ("json_array", "json_group_array(json(item.record))")
    if dialect is Dialect.POSTGRES:
        record, records = ("json_build_array", "json_agg(item.record)")
    item = f"SELECT {record}({columns}) AS record {body} ORDER BY {order.by(page.backward)} LIMIT ?"
    given = [*listing.column_parameters, *parameters, _size(page, told)]
    column = f"(SELECT {records} FROM ({item}) AS item)"
    if listing.make_edges is not None and not places and not told:
        return Riding(column, given, _bare_pages(listing.make_edges, page.backward))
    assemble = _Assembler(listing, page, slice(-len(order.keys), None), places, told)
    return Riding(column, given, lambda text: assemble([] if text is None else orjson.loads(text), 0, False, False))


def _bare_pages(make_edges: Callable[[Sequence[Any]], Sequence[BareEdge]], backward: bool) -> MakePage:
    """Return what makes a page of JSON where nobody asks for its place; a list of cases has a hundred of them."""

    def make(text: str | None) -> ConnectionRow:
        records = [] if text is None else orjson.loads(text)
        if backward:
            records.reverse()
        return ConnectionRow(make_edges(records))

    return make


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


class _Assembler:
    """Makes the pages of one statement from their records."""

    __slots__ = ("_listing", "_page", "_places", "_told", "_with_places")

    def __init__(self, listing: Listing, page: Page, places: slice, with_places: bool, told: bool) -> None:
        self._listing = listing
        self._page = page
        self._places = places
        self._with_places = with_places
        self._told = told

    def __call__(self, records: list[Any], total: int, behind: bool, ahead: bool) -> ConnectionRow:
        page, listing = self._page, self._listing
        more = len(records) > page.size
        kept = records[: page.size] if more else records
        if page.backward:
            kept.reverse()
        edges: Sequence[EdgeRow | BareEdge]
        if self._with_places:
            order, places = listing.order, self._places
            edges = [EdgeRow(listing.make(record), record, order, places) for record in kept]
        elif listing.make_edges is not None:
            edges = listing.make_edges(kept)
        else:
            edges = [*map(BareEdge, map(listing.make, kept))]
        return ConnectionRow(edges, self._info(kept, more, behind, ahead) if self._told else NOT_ASKED, total)

    def _info(self, kept: list[Any], more: bool, behind: bool, ahead: bool) -> PageInfoRow:
        backward, order, places = self._page.backward, self._listing.order, self._places
        return PageInfoRow(
            has_next_page=ahead if backward else more or ahead,
            has_previous_page=more or behind if backward else behind,
            first=EdgeRow(None, kept[0], order, places) if kept else None,
            last=EdgeRow(None, kept[-1], order, places) if kept else None,
        )
