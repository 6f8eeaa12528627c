"""Leads and the chats about them, for a viewer.

It must not show a lead, or its chat, to the customer (L02).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from refundgql.domain.calendar import to_micros
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import OPEN_STATES, RefundCaseState
from refundgql.queries.accounts import AccountRow
from refundgql.queries.pages import Condition, ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape
from refundgql.queries.tables import Table
from refundgql.queries.texts import contains, equals
from refundgql.storage import visibility
from refundgql.storage.database import Source


@dataclass(slots=True)
class LeadRow:
    """A lead; amounts in minor units."""

    TYPENAME: ClassVar[str] = "Lead"
    id: str
    payment_id: str
    external_ref: str
    title: str
    category: str
    location: str
    price_minor: int
    currency: str
    charged_at: int
    customer_name: str
    customer_id: str
    pro_id: str
    last_message_at: int | None
    refund_case_id: str | None


@dataclass(slots=True)
class ConversationRow:
    """The chat about a lead; it has the lead's own uuid."""

    TYPENAME: ClassVar[str] = "Conversation"
    id: str
    last_message_at: int | None


@dataclass(slots=True)
class CustomerRow:
    """What is known of a lead's customer."""

    name: str
    terms_reports: int | None
    terms_reports_credited: int | None


# A lead counts once, whoever asks how often; what was declined or taken back is no report (L10).
_REPORTS = """
SELECT r.customer_id, COUNT(DISTINCT c.lead_id),
  COUNT(DISTINCT CASE WHEN c.state = 'CREDITED' AND c.reversed_at IS NULL THEN c.lead_id END)
FROM customer_report r JOIN refund_case c ON c.id = r.case_id
WHERE r.customer_id = ANY(?) AND c.state NOT IN ('CANCELLED', 'DECLINED')
GROUP BY r.customer_id"""


class LeadFilter(Protocol):
    """What leads are narrowed by; every value may be None."""

    customer_name: str | None
    category: str | None
    has_open_case: bool | None
    case_states: list[RefundCaseState] | None
    external_refs: list[str] | None
    charged_after: datetime | None
    charged_before: datetime | None


_LATEST_CASE = (
    "(SELECT c.{column} FROM refund_case c WHERE c.payment_id = l.payment_id"
    " ORDER BY c.opened_at DESC, c.id DESC LIMIT 1)"
)
CASE_ID = _LATEST_CASE.format(column="id")
_LATEST_CASE_IN = (
    "EXISTS (SELECT 1 FROM refund_case c WHERE c.payment_id = l.payment_id AND c.state = ANY(?) AND c.id ="
    " (SELECT d.id FROM refund_case d WHERE d.payment_id = c.payment_id ORDER BY d.opened_at DESC, d.id DESC LIMIT 1))"
)

SHAPE = Shape(
    LeadRow,
    "external_ref title category location charged_at customer_name",
    {
        "price": ("price_minor", "currency"),
        "customer": ("customer_name", "customer_id"),
        "pro": ("pro_id",),
        "refund_case": ("refund_case_id",),
        "refund_action": ("payment_id",),
    },
    computed={"refund_case_id": CASE_ID},
)
_ID = Key("l.id", "uuid", descending=True)
# A chat without a message stands where its lead would.
_LATEST_MESSAGE = Key("COALESCE(l.last_message_at, l.charged_at)", "int", descending=True)
LEADS = Table(
    name="lead",
    alias="l",
    shape=SHAPE,
    order=Order("leads", (Key("l.charged_at", "int", descending=True), _ID)),
    visible=visibility.leads,
)
"""Newest first."""
CHATS = Table(
    name="lead",
    alias="l",
    shape=Shape(ConversationRow, "last_message_at"),
    order=Order("chats", (_LATEST_MESSAGE, _ID)),
    visible=visibility.leads,
)
"""The chats about leads, the latest message first."""
leads_by_id = LEADS.by_id
conversations_by_id = CHATS.by_id


async def list_leads(
    source: Source, viewer: Viewer, given: LeadFilter | None, page: Page, wanted: Mapping[str, Any]
) -> ConnectionRow:
    """Return a page of the leads that the viewer sees, newest first."""
    return await LEADS.page(source, viewer, page, wanted, *_filtered(given))


async def list_conversations(
    source: Source, viewer: Viewer, given: LeadFilter | None, page: Page, wanted: Mapping[str, Any]
) -> ConnectionRow:
    """Return a page of the chats that the viewer sees, the latest message first."""
    return await CHATS.page(source, viewer, page, wanted, *_filtered(given))


_PEOPLE = (
    "lead l JOIN (SELECT o.id AS lead_id, o.pro_id AS account_id FROM lead o"
    " UNION ALL SELECT o.id, o.customer_id FROM lead o) party ON party.lead_id = l.id"
)


async def list_account_leads(
    source: Source,
    viewer: Viewer,
    rows: Sequence[AccountRow],
    given: LeadFilter | None,
    page: Page,
    wanted: Mapping[str, Any],
) -> list[ConnectionRow]:
    """Return the same page of the leads that each account bought or is behind; empty for accounts that are not open."""
    return await LEADS.owned_pages(source, viewer, rows, page, wanted, *_filtered(given), relation=_PEOPLE)


def _filtered(given: LeadFilter | None) -> list[Condition]:
    found: list[Condition] = []
    if given is None:
        return found
    if given.customer_name is not None:
        found.append(contains("l.customer_folded", given.customer_name))
    if given.category is not None:
        found.append(equals("l.category_folded", given.category))
    if given.has_open_case is not None:
        exists = "EXISTS (SELECT 1 FROM refund_case c WHERE c.payment_id = l.payment_id AND c.state = ANY(?))"
        found.append((exists if given.has_open_case else f"NOT {exists}", (sorted(OPEN_STATES),)))
    if given.case_states is not None:
        found.append((_LATEST_CASE_IN, (sorted({state.value for state in given.case_states}),)))
    if given.external_refs is not None:
        found.append(("l.external_ref = ANY(?)", (sorted(set(given.external_refs)),)))
    if given.charged_after is not None:
        found.append(("l.charged_at >= ?", (to_micros(given.charged_after),)))
    if given.charged_before is not None:
        found.append(("l.charged_at < ?", (to_micros(given.charged_before),)))
    return found


async def customer_summaries(
    source: Source, viewer: Viewer, rows: Sequence[LeadRow], wanted: Mapping[str, Any]
) -> list[CustomerRow]:
    """Return each lead's customer; how often they were reported is counted for staff alone (L10)."""
    counts: dict[str, tuple[int, int]] | None = None
    if viewer.is_staff and not {"terms_reports", "terms_reports_credited"}.isdisjoint(wanted):
        ids = list({row.customer_id for row in rows})
        counts = {row[0]: (row[1], row[2]) for row in await source.fetch(_REPORTS, (ids,))}
    if counts is None:
        return [CustomerRow(row.customer_name, None, None) for row in rows]
    return [CustomerRow(row.customer_name, *counts.get(row.customer_id, (0, 0))) for row in rows]
