"""What a request, a dispute or an issued refund would do, told by the code that would do it.

It must not promise: between the preview and the act, somebody else may act.
"""

from __future__ import annotations

from dataclasses import replace

from refundgql.domain.availability import kind_for, open_alternatives
from refundgql.domain.clocks import case_clocks, indexed
from refundgql.domain.decisions import Act, Preview
from refundgql.domain.facts import Case, Facts
from refundgql.domain.machines.judge import blockers, with_true_alternatives
from refundgql.domain.machines.table import row_for
from refundgql.domain.money import Money
from refundgql.domain.openings import new_case
from refundgql.domain.policy import Policy
from refundgql.domain.review_hiding import reviews_hidden
from refundgql.domain.rules.payments import is_paid, is_running
from refundgql.domain.rules.situation import Situation
from refundgql.domain.settlement import credit_postings
from refundgql.domain.vocabulary import (
    IssueDecision,
    RefundActionName,
    RefundCaseState,
    WhoseMove,
)

_NEW_CASE = "preview"
_TO_BE_DECIDED = (RefundCaseState.REQUESTED, RefundCaseState.ESCALATED, RefundCaseState.DISPUTED)


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
        decided_by=case.whose_move if case.state in _TO_BE_DECIDED else WhoseMove.REQUESTER,
        decision_due_by=case.deadline_at,
        contract_total_after=_total_after(facts, amount_minor),
        reviews_hidden=_reviews_hidden(facts, amount_minor, policy),
        postings=tuple(credit_postings(case, facts, amount_minor)) if amount_minor > 0 else (),
        clocks=case_clocks(replace(facts, case=case), act.at, policy),
    )


def _case(it: Situation, amount_minor: int) -> Case:
    """Return the case that the act would open."""
    row = row_for(it)
    if row is None:
        raise ValueError(f"{it.action.value} opens no case")
    given = replace(it.act, amount=it.money(amount_minor) if amount_minor > 0 else None)
    case = new_case(replace(it, act=given), row.to_state)
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
