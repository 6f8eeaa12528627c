"""What becomes of refunds when somebody was forgotten: nothing moves to or from them, others keep their ways (D30)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from domain_world import (
    ADMIN,
    CLIENT,
    EXPERT,
    NOW,
    POLICY,
    SUPPORT,
    A,
    K,
    S,
    case_in,
    done,
    escrow_facts,
    facts_of,
    good_act,
    invoice_facts,
    only,
    person,
    told,
    why,
    with_case,
)

from refundgql.domain.cases import (
    available_actions,
    case_clocks,
    decide,
    is_final,
    preview,
    run_out,
    subject_availability,
)
from refundgql.domain.clocks import due_clocks, whose_move
from refundgql.domain.facts import Facts, FundsFacts
from refundgql.domain.history import History, PastEvent, facts_before
from refundgql.domain.machines.table import ROWS
from refundgql.domain.refusals import Refused
from refundgql.domain.rules.who import Who
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    OPEN_STATES,
    ContractKind,
    MilestoneStatus,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefusalCode,
    Role,
    WhoseMove,
)

ERASED = ("TRANSITION_NOT_ALLOWED", "D30")
OPENING = (A.REQUEST, A.ISSUE, A.OPEN_TIMESHEET_DISPUTE)
PERSONS = {
    Who.CLIENT: CLIENT,
    Who.EXPERT: EXPERT,
    Who.SUPPORT: person("newcomer", Role.SUPPORT),
    Who.ADMIN: person("deputy", Role.ADMIN),
}
WITHOUT_RECIPIENT = {
    (K.LEAD, None, A.REQUEST),
    *[(kind, None, A.ISSUE) for kind in (K.INVOICE, K.ESCROW)],
    *[(kind, S.DECLINED, A.REOPEN) for kind in K],
    *[(kind, S.CREDITED, A.REVERSE) for kind in K],
}
WITHOUT_EXPERT = {(kind, S.CREDITED, A.REVERSE) for kind in K if kind is not K.LEAD}


def standing(kind: RefundCaseKind, state: RefundCaseState | None, **gone: Any) -> Facts:
    """Return a payment, maybe with a case in a state in which everything is open that ever is."""
    facts = facts_of(kind)
    if state is not None:
        more: dict[str, Any] = {}
        if state is S.DECLINED:
            more = {"final_decision": True, "support_decided": True, "decided_by_id": "support"}
        facts = with_case(facts, case_in(state, kind, **more))
    return replace(facts, **gone)


def against(
    facts: Facts, kind: RefundCaseKind, action: RefundActionName, viewer: Viewer
) -> list[tuple[str, str | None]]:
    """Return what act, button and preview say alike against it."""
    act = good_act(action, kind, viewer)
    found: list[tuple[str, str | None]] = []
    try:
        decide(act, facts, POLICY)
    except Refused as why:
        found = told(why.refusals)
    if action in OPENING:
        shown = subject_availability(action, facts, viewer, NOW, POLICY, kind=kind)
        assert told(preview(act, facts, POLICY).blockers) == found
    else:
        shown = next(one for one in available_actions(facts, viewer, NOW, POLICY) if one.name is action)
    assert told(shown.blockers) == found
    return found


def acts_of(*parts: Who) -> list[tuple[RefundCaseKind, RefundCaseState | None, RefundActionName, Who]]:
    """Return every act of the table that one of these may take while nothing is undecided."""
    found = []
    for kind in K:
        for row in ROWS[kind]:
            opens = row.from_state is None
            if row.action not in A.__members__ or row.from_state in OPEN_STATES or opens > (A(row.action) in OPENING):
                continue
            found += [(kind, row.from_state, A(row.action), who) for who in row.guards.by if who in parts]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(("kind", "state", "action", "by"), acts_of(Who.EXPERT, Who.SUPPORT, Who.ADMIN))
def test_every_act_on_money_of_somebody_erased(
    kind: RefundCaseKind, state: RefundCaseState | None, action: RefundActionName, by: Who
) -> None:
    """Whatever would move the recipient's money or open a case is refused for that alone, all else is as ever."""
    before = against(standing(kind, state), kind, action, PERSONS[by])
    assert before == []
    found = against(standing(kind, state, recipient_erased_at=NOW), kind, action, PERSONS[by])
    assert found == ([ERASED] if (kind, state, action) in WITHOUT_RECIPIENT else before)


@pytest.mark.parametrize(
    ("kind", "state", "action", "by"),
    [one for one in acts_of(Who.CLIENT, Who.SUPPORT, Who.ADMIN) if one[0] is not K.LEAD],
)
def test_every_act_on_money_of_an_erased_expert(
    kind: RefundCaseKind, state: RefundCaseState | None, action: RefundActionName, by: Who
) -> None:
    """The client keeps every way; what was credited is not given back to an account that is gone."""
    before = against(standing(kind, state), kind, action, PERSONS[by])
    found = against(standing(kind, state, expert_erased_at=NOW), kind, action, PERSONS[by])
    assert found == ([ERASED] if (kind, state, action) in WITHOUT_EXPERT else before)


