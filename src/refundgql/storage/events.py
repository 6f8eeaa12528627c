"""The event log: appending to it, and reading it as one stream across cases that skips nothing.

**Order.** Positions are given when rows are written, not when they are committed, so on PostgreSQL a row may appear
behind one that a reader has passed. Each event therefore carries a commit order: its transaction's id, or the case's
last commit order when that is greater (a transaction may have got its id, then waited for the case), plus the epoch.
Rows are delivered by (commit_order, position), and only those whose commit order is below every transaction still
running: nothing can appear below that horizon any more. Within one case that order is the order of sequence numbers. A
transaction left open therefore holds the stream back and never makes it wrong. SQLite writes one transaction at a
time, so commit orders are 0 there and positions are the order.

**Epoch.** Transaction ids start anew when a dump is restored into another cluster. `stream_epoch.added` is added to
every transaction id; when the stored orders are ahead of the cluster's ids, `align_stream` raises it, so that orders
only ever grow and clients' cursors stay good. It runs whenever a PostgreSQL database is opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from refundgql.domain.calendar import to_micros
from refundgql.domain.clocks import is_overdue, mover
from refundgql.domain.decisions import Event
from refundgql.domain.facts import Case
from refundgql.domain.sentences import Unfit, sentence
from refundgql.domain.vocabulary import ClockName, RefundCaseKind, RefundCaseState
from refundgql.storage.database import Database, Dialect, Source, Write
from refundgql.storage.ids import new_id


class BadCursor(Unfit):
    """A text that is not a cursor of this stream."""


class Cursor(NamedTuple):
    """A place in the stream: everything up to and including it has been seen."""

    commit_order: int
    position: int

    def __str__(self) -> str:
        """Return the form that clients keep."""
        return f"{self.commit_order}.{self.position}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Return the cursor of a text.

        Refuses: BadCursor for a text that is none.
        """
        order, dot, position = text.partition(".")
        if dot and order.isascii() and order.isdigit() and position.isascii() and position.isdigit():
            found = cls(int(order), int(position))
            if max(found) <= _LARGEST:
                return found
        message = sentence(
            "NOT_A_STREAM_CURSOR", "This is not a cursor of this stream: give one that a former update carried."
        )
        raise BadCursor(message)


_LARGEST = 2**63 - 1
# So many events are sooner walked through than looked up case by case.
_WALKED_EVENTS = 2_000
START = Cursor(0, 0)
LOGS = ("refund_event", "notice")
"""What is one stream: events of cases, and what is told beside them (storage/notices.py)."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event as the stream carries it: enough to tell whom it concerns and which filters it touches."""

    cursor: Cursor
    id: str
    case_id: str
    sequence: int
    name: str
    requester_id: str
    counterparty_id: str | None
    snapshot: Mapping[str, Any]
    before: Mapping[str, Any] | None
    """The snapshot of the case's event before this one."""


T = TypeVar("T")


class EventBatch(NamedTuple, Generic[T]):
    """What follows a cursor in the stream, in order, and whether there may be more right now."""

    events: list[T]
    more: bool
    held_back: bool
    """Rows exist that may not be delivered yet: look again in a moment."""


def snapshot_of(event: Event) -> dict[str, Any]:
    """Return what RefundCaseFilter looks at, apart from texts, and the clock, as the case stands after an event."""
    case = event.case_after
    clock, ends_at = _clock(event, case)
    return {
        "number": case.number,
        "kind": case.kind.value,
        "state": case.state.value,
        "route": case.route.value,
        "reason": None if case.reason is None else case.reason.value,
        "requester_id": case.requester_id,
        "counterparty_id": case.counterparty_id,
        "contract_id": case.contract_id,
        "goodwill": case.goodwill,
        "settlement": case.settlement.value,
        "decided_at": None if case.decided_at is None else to_micros(case.decided_at),
        "credited_at": None if case.credited_at is None else to_micros(case.credited_at),
        "opened_at": to_micros(case.opened_at),
        "deadline_at": None if case.deadline_at is None else to_micros(case.deadline_at),
        "overdue": is_overdue(case, case.updated_at),
        "whose_move": mover(case, case.updated_at).value,
        "assignee_id": case.assignee_id,
        "currency": case.currency,
        "requested_minor": case.requested_minor,
        "approved_minor": case.approved_minor,
        "consented_minor": case.consented_minor,
        "credited_minor": case.credited_minor,
        "clock": clock,
        "clock_ends_at": None if ends_at is None else to_micros(ends_at),
        "updated_at": to_micros(case.updated_at),
        "proposed": case.proposed_decision is not None,
        "asks_support": case.asks_support,
    }


