"""The functional core: one act on one payment's facts in, everything that it changes out.

It must not do I/O or read a clock: commands load the facts under lock and save the decision whole.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from refundgql.domain.availability import (
    available_actions,
    has_way_on,
    is_final,
    kind_for,
    open_alternatives,
    open_minor,
    subject_availability,
)
from refundgql.domain.clocks import case_clocks
from refundgql.domain.deadlines import with_next_move
from refundgql.domain.decisions import Act, Decision
from refundgql.domain.draft import Draft
from refundgql.domain.facts import Case, Facts
from refundgql.domain.machines.judge import judge, with_true_alternatives
from refundgql.domain.machines.table import OPENING, TABLE, Row
from refundgql.domain.money import Money
from refundgql.domain.moves import amount_of, moved
from refundgql.domain.openings import follow_up_case, is_finalised_by, is_superseded_by, new_case
from refundgql.domain.policy import Policy
from refundgql.domain.preview import preview
from refundgql.domain.refusals import ConflictRefusal, Refused
from refundgql.domain.rules.amounts import shortfall_minor
from refundgql.domain.rules.situation import Situation
from refundgql.domain.rules.who import actor_role
from refundgql.domain.settlement import credit, release_rest, reverse
from refundgql.domain.vocabulary import (
    CHARGEBACK,
    FINALISE,
    STAFF_NOTE,
    TARGET_MISSED,
    WITHDRAWAL_CHANGED,
    Audience,
    ChargebackStatus,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundReason,
    RefusalCode,
    SettlementStatus,
    WhoseMove,
)

__all__ = [
    "available_actions",
    "case_clocks",
    "charged_back",
    "decide",
    "is_final",
    "kind_for",
    "miss_target",
    "open_minor",
    "preview",
    "shortfall",
    "subject_availability",
    "withdrawal_changed",
]

_RELEASES = frozenset({RefundActionName.APPROVE, RefundActionName.DECLINE, RefundActionName.CANCEL})
"""Acts that end a timesheet dispute, and with it the hold on the rest of the week's money."""

_TAKES_FURTHER = (RefundActionName.ESCALATE, RefundActionName.DISPUTE)
"""Acts that open a follow-up case where they change nothing on the case they are pressed on (D19)."""


def decide(act: Act, facts: Facts, policy: Policy) -> Decision:
    """Decide one act and return everything that it changes; a viewer of None is the system acting by itself.

    An approval is credited in the same decision when the money is there (L18, C16, D13).
    Refuses: every reason of the first group that refuses, in the order of who, input, version, state, rules.
    """
    it = situation_of(act, facts, policy)
    try:
        row = judge(it)
    except Refused as refused:
        raise Refused(*with_true_alternatives(refused.refusals, open_alternatives(it))) from None
    draft = Draft(facts, policy, act.at)
    if act.action in OPENING:
        _open(draft, it, row)
    elif act.action is RefundActionName.CREDIT:
        _credit(draft, _existing(it), waited=True)
    elif row.is_remark and act.action in _TAKES_FURTHER:
        _follow_up(draft, it, row)
    else:
        _act(draft, it, row)
    return draft.decision()


def miss_target(facts: Facts, at: datetime, policy: Policy) -> Decision:
    """Flag an undecided case whose decision target has passed (L14).

    Refuses: TRANSITION_NOT_ALLOWED when the case was decided, or flagged, meanwhile.
    """
    case = facts.case
    if case is None:
        raise ValueError("a target is missed by a case")
    if case.overdue or (TARGET_MISSED, case.state) not in TABLE[case.kind]:
        raise Refused(
            ConflictRefusal(
                code=RefusalCode.TRANSITION_NOT_ALLOWED,
                message="This case's target is not awaited any more: leave it as it is.",
                rule="L14",
                current_state=case.state,
                current_version=case.version,
            )
        )
    draft = Draft(facts, policy, at)
    flagged = draft.record(TARGET_MISSED, case.changed(overdue=True), case.state, rule="L14")
    draft.case = flagged
    return draft.decision()


def withdrawal_changed(
    facts: Facts, at: datetime, policy: Policy, note: str, withdrawal_id: str | None, failure_reason: str | None = None
) -> Decision:
    """Record on a case that the withdrawal of its credit was filed or has moved on (D10).

    Why it failed is its owner's affair and staff's, so the other party's note does not say it (D29).
    """
    if facts.case is None:
        raise ValueError("a withdrawal is recorded on a case")
    case = facts.case.changed(withdrawal_id=withdrawal_id or facts.case.withdrawal_id)
    draft = Draft(facts, policy, at)
    draft.case = draft.record(WITHDRAWAL_CHANGED, case, case.state, note=note, internal_note=failure_reason, rule="D10")
    return draft.decision()


def charged_back(facts: Facts, at: datetime, policy: Policy, status: ChargebackStatus, amount: Money) -> Decision:
    """Record on a case what became of a chargeback on its payment, as the marketplace told it (D25)."""
    if facts.case is None:
        raise ValueError("a chargeback is recorded on a case")
    draft = Draft(facts, policy, at)
    draft.case = draft.record(
        CHARGEBACK,
        facts.case,
        facts.case.state,
        amount_minor=amount.minor,
        note=status.value,
        rule="D25",
        saw=(("chargeback", status.value),),
    )
    return draft.decision()


def shortfall(facts: Facts, policy: Policy, at: datetime) -> int:
    """Return what an approved case that waits for funds still lacks, in minor units (D13)."""
    case = facts.case
    if case is None or case.settlement is not SettlementStatus.AWAITING_FUNDS:
        return 0
    return shortfall_minor(situation_of(Act(action=RefundActionName.CREDIT, at=at), facts, policy))


