"""Saves a decision whole: the cases, their events, the money, the clocks and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from refundgql.domain.calendar import to_micros
from refundgql.domain.decisions import Decision
from refundgql.domain.facts import Case, Facts
from refundgql.domain.vocabulary import MilestoneStatus
from refundgql.domain.webhooks import reviews_told
from refundgql.storage.case_rows import COLUMNS, changed_columns, column_value
from refundgql.storage.clocks import clock_writes
from refundgql.storage.database import Dialect, Transaction, Write
from refundgql.storage.events import event_writes
from refundgql.storage.ids import new_id
from refundgql.storage.ledger import posting_writes
from refundgql.storage.notices import notice_writes
from refundgql.storage.rows import insertion


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedDecision:
    """The ids and the number that storage gave."""

    case_id: str
    number: int
    event_id: str
    """The id of the act's own event."""
    event_ids: tuple[str, ...]
    posting_ids: tuple[str, ...]


async def save_decision(tx: Transaction, decision: Decision, facts: Facts) -> SavedDecision:
    """Save everything that a decision changes, in the caller's transaction, at the latest when it commits.

    A new case with number 0 is given the next one. Refuses, then at the latest: TransientFault when a case or a
    balance is no longer as the facts say; ConstraintViolated when a rule of the database is broken.
    """
    await tx.flush()
    numbers = await _new_numbers(tx, decision, facts)
    tx.later(*_version_writes(decision, facts, compared=not tx.locks_rows))
    await _save_cases(tx, decision, facts, numbers)
    events, event_ids = event_writes(tx.dialect, decision.events, numbers)
    at = decision.events[-1].at
    postings, posting_ids = posting_writes(tx.dialect, decision.postings, at)
    tx.later(
        *events,
        *postings,
        *_subject_writes(decision, facts, to_micros(at)),
        *_notices(tx.dialect, decision, facts, at),
        *clock_writes([case.id for case in decision.cases], decision.clocks),
    )
    own = next(place for place, event in enumerate(decision.events) if event is decision.event)
    return SavedDecision(
        case_id=decision.case.id,
        number=numbers.get(decision.case.id, decision.case.number),
        event_id=event_ids[own],
        event_ids=tuple(event_ids),
        posting_ids=tuple(posting_ids),
    )


async def next_case_number(tx: Transaction) -> int:
    """Return the number of the next case (D3); on PostgreSQL one that is not used leaves a gap."""
    if tx.dialect is Dialect.POSTGRES:
        return int(await tx.fetch_value("SELECT nextval(pg_get_serial_sequence('refund_case', 'number'))"))
    return int(await tx.fetch_value("SELECT coalesce(max(number), 0) + 1 FROM refund_case"))


async def list_assigned(tx: Transaction, account_id: str, at: datetime, declined_after: datetime) -> list[str]:
    """Return the cases that somebody takes care of and that may still be decided, the oldest first.

    They are open, or a way on is open to a party, or they were declined late enough to be reopened (D22).
    """
    sql = (
        "SELECT id FROM refund_case WHERE assignee_id = ?"
        " AND (state IN ('REQUESTED', 'APPROVED', 'ESCALATED', 'DISPUTED')"
        " OR (whose_move = 'REQUESTER' AND (move_until IS NULL OR move_until > ?))"
        " OR (state = 'DECLINED' AND declined_at > ?)) ORDER BY id"
    )
    return [str(row["id"]) for row in await tx.fetch(sql, (account_id, to_micros(at), to_micros(declined_after)))]


def _known(facts: Facts) -> dict[str, Case]:
    return {case.id: case for case in (facts.case, facts.open_case, facts.previous_declined) if case is not None}


async def _new_numbers(tx: Transaction, decision: Decision, facts: Facts) -> dict[str, int]:
    """Return the numbers of new cases by id."""
    new = [case for case in decision.cases if case.id not in _known(facts)]
    return {case.id: case.number or await next_case_number(tx) for case in new}


async def _save_cases(tx: Transaction, decision: Decision, facts: Facts, numbers: Mapping[str, int]) -> None:
    """Write each case; the last one waits for the rest of the decision."""
    known = _known(facts)
    for place, case in enumerate(decision.cases):
        if place:
            await tx.flush()  # an earlier case gives way before the one that takes its place is written (D14, C25)
        before = known.get(case.id)
        if before is None:
            tx.later(_insert_write(case, numbers[case.id]))
        elif changed := changed_columns(before, case):
            tx.later(_update_write(before, case, changed))


def _insert_write(case: Case, number: int) -> Write:
    values = [number if name == "number" else column_value(case, name) for name in COLUMNS]
    return Write(f"INSERT INTO refund_case ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})", values)


def _update_write(before: Case, after: Case, changed: Sequence[str]) -> Write:
    sets = ", ".join(f"{name} = ?" for name in changed)
    values = [column_value(after, name) for name in changed]
    sql = f"UPDATE refund_case SET {sets} WHERE id = ? AND version = ?"
    return Write(sql, (*values, after.id, before.version), expected=1)


def _version_writes(decision: Decision, facts: Facts, *, compared: bool) -> Iterator[Write]:
    """Yield what raises the versions of contract and payment, in everybody's order of locks.

    Compared with what was read, they refuse a decision about facts that have changed since. Under locks nobody else
    can have changed them, and an earlier decision of the same transaction may have raised them.
    """
    contract, payment = facts.contract, facts.payment
    if contract is not None:
        hidden = () if decision.reviews_hidden is None else (decision.reviews_hidden,)
        sets = ", reviews_hidden = ?" if hidden else ""
        yield _raised("contract", sets, hidden, contract.id, contract.version if compared else None)
    deltas = (decision.payment_refunded_delta_minor, decision.payment_reserved_delta_minor)
    sets = ", refunded_minor = refunded_minor + ?, reserved_minor = reserved_minor + ?" if any(deltas) else ""
    yield _raised("payment", sets, deltas if sets else (), payment.id, payment.version if compared else None)


def _raised(table: str, sets: str, values: Sequence[object], row_id: str, version: int | None) -> Write:
    sql = f"UPDATE {table} SET version = version + 1{sets} WHERE id = ?"
    if version is None:
        return Write(sql, (*values, row_id), expected=1)
    return Write(f"{sql} AND version = ?", (*values, row_id, version), expected=1)


def _notices(dialect: Dialect, decision: Decision, facts: Facts, at: datetime) -> list[Write]:
    """Return what lets webhooks tell that reviews were hidden or shown (C21)."""
    if facts.contract is None or decision.reviews_hidden is None:
        return []
    told = reviews_told(decision.reviews_hidden, facts.contract.id, at, decision.case.id)
    return notice_writes(dialect, [told])


def _subject_writes(decision: Decision, facts: Facts, at_micros: int) -> Iterator[Write]:
    status = decision.milestone_status
    if facts.milestone is not None and status is not None:
        released_at = at_micros if status is MilestoneStatus.RELEASED else None
        sql = "UPDATE milestone SET status = ?, released_at = ? WHERE id = ?"
        yield Write(sql, (status, released_at, facts.milestone.id))
    if facts.week is not None and decision.week_released:
        yield Write("UPDATE billing_week SET released_at = ? WHERE id = ?", (at_micros, facts.week.id))
    if facts.lead is not None and decision.customer_reported:
        case = decision.case
        about = {"customer_id": facts.lead.customer_id, "case_id": case.id, "detail": case.reason_detail}
        yield Write(*insertion("customer_report", id=new_id(), **about, at=at_micros))
