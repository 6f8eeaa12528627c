"""What invoices, milestones, weeks and reviews have in common: they are a contract's, and are seen with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refundgql.domain.viewers import Viewer
from refundgql.queries.listing import Listing, fetch_pages, wanted_nodes
from refundgql.queries.pages import MAXIMUM_ITEMS, Condition, ConnectionRow, Order, Page
from refundgql.queries.rows import Shape
from refundgql.storage.database import Source


@dataclass(frozen=True, slots=True)
class OfContracts:
    """One table whose rows belong to contracts."""

    relation: str
    alias: str
    shape: Shape
    order: Order
    visible: Callable[[Viewer, str], Condition]

    async def by_id(
        self, source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the rows of these ids that the viewer sees."""
        columns = self.shape.columns(wanted)
        make, (condition, parameters) = self.shape.maker(columns), self.visible(viewer, self.alias)
        rows = await source.fetch(
            f"SELECT {self.shape.select(columns, self.alias)} FROM {self.relation}"
            f" WHERE {self.alias}.id = ANY(?) AND {condition}",
            (list(ids), *parameters),
        )
        return {row[0]: make(row) for row in rows}

    async def pages(
        self, source: Source, viewer: Viewer, contract_ids: Sequence[str], page: Page, wanted: Mapping[str, Any]
    ) -> list[ConnectionRow]:
        """Return the same page of each contract's rows."""
        columns = self.shape.columns(wanted_nodes(wanted))
        listing = Listing(
            columns=self.shape.select(columns, self.alias),
            relation=self.relation,
            order=self.order,
            make=self.shape.maker(columns),
            conditions=[self.visible(viewer, self.alias)],
        )
        parents = list(dict.fromkeys(contract_ids))
        found = await fetch_pages(source, listing, page, wanted, f"{self.alias}.contract_id", parents)
        return [found[one] for one in contract_ids]

    async def lists(
        self, source: Source, viewer: Viewer, contract_ids: Sequence[str], wanted: Mapping[str, Any]
    ) -> list[list[Any]]:
        """Return each contract's rows, the first hundred."""
        pages = await self.pages(source, viewer, contract_ids, Page(MAXIMUM_ITEMS), {"edges": {"node": wanted}})
        return [[edge.node for edge in page.edges] for page in pages]