def _clock(event: Event, case: Case) -> tuple[str | None, datetime | None]:
    """Return the clock that an event is about, or that runs on its case, with its end."""
    about = dict(event.facts)
    if "clock" in about:
        return about["clock"], datetime.fromisoformat(about["endsAt"])
    if case.information_at is not None:
        return ClockName.INFORMATION.value, case.move_until
    if case.deadline_at is None:
        return None, None
    answers = case.kind is not RefundCaseKind.LEAD and case.state is RefundCaseState.REQUESTED
    return (ClockName.RESPOND_BY if answers else ClockName.SLA_DECISION).value, case.deadline_at


_INSERT = (
    "INSERT INTO refund_event (id, case_id, sequence, name, at, actor_id, actor_role, from_state, to_state,"
    " amount_minor, currency, note, internal_note, rule, facts, snapshot, audience"
)
_VALUES = ", ".join("?" * 17)

# A commit order that is given spares the trigger, which looks for the case's last event again at every row. Where the
# event before is not the one that was decided after, there is none, which the column refuses.
_OWN_ORDER = "(pg_current_xact_id()::text)::bigint + (SELECT added FROM stream_epoch WHERE id = 1)"
_ORDER_AFTER = (
    f"SELECT GREATEST(commit_order, {_OWN_ORDER}) AS place FROM refund_event WHERE case_id = ? AND sequence = ?"
)


def event_writes(
    dialect: Dialect, events: Sequence[Event], numbers: Mapping[str, int]
) -> tuple[list[Write], list[str]]:
    """Return what appends events in their order, and their new ids; `numbers` holds the numbers of new cases by id.

    Refuses, when it runs: TransientFault when somebody else wrote the next one.
    """
    values: list[Any] = []
    ids = []
    orders: dict[str, Write] = {}
    rows = []
    begun = {event.case_after.id for event in events if event.sequence == 1}  # nothing of theirs is there yet
    for event in events:
        case = event.case_after
        if case.id not in begun and case.id not in orders:
            name = f"order_{len(orders)}"
            orders[case.id] = Write(_ORDER_AFTER, (case.id, event.sequence - 1), name=name)
        order = f"(SELECT place FROM {orders[case.id].name})" if case.id in orders else _OWN_ORDER
        rows.append(f"({_VALUES}, {order})" if dialect is Dialect.POSTGRES else f"({_VALUES})")
        snapshot = snapshot_of(event)
        snapshot["number"] = numbers.get(case.id, case.number)
        ids.append(new_id())
        values += (
            ids[-1],
            case.id,
            event.sequence,
            event.name,
            to_micros(event.at),
            event.actor_id,
            event.actor_role,
            event.from_state,
            event.to_state,
            None if event.amount is None else event.amount.minor,
            case.currency,
            event.note,
            event.internal_note,
            event.rule,
            orjson.dumps(event.facts).decode(),
            orjson.dumps(snapshot).decode(),
            event.audience.value,
        )
    if dialect is Dialect.SQLITE:
        return [Write(f"{_INSERT}) VALUES {', '.join(rows)}", values)], ids
    return [*orders.values(), Write(f"{_INSERT}, commit_order) VALUES {', '.join(rows)}", values)], ids


_COLUMNS = (
    "e.commit_order, e.position, e.id, e.case_id, e.sequence, e.name, e.snapshot,"
    " (SELECT b.snapshot FROM refund_event b WHERE b.case_id = e.case_id AND b.sequence = e.sequence - 1) AS before,"
    " c.requester_id, c.counterparty_id"
)

HORIZON = "(SELECT (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint + added FROM stream_epoch WHERE id = 1)"


