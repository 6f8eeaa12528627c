"""Whose move a case is, until when, and the timers that act on it (L14, D7, D8).

It must not act when a deadline passes: the sweeper does, through the same door as everybody.
"""

from __future__ import annotations

from datetime import datetime

from refundgql.domain.calendar import window_end_at
from refundgql.domain.decisions import DueClock
from refundgql.domain.facts import Case, Facts
from refundgql.domain.policy import Policy
from refundgql.domain.vocabulary import (
    ClockName,
    ContractKind,
    RefundCaseKind,
    RefundCaseState,
    RefundRoute,
    WhoseMove,
)

_MOVES = {
    RefundCaseState.REQUESTED: WhoseMove.COUNTERPARTY,
    RefundCaseState.ESCALATED: WhoseMove.SUPPORT,
    RefundCaseState.DISPUTED: WhoseMove.SUPPORT,
    RefundCaseState.APPROVED: WhoseMove.SYSTEM,
    RefundCaseState.DECLINED: WhoseMove.NOBODY,
    RefundCaseState.CREDITED: WhoseMove.NOBODY,
    RefundCaseState.CANCELLED: WhoseMove.NOBODY,
}


def answer_due_at(facts: Facts, kind: RefundCaseKind, opened_at: datetime, policy: Policy) -> datetime | None:
    """Return when an unanswered DIRECT request moves to support by itself: hourly and escrow money only (D8).

    An hourly request that the end of the direct window takes to support sooner is to be answered before that (D7).
    """
    if facts.payment.support_decided:
        return None  # goodwill: the expert alone can be asked (D12)
    due_at = window_end_at(opened_at, policy.respond_within_days)
    if kind is RefundCaseKind.ESCROW:
        return due_at
    if kind is not RefundCaseKind.INVOICE or facts.contract is None or facts.contract.kind is not ContractKind.HOURLY:
        return None
    direct = direct_until(facts, policy)
    return min(due_at, direct) if direct is not None else due_at


def direct_until(facts: Facts, policy: Policy) -> datetime | None:
    """Return the exclusive end of the expert's own right to decide on an invoice (D7)."""
    paid_at = facts.invoice.paid_at if facts.invoice is not None else None
    if paid_at is None and facts.milestone is not None:
        paid_at = facts.milestone.funded_at
    return policy.direct_until(paid_at) if paid_at is not None else None


def with_next_move(case: Case, facts: Facts, policy: Policy) -> Case:
    """Return the case with whose move it is, its next deadline, and no flag of a target that was missed before.

    A decline leaves the move to the requester where cases.py finds a way out; here it is nobody's.
    """
    state = case.state
    whose_move = _MOVES[state]
    respond_by, deadline_at = None, None
    if case.kind is RefundCaseKind.LEAD and state in (RefundCaseState.REQUESTED, RefundCaseState.ESCALATED):
        whose_move = WhoseMove.SUPPORT
        deadline_at = policy.decision_due_at(
            case.escalated_at if state is RefundCaseState.ESCALATED and case.escalated_at else case.opened_at
        )
    elif state is RefundCaseState.REQUESTED:
        respond_by = case.respond_by
        direct = direct_until(facts, policy) if case.kind is RefundCaseKind.INVOICE else None
        deadline_at = min((at for at in (respond_by, direct) if at is not None), default=None)
    return case.changed(whose_move=whose_move, respond_by=respond_by, deadline_at=deadline_at, overdue=False)


def due_clocks(case: Case, facts: Facts, policy: Policy) -> tuple[DueClock, ...]:
    """Return the timers that a case needs from now on; storage drops its other ones."""
    if case.kind is RefundCaseKind.LEAD:
        if case.deadline_at is None or case.overdue:
            return ()
        return (DueClock(name=ClockName.SLA_DECISION, due_at=case.deadline_at, case_id=case.id),)
    if case.state is not RefundCaseState.REQUESTED or case.route is not RefundRoute.DIRECT:
        return ()
    clocks = []
    if case.respond_by is not None:
        clocks.append(DueClock(name=ClockName.RESPOND_BY, due_at=case.respond_by, case_id=case.id))
    direct = direct_until(facts, policy) if case.kind is RefundCaseKind.INVOICE else None
    if direct is not None:
        clocks.append(DueClock(name=ClockName.DIRECT_WINDOW, due_at=direct, case_id=case.id))
    return tuple(clocks)
