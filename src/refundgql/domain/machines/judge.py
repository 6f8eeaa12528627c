"""The order in which reasons are given, for an act that is tried and for one that is only asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from refundgql.domain.machines.row import version_conflict, with_faults
from refundgql.domain.machines.table import ACTION_ROWS, TableRow, row_for
from refundgql.domain.refusals import ConflictRefusal, Refusal, Refused
from refundgql.domain.rules.limits import proposed_action, within_limit
from refundgql.domain.rules.situation import Situation
from refundgql.domain.rules.who import not_yours, part_of
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.vocabulary import RefundActionName, RefundCaseState, RefusalCode

_WAYS_ON = (
    RefundActionName.APPROVE,
    RefundActionName.DECLINE,
    RefundActionName.ESCALATE,
    RefundActionName.DISPUTE,
    RefundActionName.CONSENT,
    RefundActionName.CANCEL,
    RefundActionName.REVERSE,
    RefundActionName.REQUEST,
)


_TRIED = {
    RefundActionName.CONSENT: phrase("be consented to"),
    RefundActionName.HAND_OVER: phrase("be handed over"),
    RefundActionName.SUPERSEDE: phrase("be superseded"),
    RefundActionName.ADD_EVIDENCE: phrase("get more evidence"),
    RefundActionName.SEND_MESSAGE: phrase("get messages"),
    RefundActionName.ASSIGN: phrase("be assigned"),
    RefundActionName.REQUEST_INFORMATION: phrase("be asked about"),
    RefundActionName.APPROVE: phrase("be approved"),
    RefundActionName.DECLINE: phrase("be declined"),
    RefundActionName.ESCALATE: phrase("be escalated"),
    RefundActionName.DISPUTE: phrase("be disputed"),
    RefundActionName.CANCEL: phrase("be cancelled"),
    RefundActionName.CREDIT: phrase("be credited"),
    RefundActionName.REVERSE: phrase("be reversed"),
    RefundActionName.PROPOSE: phrase("have a decision proposed"),
    RefundActionName.CONFIRM: phrase("have a decision confirmed"),
    RefundActionName.RETURN: phrase("have a decision returned"),
    RefundActionName.REOPEN: phrase("be reopened"),
}

_STATES = {
    RefundCaseState.REQUESTED: phrase("requested"),
    RefundCaseState.APPROVED: phrase("approved"),
    RefundCaseState.DECLINED: phrase("declined"),
    RefundCaseState.ESCALATED: phrase("escalated"),
    RefundCaseState.DISPUTED: phrase("disputed"),
    RefundCaseState.CREDITED: phrase("credited"),
    RefundCaseState.CANCELLED: phrase("cancelled"),
}


def judge(it: Situation) -> TableRow:
    """Return the row of the kind's table that the act takes.

    Refuses: every reason of the first group that refuses.
    """
    row, found = row_for(it), blockers(it)
    if row is None or found:
        raise Refused(*found)
    return row


def blockers(it: Situation) -> list[Refusal]:
    """Return what stands in the way of an act, in the same order and by the same rules, without performing it."""
    row = row_for(it)
    found = row.guards.refusals(it) if row is not None else not_allowed(it)
    if found or it.action not in (RefundActionName.PROPOSE, RefundActionName.CONFIRM):
        return found
    return _against_decision(it)


def confirmed(it: Situation) -> Situation:
    """Return the decision that a confirmation takes, as whoever confirms it takes it now (D23)."""
    case = it.case
    if case is None or case.proposed_decision is None:
        raise ValueError("nothing is proposed")
    action = proposed_action(case.proposed_decision)
    act = replace(
        it.act,
        action=action,
        amount=None if case.proposed_minor is None else it.money(case.proposed_minor),
        text=case.proposed_text,
        internal_note=case.proposed_internal_note,
        rest=case.proposed_rest,
        expected_version=None,
    )
    return replace(it, act=act, action=action, case=case.without_proposal())


def is_proposal(action: RefundActionName, found: Iterable[Refusal]) -> bool:
    """Tell whether a decision is proposed instead of taken: nothing but the decider's limit stands in its way (D23)."""
    decides = action in (RefundActionName.APPROVE, RefundActionName.DECLINE)
    return decides and all(refusal.code is RefusalCode.LIMIT_EXCEEDED for refusal in found)


def decision_to_propose(it: Situation) -> Situation:
    """Return the decision that a proposal is about: to approve, or to decline where only that could be taken (D23)."""
    approving = replace(it, action=RefundActionName.APPROVE)
    if _but_for_the_limit(blockers(approving)):
        declining = replace(it, action=RefundActionName.DECLINE)
        found = blockers(declining)
        if found and not _but_for_the_limit(found):
            return declining
    return approving


def _against_decision(it: Situation) -> list[Refusal]:
    """Return what stands in the way of the decision that is proposed or confirmed, but for the limit itself (D23)."""
    proposes = it.action is RefundActionName.PROPOSE
    found = blockers(decision_to_propose(it) if proposes else confirmed(it))
    return [within_limit(it)] if proposes and not found else _but_for_the_limit(found)


def _but_for_the_limit(found: Iterable[Refusal]) -> list[Refusal]:
    return [refusal for refusal in found if refusal.code is not RefusalCode.LIMIT_EXCEEDED]


def not_allowed(it: Situation) -> list[Refusal]:
    """Return why an act without a row for the state is refused: whose act it is comes before the state."""
    rows = ACTION_ROWS[it.kind].get(it.action.value, ())
    mine = next((row for row in rows if part_of(row.guards.by, it.viewer, it.facts) is not None), None)
    if rows and mine is None:
        cites = rows[0].guards.cites
        by = tuple(dict.fromkeys(who for row in rows for who in row.guards.by))
        return [not_yours(by, cites[0] if cites else None)]
    before = mine.guards.before_state(it) if mine is not None else with_faults(it, []) or version_conflict(it)
    if before:
        return before
    case = it.case
    message = sentence("CANNOT_BE_ASKED_HERE", "This cannot be asked for here: look at what the payment allows.")
    if case is not None and it.action in _TRIED:
        message = sentence(
            "NOT_IN_THIS_STATE",
            "A refund that is {state} cannot {act}: look at what the case allows now.",
            state=_STATES[case.state],
            act=_TRIED[it.action],
        )
    return [
        ConflictRefusal(
            code=RefusalCode.TRANSITION_NOT_ALLOWED,
            message=message,
            alternatives=_WAYS_ON,
            current_state=case.state if case is not None else None,
            current_version=case.version if case is not None else None,
        )
    ]


def with_true_alternatives(
    refusals: Iterable[Refusal], is_open: Callable[[RefundActionName], bool]
) -> tuple[Refusal, ...]:
    """Return the refusals with only those alternatives that are open to the viewer now."""
    return tuple(
        replace(refusal, alternatives=tuple(action for action in refusal.alternatives if is_open(action)))
        if refusal.alternatives
        else refusal
        for refusal in refusals
    )
