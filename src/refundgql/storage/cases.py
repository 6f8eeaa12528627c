"""Saves a decision whole: the cases, their events, the money, the clocks and what follows from them.

It must not decide anything, nor open or commit the transaction that all of it happens in.
"""

from __future__ import annotations

from dataclasses import dataclass

from refundgql.domain.calendar import to_micros
from refundgql.domain.decisions import Decision
from refundgql.domain.facts import Case, Facts
from refundgql.storage.case_rows import COLUMNS, changed_columns, column_value
from refundgql.storage.clocks import replace_clocks
from refundgql.storage.database import Dialect, Transaction
from refundgql.storage.events import append_events
from refundgql.storage.faults import TransientFault
from refundgql.storage.ids import new_id
from refundgql.storage.ledger import post


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
    """Save everything that a decision changes, in the caller's transaction.

    A new case with number 0 is given the next one. Refuses: TransientFault when a case or a balance is no longer as
    the facts say; ConstraintViolated when a rule of the database is broken.
    """
    numbers = await _save_cases(tx, decision, facts)
    event_ids = await append_events(tx, decision.events, numbers)
    at = decision.events[-1].at
    posting_ids = await post(tx, decision.postings, at)
    await _save_payment(tx, decision, facts)
    await _save_subjects(tx, decision, facts, to_micros(at))
    await replace_clocks(tx, [case.id for case in decision.cases], decision.clocks)
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


async def _save_cases(tx: Transaction, decision: Decision, facts: Facts) -> dict[str, int]:
    """Write each case and return the numbers of new ones by id."""
    known = {case.id: case for case in (facts.case, facts.open_case, facts.previous_declined) if case is not None}
    numbers: dict[str, int] = {}
    for case in decision.cases:
        before = known.get(case.id)
        if before is None:
            numbers[case.id] = await _insert_case(tx, case)
        else:
            await _update_case(tx, before, case)
    return numbers


async def _insert_case(tx: Transaction, case: Case) -> int:
    number = case.number or await next_case_number(tx)
    values = [number if name == "number" else column_value(case, name) for name in COLUMNS]
    marks = ", ".join("?" * len(COLUMNS))
    await tx.execute(f"INSERT INTO refund_case ({', '.join(COLUMNS)}) VALUES ({marks})", values)
    return number


async def _update_case(tx: Transaction, before: Case, after: Case) -> None:
    names = changed_columns(before, after)
    if not names:
        return
    sets = ", ".join(f"{name} = ?" for name in names)
    values = [column_value(after, name) for name in names]
    changed = await tx.execute(
        f"UPDATE refund_case SET {sets} WHERE id = ? AND version = ?", (*values, after.id, before.version)
    )
    if changed != 1:
        raise TransientFault("The case changed while the decision was made.")


async def _save_payment(tx: Transaction, decision: Decision, facts: Facts) -> None:
    refunded, reserved = decision.payment_refunded_delta_minor, decision.payment_reserved_delta_minor
    if refunded or reserved:
        await tx.execute(
            "UPDATE payment SET refunded_minor = refunded_minor + ?, reserved_minor = reserved_minor + ? WHERE id = ?",
            (refunded, reserved, facts.payment.id),
        )


async def _save_subjects(tx: Transaction, decision: Decision, facts: Facts, at_micros: int) -> None:
    if facts.milestone is not None and (decision.milestone_returned or decision.milestone_refunded_again):
        status = "RETURNED" if decision.milestone_returned else "FUNDED"
        await tx.execute("UPDATE milestone SET status = ? WHERE id = ?", (status, facts.milestone.id))
    if facts.week is not None and decision.week_released:
        await tx.execute("UPDATE billing_week SET released_at = ? WHERE id = ?", (at_micros, facts.week.id))
    if facts.contract is not None and decision.reviews_hidden is not None:
        await tx.execute(
            "UPDATE contract SET reviews_hidden = ? WHERE id = ?", (decision.reviews_hidden, facts.contract.id)
        )
    if facts.lead is not None and decision.customer_reported:
        case = decision.case
        await tx.execute(
            "INSERT INTO customer_report (id, customer_id, case_id, detail, at) VALUES (?, ?, ?, ?, ?)",
            (new_id(), facts.lead.customer_id, case.id, case.reason_detail, at_micros),
        )
