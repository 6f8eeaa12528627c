"""The functional core: one act on one payment's facts in, everything that it changes out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from refundgql.domain.availability import (
    available_actions,
    is_final,
    kind_for,
    open_alternatives,
    open_minor,
    subject_availability,
)
from refundgql.domain.clocks import Timer, case_clocks, indexed, timers, told_clock, told_until
from refundgql.domain.decisions import Act, Decision, DecisionPreview
from refundgql.domain.draft import Draft
from refundgql.domain.facts import Case, Facts
from refundgql.domain.kept_texts import DEADLINE_MOVED_NOTE, DUE_SOON_NOTE
from refundgql.domain.machines.judge import confirmed, decision_to_propose, is_proposal, judge, with_true_alternatives
from refundgql.domain.machines.table import OPENING, TABLE, TableRow, row_for
from refundgql.domain.money import Money
from refundgql.domain.moves import amount_of, answered, moved, proposed
from refundgql.domain.openings import follow_up_case, is_finalised_by, is_superseded_by, new_case
from refundgql.domain.policy import Policy
from refundgql.domain.preview import decision_preview as _decision_preview
from refundgql.domain.preview import preview
from refundgql.domain.refusals import ConflictRefusal, Refused
from refundgql.domain.rules.amounts import shortfall_minor
from refundgql.domain.rules.limits import decider_role
from refundgql.domain.rules.situation import Situation
from refundgql.domain.rules.who import Who, actor_role
from refundgql.domain.sentences import sentence
from refundgql.domain.settlement import credit, release_escrow, release_rest, reverse
from refundgql.domain.vocabulary import (
    CHARGEBACK,
    DEADLINE_MOVED,
    DUE_SOON,
    FINALISE,
    INFORMATION_ENDED,
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
    RestOfEscrow,
    SettlementStatus,
)

__all__ = [
    "available_actions",
    "case_clocks",
    "charged_back",
    "deadline_moved",
    "decide",
    "decision_preview",
    "is_final",
    "kind_for",
    "open_minor",
    "preview",
    "run_out",
    "shortfall",
    "subject_availability",
    "withdrawal_changed",
]

_RELEASES = frozenset({RefundActionName.APPROVE, RefundActionName.DECLINE, RefundActionName.CANCEL})
"""Acts that end a timesheet dispute, and with it the hold on the rest of the week's money."""

_AMONG_STAFF = (RefundActionName.ASSIGN, RefundActionName.CONFIRM, RefundActionName.RETURN)
"""Acts of staff about their own work: the parties see that they happened, and not who did what (D29)."""

_SAID_ELSEWHERE = (RefundActionName.SEND_MESSAGE, RefundActionName.RETURN)
"""Acts whose words are no note for the parties: a message has its own audience, a return is among staff."""

_RESTS_ON_EVIDENCE = (RefundActionName.APPROVE, RefundActionName.DECLINE, RefundActionName.CONFIRM)
"""Decisions: their facts name, by hash, the evidence that the decider could read (D26)."""

_TAKES_FURTHER = (RefundActionName.ESCALATE, RefundActionName.DISPUTE)
"""Acts that open a follow-up case where they change nothing on the case they are pressed on (D19)."""


def decide(act: Act, facts: Facts, policy: Policy) -> Decision:
    """Decide one act and return everything that it changes; a viewer of None is the system acting by itself.

    An approval is credited in the same decision when the money is there (L18, C16, D13).
    Refuses: every reason of the first group that refuses, in the order of who, input, version, state, rules.
    """
    it = situation_of(act, facts, policy)
    draft = Draft(facts, policy, act.at)
    try:
        row = judge(it)
    except Refused as refused:
        if is_proposal(it.action, refused.refusals):
            _propose(draft, it)
            return draft.decision()
        raise Refused(*with_true_alternatives(refused.refusals, open_alternatives(it))) from None
    if act.action in OPENING:
        _open(draft, it, row)
    elif act.action is RefundActionName.CREDIT:
        _credit(draft, _existing(it), waited=True)
    elif act.action is RefundActionName.PROPOSE:
        _propose(draft, decision_to_propose(it))
    elif act.action is RefundActionName.CONFIRM:
        _confirm(draft, it, row)
    elif row.is_remark and act.action in _TAKES_FURTHER:
        _follow_up(draft, it, row)
    else:
        _act(draft, it, row)
    return draft.decision()


def decision_preview(act: Act, facts: Facts, policy: Policy, *, stays: bool = False) -> DecisionPreview:
    """Return what approving or declining a case would do now, by the code that would do it."""
    return _decision_preview(act, facts, policy, decide, stays=stays)