def test_the_refusal_says_what_to_do() -> None:
    """One sentence, whatever else stands in the way: of money that is gone nothing is said."""
    facts = replace(standing(K.LEAD, S.CREDITED, recipient_erased_at=NOW), funds=FundsFacts())
    refusal = only(good_act(A.REVERSE, K.LEAD, ADMIN), facts)
    assert refusal.message == "An account whose money this is was erased: settle it outside of the desk."
    assert (refusal.code, refusal.rule, refusal.alternatives) == (RefusalCode.TRANSITION_NOT_ALLOWED, "D30", ())


@pytest.mark.parametrize(("kind", "name"), [(K.LEAD, "pro"), (K.INVOICE, "client"), (K.ESCROW, "client")])
def test_nobody_waits_for_somebody_erased(kind: RefundCaseKind, name: str) -> None:
    """A decline that could have been taken further is final: no move, no clock, no word before its end."""
    declined = with_case(facts_of(kind), case_in(S.DECLINED, kind))
    assert declined.case is not None
    assert whose_move(declined, declined.case, POLICY).now is WhoseMove.REQUESTER
    assert not is_final(declined, NOW, POLICY)
    facts = replace(declined, recipient_erased_at=NOW)
    assert declined.case.requester_id == name
    assert whose_move(facts, declined.case, POLICY).at(NOW) is WhoseMove.NOBODY
    assert is_final(facts, NOW, POLICY)
    assert case_clocks(facts, NOW, POLICY) == ()
    assert due_clocks(facts, declined.case, NOW, POLICY) == ()


@pytest.mark.parametrize("kind", [K.INVOICE, K.ESCROW])
@pytest.mark.parametrize("contract", ContractKind)
def test_a_request_to_an_erased_expert_is_supports_at_once(kind: RefundCaseKind, contract: ContractKind) -> None:
    """D7, D8 would let the client wait for nobody; the hand-over names why, and support decides as ever."""
    facts = facts_of(kind)
    assert facts.contract is not None
    facts = replace(facts, contract=replace(facts.contract, kind=contract), expert_erased_at=NOW - timedelta(days=1))
    foretold = preview(good_act(A.REQUEST, kind, CLIENT), facts, POLICY)
    case = done(A.REQUEST, facts, CLIENT, kind=kind).case
    assert (case.state, case.respond_by, whose_move(with_case(facts, case), case, POLICY).at(NOW)) == (
        S.REQUESTED,
        NOW,
        WhoseMove.SYSTEM,
    )
    handed = run_out(with_case(facts, case), NOW, POLICY)
    assert handed is not None
    assert (handed.event.name, handed.event.rule, handed.case.state) == ("HAND_OVER", "D30", S.ESCALATED)
    assert (foretold.decided_by, foretold.decision_due_by) == (WhoseMove.SUPPORT, handed.case.deadline_at)
    escalated = with_case(facts, handed.case)
    assert why(A.REQUEST_INFORMATION, escalated, SUPPORT, asked_party=WhoseMove.COUNTERPARTY) == [
        ("INVALID_INPUT", "D30")
    ]
    done(A.REQUEST_INFORMATION, escalated, SUPPORT, asked_party=WhoseMove.REQUESTER)
    assert done(A.APPROVE, escalated, SUPPORT).case.credited_minor == 6_000


def test_goodwill_of_an_erased_expert_is_not_asked_for() -> None:
    """C29, D12: nobody could agree to it; support would have to decline what it may not decide."""
    released = escrow_facts(status=MilestoneStatus.RELEASED)
    decided = replace(invoice_facts(), payment=replace(invoice_facts().payment, support_decided=True))
    for facts in (released, decided):
        done(A.REQUEST, facts, CLIENT, kind=K.INVOICE)
        gone = replace(facts, expert_erased_at=NOW)
        assert against(gone, K.INVOICE, A.REQUEST, CLIENT) == [ERASED]


def test_what_happened_before_is_decided_as_it_was() -> None:
    """The simulator finds an account that was erased later, be it at the same instant, as it was then."""

    def past(place: int, name: str, to_state: RefundCaseState, rule: str | None = None) -> PastEvent:
        return PastEvent(
            case_id="case",
            case_kind=K.INVOICE,
            opened_by=A.REQUEST,
            payment_id="payment",
            place=(place, place),
            name=name,
            at=NOW,
            to_state=to_state,
            rule=rule,
        )

    facts = standing(K.INVOICE, S.ESCALATED, recipient_erased_at=NOW, expert_erased_at=NOW)
    for rule, seen in (("D8", None), ("D30", NOW)):
        events = [past(1, "REQUEST", S.REQUESTED), past(2, "HAND_OVER", S.ESCALATED, rule)]
        for index in range(2):
            found = facts_before(History(facts=facts, events=events, money_events=events), index)
            assert (found.recipient_erased_at, found.expert_erased_at) == (None, seen)
