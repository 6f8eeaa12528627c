"""What an act changes on an existing case, apart from money: one small function per act."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from refundgql.domain.deadlines import stood_still_micros
from refundgql.domain.facts import Case
from refundgql.domain.machines.table import TableRow
from refundgql.domain.rules.limits import decided_minor
from refundgql.domain.rules.situation import Situation
from refundgql.domain.rules.who import Who
from refundgql.domain.vocabulary import (
    Audience,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundDecision,
    SettlementStatus,
    WhoseMove,
)

Move = Callable[[Case, Situation, TableRow], Case]


def moved(case: Case, it: Situation, row: TableRow) -> Case:
    """Return the case after an act, in the row's state and with what the act itself says."""
    move = _MOVES.get(it.action)
    changed = _in_state(case, row.to_state, it.at) if row.to_state is not case.state else case
    return move(changed, it, row) if move is not None else changed


def _in_state(case: Case, state: RefundCaseState, at: datetime) -> Case:
    """Return the case in another state, in which nothing is asked or told yet; what support has stays with it."""
    changed = _overtaken(answered(case, at).changed(state=state))
    if case.state is RefundCaseState.ESCALATED and state is RefundCaseState.DISPUTED:
        return changed
    return changed.changed(overdue=False, reminded=False, target_paused_micros=0, asks_support=False)


def answered(case: Case, at: datetime) -> Case:
    """Return the case with its question closed: the target has stood still until now, at most to the end (D24)."""
    if case.information_at is None:
        return case
    return case.changed(
        target_paused_micros=stood_still_micros(case, at),
        information_from=None,
        information_at=None,
        information_days=None,
    )


def _heard(case: Case, it: Situation, _row: TableRow) -> Case:
    """Close the question when the asked party says or adds something (D24)."""
    asked = case.requester_id if case.information_from is WhoseMove.REQUESTER else case.counterparty_id
    viewer = it.viewer
    is_asked = case.information_from is not None and viewer is not None and viewer.account_id == asked
    return answered(case, it.at) if is_asked else case


def _said(case: Case, it: Situation, row: TableRow) -> Case:
    """Note a party's message to support, which somebody there has to see, and support's answer to it."""
    heard, viewer, audience = _heard(case, it, row), it.viewer, it.act.audience
    if viewer is None or audience is Audience.INTERNAL:
        return heard
    if viewer.account_id not in (case.requester_id, case.counterparty_id):
        return heard.changed(asks_support=False)
    to_support = audience is not Audience.EVERYONE or case.counterparty_id is None
    return heard.changed(asks_support=True) if to_support else heard


def _asked(case: Case, it: Situation, _row: TableRow) -> Case:
    return answered(case, it.at).changed(
        information_from=it.act.asked_party,
        information_at=it.at,
        information_days=it.act.days if it.act.days is not None else it.policy.information_days,
    )


def proposed(case: Case, it: Situation) -> Case:
    """Return the case with the decision that an act would have been, for a colleague to sign (D23)."""
    approves = it.action is RefundActionName.APPROVE
    return case.changed(
        proposed_decision=RefundDecision.APPROVE if approves else RefundDecision.DECLINE,
        proposed_minor=decided_minor(it) if approves else None,
        proposed_rest=it.act.rest,
        proposed_text=it.act.text,
        proposed_internal_note=it.act.internal_note,
        proposed_by_id=it.viewer.account_id if it.viewer is not None else None,
        proposed_at=it.at,
    )


def amount_of(case: Case, action: RefundActionName) -> int | None:
    """Return the amount that an act's event shows, in minor units, as the case stands after it."""
    name = _AMOUNTS.get(action)
    return getattr(case, name) if name is not None else None


def _approved(case: Case, it: Situation, row: TableRow) -> Case:
    """Approve the given amount, or what was asked for (D9)."""
    asked = case.requested_minor if case.requested_minor is not None else case.consented_minor
    approved = it.act.amount.minor if it.act.amount is not None else asked
    return _decided(case, it, row, approved_minor=approved, approved_at=it.at)