def run_out(
    facts: Facts, at: datetime, policy: Policy, *, due_by: datetime | None = None, reminding: bool = True
) -> Decision | None:
    """Do what is due on a case by itself, the first due first; nothing when no deadline asks for anything (D28).

    A timer is a reason to look: what is due follows from the rules in force, whatever it was set for. What was due only
    after `due_by` is left: its own timer has a later turn.
    """
    case = facts.case
    if case is None:
        raise ValueError("a deadline is a case's")
    for timer in timers(facts, case, at, policy):
        if timer.due_at > min(at, due_by or at):
            return None
        if timer.event == RefundActionName.HAND_OVER.value:
            return decide(Act(action=RefundActionName.HAND_OVER, at=at, case_id=case.id), facts, policy)
        if timer.event != DUE_SOON or reminding:
            return _timed(timer, facts, at, policy)
    return None


def _timed(timer: Timer, facts: Facts, at: datetime, policy: Policy) -> Decision:
    """Record that a target was missed, that a question was not answered in time, or that a deadline is near."""
    case = _existing_case(facts)
    rule, note, saw = timer.of.rule, None, tuple[tuple[str, str], ...]()
    if timer.event == TARGET_MISSED:
        after = case.changed(overdue=True)
    elif timer.event == INFORMATION_ENDED:
        after = answered(case, at)
    else:
        after, rule = case.changed(reminded=True), "D21"
        name, ends_at = timer.of.of.name.value, timer.of.ends_at
        note = DUE_SOON_NOTE.of(clock=name, ends_at=ends_at)
        saw = (("clock", name), ("endsAt", ends_at.isoformat()))
    return _remarked(facts, at, policy, timer.event, after, rule=rule, note=note, saw=saw)


def deadline_moved(facts: Facts, at: datetime, policy: Policy) -> Decision | None:
    """Record that a changed rule moved a date that somebody had been told; nothing when none has moved (D28).

    A date that is still to come is reminded of and missed anew. One that lies in the past either way moves nobody.
    """
    case = _existing_case(facts)
    told, until = told_until(case), told_until(indexed(case, facts, policy))
    if told is None or until is None or told == until or max(told, until) <= at:
        return None
    again = {"overdue": False, "reminded": False} if until > at else {}
    name = told_clock(facts, case, policy).value
    note = DEADLINE_MOVED_NOTE.of(
        clock=name,
        ends_at=until,
        ended_at=told,
    )
    saw = (("clock", name), ("endedAt", told.isoformat()), ("endsAt", until.isoformat()))
    return _remarked(facts, at, policy, DEADLINE_MOVED, case.changed(**again), rule="D28", note=note, saw=saw)


def _remarked(
    facts: Facts,
    at: datetime,
    policy: Policy,
    event: str,
    case: Case,
    *,
    rule: str | None = None,
    note: str | None = None,
    internal_note: str | None = None,
    amount_minor: int | None = None,
    saw: tuple[tuple[str, str], ...] = (),
) -> Decision:
    """Record what the desk notes by itself on a case.

    Refuses: TRANSITION_NOT_ALLOWED where the kind's table has no such row for the state.
    """
    if (event, case.state) not in TABLE[case.kind]:
        raise Refused(
            ConflictRefusal(
                code=RefusalCode.TRANSITION_NOT_ALLOWED,
                message=sentence(
                    "NOTHING_AWAITED", "Nothing of the kind is awaited on this case any more: leave it as it is."
                ),
                rule=rule,
                current_state=case.state,
                current_version=case.version,
            )
        )
    draft = Draft(facts, policy, at)
    draft.case = draft.record(
        event, case, case.state, rule=rule, note=note, internal_note=internal_note, amount_minor=amount_minor, saw=saw
    )
    return draft.decision()


def withdrawal_changed(
    facts: Facts, at: datetime, policy: Policy, note: str, withdrawal_id: str | None, failure_reason: str | None = None
) -> Decision:
    """Record on a case that the withdrawal of its credit was filed or has moved on (D10).

    Why it failed is its owner's affair and staff's, so the other party's note does not say it (D29).
    """
    case = _existing_case(facts)
    case = case.changed(withdrawal_id=withdrawal_id or case.withdrawal_id)
    return _remarked(facts, at, policy, WITHDRAWAL_CHANGED, case, rule="D10", note=note, internal_note=failure_reason)


def charged_back(facts: Facts, at: datetime, policy: Policy, status: ChargebackStatus, amount: Money) -> Decision:
    """Record on a case what became of a chargeback on its payment, as the marketplace told it (D25)."""
    case = _existing_case(facts)
    saw = (("chargeback", status.value),)
    return _remarked(
        facts, at, policy, CHARGEBACK, case, rule="D25", note=status.value, saw=saw, amount_minor=amount.minor
    )


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


def _open(draft: Draft, it: Situation, row: TableRow) -> None:
    """Open a case; an earlier one gives way (C25) or becomes final (D14) first."""
    superseded, finalised = is_superseded_by(it), is_finalised_by(it)
    if superseded is not None:
        draft.earlier_cases.append(_superseded(draft, it, superseded))
    if finalised is not None:
        final = finalised.changed(final_decision=True)
        draft.earlier_cases.append(draft.record(FINALISE, final, final.state, rule="D14"))
    draft.customer_reported = it.kind is RefundCaseKind.LEAD and it.act.reason is RefundReason.TERMS_VIOLATION
    _settle(draft, it, row, _recorded(draft, it, row, new_case(it, row.to_state)))


