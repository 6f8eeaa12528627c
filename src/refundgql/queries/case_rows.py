"""The read model of a refund case: its columns by field, and the to-one relations read in the same statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from refundgql.domain.calendar import from_micros, to_micros
from refundgql.domain.facts import Case
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import WhoseMove
from refundgql.queries import invoices, leads, milestones, weeks
from refundgql.queries.accounts import (
    FOR_EVERYBODY,
    AccountRow,
    account_columns,
    account_row,
    is_for_everybody,
)
from refundgql.queries.listing import Riding
from refundgql.queries.pages import ConnectionRow
from refundgql.queries.rows import Make, Nested, Shape, derived
from refundgql.storage import visibility
from refundgql.storage.case_rows import column_value


@dataclass(slots=True)
class CaseRow:
    """A refund case; amounts in minor units, and the relations that were asked for as rows of their own."""

    TYPENAME: ClassVar[str] = "RefundCase"
    id: str
    number: int
    kind: str
    state: str
    version: int
    route: str
    goodwill: bool
    reason: str | None
    reason_detail: str | None
    explanation: str | None
    currency: str
    requested_minor: int | None
    approved_minor: int | None
    consented_minor: int | None
    credited_minor: int | None
    opened_at: int
    updated_at: int
    decided_at: int | None
    credited_at: int | None
    reversed_at: int | None
    settlement: str
    whose_move: str
    move_until: int | None
    next_move: str | None
    respond_by: int | None
    deadline_at: int | None
    withdrawal_id: str | None
    proposed_decision: str | None
    proposed_minor: int | None
    proposed_by_id: str | None
    proposed_at: int | None
    proposed_text: str | None
    continues_id: str | None
    continued_by_id: str | None
    policy_version: str
    subject: Any
    requester: AccountRow
    counterparty: AccountRow | None
    filed_by: AccountRow
    assignee: AccountRow | None
    events: ConnectionRow
    """Its page of events, where that was read with it."""

    def mover(self, now_micros: int) -> WhoseMove:
        """Return whose move it is, as domain/clocks.py tells it of a case."""
        if self.next_move is not None and self.move_until is not None and now_micros >= self.move_until:
            return WhoseMove(self.next_move)
        return WhoseMove(self.whose_move)

    def target_at(self, now_micros: int) -> datetime | None:
        """Return when support's decision is due; nothing while it is not support's move."""
        waits = self.deadline_at is not None and self.mover(now_micros) is WhoseMove.SUPPORT
        return from_micros(self.deadline_at) if waits and self.deadline_at is not None else None

    def is_overdue(self, now_micros: int) -> bool:
        """Tell whether support's decision is late."""
        target_at = self.target_at(now_micros)
        return target_at is not None and to_micros(target_at) <= now_micros


_MOVE = ("whose_move", "move_until", "next_move")
SHAPE = Shape(
    CaseRow,
    "number kind state version route goodwill reason reason_detail explanation opened_at updated_at decided_at"
    " credited_at reversed_at respond_by settlement policy_version",
    {
        "is_final": ("state", "requested_minor", "credited_minor"),
        "whose_move": _MOVE,
        "target_at": (*_MOVE, "deadline_at"),
        "overdue": (*_MOVE, "deadline_at"),
        "requested_amount": ("requested_minor", "currency"),
        "approved_amount": ("approved_minor", "currency"),
        "consented_amount": ("consented_minor", "currency"),
        "credited_amount": ("credited_minor", "currency"),
        "withdrawal": ("withdrawal_id",),
        "proposal": (
            "proposed_decision",
            "proposed_minor",
            "currency",
            "proposed_by_id",
            "proposed_at",
            "proposed_text",
        ),
        "continues": ("continues_id",),
        "continued_by": ("continued_by_id",),
        "open_amount": ("currency",),
        "subject": ("kind",),
    },
)

_JOINED = ("requester", "counterparty", "filed_by", "assignee", "subject")


def case_as_saved(viewer: Viewer, case: Case, wanted: Mapping[str, Any]) -> CaseRow | None:
    """Return the row of a case that was saved or read a moment ago for somebody who sees it.

    Nothing when more than the case itself is asked for, or words that the viewer does not read: that has to be read.
    """
    if any(name in wanted for name in _JOINED) or ("explanation" in wanted and not visibility.reads_words(viewer)):
        return None
    columns = SHAPE.columns(wanted)
    row: CaseRow = SHAPE.maker(columns)([column_value(case, name) for name in columns])
    return row


ACCOUNTS = {"requester": "requester_id", "counterparty": "counterparty_id", "filed_by": "filed_by_id"}
_WIDTH = 4
"""Values of an account row."""

SUBJECTS = (
    ("LEAD", "Lead", "lead_id", "lead l", "l", leads.SHAPE),
    ("INVOICE", "Invoice", "invoice_id", "invoice i", "i", invoices.SHAPE),
    ("ESCROW", "Milestone", "milestone_id", "milestone s", "s", milestones.SHAPE),
    ("TIMESHEET", "BillingWeek", "billing_week_id", "billing_week w", "w", weeks.SHAPE),
)
"""What each kind of case is about: GraphQL type, column, table, alias and shape."""


Fill = Callable[[Any, Any], None]
"""Puts a relation's row, read from a record, into a case's row."""
BeginFill = Callable[[Viewer], Fill]
"""Makes the filler of one relation for one statement's records."""


