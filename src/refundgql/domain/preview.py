"""What a request, a dispute, an issued refund or a decision would do, told by the code that would do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from refundgql.domain.availability import available_actions, kind_for, open_alternatives, subject_availability
from refundgql.domain.clocks import case_clocks, indexed
from refundgql.domain.decisions import Act, Decision, DecisionPreview, Preview
from refundgql.domain.facts import Case, Facts
from refundgql.domain.ledger import balance
from refundgql.domain.machines.judge import blockers, with_true_alternatives
from refundgql.domain.machines.table import row_for
from refundgql.domain.money import Money
from refundgql.domain.openings import new_case
from refundgql.domain.payment_cases import for_another_case
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refused
from refundgql.domain.review_hiding import reviews_hidden
from refundgql.domain.rules.payments import is_paid, is_running
from refundgql.domain.rules.situation import Situation
from refundgql.domain.settlement import credit_postings
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    OPEN_STATES,
    UNDECIDED_STATES,
    BalancePurpose,
    IssueDecision,
    RefundActionName,
    RefundCaseState,
    Role,
    WhoseMove,
)

_NEW_CASE = "preview"


def preview(act: Act, facts: Facts, policy: Policy) -> Preview:
    """Return what an opening act would do at its instant; without an amount, for all that can be refunded.

    The postings are those of a credit of the whole amount, should it be approved.
    """
    act = replace(act, case_id=act.case_id or _NEW_CASE)
    kind = kind_for(act.action, facts, act.kind)
    it = Situation(act, facts, policy, kind, act.action, None, asking=True)
    found = with_true_alternatives(blockers(it), open_alternatives(it))
    maximum = it.refundable_minor if is_paid(it) and not is_running(it) else 0
    if found:
        return Preview(allowed=False, blockers=found, maximum=it.money(maximum))
    amount_minor = act.amount.minor if act.amount is not None else maximum
    if act.action is RefundActionName.ISSUE and act.decision is IssueDecision.NONE:
        amount_minor = 0
    case = _case(it, amount_minor)
    return Preview(
        allowed=True,
        route=case.route,
        maximum=it.money(maximum),
        decided_by=case.whose_move if case.state in UNDECIDED_STATES else WhoseMove.REQUESTER,
        decision_due_by=case.deadline_at,
        contract_total_after=_total_after(facts, amount_minor),
        reviews_hidden=_reviews_hidden(facts, amount_minor, policy),
        postings=tuple(credit_postings(case, facts, amount_minor)) if amount_minor > 0 else (),
        clocks=case_clocks(replace(facts, case=case), act.at, policy),
    )


def _case(it: Situation, amount_minor: int) -> Case:
    """Return the case that the act would open, where the desk leaves it."""
    row = row_for(it)
    if row is None:
        raise ValueError(f"{it.action.value} opens no case")
    given = replace(it.act, amount=it.money(amount_minor) if amount_minor > 0 else None)
    case = new_case(replace(it, act=given), row.to_state)
    if case.state is RefundCaseState.REQUESTED and it.facts.expert_erased_at is not None:
        case = case.changed(state=RefundCaseState.ESCALATED, escalated_at=it.at)  # as the desk does at once (D30)
    return indexed(case, it.facts, it.policy)


def _total_after(facts: Facts, amount_minor: int) -> Money | None:
    """Return what the contract would be worth after the refund; None for a lead."""
    contract = facts.contract
    if contract is None:
        return None
    return Money(contract.paid_minor - contract.refunded_minor - amount_minor, contract.currency)


def _reviews_hidden(facts: Facts, amount_minor: int, policy: Policy) -> bool | None:
    """Tell whether the contract's reviews would be hidden after the refund (C21); None for a lead."""
    contract = facts.contract
    if contract is None:
        return None
    refunded = contract.refunded_minor + amount_minor
    return reviews_hidden(contract.paid_minor, refunded, contract.currency, policy)


Decide = Callable[[Act, Facts, Policy], Decision]
"""cases.py's own function: it stands above this file."""