def situation_of(act: Act, facts: Facts, policy: Policy, *, asking: bool = False) -> Situation:
    """Return what the rules look at for an act: an opening act has no case yet, whatever was loaded."""
    opening = act.action in OPENING
    case = None if opening else facts.case
    kind = case.kind if case is not None else kind_for(act.action, facts, act.kind)
    return Situation(act, facts, policy, kind, act.action, case, asking)


def _open(draft: Draft, it: Situation, row: Row) -> None:
    """Open a case; an earlier one gives way (C25) or becomes final (D14) first."""
    superseded, finalised = is_superseded_by(it), is_finalised_by(it)
    if superseded is not None:
        draft.earlier_cases.append(_superseded(draft, it, superseded))
    if finalised is not None:
        ended = finalised.changed(final_decision=True, whose_move=WhoseMove.NOBODY)
        draft.earlier_cases.append(draft.record(FINALISE, ended, finalised.state, rule="D14"))
    draft.customer_reported = it.kind is RefundCaseKind.LEAD and it.act.reason is RefundReason.TERMS_VIOLATION
    case = with_next_move(new_case(it, row.to_state), it.facts, it.policy)
    _settle(draft, it, row, _recorded(draft, it, row, case))


def _follow_up(draft: Draft, it: Situation, row: Row) -> None:
    """Open a case for the rest of a request that an expert approved in part; the credited one says so, too (D19)."""
    before = _existing(it)
    continued = before.changed(continued_by_id=it.act.follow_up_id)
    draft.earlier_cases.append(_recorded(draft, it, row, continued))
    (opening,) = TABLE[it.kind][row.action, None]
    case = with_next_move(follow_up_case(it, opening.to_state), it.facts, it.policy)
    draft.case = _recorded(draft, replace(it, case=None), opening, case, amount_minor=case.requested_minor)


def _act(draft: Draft, it: Situation, row: Row) -> None:
    """Move an existing case, or record a remark on it."""
    before = _existing(it)
    case = moved(before, it, row)
    if case.state is not before.state:
        case = with_next_move(case, it.facts, it.policy)
        if case.state is RefundCaseState.DECLINED and has_way_on(case, it.facts, it.at, it.policy):
            case = case.changed(whose_move=WhoseMove.REQUESTER)
    if before.state is RefundCaseState.APPROVED and case.state is RefundCaseState.ESCALATED:
        draft.reserved_delta_minor -= before.approved_minor or 0  # nothing is approved any more (D9)
    if it.action is RefundActionName.REVERSE:
        reverse(draft, case)
    _settle(draft, it, row, _recorded(draft, it, row, case))


def _settle(draft: Draft, it: Situation, row: Row, case: Case) -> None:
    """Add what follows an act by itself: the credit of an approval, the release of a week."""
    if case.state is RefundCaseState.APPROVED and not row.is_remark:
        _credit(draft, case, waited=False)
    else:
        draft.case = case
    if it.action in _RELEASES:
        release_rest(draft, case)


def _credit(draft: Draft, case: Case, *, waited: bool) -> None:
    """Credit an approved case, or let it wait for funds while its amount is reserved (D9, D13)."""
    act = Act(action=RefundActionName.CREDIT, at=draft.at)
    facts = replace(draft.facts, case=case)
    it = situation_of(act, facts, draft.policy)
    if shortfall_minor(it) > 0:
        draft.case = case.changed(settlement=SettlementStatus.AWAITING_FUNDS)
        draft.reserved_delta_minor += case.approved_minor or 0
        _wait(draft, draft.case)
        return
    row = judge(it)
    if waited:
        draft.reserved_delta_minor -= case.approved_minor or 0
    credited = with_next_move(credit(draft, case), draft.facts, draft.policy)
    draft.case = draft.record(
        RefundActionName.CREDIT.value,
        credited,
        case.state,
        amount_minor=credited.credited_minor,
        rule=row.cited(it),
        saw=row.guards.saw(it),
    )


def _wait(draft: Draft, case: Case) -> None:
    """Show in the approval's own event that the case waits for funds."""
    draft.events[-1] = replace(draft.events[-1], case_after=case)


def _superseded(draft: Draft, it: Situation, case: Case) -> Case:
    """Cancel the undecided invoice request on a week whose hours are disputed now (C25)."""
    act = Act(action=RefundActionName.SUPERSEDE, at=it.at)
    own = situation_of(act, replace(it.facts, case=case), it.policy)
    row = judge(own)
    cancelled = with_next_move(moved(case, own, row), it.facts, it.policy)
    return draft.record(RefundActionName.SUPERSEDE.value, cancelled, case.state, rule=row.cited(own))


def _recorded(draft: Draft, it: Situation, row: Row, case: Case, *, amount_minor: int | None = None) -> Case:
    """Record the act's own event, about its own amount unless another is given."""
    act = it.act
    audience = Audience.INTERNAL if act.action is RefundActionName.ASSIGN else act.audience
    is_note = audience is Audience.INTERNAL and act.action is not RefundActionName.ASSIGN
    return draft.record(
        STAFF_NOTE if is_note else row.action,
        case,
        it.state,
        actor_id=it.viewer.account_id if it.viewer is not None else None,
        actor_role=actor_role(row.guards.by, it.viewer, it.facts),
        amount_minor=amount_of(case, act.action) if amount_minor is None else amount_minor,
        note=act.text if act.action is not RefundActionName.SEND_MESSAGE else None,
        internal_note=act.internal_note or act.on_behalf_reason,
        rule="D29" if is_note else row.cited(it),
        audience=audience,
        saw=row.guards.saw(it),
    )


def _existing(it: Situation) -> Case:
    if it.case is None:
        raise ValueError(f"{it.action.value} needs a case among its facts")
    return it.case
