"""What a viewer can do and what stands in the way, by the same rule objects that guard the acts themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from refundgql.domain.clocks import ways_on
from refundgql.domain.decisions import Act, Availability
from refundgql.domain.facts import Facts
from refundgql.domain.machines.judge import blockers, with_true_alternatives
from refundgql.domain.machines.table import ACTION_ROWS, OPENING, PERSON_ACTIONS, row_for
from refundgql.domain.payment_cases import for_another_case
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refusal
from refundgql.domain.rules.situation import Situation, refundable_minor
from refundgql.domain.rules.who import Who
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    OPEN_STATES,
    MilestoneStatus,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
)


def kind_for(action: RefundActionName, facts: Facts, kind: RefundCaseKind | None = None) -> RefundCaseKind:
    """Return the kind of case that an opening act makes of a payment.

    What an expert issues is told by the money itself: escrow while the milestone is not released, an invoice's
    otherwise. A request is of the kind it names; without one, of the kind that the payment allows now.
    """
    if facts.lead is not None:
        return RefundCaseKind.LEAD
    if action is RefundActionName.OPEN_TIMESHEET_DISPUTE:
        return RefundCaseKind.TIMESHEET
    if kind is not None and action is not RefundActionName.ISSUE:
        return kind
    milestone = facts.milestone
    unreleased = milestone is not None and milestone.status is not MilestoneStatus.RELEASED
    return RefundCaseKind.ESCROW if unreleased else RefundCaseKind.INVOICE


def available_actions(facts: Facts, viewer: Viewer, at: datetime, policy: Policy) -> tuple[Availability, ...]:
    """Return every act on a case that a person can do, open to the viewer or with what stands in the way."""
    case = facts.case
    if case is None:
        raise ValueError("these facts hold no case: ask for the subject's availability")
    act = Act(action=RefundActionName.SEND_MESSAGE, at=at, viewer=viewer)
    answers = []
    for action in PERSON_ACTIONS[case.kind]:
        it = Situation(act, facts, policy, case.kind, action, case, asking=True)
        answers.append((it, blockers(it)))
    enabled = {it.action: not found for it, found in answers}
    elsewhere = open_alternatives(answers[0][0])

    def is_open(action: RefundActionName) -> bool:
        known = enabled.get(action)
        return known if known is not None else elsewhere(action)

    return tuple(_availability(it, found, is_open) for it, found in answers)


def subject_availability(
    action: RefundActionName,
    facts: Facts,
    viewer: Viewer,
    at: datetime,
    policy: Policy,
    *,
    kind: RefundCaseKind | None = None,
) -> Availability:
    """Return whether the viewer can open a case on a payment: REQUEST, ISSUE or OPEN_TIMESHEET_DISPUTE.

    Name the kind where a payment can be asked about in two ways: INVOICE for an invoice, ESCROW for a milestone.
    """
    act = Act(action=action, at=at, viewer=viewer)
    it = Situation(act, facts, policy, kind_for(action, facts, kind), action, None, asking=True)
    return _availability(it, blockers(it), open_alternatives(it))


def is_final(facts: Facts, at: datetime, policy: Policy) -> bool:
    """Tell whether nothing can come of the case any more: it is over, and no way on is open to anybody."""
    case = facts.case
    if case is None:
        raise ValueError("these facts hold no case")
    ways = ways_on(facts, case, policy)
    return case.state not in OPEN_STATES and not any(until is None or at < until for until in ways)


def open_minor(facts: Facts, at: datetime, policy: Policy) -> int | None:
    """Return what of a request is neither credited nor declined for good, in minor units, as far as it is there (D19).

    It is undecided, or can still be taken to support; None when nothing of it is.
    """
    case = facts.case
    if case is None or case.state is RefundCaseState.APPROVED or is_final(facts, at, policy):
        return None
    asked = case.rest_minor or case.requested_minor or case.consented_minor or 0
    return min(asked, refundable_minor(facts)) or None


def open_alternatives(it: Situation) -> Callable[[RefundActionName], bool]:
    """Return a function that tells whether another act is open to the same viewer on the same payment."""
    known: dict[RefundActionName, bool] = {}

    def is_open(action: RefundActionName) -> bool:
        if action not in known:
            known[action] = _is_open(it, action)
        return known[action]

    return is_open


def _is_open(it: Situation, action: RefundActionName) -> bool:
    """Tell whether an act is open, on the payment for opening acts, on its case for others."""
    facts = it.facts
    act = Act(action=action, at=it.at, viewer=it.viewer)
    if action in OPENING:
        kind = kind_for(action, facts)
        if action.value not in ACTION_ROWS[kind] or (kind is RefundCaseKind.TIMESHEET and facts.week is None):
            return False
        facts = facts if it.case is None else for_another_case(facts, it.case)
        return not blockers(Situation(act, facts, it.policy, kind, action, None, asking=True))
    case = it.case or facts.open_case or facts.previous_declined
    if case is None or action not in PERSON_ACTIONS[case.kind]:
        return False
    return not blockers(Situation(act, replace(facts, case=case), it.policy, case.kind, action, case, asking=True))


def _availability(it: Situation, found: list[Refusal], is_open: Callable[[RefundActionName], bool]) -> Availability:
    row = row_for(it)
    if row is None or (found and Who.SYSTEM in row.guards.by):
        return Availability(name=it.action, blockers=with_true_alternatives(found, is_open))
    window = row.guards.window(it)
    return Availability(
        name=it.action,
        blockers=with_true_alternatives(found, is_open),
        available_from=window.opens_at,
        available_until=window.closes_at,
    )