def decision_preview(act: Act, facts: Facts, policy: Policy, decide: Decide, *, stays: bool) -> DecisionPreview:
    """Return what approving or declining a case would do now; the act itself is tried, and nothing is kept.

    What is above the viewer's limit is told as it will be once it is confirmed (D23). `stays` says that nothing may
    leave the requester's balance: what was to be sent on to the payment method is kept there (D10, D13).
    """
    try:
        decision = decide(act, facts, policy)
        proposes = decision.event.name == RefundActionName.PROPOSE.value
        if proposes:
            unlimited = replace(policy, decision_limit_minor={}, admin_decision_limit_minor={})
            decision = decide(act, facts, unlimited)
    except Refused as refused:
        return DecisionPreview(allowed=False, blockers=refused.refusals)
    case, after = decision.case, _after(facts, decision)
    contract = after.contract
    return DecisionPreview(
        allowed=True,
        needs_confirmation=proposes,
        postings=decision.postings,
        requester_balance_after=_sent_on(
            _balance_after(act.viewer, case.requester_id, facts, decision), decision, stays
        ),
        counterparty_balance_after=_balance_after(act.viewer, case.counterparty_id, facts, decision),
        contract_total_after=_total_after(after, 0),
        reviews_hidden=None if contract is None else contract.reviews_hidden,
        stays_open=_stays_open(after, act.at, policy),
    )


def _after(facts: Facts, decision: Decision) -> Facts:
    """Return the facts as the decision leaves them."""
    case, is_open = decision.case, decision.case.state in OPEN_STATES
    facts = facts.after(decision.payment_refunded_delta_minor, decision.payment_reserved_delta_minor)
    payment, contract, milestone = facts.payment, facts.contract, facts.milestone
    payment = replace(
        payment,
        open_case_id=case.id if is_open else None,
        open_case_number=case.number if is_open else None,
        open_case_kind=case.kind if is_open else None,
        requests_made=payment.requests_made
        - (case.opened_by is RefundActionName.REQUEST and case.approved_in_part and facts.lead is None),
    )
    if contract is not None and decision.reviews_hidden is not None:
        contract = replace(contract, reviews_hidden=decision.reviews_hidden)
    if milestone is not None and decision.milestone_status is not None:
        milestone = replace(milestone, status=decision.milestone_status)
    return replace(facts, payment=payment, contract=contract, milestone=milestone, case=case)


def _balance_after(viewer: Viewer | None, account_id: str | None, facts: Facts, decision: Decision) -> Money | None:
    """Return a party's balance after the decision; to the party itself and to staff alone."""
    if account_id is None or viewer is None or not (viewer.is_staff or viewer.account_id == account_id):
        return None
    purpose = BalancePurpose.LEADS if facts.lead is not None else BalancePurpose.CONTRACTS
    key = balance(account_id, purpose, facts.payment.currency)
    contract, funds = facts.contract, facts.funds
    is_expert = contract is not None and account_id == contract.expert_id
    minor = funds.expert_available_minor if is_expert else funds.requester_available_minor
    for posting in decision.postings:
        minor += posting.amount.minor * ((posting.to_key == key) - (posting.from_key == key))
    return Money(minor, facts.payment.currency)


def _sent_on(after: Money | None, decision: Decision, stays: bool) -> Money | None:
    """Return a balance once the credit has left it, as the client asked with the request (D10)."""
    credited_minor = decision.case.credited_minor or 0
    if after is None or stays or not decision.withdrawal_requested or after.minor < credited_minor:
        return after
    return Money(after.minor - credited_minor, after.currency)


_WAYS_ON = (RefundActionName.ESCALATE, RefundActionName.DISPUTE, RefundActionName.OPEN_TIMESHEET_DISPUTE)


def _stays_open(after: Facts, at: datetime, policy: Policy) -> tuple[RefundActionName, ...]:
    """Return what whoever asks for this money can still do about it then."""
    contract, lead, case = after.contract, after.lead, after.case
    if case is None:
        return ()
    account_id = contract.client_id if contract is not None else lead.pro_id if lead is not None else ""
    asks = Viewer(account_id, "", "", frozenset({Role.CLIENT, Role.PRO}))
    found = [one.name for one in available_actions(after, asks, at, policy) if one.enabled and one.name in _WAYS_ON]
    elsewhere = for_another_case(after, case)
    openings = [RefundActionName.REQUEST]
    if after.week is not None:
        openings.append(RefundActionName.OPEN_TIMESHEET_DISPUTE)
    found += [name for name in openings if subject_availability(name, elsewhere, asks, at, policy).enabled]
    return tuple(name for name in RefundActionName if name in found)
