"""The deadlines that run on a case, as people see them: from when, until when, whose move, and what happens then.

It must not set timers: deadlines.py names those that act by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from refundgql.domain.calendar import window_end_at
from refundgql.domain.deadlines import direct_until
from refundgql.domain.decisions import CaseClock
from refundgql.domain.facts import Case, Facts
from refundgql.domain.policy import Policy
from refundgql.domain.vocabulary import (
    ClockName,
    ContractKind,
    RefundCaseKind,
    RefundCaseState,
    SettlementStatus,
    WhoseMove,
)

_UNDECIDED = (RefundCaseState.REQUESTED, RefundCaseState.ESCALATED, RefundCaseState.DISPUTED)


def case_clocks(facts: Facts, at: datetime, policy: Policy) -> tuple[CaseClock, ...]:
    """Return the deadlines that still run on a case, the soonest first; ends are exclusive, days are UTC days.

    A missed decision target stays in the list until the case is decided.
    """
    case = facts.case
    if case is None:
        return ()
    lead = case.kind is RefundCaseKind.LEAD
    found = _lead_clocks(case, policy) if lead else _contract_clocks(case, facts, policy)
    running = [clock for clock in found if clock.ends_at > at or clock.name is ClockName.SLA_DECISION]
    return tuple(sorted(running, key=lambda clock: (clock.ends_at, clock.name)))


def _lead_clocks(case: Case, policy: Policy) -> Iterator[CaseClock]:
    if case.state in _UNDECIDED and case.deadline_at is not None:
        yield CaseClock(
            name=ClockName.SLA_DECISION,
            rule="L14",
            starts_at=case.escalated_at or case.opened_at,
            ends_at=case.deadline_at,
            whose_move=WhoseMove.SUPPORT,
            when_it_runs_out="The case is flagged as overdue and comes first in the queue; nothing is decided by that.",
        )
    if case.state is RefundCaseState.DECLINED and not case.second_look_used and case.declined_at is not None:
        yield CaseClock(
            name=ClockName.SECOND_LOOK,
            rule="D6",
            starts_at=case.declined_at,
            ends_at=window_end_at(case.declined_at, policy.second_look_window_days),
            whose_move=WhoseMove.REQUESTER,
            when_it_runs_out="The answer is final.",
        )


def _contract_clocks(case: Case, facts: Facts, policy: Policy) -> Iterator[CaseClock]:
    if case.state is RefundCaseState.REQUESTED:
        yield from _answer_clocks(case, facts, policy)
    if case.state is RefundCaseState.APPROVED and case.settlement is SettlementStatus.AWAITING_FUNDS:
        yield from _funds_clock(case, policy)
    if case.state in _UNDECIDED or case.state is RefundCaseState.DECLINED:
        yield from _window_clocks(case, facts, policy)
    contract = facts.contract
    if contract is not None and contract.ended_at is not None:
        yield CaseClock(
            name=ClockName.REVIEW,
            rule="C22",
            starts_at=contract.ended_at,
            ends_at=policy.review_until(contract.ended_at),
            whose_move=WhoseMove.REQUESTER,
            when_it_runs_out="No review of this contract can be posted any more.",
        )
    if facts.withdrawal_filed_at is not None and facts.withdrawal_expected_until is not None:
        yield CaseClock(
            name=ClockName.WITHDRAWAL_ESTIMATE,
            rule="D10",
            starts_at=facts.withdrawal_filed_at,
            ends_at=facts.withdrawal_expected_until,
            whose_move=WhoseMove.SYSTEM,
            when_it_runs_out="The money should have arrived; ask support if it has not.",
        )


def _answer_clocks(case: Case, facts: Facts, policy: Policy) -> Iterator[CaseClock]:
    if case.respond_by is not None:
        yield CaseClock(
            name=ClockName.RESPOND_BY,
            rule="D8",
            starts_at=case.opened_at,
            ends_at=case.respond_by,
            whose_move=WhoseMove.COUNTERPARTY,
            when_it_runs_out="The request moves to support by itself, with its history.",
        )
    direct = direct_until(facts, policy) if case.kind is RefundCaseKind.INVOICE else None
    paid_at = _paid_at(facts)
    if direct is not None and paid_at is not None:
        yield CaseClock(
            name=ClockName.DIRECT_WINDOW,
            rule="D7",
            starts_at=paid_at,
            ends_at=direct,
            whose_move=WhoseMove.COUNTERPARTY,
            when_it_runs_out="The expert can no longer decide; the request moves to support by itself.",
        )


def _funds_clock(case: Case, policy: Policy) -> Iterator[CaseClock]:
    if case.approved_at is not None:
        yield CaseClock(
            name=ClockName.FUNDS_ESCALATION,
            rule="D13",
            starts_at=case.approved_at,
            ends_at=window_end_at(case.approved_at, policy.funds_wait_days),
            whose_move=WhoseMove.SYSTEM,
            when_it_runs_out="The client may escalate the case to support.",
        )


def _window_clocks(case: Case, facts: Facts, policy: Policy) -> Iterator[CaseClock]:
    """Yield until when what the client can still start beside waiting is open, and support's own window (C07)."""
    paid_at = _paid_at(facts)
    if case.kind is not RefundCaseKind.INVOICE or paid_at is None:
        return
    hourly = facts.contract is not None and facts.contract.kind is ContractKind.HOURLY
    support_answered = facts.payment.support_decided
    if hourly and case.state is not RefundCaseState.DISPUTED and not case.final_decision and not support_answered:
        yield CaseClock(
            name=ClockName.DISPUTE_RESOLUTION,
            rule="C31",
            starts_at=paid_at,
            ends_at=policy.dispute_until(paid_at),
            whose_move=WhoseMove.REQUESTER,
            when_it_runs_out="The invoice can no longer be disputed.",
        )
    if case.state is not RefundCaseState.REQUESTED:
        yield from _support_clock(case, facts, policy, paid_at, hourly=hourly)
    week = facts.week
    if week is not None and case.state is not RefundCaseState.DISPUTED and not support_answered:
        goes_on = "" if case.state is RefundCaseState.DECLINED else "; this request goes on"
        yield CaseClock(
            name=ClockName.TIMESHEET_DISPUTE,
            rule="C25",
            starts_at=week.ends_at,
            ends_at=policy.timesheet_until(week.ends_at),
            whose_move=WhoseMove.REQUESTER,
            when_it_runs_out=f"The week's hours can no longer be disputed{goes_on}.",
        )


def _support_clock(case: Case, facts: Facts, policy: Policy, paid_at: datetime, *, hourly: bool) -> Iterator[CaseClock]:
    """Yield the end of the support window: of a decline's ways on, or of new requests beside one that support has."""
    if case.state is not RefundCaseState.DECLINED:
        rule, whose_move = "C07", WhoseMove.SUPPORT
        text = "No new request about this payment can be made; support still decides this one."
    elif case.final_decision or facts.payment.support_decided:
        return
    elif hourly:
        rule, whose_move, text = "C24", WhoseMove.REQUESTER, "The decline can no longer be escalated."
    elif facts.payment.requests_made < policy.requests_per_payment:
        rule, whose_move, text = "D14", WhoseMove.REQUESTER, "The payment can no longer be asked about again."
    else:
        return
    yield CaseClock(
        name=ClockName.SUPPORT_WINDOW,
        rule=rule,
        starts_at=paid_at,
        ends_at=policy.support_until(paid_at),
        whose_move=whose_move,
        when_it_runs_out=text,
    )


def _paid_at(facts: Facts) -> datetime | None:
    if facts.invoice is not None and facts.invoice.paid_at is not None:
        return facts.invoice.paid_at
    return facts.milestone.funded_at if facts.milestone is not None else None