async def read_stream(
    source: Source,
    after: Cursor,
    *,
    limit: int = 500,
    case_id: str | None = None,
    viewer_condition: tuple[str, Sequence[Any]] | None = None,
) -> EventBatch[StreamEvent]:
    """Return up to `limit` events after a cursor, in order, as far as the horizon allows.

    `case_id` narrows to one case, `viewer_condition` to cases (`c`) that somebody sees, as visibility.py gives it.
    """
    # A plus keeps the databases from walking the whole stream for the few cases that are asked for.
    plus = "+" if case_id is not None or await _few_of_many(source, after, viewer_condition) else ""
    if source.dialect is Dialect.POSTGRES:
        order, place = f"{plus}e.commit_order, {plus}e.position", [*after]
    else:  # where a row holds its position in its own key, no index finds it beside a commit order that is always 0
        order, place = f"{plus}e.position", [after.position]
    conditions, parameters = [f"({order}) > ({', '.join('?' * len(place))})"], list[Any](place)
    if case_id is not None:
        conditions.append("e.case_id = ?")
        parameters.append(case_id)
    if viewer_condition is not None:
        conditions.append(viewer_condition[0])
        parameters.extend(viewer_condition[1])
    safe = f", e.commit_order < {HORIZON} AS safe" if source.dialect is Dialect.POSTGRES else ", 1 AS safe"
    rows = await source.fetch(
        f"SELECT {_COLUMNS}{safe} FROM refund_event e JOIN refund_case c ON c.id = e.case_id"
        f" WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT ?",
        (*parameters, limit),
    )
    events = [_stream_event(row) for row in rows if row["safe"]]
    held_back = len(events) < len(rows)
    return EventBatch(events, more=len(rows) == limit and not held_back, held_back=held_back)


async def _few_of_many(source: Source, after: Cursor, viewer_condition: tuple[str, Sequence[Any]] | None) -> bool:
    """Tell whether somebody who does not see everything has missed so much that SQLite should begin at their cases.

    PostgreSQL knows from its statistics.
    """
    if source.dialect is not Dialect.SQLITE or viewer_condition is None or not viewer_condition[1]:
        return False
    newest: int | None = await source.fetch_value("SELECT max(position) FROM refund_event")
    return (newest or 0) - after.position > _WALKED_EVENTS


def _stream_event(row: Any) -> StreamEvent:
    return StreamEvent(
        Cursor(row["commit_order"], row["position"]),
        row["id"],
        row["case_id"],
        row["sequence"],
        row["name"],
        row["requester_id"],
        row["counterparty_id"],
        orjson.loads(row["snapshot"]),
        None if row["before"] is None else orjson.loads(row["before"]),
    )


def head_expression(dialect: Dialect) -> str:
    """Return the SQL expression of the present head of the stream as a text, for use beside a page's own columns.

    Everything that a statement with it has not seen lies after this cursor; what it has seen may lie after it too.
    """
    if dialect is Dialect.POSTGRES:
        return f"(SELECT {HORIZON} || '.0')"
    # The counter and not the last row: after a restore it is ahead of the rows, as the next event will be.
    return "(SELECT '0.' || coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'refund_event')"


async def stream_head(source: Source) -> Cursor:
    """Return the cursor after which everything lies that is not yet visible."""
    return Cursor.parse(await source.fetch_value(f"SELECT {head_expression(source.dialect)}"))


async def event_cursor(source: Source, case_id: str, sequence: int) -> Cursor:
    """Return the cursor of one event of a case; the beginning when there is none."""
    row = await source.fetch_row(
        "SELECT commit_order, position FROM refund_event WHERE case_id = ? AND sequence = ?", (case_id, sequence)
    )
    return START if row is None else Cursor(row["commit_order"], row["position"])


async def align_stream(database: Database) -> None:
    """Raise the epoch when stored commit orders are ahead of this cluster's transaction ids (after a restore)."""
    if database.dialect is not Dialect.POSTGRES:
        return
    has_epoch = "SELECT to_regclass('stream_epoch') IS NOT NULL AND to_regclass(?) IS NOT NULL"
    # A schema that is not migrated yet has no notices, or nothing at all.
    logs = [table for table in LOGS if await database.fetch_value(has_epoch, (table,))]
    if not logs:
        return
    newest = " UNION ALL ".join(f"SELECT max(commit_order) AS commit_order FROM {table}" for table in logs)
    ahead = (
        "SELECT max(commit_order) + 1 - (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint"
        f" FROM ({newest}) AS newest HAVING max(commit_order) >= {HORIZON.replace('xmin', 'xmax')}"
    )
    if await database.fetch_value(ahead) is None:
        return
    async with database.transaction() as tx:
        # Nobody may write an event or a notice under the old epoch while the new one is chosen.
        await tx.execute(f"LOCK TABLE {', '.join(logs)} IN SHARE ROW EXCLUSIVE MODE")
        added = await tx.fetch_value(ahead)
        if added is not None:
            await tx.execute("UPDATE stream_epoch SET added = ? WHERE id = 1", (added,))