def _declined(case: Case, it: Situation, row: TableRow) -> Case:
    """Decline; support's answer to an escalation or a dispute is final (D12)."""
    final = row.from_state in (RefundCaseState.ESCALATED, RefundCaseState.DISPUTED)
    return _decided(case, it, row, declined_at=it.at, final_decision=final)


def _decided(case: Case, it: Situation, row: TableRow, **changes: Any) -> Case:
    actor_id = it.viewer.account_id if it.viewer is not None else None
    first_look = case.kind is RefundCaseKind.LEAD and row.from_state is RefundCaseState.REQUESTED
    return case.changed(
        decided_at=it.at,
        decided_by_id=actor_id,
        first_decided_by_id=actor_id if first_look else case.first_decided_by_id,
        first_proposed_by_id=case.proposed_by_id if first_look else case.first_proposed_by_id,
        support_decided=Who.SUPPORT in row.guards.by,
        **changes,
    )


def _reopened(case: Case, it: Situation, row: TableRow) -> Case:
    """Take a case to support; what the expert had approved stands as consent (C15, D13)."""
    consented = case.approved_minor if row.from_state is RefundCaseState.APPROVED else case.consented_minor
    # What was with support already came to it then: its target goes on (D20).
    since = case.escalated_at if row.from_state is RefundCaseState.ESCALATED else it.at
    return case.changed(
        escalated_at=since,
        consented_minor=consented,
        approved_minor=None,
        approved_at=None,
        decided_at=None,
        decided_by_id=None,
        settlement=SettlementStatus.NOT_DUE,
        second_look_used=case.second_look_used or case.kind is RefundCaseKind.LEAD,
    )


def _mended(case: Case, it: Situation, row: TableRow) -> Case:
    """Take a finally declined case to support again; earlier decisions stay in its history (D22).

    That support has decided on the money stays true, so that nobody has more ways on than before (D12).
    """
    return _reopened(case, it, row).changed(final_decision=False, reopened_at=it.at)


def _overtaken(case: Case) -> Case:
    """Drop a proposal that was not signed, and with it whose it was: whoever proposed has decided nothing (D23)."""
    return case if case.proposed_decision is None else case.without_proposal().changed(proposed_by_id=None)


def _returned(case: Case, _it: Situation, _row: TableRow) -> Case:
    return _overtaken(case)


def _consented(case: Case, it: Situation, _row: TableRow) -> Case:
    return case.changed(consented_minor=it.act.amount.minor if it.act.amount is not None else None)


def _assigned(case: Case, it: Situation, _row: TableRow) -> Case:
    return case.changed(assignee_id=it.act.assignee_id)


def _reversed(case: Case, it: Situation, _row: TableRow) -> Case:
    return case.changed(reversed_at=it.at, settlement=SettlementStatus.REVERSED)


_MOVES: dict[RefundActionName, Move] = {
    RefundActionName.APPROVE: _approved,
    RefundActionName.DECLINE: _declined,
    RefundActionName.ESCALATE: _reopened,
    RefundActionName.HAND_OVER: _reopened,
    RefundActionName.DISPUTE: _reopened,
    RefundActionName.REOPEN: _mended,
    RefundActionName.RETURN: _returned,
    RefundActionName.CONSENT: _consented,
    RefundActionName.ASSIGN: _assigned,
    RefundActionName.REVERSE: _reversed,
    RefundActionName.REQUEST_INFORMATION: _asked,
    RefundActionName.ADD_EVIDENCE: _heard,
    RefundActionName.SEND_MESSAGE: _said,
}

_AMOUNTS = {
    RefundActionName.REQUEST: "requested_minor",
    RefundActionName.OPEN_TIMESHEET_DISPUTE: "requested_minor",
    RefundActionName.ISSUE: "approved_minor",
    RefundActionName.APPROVE: "approved_minor",
    RefundActionName.CONSENT: "consented_minor",
    RefundActionName.REVERSE: "credited_minor",
}