def _follow_up(draft: Draft, it: Situation, row: TableRow) -> None:
    """Open a case for the rest of a request that an expert approved in part; the credited one says so, too (D19)."""
    before = _existing(it)
    continued = before.changed(continued_by_id=it.act.follow_up_id)
    draft.earlier_cases.append(_recorded(draft, it, row, continued))
    (opening,) = TABLE[it.kind][row.action, None]
    case = follow_up_case(it, opening.to_state)
    draft.case = _recorded(draft, replace(it, case=None), opening, case, amount_minor=case.requested_minor)


def _propose(draft: Draft, it: Situation) -> None:
    """Keep a decision above the decider's limit for a second signature; only staff read what it is (D23)."""
    before = _existing(it)
    case = proposed(before, it)
    money = f" {it.money(case.proposed_minor)}" if case.proposed_minor is not None else ""
    draft.case = draft.record(
        RefundActionName.PROPOSE.value,
        case,
        before.state,
        actor_id=it.viewer.account_id if it.viewer is not None else None,
        actor_role=actor_role((Who.SUPPORT,), it.viewer, it.facts),
        internal_note="".join((it.action.value, money, *(f": {text}" for text in (it.act.text,) if text))),
        rule="D23",
        audience=Audience.INTERNAL,
        saw=_evidence(it),
    )


def _confirm(draft: Draft, it: Situation, row: TableRow) -> None:
    """Record the second signature, and take the decision as it can be taken now (D23)."""
    decision = confirmed(it)
    signed = _recorded(
        draft, replace(it, act=replace(it.act, text=None, internal_note=it.act.text)), row, _existing(decision)
    )
    decision = replace(decision, case=signed, facts=replace(it.facts, case=signed))
    decided = row_for(decision)
    if decided is None:
        raise ValueError("a confirmed decision has a row")
    _act(draft, decision, decided)


def _act(draft: Draft, it: Situation, row: TableRow) -> None:
    """Move an existing case, or record a remark on it."""
    before = _existing(it)
    case = moved(before, it, row)
    if before.state is RefundCaseState.APPROVED and case.state is RefundCaseState.ESCALATED:
        draft.reserved_delta_minor -= before.approved_minor or 0  # nothing is approved any more (D9)
    if it.action is RefundActionName.REVERSE:
        reverse(draft, case)
    _settle(draft, it, row, _recorded(draft, it, row, case))


def _settle(draft: Draft, it: Situation, row: TableRow, case: Case) -> None:
    """Add what follows an act by itself: the credit of an approval, the release of a week."""
    if case.state is RefundCaseState.APPROVED and not row.is_remark:
        _credit(draft, case, waited=False)
    else:
        draft.case = case
    if it.action in _RELEASES:
        release_rest(draft, case)
    if it.act.rest is RestOfEscrow.RELEASE:
        release_escrow(draft, case)


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
    credited = credit(draft, case)
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
    return draft.record(RefundActionName.SUPERSEDE.value, moved(case, own, row), case.state, rule=row.cited(own))


def _recorded(draft: Draft, it: Situation, row: TableRow, case: Case, *, amount_minor: int | None = None) -> Case:
    """Record the act's own event, about its own amount unless another is given."""
    act = it.act
    audience = Audience.INTERNAL if act.action in _AMONG_STAFF else act.audience
    is_note = audience is Audience.INTERNAL and act.action not in _AMONG_STAFF
    return draft.record(
        STAFF_NOTE if is_note else row.event,
        case,
        it.state,
        actor_id=it.viewer.account_id if it.viewer is not None else None,
        actor_role=decider_role(row.guards.by, it),
        amount_minor=amount_of(case, act.action) if amount_minor is None else amount_minor,
        note=act.text if act.action not in _SAID_ELSEWHERE else None,
        internal_note=act.text if act.action is RefundActionName.RETURN else act.internal_note or act.on_behalf_reason,
        rule="D29" if is_note else row.cited(it),
        audience=audience,
        saw=row.guards.saw(it) + (_evidence(it) if act.action in _RESTS_ON_EVIDENCE else ()),
    )


def _evidence(it: Situation) -> tuple[tuple[str, str], ...]:
    return tuple(("evidence", sha256) for sha256 in dict.fromkeys(it.facts.evidence))


def _existing_case(facts: Facts) -> Case:
    if facts.case is None:
        raise ValueError("this is recorded on a case")
    return facts.case


def _existing(it: Situation) -> Case:
    if it.case is None:
        raise ValueError(f"{it.action.value} needs a case among its facts")
    return it.case
