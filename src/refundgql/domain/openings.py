"""How a case begins: by a request, a timesheet dispute, or a refund that an expert issues."""

from __future__ import annotations

from refundgql.domain.deadlines import LEAD_WINDOW
from refundgql.domain.facts import Case, Facts
from refundgql.domain.rules.situation import Situation
from refundgql.domain.vocabulary import (
    IssueDecision,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundRoute,
)


def new_case(it: Situation, state: RefundCaseState) -> Case:
    """Return the case that an opening act makes, in the state its machine gave it; storage gives it its number."""
    if it.viewer is None or it.act.case_id is None:
        raise ValueError("a case is opened by somebody, and with an id")
    act, facts = it.act, it.facts
    requester_id, counterparty_id = _sides(it)
    issued = it.action is RefundActionName.ISSUE
    return Case(
        id=it.act.case_id,
        number=0,
        kind=it.kind,
        state=state,
        route=_route(it, state),
        opened_by=it.action,
        payment_id=facts.payment.id,
        lead_id=facts.lead.id if facts.lead is not None else None,
        contract_id=facts.contract.id if facts.contract is not None else None,
        invoice_id=facts.invoice.id if facts.invoice is not None else None,
        milestone_id=facts.milestone.id if facts.milestone is not None else None,
        billing_week_id=facts.week.id if facts.week is not None else None,
        requester_id=requester_id,
        counterparty_id=counterparty_id,
        filed_by_id=it.viewer.account_id,
        goodwill=_is_goodwill(it),
        reason=act.reason,
        reason_detail=act.reason_detail,
        explanation=act.text,
        on_behalf_reason=act.on_behalf_reason,
        send_to_payment_method=act.send_to_payment_method and not issued,
        currency=facts.payment.currency,
        requested_minor=None if issued else _requested_minor(it),
        approved_minor=issued_minor(it) if issued and state is RefundCaseState.APPROVED else None,
        opened_at=it.at,
        updated_at=it.at,
        decided_at=it.at if issued else None,
        decided_by_id=it.viewer.account_id if issued else None,
        approved_at=it.at if issued and state is RefundCaseState.APPROVED else None,
        declined_at=it.at if state is RefundCaseState.DECLINED else None,
        escalated_at=it.at if state is RefundCaseState.ESCALATED else None,
        final_decision=state is RefundCaseState.DECLINED,  # issue(NONE) is final at once (C13)
        policy_version=it.policy.version,
    )


def follow_up_case(it: Situation, state: RefundCaseState) -> Case:
    """Return the case that takes the rest of a part approval to support, as far as it is still there (D19, D9)."""
    before, viewer, case_id = it.case, it.viewer, it.act.follow_up_id
    if before is None or viewer is None or case_id is None:
        raise ValueError("a follow-up case is opened by somebody, on a case, and with an id")
    return Case(
        id=case_id,
        number=0,
        kind=before.kind,
        state=state,
        route=RefundRoute.SUPPORT,
        opened_by=it.action,
        payment_id=before.payment_id,
        contract_id=before.contract_id,
        invoice_id=before.invoice_id,
        milestone_id=before.milestone_id,
        billing_week_id=before.billing_week_id,
        requester_id=before.requester_id,
        counterparty_id=before.counterparty_id,
        filed_by_id=viewer.account_id,
        reason=before.reason,
        reason_detail=before.reason_detail,
        explanation=it.act.text,
        send_to_payment_method=before.send_to_payment_method,
        currency=before.currency,
        requested_minor=min(before.rest_minor, it.refundable_minor),
        opened_at=it.at,
        updated_at=it.at,
        escalated_at=it.at,
        continues_id=before.id,
        policy_version=it.policy.version,
    )


def issued_minor(it: Situation) -> int:
    """Return what an expert issues, in minor units: the part, or all that is left (C12)."""
    if it.act.decision is IssueDecision.PARTIAL and it.act.amount is not None:
        return it.act.amount.minor
    return it.refundable_minor


def is_superseded_by(it: Situation) -> Case | None:
    """Return the undecided invoice request that a timesheet dispute of its week cancels (C25)."""
    return it.facts.open_case if it.kind is RefundCaseKind.TIMESHEET else None


def is_finalised_by(it: Situation) -> Case | None:
    """Return the earlier declined case that a new request on its payment makes final (D14)."""
    previous = it.facts.previous_declined
    asked_again = it.action is RefundActionName.REQUEST and it.kind is not RefundCaseKind.LEAD
    return previous if asked_again else None


def _sides(it: Situation) -> tuple[str, str | None]:
    """Return who asks and who stands on the other side; an expert who issues stands on the asking side."""
    facts: Facts = it.facts
    if facts.lead is not None:
        return facts.lead.pro_id, None
    if facts.contract is None:
        raise ValueError("a payment belongs to a lead or to a contract")
    client, expert = facts.contract.client_id, facts.contract.expert_id
    return (expert, client) if it.action is RefundActionName.ISSUE else (client, expert)


def _route(it: Situation, state: RefundCaseState) -> RefundRoute:
    """Return the route, which never changes again (D7)."""
    support = it.kind in (RefundCaseKind.LEAD, RefundCaseKind.TIMESHEET) or state is RefundCaseState.ESCALATED
    return RefundRoute.SUPPORT if support else RefundRoute.DIRECT


def _requested_minor(it: Situation) -> int:
    """Return what is asked for; a lead's refund asks for its price, as far as that has not gone back (D9, D25)."""
    return it.act.amount.minor if it.act.amount is not None else it.refundable_minor


def _is_goodwill(it: Situation) -> bool:
    """Tell whether staff filed after the professional's own window had closed (D4)."""
    until = LEAD_WINDOW.ends_at(it.facts, None, it.policy)
    return until is not None and it.at >= until and it.viewer_is_filing
