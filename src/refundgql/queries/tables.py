"""Tables as viewers see them: rows by id, and pages of them, whole or of each thing they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from refundgql.domain.viewers import Viewer
from refundgql.queries.listing import Listing, Owner, fetch_owned_pages, fetch_page, fetch_pages, wanted_nodes
from refundgql.queries.pages import MAXIMUM_ITEMS, Condition, ConnectionRow, Order, Page
from refundgql.queries.rows import Shape
from refundgql.storage.database import Source

Wanted = Mapping[str, Any]


def among(column: str, values: Iterable[StrEnum] | None) -> list[Condition]:
    """Return the condition that a column has one of these values; none when they are not narrowed."""
    return [] if values is None else [(f"{column} = ANY(?)", (sorted({one.value for one in values}),))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: what is read of it, in which order, and which of its rows a viewer sees."""

    name: str
    alias: str
    shape: Shape
    order: Order
    visible: Callable[[Viewer, str], Condition]
    parent: str = ""
    """The column with the id of what its rows belong to."""
    there: Sequence[Condition] = ()
    """What is true of the rows that are there for anybody."""

    @property
    def relation(self) -> str:
        """Return the table with its alias."""
        return f"{self.name} {self.alias}"

    async def by_id(self, source: Source, viewer: Viewer, ids: Sequence[str], wanted: Wanted) -> dict[str, Any]:
        """Return the rows of these ids that the viewer sees."""
        columns = self.shape.columns(("id", *wanted))
        make, alias = self.shape.maker(columns), self.alias
        conditions = [(f"{alias}.id = ANY(?)", (list(ids),)), *self.there, self.visible(viewer, alias)]
        rows = await source.fetch(
            f"SELECT {self.shape.select(columns, alias)} FROM {self.relation}"
            f" WHERE {' AND '.join(condition for condition, _ in conditions)}",
            [value for _, values in conditions for value in values],
        )
        return {row[0]: make(row) for row in rows}

    def listing(self, viewer: Viewer, wanted: Wanted, *conditions: Condition, relation: str | None = None) -> Listing:
        """Return the list of the rows that the viewer sees; another relation has each row once for each owner."""
        columns = self.shape.columns(wanted_nodes(wanted))
        return Listing(
            columns=self.shape.select(columns, self.alias),
            relation=relation or self.relation,
            order=self.order,
            make=self.shape.maker(columns),
            conditions=[*self.there, self.visible(viewer, self.alias), *conditions],
            is_indexed=relation is None,
        )

    async def page(
        self, source: Source, viewer: Viewer, page: Page, wanted: Wanted, *conditions: Condition
    ) -> ConnectionRow:
        """Return a page of the rows that the viewer sees."""
        return await fetch_page(source, self.listing(viewer, wanted, *conditions), page, wanted)

    async def pages(
        self,
        source: Source,
        viewer: Viewer,
        parent_ids: Sequence[str],
        page: Page,
        wanted: Wanted,
        *conditions: Condition,
    ) -> list[ConnectionRow]:
        """Return the same page of the rows of each parent."""
        listing, parents = self.listing(viewer, wanted, *conditions), list(dict.fromkeys(parent_ids))
        found = await fetch_pages(source, listing, page, wanted, f"{self.alias}.{self.parent}", parents)
        return [found[one] for one in parent_ids]

    async def lists(
        self,
        source: Source,
        viewer: Viewer,
        parent_ids: Sequence[str],
        wanted: Wanted,
        *,
        at_most: int = MAXIMUM_ITEMS,
    ) -> list[list[Any]]:
        """Return the rows of each parent, no more of each than told."""
        pages = await self.pages(source, viewer, parent_ids, Page(at_most), {"edges": {"node": wanted}})
        return [[edge.node for edge in page.edges] for page in pages]

    async def owned_pages(
        self,
        source: Source,
        viewer: Viewer,
        owners: Sequence[Owner],
        page: Page,
        wanted: Wanted,
        *conditions: Condition,
        relation: str | None = None,
        owner_column: str = "party.account_id",
    ) -> list[ConnectionRow]:
        """Return the same page of the rows of each owner; empty for owners that are not open."""
        listing = self.listing(viewer, wanted, *conditions, relation=relation)
        return await fetch_owned_pages(source, listing, page, wanted, owner_column, owners)
