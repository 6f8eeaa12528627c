"""Whole tables read from one end to the other, for exports: every case, event and posting, in a fixed order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from refundgql.domain.calendar import to_micros
from refundgql.storage.database import Database, Row

# As queries/case_rows.py tells it of one row.
_MOVE = "(CASE WHEN rc.next_move IS NOT NULL AND rc.move_until <= ? THEN rc.next_move ELSE rc.whose_move END)"
_CASES = (
    "SELECT rc.id, rc.number, rc.kind, rc.state, rc.route, rc.opened_by, l.external_ref AS lead,"
    " k.external_ref AS contract, i.external_ref AS invoice, m.external_ref AS milestone,"
    " w.external_ref AS billing_week, requester.external_ref AS requester,"
    " counterparty.external_ref AS counterparty, filer.external_ref AS filed_by,"
    " decider.external_ref AS decided_by, assignee.external_ref AS assignee, rc.goodwill, rc.reason, rc.reason_detail,"
    " rc.explanation, rc.on_behalf_reason, rc.currency, rc.requested_minor, rc.approved_minor, rc.consented_minor,"
    " rc.credited_minor, rc.settlement, rc.opened_at, rc.updated_at, rc.decided_at, rc.credited_at, rc.reversed_at,"
    f" rc.respond_by, {_MOVE} AS whose_move, CASE WHEN {_MOVE} = 'SUPPORT' THEN rc.deadline_at END AS target_at,"
    f" CASE WHEN {_MOVE} = 'SUPPORT' AND rc.deadline_at <= ? THEN 1 ELSE 0 END AS overdue, rc.version,"
    " rc.policy_version FROM refund_case rc"
    " LEFT JOIN lead l ON l.id = rc.lead_id LEFT JOIN contract k ON k.id = rc.contract_id"
    " LEFT JOIN invoice i ON i.id = rc.invoice_id LEFT JOIN milestone m ON m.id = rc.milestone_id"
    " LEFT JOIN billing_week w ON w.id = rc.billing_week_id JOIN account requester ON requester.id = rc.requester_id"
    " LEFT JOIN account counterparty ON counterparty.id = rc.counterparty_id"
    " JOIN account filer ON filer.id = rc.filed_by_id LEFT JOIN account decider ON decider.id = rc.decided_by_id"
    " LEFT JOIN account assignee ON assignee.id = rc.assignee_id ORDER BY rc.number"
)

_EVENTS = (
    "SELECT e.id, rc.number, e.sequence, e.name, e.at, a.external_ref AS actor, e.actor_role, e.from_state, e.to_state,"
    " e.currency, e.amount_minor, e.note, e.internal_note, e.rule, e.facts FROM refund_event e"
    " JOIN refund_case rc ON rc.id = e.case_id LEFT JOIN account a ON a.id = e.actor_id"
    " ORDER BY e.commit_order, e.position"
)

_POSTINGS = (
    "SELECT p.id, p.at, p.fact, p.from_key AS from_account, p.to_key AS to_account, p.currency, p.amount_minor,"
    " p.description, rc.number, whose.external_ref AS from_owner, receiver.external_ref AS to_owner,"
    " l.external_ref AS lead, i.external_ref AS invoice, m.external_ref AS milestone, w.external_ref AS billing_week,"
    " out.external_ref AS withdrawal, p.payment_id, p.withdrawal_id, p.reverses_id FROM posting p"
    " LEFT JOIN refund_case rc ON rc.id = p.case_id"
    " LEFT JOIN ledger_account source ON source.key = p.from_key"
    " LEFT JOIN account whose ON whose.id = source.owner_id"
    " LEFT JOIN ledger_account target ON target.key = p.to_key"
    " LEFT JOIN account receiver ON receiver.id = target.owner_id"
    " LEFT JOIN lead l ON l.payment_id = p.payment_id LEFT JOIN invoice i ON i.payment_id = p.payment_id"
    " LEFT JOIN milestone m ON m.payment_id = p.payment_id LEFT JOIN billing_week w ON w.payment_id = p.payment_id"
    " LEFT JOIN withdrawal out ON out.id = p.withdrawal_id ORDER BY p.position"
)


def stream_cases(database: Database, at: datetime) -> AsyncIterator[Row]:
    """Yield every case by number as it stands at an instant, with the references of what and whom it is about."""
    return database.stream(_CASES, [to_micros(at)] * _CASES.count("?"))


def stream_events(database: Database, _at: datetime) -> AsyncIterator[Row]:
    """Yield every event in the order of the stream across cases."""
    return database.stream(_EVENTS)


def stream_postings(database: Database, _at: datetime) -> AsyncIterator[Row]:
    """Yield every posting in the order it was made, with the references of whose money it was and what it paid."""
    return database.stream(_POSTINGS)