@dataclass(slots=True)
class CaseStatement:
    """Select list, relation and row maker for the fields that are asked for of cases (`c`).

    People and subjects are joined: one statement reads a page with everybody in it. Whoever sees a case sees what it
    is about, by the same roles, so the case's condition is theirs too.
    """

    select: str
    relation: str
    make: Make
    parameters: Sequence[Any] = ()
    """The parameters of the select list."""


@dataclass(slots=True)
class _Written:
    """What of a statement is the same for all viewers of one sort."""

    select: str
    relation: str
    plain: Make
    fills: list[BeginFill]
    width: int


def case_statement(viewer: Viewer, wanted: Mapping[str, Any], events: Riding | None = None) -> CaseStatement:
    """Return the statement for the fields that are asked for, with the events of each case if they are given."""
    is_staff = viewer.is_staff
    written = derived(wanted, ("case statement", is_staff), lambda: _write(is_staff, wanted))
    plain, fills = written.plain, [begin(viewer) for begin in written.fills]
    if events is not None:
        return _with_events(written, plain, fills, events)
    if not fills:
        return CaseStatement(written.select, written.relation, plain)

    def make(record: Any) -> Any:
        row = plain(record)
        for fill in fills:
            fill(row, record)
        return row

    return CaseStatement(written.select, written.relation, make)


def _with_events(written: _Written, plain: Make, fills: Sequence[Fill], events: Riding) -> CaseStatement:
    width, make_events = written.width, events.make

    def make(record: Any) -> Any:
        row = plain(record)
        for fill in fills:
            fill(row, record)
        row.events = make_events(record[width])
        return row

    return CaseStatement(f"{written.select}, {events.column}", written.relation, make, events.parameters)


def _write(is_staff: bool, wanted: Mapping[str, Any]) -> _Written:
    columns = SHAPE.columns(wanted)
    select, joins, fills = [SHAPE.select(columns, "c")], ["refund_case c"], list[BeginFill]()
    nested, width = _join_people(is_staff, wanted, select, joins, fills, len(columns))
    if "subject" in wanted:
        width = _join_subjects(wanted["subject"], select, joins, fills, width)
    if "explanation" in wanted:
        fills.append(_fill_words)
    return _Written(", ".join(select), " ".join(joins), SHAPE.maker(columns, 0, nested), fills, width)


def _fill_words(viewer: Viewer) -> Fill:
    return _leave if visibility.reads_words(viewer) else _fill_wordless


def _leave(_row: CaseRow, _record: Any) -> None:
    """Leave a row as it was made."""


def _fill_wordless(row: CaseRow, _record: Any) -> None:
    row.explanation = None


def _join_people(
    is_staff: bool,
    wanted: Mapping[str, Any],
    select: list[str],
    joins: list[str],
    fills: list[BeginFill],
    width: int,
) -> tuple[tuple[Nested, ...], int]:
    """Join the accounts that are asked for; return those that are the same for every viewer, and the new width."""
    people = {**ACCOUNTS, "assignee": "assignee_id"} if is_staff else ACCOUNTS
    nested: list[Nested] = []
    for name, column in people.items():
        if name not in wanted:
            continue
        joins.append(f"LEFT JOIN account {name} ON {name}.id = c.{column}")
        if is_for_everybody(wanted[name]):
            columns = FOR_EVERYBODY.columns(wanted[name])
            select.append(FOR_EVERYBODY.select(columns, name))
            nested.append(Nested(name, AccountRow, columns, width))
            width += len(columns)
        else:
            select.append(account_columns(name))
            fills.append(partial(_fill_person, name, width))
            width += _WIDTH
    if "assignee" in wanted and not is_staff:
        fills.append(lambda _: _fill_nobody)
    return tuple(nested), width


def _fill_person(name: str, start: int, viewer: Viewer) -> Fill:
    """Return the filler of one relation; the same person on many cases is one row."""
    known: dict[str | None, AccountRow | None] = {None: None}
    set_person, end = vars(CaseRow)[name].__set__, start + _WIDTH

    def fill(row: Any, record: Any) -> None:
        account_id = record[start]
        if account_id not in known:
            known[account_id] = account_row(viewer, record[start:end])
        set_person(row, known[account_id])

    return fill


def _fill_nobody(row: CaseRow, _record: Any) -> None:
    """Leave out who takes care of the case: that is for staff."""
    row.assignee = None


def _join_subjects(wanted: Any, select: list[str], joins: list[str], fills: list[BeginFill], width: int) -> int:
    """Join what cases are about, each kind only as far as its fields are asked for; return the new width."""
    makers: dict[str, tuple[int, Make]] = {}
    narrow = getattr(wanted, "on", None)
    for kind, type_name, column, table, alias, shape in SUBJECTS:
        columns = shape.columns(wanted if narrow is None else narrow(type_name))
        if columns == ("id",):
            select.append(f"c.{column}")
        else:
            select.append(shape.select(columns, alias))
            joins.append(f"LEFT JOIN {table} ON {alias}.id = c.{column}")
        makers[kind] = (width, shape.maker(columns, width))
        width += len(columns)

    def fill(row: CaseRow, record: Any) -> None:
        start, make = makers[row.kind]
        if record[start] is None:  # an issued refund of a released milestone has no invoice where none was written
            start, make = next(it for it in makers.values() if record[it[0]] is not None)
        row.subject = make(record)

    fills.append(lambda _: fill)
    return width
