"""What lists and streams of cases are narrowed by, as SQL for lists and as a predicate for streams."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from refundgql.domain.calendar import to_micros
from refundgql.domain.money import Money
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundCaseKind, RefundCaseState, WhoseMove
from refundgql.queries.case_orders import NEVER
from refundgql.queries.case_reads import has_unread
from refundgql.queries.pages import Condition
from refundgql.queries.texts import contains
from refundgql.storage.database import Dialect, Source

_NUMBER = re.compile(r"\s*(?:RC-)?0*([0-9]{1,18})\s*\Z", re.ASCII | re.IGNORECASE)
AMOUNT = "COALESCE(c.requested_minor, c.approved_minor)"
"""The amount that filters and orders look at: what was asked for, or what was issued unasked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """What cases are narrowed by; None narrows nothing."""

    kinds: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    numbers: tuple[str, ...] | None = None
    text: str | None = None
    opened_after: datetime | None = None
    opened_before: datetime | None = None
    overdue: bool | None = None
    whose_move: WhoseMove | None = None
    assignee_id: str | None = None
    unassigned: bool | None = None
    amount_at_least: Money | None = None
    amount_at_most: Money | None = None
    reasons: tuple[str, ...] | None = None
    proposed: bool | None = None
    account_id: str | None = None
    contract_id: str | None = None
    settlement: str | None = None
    goodwill: bool | None = None
    decided_after: datetime | None = None
    decided_before: datetime | None = None
    credited_after: datetime | None = None
    credited_before: datetime | None = None
    due_before: datetime | None = None
    unread: bool | None = None
    """Of lists alone: what somebody has read is in no event, so streams are not narrowed by it."""
    in_queue: bool = False


def case_number(text: str) -> int | None:
    """Return the number of a text such as RC-000123, or nothing when it is none."""
    found = _NUMBER.match(text)
    return int(found[1]) if found else None


def waiting_for_support(given: CaseFilter | None) -> CaseFilter:
    """Return the queue's own filter: support's move, or a question to it; unless the filter says whose move it is."""
    given = given or CaseFilter()
    return given if given.whose_move is not None else replace(given, in_queue=True)


def conditions(given: CaseFilter | None, viewer: Viewer, dialect: Dialect, now: datetime) -> list[Condition]:
    """Return the conditions of a filter on the refund case `c`, at an instant."""
    if given is None:
        return []
    return [
        *_lists(given),
        *_values(given),
        *_related(given),
        *_moves(given, to_micros(now)),
        *_desk(given, viewer, dialect),
        *_texts(given),
    ]


def _lists(given: CaseFilter) -> list[Condition]:
    found: list[Condition] = []
    # Written out, so that every plan knows how rare they are.
    if given.kinds is not None:
        found.append(_one_of("c.kind", map(RefundCaseKind, given.kinds)))
    if given.states is not None:
        found.append(_one_of("c.state", map(RefundCaseState, given.states)))
    if given.reasons is not None:
        found.append(("c.reason = ANY(?)", (list(given.reasons),)))
    if given.numbers is not None:
        numbers = [number for number in map(case_number, given.numbers) if number is not None]
        found.append(("c.number = ANY(?)", (numbers,)))
    return found


def _one_of(column: str, words: Iterable[StrEnum]) -> Condition:
    """Return the condition that a column has one of the words of an enumeration."""
    listed = ", ".join(f"'{word.value}'" for word in sorted(set(words)))
    return (f"{column} IN ({listed})" if listed else "FALSE"), ()


def _values(given: CaseFilter) -> list[Condition]:
    found: list[Condition] = []
    for condition, instant in (
        ("c.opened_at >= ?", given.opened_after),
        ("c.opened_at < ?", given.opened_before),
        ("c.decided_at >= ?", given.decided_after),
        ("c.decided_at < ?", given.decided_before),
        ("c.credited_at >= ?", given.credited_after),
        ("c.credited_at < ?", given.credited_before),
        (f"COALESCE(c.deadline_at, {NEVER}) < ?", given.due_before),
    ):
        if instant is not None:
            found.append((condition, (to_micros(instant),)))
    if given.goodwill is not None:
        found.append(("c.goodwill" if given.goodwill else "NOT c.goodwill", ()))
    if given.settlement is not None:
        found.append(("c.settlement = ?", (given.settlement,)))
    for sign, bound in ((">=", given.amount_at_least), ("<=", given.amount_at_most)):
        if bound is not None:
            found.append((f"c.currency = ? AND {AMOUNT} {sign} ?", (bound.currency, bound.minor)))
    return found


