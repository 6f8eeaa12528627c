"""Every state × act × role of every kind, against a table written here and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from domain_world import (
    ADMIN,
    CLIENT,
    COLLEAGUE,
    CUSTOMER,
    EXPERT,
    NOW,
    POLICY,
    PRO,
    SERVICE,
    STRANGER,
    SUPPORT,
    A,
    K,
    S,
    case_in,
    facts_of,
    good_act,
    told,
    with_case,
)

from refundgql.domain.cases import decide
from refundgql.domain.facts import Facts
from refundgql.domain.refusals import Refused
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import IssueDecision, RefundActionName, RefundCaseKind, RefundCaseState, RefundDecision

PEOPLE: dict[str, Viewer | None] = {
    "PRO": PRO,
    "CUSTOMER": CUSTOMER,
    "CLIENT": CLIENT,
    "EXPERT": EXPERT,
    "SUPPORT": COLLEAGUE,
    "ADMIN": ADMIN,
    "SERVICE": SERVICE,
    "STRANGER": STRANGER,
    "SYSTEM": None,
}
STAFF = {"SUPPORT", "ADMIN"}
SIGNED = replace(POLICY, decision_limit_minor={"USD": 1}, admin_decision_limit_minor={"USD": 1})
SAME = "same"
Table = dict[RefundActionName, dict[RefundCaseState | None, tuple[RefundCaseState | str, set[str]]]]

ANY_LEAD = (S.REQUESTED, S.APPROVED, S.DECLINED, S.ESCALATED, S.CREDITED, S.CANCELLED)
ANY = (*ANY_LEAD, S.DISPUTED)
ANY_TIMESHEET = (S.DISPUTED, S.APPROVED, S.DECLINED, S.CREDITED, S.CANCELLED)


def remarks(states: tuple[RefundCaseState, ...], parties: set[str], waiting: tuple[RefundCaseState, ...]) -> Table:
    """Return the rows that change nothing, alike for all kinds."""
    return {
        A.ADD_EVIDENCE: dict.fromkeys(states, (SAME, parties | STAFF)),
        A.SEND_MESSAGE: dict.fromkeys(states, (SAME, parties | STAFF)),
        A.ASSIGN: dict.fromkeys(states, (SAME, STAFF | {"SYSTEM"})),
        A.REVERSE: {S.CREDITED: (SAME, {"ADMIN"})},
        A.REQUEST_INFORMATION: dict.fromkeys(waiting, (SAME, STAFF)),
    }


def signatures(*states: RefundCaseState, reopened: RefundCaseState) -> Table:
    """Return the rows of a second signature, and the one that mends a final decline."""
    return {
        A.PROPOSE: dict.fromkeys(states, (SAME, STAFF)),
        A.CONFIRM: dict.fromkeys(states, (S.CREDITED, STAFF)),
        A.RETURN: dict.fromkeys(states, (SAME, STAFF)),
        A.REOPEN: {S.DECLINED: (reopened, {"ADMIN"})},
    }


TABLES: dict[RefundCaseKind, Table] = {
    K.LEAD: {
        A.REQUEST: {None: (S.REQUESTED, {"PRO"} | STAFF)},
        A.APPROVE: {S.REQUESTED: (S.CREDITED, STAFF), S.ESCALATED: (S.CREDITED, STAFF)},
        A.DECLINE: {S.REQUESTED: (S.DECLINED, STAFF), S.ESCALATED: (S.DECLINED, STAFF)},
        A.ESCALATE: {S.DECLINED: (S.ESCALATED, {"PRO"})},
        A.CREDIT: {S.APPROVED: (S.CREDITED, {"SYSTEM"})},
        A.CANCEL: {S.REQUESTED: (S.CANCELLED, {"PRO"}), S.ESCALATED: (S.CANCELLED, {"PRO"})},
        **signatures(S.REQUESTED, S.ESCALATED, reopened=S.ESCALATED),
        **remarks(ANY_LEAD, {"PRO"}, (S.REQUESTED, S.ESCALATED)),
    },
    K.INVOICE: {
        A.REQUEST: {None: (S.REQUESTED, {"CLIENT"})},
        A.ISSUE: {None: (S.CREDITED, {"EXPERT"})},
        A.APPROVE: {
            S.REQUESTED: (S.CREDITED, {"EXPERT"}),
            S.ESCALATED: (S.CREDITED, STAFF),
            S.DISPUTED: (S.CREDITED, STAFF),
        },
        A.DECLINE: {
            S.REQUESTED: (S.DECLINED, {"EXPERT"}),
            S.ESCALATED: (S.DECLINED, STAFF),
            S.DISPUTED: (S.DECLINED, STAFF),
        },
        A.ESCALATE: {S.DECLINED: (S.ESCALATED, {"CLIENT"}), S.APPROVED: (S.ESCALATED, {"CLIENT"})},
        A.HAND_OVER: {S.REQUESTED: (S.ESCALATED, {"SYSTEM"})},
        A.SUPERSEDE: {S.REQUESTED: (S.CANCELLED, {"SYSTEM"}), S.ESCALATED: (S.CANCELLED, {"SYSTEM"})},
        A.DISPUTE: {
            S.REQUESTED: (S.DISPUTED, {"CLIENT"}),
            S.DECLINED: (S.DISPUTED, {"CLIENT"}),
            S.ESCALATED: (S.DISPUTED, {"CLIENT"}),
        },
        A.CONSENT: {S.ESCALATED: (SAME, {"EXPERT"}), S.DISPUTED: (SAME, {"EXPERT"})},
        A.CREDIT: {S.APPROVED: (S.CREDITED, {"SYSTEM"})},
        A.CANCEL: {state: (S.CANCELLED, {"CLIENT"}) for state in (S.REQUESTED, S.ESCALATED, S.DISPUTED)},
        **signatures(S.ESCALATED, S.DISPUTED, reopened=S.ESCALATED),
        **remarks(ANY, {"CLIENT", "EXPERT"}, (S.ESCALATED, S.DISPUTED)),
    },
    K.ESCROW: {
        A.REQUEST: {None: (S.REQUESTED, {"CLIENT"})},
        A.ISSUE: {None: (S.CREDITED, {"EXPERT"})},
        A.APPROVE: {
            S.REQUESTED: (S.CREDITED, {"EXPERT"}),
            S.ESCALATED: (S.CREDITED, STAFF),
            S.DISPUTED: (S.CREDITED, STAFF),
        },
        A.DECLINE: {
            S.REQUESTED: (S.DECLINED, {"EXPERT"}),
            S.ESCALATED: (S.DECLINED, STAFF),
            S.DISPUTED: (S.DECLINED, STAFF),
        },
        A.HAND_OVER: {S.REQUESTED: (S.ESCALATED, {"SYSTEM"})},
        A.DISPUTE: {
            S.REQUESTED: (S.DISPUTED, {"CLIENT"}),
            S.DECLINED: (S.DISPUTED, {"CLIENT"}),
            S.ESCALATED: (S.DISPUTED, {"CLIENT"}),
        },
        A.CONSENT: {S.ESCALATED: (SAME, {"EXPERT"}), S.DISPUTED: (SAME, {"EXPERT"})},
        A.CREDIT: {S.APPROVED: (S.CREDITED, {"SYSTEM"})},
        A.CANCEL: {state: (S.CANCELLED, {"CLIENT"}) for state in (S.REQUESTED, S.ESCALATED, S.DISPUTED)},
        **signatures(S.ESCALATED, S.DISPUTED, reopened=S.ESCALATED),
        **remarks(ANY, {"CLIENT", "EXPERT"}, (S.ESCALATED, S.DISPUTED)),
    },
    K.TIMESHEET: {
        A.OPEN_TIMESHEET_DISPUTE: {None: (S.DISPUTED, {"CLIENT"})},
        A.APPROVE: {S.DISPUTED: (S.CREDITED, STAFF)},
        A.DECLINE: {S.DISPUTED: (S.DECLINED, STAFF)},
        A.CONSENT: {S.DISPUTED: (SAME, {"EXPERT"})},
        A.CREDIT: {S.APPROVED: (S.CREDITED, {"SYSTEM"})},
        A.CANCEL: {S.DISPUTED: (S.CANCELLED, {"CLIENT"})},
        **signatures(S.DISPUTED, reopened=S.DISPUTED),
        **remarks(ANY_TIMESHEET, {"CLIENT", "EXPERT"}, (S.DISPUTED,)),
    },
}
STATES = {K.LEAD: ANY_LEAD, K.INVOICE: ANY, K.ESCROW: ANY, K.TIMESHEET: ANY_TIMESHEET}
OPENING = (A.REQUEST, A.ISSUE, A.OPEN_TIMESHEET_DISPUTE)


def facts_for(kind: RefundCaseKind, state: RefundCaseState | None, action: RefundActionName) -> Facts:
    """Return facts in which the act is possible as far as rules, money and time go."""
    facts = facts_of(kind)
    if state is None:
        return facts
    case = case_in(state, kind)
    if action is A.HAND_OVER:
        case = case.changed(opened_at=NOW - timedelta(days=9))
    if action in (A.CONFIRM, A.RETURN):
        case = case.changed(proposed_decision=RefundDecision.APPROVE, proposed_minor=case.requested_minor)
    if action is A.REOPEN:
        case = case.changed(final_decision=True)
    return with_case(facts, case)


def outcome(kind: RefundCaseKind, state: RefundCaseState | None, action: RefundActionName, who: str) -> str:
    """Return the state that an act led to, or the code that refused it."""
    facts = facts_for(kind, state, action)
    try:
        decision = decide(good_act(action, kind, PEOPLE[who]), facts, SIGNED if action is A.PROPOSE else POLICY)
    except Refused as refused:
        return ",".join(refusal.code.value for refusal in refused.refusals)
    return decision.case.state.value


def expected(kind: RefundCaseKind, state: RefundCaseState | None, action: RefundActionName, who: str) -> str:
    """Return what the table above says: whose act it is comes before the state."""
    rows = TABLES[kind].get(action, {})
    if not rows:
        return "TRANSITION_NOT_ALLOWED"
    row = rows.get(state)
    if row is not None:
        to_state, roles = row
        if who not in roles:
            return "FORBIDDEN"
        return (state if to_state == SAME else RefundCaseState(to_state)).value  # type: ignore[union-attr]
    anybody = {role for _, roles in rows.values() for role in roles}
    return "TRANSITION_NOT_ALLOWED" if who in anybody else "FORBIDDEN"


@pytest.mark.parametrize("kind", K)
def test_every_state_act_and_role(kind: RefundCaseKind) -> None:
    """Each act in each state by each person leads where the table says, or is refused as the table says."""
    wrong = []
    count = 0
    for action in A:
        if action is (A.ISSUE if kind is K.TIMESHEET else A.OPEN_TIMESHEET_DISPUTE):
            continue  # the act itself makes its case of another kind
        for state in (None,) if action in OPENING else STATES[kind]:
            for who in PEOPLE:
                count += 1
                found, told_here = outcome(kind, state, action, who), expected(kind, state, action, who)
                if found != told_here:
                    wrong.append(f"{state} {action.value} by {who}: {found}, not {told_here}")
    assert wrong == []
    assert count > 400


def test_a_late_request_opens_with_support() -> None:
    """C07: from day 181 on, a request on an invoice opens ESCALATED on the support route."""
    facts = facts_of(K.INVOICE)
    assert facts.invoice is not None
    late = replace(facts, invoice=replace(facts.invoice, paid_at=NOW - timedelta(days=181)))
    case = decide(good_act(A.REQUEST, K.INVOICE, CLIENT), late, POLICY).case
    assert (case.state, case.route.value, case.whose_move.value) == (S.ESCALATED, "SUPPORT", "SUPPORT")
    assert case.respond_by is None


@pytest.mark.parametrize("kind", [K.INVOICE, K.ESCROW])
def test_recording_that_nothing_is_refunded(kind: RefundCaseKind) -> None:
    """C13: NONE leads to DECLINED, final at once, and moves nothing."""
    decision = decide(good_act(A.ISSUE, kind, EXPERT, decision=IssueDecision.NONE), facts_of(kind), POLICY)
    assert [event.name for event in decision.events] == ["ISSUE"]
    assert (decision.case.state, decision.case.final_decision) == (S.DECLINED, True)
    assert (decision.postings, decision.clocks, decision.payment_reserved_delta_minor) == ((), (), 0)


def test_a_role_that_was_taken_away_forbids() -> None:
    """A party whose role was taken away may not act any more."""
    former = Viewer("expert", "ref", "Expert", frozenset())
    with pytest.raises(Refused) as caught:
        decide(good_act(A.APPROVE, K.INVOICE, former), facts_for(K.INVOICE, S.REQUESTED, A.APPROVE), POLICY)
    assert told(caught.value.refusals) == [("FORBIDDEN", "C12")]


def test_an_admin_without_support_acts_as_admin() -> None:
    """The history shows in which role somebody acted."""
    facts = facts_for(K.LEAD, S.REQUESTED, A.APPROVE)
    for viewer, role in ((ADMIN, "ADMIN"), (SUPPORT, "SUPPORT")):
        event = decide(good_act(A.APPROVE, K.LEAD, viewer), facts, POLICY).event
        assert (event.name, event.actor_id, event.actor_role) == ("APPROVE", viewer.account_id, role)
