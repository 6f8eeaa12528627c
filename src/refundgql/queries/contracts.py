"""Contracts and their totals, for a viewer.

It must not show a contract to anybody but its parties and staff.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import OPEN_STATES, ContractKind, ContractStatus
from refundgql.queries.accounts import AccountRow
from refundgql.queries.listing import wanted_nodes
from refundgql.queries.pages import Condition, ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table
from refundgql.storage import visibility
from refundgql.storage.database import Source


@dataclass(slots=True)
class TotalsRow:
    """Money of all payments of a contract, in minor units."""

    paid_minor: int = 0
    refunded_minor: int = 0
    spoken_for_minor: int = 0  # approved and not credited yet, or charged back

    @property
    def refundable_minor(self) -> int:
        """Return what is left (D9, D25)."""
        return max(self.paid_minor - self.refunded_minor - self.spoken_for_minor, 0)


@dataclass(slots=True)
class ContractRow:
    """A contract."""

    TYPENAME: ClassVar[str] = "Contract"
    id: str
    external_ref: str
    title: str
    kind: str
    status: str
    client_id: str
    expert_id: str
    currency: str
    started_at: int
    ended_at: int | None
    totals: TotalsRow


class ContractFilter(Protocol):
    """What contracts are narrowed by; every value may be None."""

    external_refs: list[str] | None
    kind: ContractKind | None
    status: ContractStatus | None
    has_open_case: bool | None


TOTALS = frozenset({"paid_total", "refunded_total", "refundable"})
CONTRACTS = Table(
    name="contract",
    alias="k",
    shape=Shape(
        ContractRow,
        "external_ref title kind status started_at ended_at",
        {
            "client": ("client_id",),
            "expert": ("expert_id",),
            "review_deadline": ("ended_at",),
            **dict.fromkeys(TOTALS, ("currency",)),
        },
    ),
    order=Order("contracts", (Key("k.started_at", "int", descending=True), Key("k.id", "uuid", descending=True))),
    visible=visibility.contracts,
)
"""Latest started first."""


async def contracts_by_id(
    source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the contracts of these ids that the viewer sees."""
    found = await CONTRACTS.by_id(source, viewer, ids, wanted)
    await _add_totals(source, found.values(), wanted)
    return found


async def list_contracts(
    source: Source, viewer: Viewer, given: ContractFilter | None, page: Page, wanted: Mapping[str, Any]
) -> ConnectionRow:
    """Return a page of the contracts that the viewer sees, latest started first."""
    found = await CONTRACTS.page(source, viewer, page, wanted, *_filtered(given))
    await _add_totals(source, (edge.node for edge in found.edges), wanted_nodes(wanted))
    return found


_PARTIES = (
    "contract k JOIN (SELECT o.id AS contract_id, o.client_id AS account_id FROM contract o"
    " UNION ALL SELECT o.id, o.expert_id FROM contract o) party ON party.contract_id = k.id"
)


async def list_account_contracts(
    source: Source,
    viewer: Viewer,
    rows: Sequence[AccountRow],
    given: ContractFilter | None,
    page: Page,
    wanted: Mapping[str, Any],
) -> list[ConnectionRow]:
    """Return the same page of the contracts of each account, as either party; empty for accounts that are not open."""
    pages = await CONTRACTS.owned_pages(source, viewer, rows, page, wanted, *_filtered(given), relation=_PARTIES)
    await _add_totals(source, (edge.node for one in pages for edge in one.edges), wanted_nodes(wanted))
    return pages


def _filtered(given: ContractFilter | None) -> list[Condition]:
    found: list[Condition] = []
    if given is None:
        return found
    if given.external_refs is not None:
        found.append(("k.external_ref = ANY(?)", (sorted(set(given.external_refs)),)))
    if given.kind is not None:
        found.append(("k.kind = ?", (given.kind.value,)))
    if given.status is not None:
        found.append(("k.status = ?", (given.status.value,)))
    if given.has_open_case is not None:
        exists = "EXISTS (SELECT 1 FROM refund_case c WHERE c.contract_id = k.id AND c.state = ANY(?))"
        found.append((exists if given.has_open_case else f"NOT {exists}", (sorted(OPEN_STATES),)))
    return found


async def contract_totals(source: Source, contract_ids: Iterable[str]) -> dict[str, TotalsRow]:
    """Return the totals of contracts by id, with one statement; contracts without a payment have none."""
    rows = await source.fetch(
        "SELECT contract_id, CAST(SUM(paid_minor) AS BIGINT), CAST(SUM(refunded_minor) AS BIGINT),"
        " CAST(SUM(reserved_minor + charged_back_minor) AS BIGINT) FROM payment WHERE contract_id = ANY(?)"
        " GROUP BY contract_id",
        (list(dict.fromkeys(contract_ids)),),
    )
    return {row[0]: TotalsRow(row[1], row[2], row[3]) for row in rows}


async def _add_totals(source: Source, rows: Iterable[ContractRow], wanted: Mapping[str, Any]) -> None:
    kept = list(rows)
    if not kept or TOTALS.isdisjoint(wanted):
        return
    totals = await contract_totals(source, [row.id for row in kept])
    for row in kept:
        row.totals = totals.get(row.id) or TotalsRow()