_PARTIES = (WhoseMove.REQUESTER, WhoseMove.COUNTERPARTY)
"""Theirs a move is until an instant; support's, the desk's and nobody's it is from one on."""


def whose_move_is(move: WhoseMove, now_micros: int) -> Condition:
    """Return the condition that it is somebody's move at an instant, as domain/clocks.py tells it of one case."""
    if move in _PARTIES:
        return "c.whose_move = ? AND (c.move_until IS NULL OR c.move_until > ?)", (move.value, now_micros)
    begun = "(c.next_move IS NULL OR c.move_until <= ?)"
    return f"COALESCE(c.next_move, c.whose_move) = ? AND {begun}", (move.value, now_micros)


_QUEUED = f"CASE WHEN c.asks_support THEN '{WhoseMove.SUPPORT}' ELSE COALESCE(c.next_move, c.whose_move) END"
"""As the queue's index has it (migration 0030): one equality finds what waits and who asks."""


def is_queued(now_micros: int) -> Condition:
    """Return the condition that support has something to do on a case: it is its move, or a party has written to it."""
    begun = "(c.asks_support OR c.next_move IS NULL OR c.move_until <= ?)"
    return f"{_QUEUED} = ? AND {begun}", (WhoseMove.SUPPORT.value, now_micros)


def is_overdue(now_micros: int) -> Condition:
    """Return the condition that support's decision is late at an instant (L14, D20)."""
    move, parameters = whose_move_is(WhoseMove.SUPPORT, now_micros)
    return f"({move} AND COALESCE(c.deadline_at, {NEVER}) <= ?)", (*parameters, now_micros)


def _moves(given: CaseFilter, now_micros: int) -> list[Condition]:
    found: list[Condition] = []
    if given.overdue is not None:
        sql, parameters = is_overdue(now_micros)
        found.append((sql if given.overdue else f"NOT {sql}", parameters))
    if given.whose_move is not None:
        found.append(whose_move_is(given.whose_move, now_micros))
    if given.in_queue:
        found.append(is_queued(now_micros))
    return found


def _related(given: CaseFilter) -> list[Condition]:
    """Return the conditions on whose case it is; an id of nothing finds nothing."""
    found: list[Condition] = []
    if given.account_id is not None:
        either = ("(c.requester_id = ? OR c.counterparty_id = ?)", (given.account_id, given.account_id))
        found.append(either if given.account_id else ("FALSE", ()))
    if given.contract_id is not None:
        found.append(("c.contract_id = ?", (given.contract_id,)) if given.contract_id else ("FALSE", ()))
    return found


def _desk(given: CaseFilter, viewer: Viewer, dialect: Dialect) -> list[Condition]:
    """Return the conditions on who takes care of a case; for others than staff nobody does, as they read it."""
    assignee = "c.assignee_id" if viewer.is_staff else "CAST(NULL AS CHAR(36))"
    found: list[Condition] = []
    if given.assignee_id is not None:
        known = viewer.is_staff and given.assignee_id
        found.append(("c.assignee_id = ?", (given.assignee_id,)) if known else ("FALSE", ()))
    if given.unassigned is not None:
        found.append((f"{assignee} IS {'' if given.unassigned else 'NOT '}NULL", ()))
    if given.proposed is not None:
        proposed = "c.proposed_decision IS NOT NULL" if viewer.is_staff else "FALSE"
        found.append((proposed if given.proposed else f"NOT ({proposed})", ()))
    if given.unread is not None:
        found.append(has_unread(viewer, "c.id", unread=given.unread, dialect=dialect))
    return found


