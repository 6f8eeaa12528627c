"""The history of cases, for a viewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import orjson

from refundgql.domain.calendar import to_micros
from refundgql.domain.decisions import Event
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import STAFF_NOTE, Audience, RefundActionName
from refundgql.queries.listing import Listing, Riding, fetch_pages, riding, wanted_nodes
from refundgql.queries.pages import Condition, ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Shape, derived
from refundgql.queries.tables import Table
from refundgql.storage import visibility
from refundgql.storage.database import Dialect, Row, Source


@dataclass(slots=True)
class FactRow:
    """One thing that the rules looked at."""

    name: str
    value: str


@dataclass(slots=True)
class EventRow:
    """One event; `facts` is a JSON list of pairs, amounts are in minor units."""

    TYPENAME: ClassVar[str] = "RefundEvent"
    id: str
    sequence: int
    name: str
    at: int
    actor_id: str | None
    actor_role: str
    from_state: str | None
    to_state: str
    amount_minor: int | None
    currency: str
    note: str | None
    internal_note: str | None
    rule: str | None
    facts: str | None


_FIELDS = "id sequence name at actor_role from_state to_state internal_note rule facts"
_MORE = {
    "actor": ("actor_id",),
    "amount": ("amount_minor", "currency"),
    "note": ("note", "actor_role"),
    "wording": ("note", "actor_role"),
}
FOR_STAFF = Shape(EventRow, _FIELDS, _MORE, always=())
# Messages may be for one side only, and who has a case is the desk's affair: what such events say is read elsewhere.
_WITHHELD = (RefundActionName.SEND_MESSAGE.value, RefundActionName.ASSIGN.value, STAFF_NOTE)
FOR_PARTIES = Shape(
    EventRow,
    _FIELDS,
    _MORE,
    always=(),
    computed={
        "note": f"CASE WHEN x.name IN {_WITHHELD!r} THEN NULL ELSE x.note END",
        "actor_id": "CASE WHEN x.audience = 'INTERNAL' THEN NULL ELSE x.actor_id END",
        "internal_note": "NULL",
        "facts": "NULL",
    },
)
FOR_SERVICE = Shape(EventRow, _FIELDS, _MORE, always=(), computed={**FOR_PARTIES.computed, "note": "NULL"})
OLDEST = Order("events", (Key("x.sequence", "int"), Key("x.id", "uuid")))


def _shape(viewer: Viewer) -> Shape:
    if viewer.is_staff:
        return FOR_STAFF
    return FOR_PARTIES if visibility.reads_words(viewer) else FOR_SERVICE


def event_as_saved(viewer: Viewer, event_id: str, event: Event) -> EventRow:
    """Return the row of an event that was saved a moment ago, as somebody who sees its case sees it."""
    amount = event.amount
    row = EventRow(
        id=event_id,
        sequence=event.sequence,
        name=event.name,
        at=to_micros(event.at),
        actor_id=event.actor_id,
        actor_role=event.actor_role,
        from_state=event.from_state,
        to_state=event.to_state,
        amount_minor=None if amount is None else amount.minor,
        currency=event.case_after.currency,
        note=event.note,
        internal_note=event.internal_note,
        rule=event.rule,
        facts=orjson.dumps(event.facts).decode(),
    )
    return _as_seen(viewer, row, event.audience)


TOLD_COLUMNS = (*(one.name for one in fields(EventRow)), "audience")
"""What of an event has to be read to tell it to anybody."""


def event_as_told(viewer: Viewer, record: Row) -> EventRow:
    """Return the row of an event whose TOLD_COLUMNS were just read, as somebody who sees its case sees it."""
    *values, audience = record
    return _as_seen(viewer, EventRow(*values), audience)


def _as_seen(viewer: Viewer, row: EventRow, audience: str | None) -> EventRow:
    """Take away what is not for this viewer, as the statements of FOR_PARTIES and FOR_SERVICE leave it out."""
    if viewer.is_staff:
        return row
    if row.name in _WITHHELD or not visibility.reads_words(viewer):
        row.note = None
    if audience == Audience.INTERNAL:
        row.actor_id = None
    row.internal_note = row.facts = None
    return row


async def events_by_id(source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the events of these ids that the viewer sees."""
    table = Table(
        name="refund_event", alias="x", shape=_shape(viewer), order=OLDEST, visible=visibility.events, parent="case_id"
    )
    return await table.by_id(source, viewer, ids, wanted)


async def list_events(
    source: Source, viewer: Viewer, case_ids: Sequence[str], page: Page, wanted: Mapping[str, Any]
) -> list[ConnectionRow]:
    """Return the same page of each case's events, oldest first."""
    listing = _listing(viewer, wanted, visibility.events(viewer, "x"))
    found = await fetch_pages(source, listing, page, wanted, "x.case_id", list(dict.fromkeys(case_ids)))
    return [found[one] for one in case_ids]


def events_within(
    dialect: Dialect, viewer: Viewer, page: Page, wanted: Mapping[str, Any], case_id: str
) -> Riding | None:
    """Return the same page as a column for the statement that reads the case of this column, if it can be one.

    No condition of its own: whoever sees the case's row sees its events.
    """
    return riding(dialect, _listing(viewer, wanted), page, wanted, f"x.case_id = {case_id}")


def _listing(viewer: Viewer, wanted: Mapping[str, Any], *conditions: Condition) -> Listing:
    shape = _shape(viewer)

    def write() -> Listing:
        columns = shape.columns(wanted_nodes(wanted)) or ("id",)
        return Listing(
            columns=shape.select(columns, "x"),
            relation="refund_event x",
            order=OLDEST,
            make=shape.maker(columns),
            make_edges=shape.edges_maker(columns),
        )

    return replace(derived(wanted, ("events", shape), write), conditions=conditions)
