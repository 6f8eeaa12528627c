"""What events, evidence and messages have in common: they are a case's, and are seen with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from refundgql.queries.listing import Listing, fetch_pages
from refundgql.queries.pages import Condition, ConnectionRow, Order, Page
from refundgql.queries.rows import MakeEdges
from refundgql.storage.database import Source


async def rows_by_id(
    source: Source, relation: str, columns: str, make: Callable[[Any], Any], ids: Sequence[str], visible: Condition
) -> dict[str, Any]:
    """Return the visible rows of these ids; the first column is the id, and the relation's alias is `x`."""
    condition, parameters = visible
    rows = await source.fetch(
        f"SELECT {columns} FROM {relation} x WHERE x.id = ANY(?) AND {condition}", (list(ids), *parameters)
    )
    return {row[0]: make(row) for row in rows}


async def pages_of_cases(
    source: Source,
    relation: str,
    columns: str,
    make: Callable[[Any], Any],
    order: Order,
    case_ids: Sequence[str],
    visible: Condition,
    page: Page,
    wanted: Mapping[str, Any],
    make_edges: MakeEdges | None = None,
) -> list[ConnectionRow]:
    """Return the same page of each case's visible rows; the relation's alias is `x`."""
    listing = Listing(
        columns=columns,
        relation=f"{relation} x",
        order=order,
        make=make,
        conditions=[visible],
        make_edges=make_edges,
    )
    found = await fetch_pages(source, listing, page, wanted, "x.case_id", list(dict.fromkeys(case_ids)))
    return [found[one] for one in case_ids]
