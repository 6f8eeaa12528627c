"""The history of cases, for a viewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from refundgql.domain.calendar import to_micros
from refundgql.domain.decisions import Event
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import STAFF_NOTE, Audience, RefundActionName
from refundgql.queries.listing import Listing, Riding, riding, wanted_nodes
from refundgql.queries.of_cases import pages_of_cases, rows_by_id
from refundgql.queries.pages import ConnectionRow, Key, Order, Page
from refundgql.queries.rows import Make, MakeEdges, Shape, derived
from refundgql.storage import visibility
from refundgql.storage.database import Dialect, Source


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


_FIELDS = {
    "id": ("id",),
    "sequence": ("sequence",),
    "name": ("name",),
    "at": ("at",),
    "actor": ("actor_id",),
    "actor_role": ("actor_role",),
    "from_state": ("from_state",),
    "to_state": ("to_state",),
    "amount": ("amount_minor", "currency"),
    "note": ("note", "actor_role"),
    "wording": ("note", "actor_role"),
    "internal_note": ("internal_note",),
    "rule": ("rule",),
    "facts": ("facts",),
}
FOR_STAFF = Shape(EventRow, (), _FIELDS)
# Messages may be for one side only, and who has a case is the desk's affair: what such events say is read elsewhere.
_WITHHELD = (RefundActionName.SEND_MESSAGE.value, RefundActionName.ASSIGN.value, STAFF_NOTE)
FOR_PARTIES = Shape(
    EventRow,
    (),
    _FIELDS,
    computed={
        "note": f"CASE WHEN x.name IN {_WITHHELD!r} THEN NULL ELSE x.note END",
        "actor_id": "CASE WHEN x.audience = 'INTERNAL' THEN NULL ELSE x.actor_id END",
        "internal_note": "NULL",
        "facts": "NULL",
    },
)
FOR_SERVICE = Shape(EventRow, (), _FIELDS, computed={**FOR_PARTIES.computed, "note": "NULL"})
OLDEST = Order("events", (Key("x.sequence", "int"), Key("x.id", "uuid")))


def _shape(viewer: Viewer) -> Shape:
    if viewer.is_staff:
        return FOR_STAFF
    return FOR_PARTIES if visibility.reads_words(viewer) else FOR_SERVICE


def event_as_saved(viewer: Viewer, event_id: str, event: Event) -> EventRow:
    """Return the row of an event that was saved a moment ago, as somebody who sees its case sees it."""
    amount, is_staff = event.amount, viewer.is_staff
    withheld = not is_staff and (event.name in _WITHHELD or not visibility.reads_words(viewer))
    return EventRow(
        id=event_id,
        sequence=event.sequence,
        name=event.name,
        at=to_micros(event.at),
        actor_id=None if not is_staff and event.audience is Audience.INTERNAL else event.actor_id,
        actor_role=event.actor_role,
        from_state=event.from_state,
        to_state=event.to_state,
        amount_minor=None if amount is None else amount.minor,
        currency=event.case_after.currency,
        note=None if withheld else event.note,
        internal_note=event.internal_note if is_staff else None,
        rule=event.rule,
        facts=orjson.dumps(event.facts).decode() if is_staff else None,
    )


async def events_by_id(source: Source, viewer: Viewer, ids: Sequence[str], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the events of these ids that the viewer sees."""
    shape = _shape(viewer)
    columns, visible = shape.columns(("id", *wanted)), visibility.events(viewer, "x")
    return await rows_by_id(source, "refund_event", shape.select(columns, "x"), shape.maker(columns), ids, visible)


async def list_events(
    source: Source, viewer: Viewer, case_ids: Sequence[str], page: Page, wanted: Mapping[str, Any]
) -> list[ConnectionRow]:
    """Return the same page of each case's events, oldest first."""
    shape, visible = _shape(viewer), visibility.events(viewer, "x")
    select, make, make_edges = derived(wanted, ("events", shape), lambda: _written(shape, wanted))
    return await pages_of_cases(
        source, "refund_event", select, make, OLDEST, case_ids, visible, page, wanted, make_edges
    )


def events_within(
    dialect: Dialect, viewer: Viewer, page: Page, wanted: Mapping[str, Any], case_id: str
) -> Riding | None:
    """Return the same page as a column for the statement that reads the case of this column, if it can be one.

    No condition of its own: whoever sees the case's row sees its events.
    """
    shape = _shape(viewer)
    select, make, make_edges = derived(wanted, ("events", shape), lambda: _written(shape, wanted))
    listing = Listing(columns=select, relation="refund_event x", order=OLDEST, make=make, make_edges=make_edges)
    return riding(dialect, listing, page, wanted, f"x.case_id = {case_id}")


def _written(shape: Shape, wanted: Mapping[str, Any]) -> tuple[str, Make, MakeEdges]:
    columns = shape.columns(wanted_nodes(wanted)) or ("id",)
    return shape.select(columns, "x"), shape.maker(columns), shape.edges_maker(columns)