def _texts(given: CaseFilter) -> list[Condition]:
    if given.text is None or not given.text.strip():
        return []
    text = given.text
    places = (
        "SELECT 1 FROM account a WHERE a.id IN (c.requester_id, c.counterparty_id) AND {}",
        "SELECT 1 FROM lead l WHERE l.id = c.lead_id AND {}",
        "SELECT 1 FROM contract k WHERE k.id = c.contract_id AND {}",
        "SELECT 1 FROM lead l WHERE l.id = c.lead_id AND {}",
        "SELECT 1 FROM milestone s WHERE s.id = c.milestone_id AND {}",
        "SELECT 1 FROM invoice i WHERE i.id = c.invoice_id AND {}",
        "SELECT 1 FROM billing_week w WHERE w.id = c.billing_week_id AND {}",
    )
    columns = ("a.folded", "l.folded", "k.folded", "l.customer_folded", "s.folded", "i.folded", "w.folded")
    number, number_parameters = contains(
        "'rc-' || substr('000000', 1 + length(CAST(c.number AS TEXT))) || c.number", text
    )
    alternatives, parameters = [number], list(number_parameters)
    for place, column in zip(places, columns, strict=True):
        condition, values = contains(column, text)
        alternatives.append(f"EXISTS ({place.format(condition)})")
        parameters.extend(values)
    return [("(" + " OR ".join(alternatives) + ")", parameters)]


async def case_has_text(source: Source, case_id: str, text: str) -> bool:
    """Tell whether a case has a text in its number, or in the names and references of its parties and subject."""
    found = _texts(CaseFilter(text=text))
    which = " AND ".join(["c.id = ?", *(sql for sql, _ in found)])
    parameters = [case_id, *(value for _, values in found for value in values)]
    return bool(await source.fetch(f"SELECT 1 FROM refund_case c WHERE {which}", parameters))


def matches(given: CaseFilter, snapshot: Mapping[str, Any] | None) -> bool:
    """Tell whether a case fits a filter as an event's snapshot holds it; texts are not in snapshots and fit.

    Snapshots of earlier releases lack some values; those fit no filter that asks for one.
    """
    if snapshot is None:
        return False
    amount = snapshot["requested_minor"]
    amount = snapshot["approved_minor"] if amount is None else amount
    return (
        _among(given.kinds, snapshot["kind"])
        and _among(given.states, snapshot["state"])
        and _among(given.reasons, snapshot["reason"])
        and (given.numbers is None or snapshot["number"] in {case_number(one) for one in given.numbers})
        and (given.opened_after is None or snapshot["opened_at"] >= to_micros(given.opened_after))
        and (given.opened_before is None or snapshot["opened_at"] < to_micros(given.opened_before))
        and (given.overdue is None or bool(snapshot["overdue"]) is given.overdue)
        and (given.whose_move is None or snapshot["whose_move"] == given.whose_move.value)
        and (not given.in_queue or snapshot["whose_move"] == WhoseMove.SUPPORT or snapshot.get("asks_support", False))
        and (given.assignee_id is None or snapshot["assignee_id"] == given.assignee_id)
        and (given.unassigned is None or (snapshot["assignee_id"] is None) is given.unassigned)
        and (given.proposed is None or snapshot.get("proposed", False) is given.proposed)
        and (
            given.account_id is None
            or given.account_id in (snapshot.get("requester_id"), snapshot.get("counterparty_id"))
        )
        and (given.contract_id is None or snapshot.get("contract_id") == given.contract_id)
        and (given.settlement is None or snapshot.get("settlement") == given.settlement)
        and (given.goodwill is None or bool(snapshot.get("goodwill")) is given.goodwill)
        and _between(given.decided_after, given.decided_before, snapshot.get("decided_at"))
        and _between(given.credited_after, given.credited_before, snapshot.get("credited_at"))
        and _between(None, given.due_before, snapshot["deadline_at"])
        and _bounded(given.amount_at_least, given.amount_at_most, snapshot["currency"], amount)
    )


def _between(after: datetime | None, before: datetime | None, micros: int | None) -> bool:
    if after is None and before is None:
        return True
    if micros is None:
        return False
    return (after is None or micros >= to_micros(after)) and (before is None or micros < to_micros(before))


def _among(values: Sequence[str] | None, value: str | None) -> bool:
    return values is None or value in values


def _bounded(least: Money | None, most: Money | None, currency: str, amount: int | None) -> bool:
    bounds = [bound for bound in (least, most) if bound is not None]
    if not bounds:
        return True
    if amount is None or any(bound.currency != currency for bound in bounds):
        return False
    return (least is None or amount >= least.minor) and (most is None or amount <= most.minor)
