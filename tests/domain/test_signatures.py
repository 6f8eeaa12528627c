"""Proposals, second signatures and reopening, rule by rule (D22, D23, D11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from domain_world import (
    ADMIN,
    CLIENT,
    COLLEAGUE,
    EXPERT,
    NOW,
    POLICY,
    PRO,
    SUPPORT,
    A,
    K,
    S,
    case_in,
    escrow_facts,
    facts_of,
    good_act,
    invoice_facts,
    moves,
    person,
    refused,
    told,
    usd,
    week_facts,
    why,
    with_case,
)

from refundgql.domain.cases import available_actions, decide, decision_preview
from refundgql.domain.facts import Case, Facts
from refundgql.domain.policy import Policy, PolicyError
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import MilestoneStatus, RefundCaseKind, RefundDecision, RestOfEscrow, Role

LIMITED = replace(POLICY, decision_limit_minor={"USD": 5_999})
BOTH = replace(LIMITED, admin_decision_limit_minor={"USD": 5_999})
DECIDING = {K.LEAD: S.REQUESTED, K.INVOICE: S.ESCALATED, K.ESCROW: S.DISPUTED, K.TIMESHEET: S.DISPUTED}


def proposed(**given: object) -> Case:
    """Return an escalated case of which support proposed to approve all."""
    base = {"proposed_decision": RefundDecision.APPROVE, "proposed_minor": 6_000, "proposed_by_id": "support"}
    return case_in(S.ESCALATED, **(base | {"proposed_text": "Yes.", "proposed_at": NOW} | given))


@pytest.mark.parametrize("kind", K)
def test_support_decides_of_every_kind_up_to_the_limit(kind: RefundCaseKind) -> None:
    """D23: at the limit alone, above it by proposal; a currency without limit has none."""
    facts = with_case(facts_of(kind), case_in(DECIDING[kind], kind))
    asked = facts.case.requested_minor if facts.case is not None else None
    assert asked is not None
    for action in (A.APPROVE, A.DECLINE):
        act = good_act(action, kind, SUPPORT)
        for limit, name in ((asked, action.value), (asked - 1, "PROPOSE")):
            policy = replace(POLICY, decision_limit_minor={"USD": limit, "EUR": 1})
            assert decide(act, facts, policy).event.name == name
        assert decide(act, facts, replace(POLICY, decision_limit_minor={"EUR": 1})).event.name == action.value
        assert decide(good_act(action, kind, ADMIN), facts, LIMITED).event.name == action.value


def test_the_experts_own_decision_has_no_limit() -> None:
    """D23 is about staff."""
    asked = with_case(invoice_facts(), case_in(S.REQUESTED))
    assert decide(good_act(A.APPROVE, K.INVOICE, EXPERT), asked, BOTH).event.name == "APPROVE"


def test_buttons_say_that_a_decision_will_be_proposed() -> None:
    """D23: LIMIT_EXCEEDED with the maximum, and PROPOSE in its place."""
    facts = with_case(invoice_facts(), case_in(S.ESCALATED))
    shown = {one.name: one for one in available_actions(facts, SUPPORT, NOW, LIMITED)}
    assert told(shown[A.APPROVE].blockers) == told(shown[A.DECLINE].blockers) == [("LIMIT_EXCEEDED", "D23")]
    blocker = shown[A.APPROVE].blockers[0]
    assert (blocker.maximum, blocker.requested, blocker.alternatives) == (usd(5_999), usd(6_000), (A.PROPOSE,))  # type: ignore[attr-defined]
    assert shown[A.PROPOSE].enabled
    plain = {one.name: one for one in available_actions(facts, SUPPORT, NOW, POLICY)}
    assert plain[A.APPROVE].enabled
    assert told(plain[A.PROPOSE].blockers) == [("TRANSITION_NOT_ALLOWED", "D23")]


def test_to_decline_what_is_gone_is_proposed_too() -> None:
    """D23, D25: nothing can be approved any more, and the amount asked for is above everybody's limit."""
    taken = invoice_facts(charged_back_minor=10_000)
    facts = with_case(taken, case_in(S.ESCALATED))
    shown = {one.name: one for one in available_actions(facts, SUPPORT, NOW, BOTH)}
    assert told(shown[A.APPROVE].blockers) == [("CHARGED_BACK", "D25"), ("LIMIT_EXCEEDED", "D23")]
    assert told(shown[A.DECLINE].blockers) == [("LIMIT_EXCEEDED", "D23")]
    assert shown[A.DECLINE].blockers[0].alternatives == (A.PROPOSE,)
    assert shown[A.PROPOSE].enabled
    for action in (A.DECLINE, A.PROPOSE):
        case = decide(good_act(action, K.INVOICE, SUPPORT), facts, BOTH).case
        assert (case.proposed_decision, case.proposed_minor) == (RefundDecision.DECLINE, None)
        signed = decide(good_act(A.CONFIRM, K.INVOICE, ADMIN), with_case(taken, case), BOTH)
        assert (signed.case.state, signed.postings) == (S.DECLINED, ())


def test_a_proposal_is_nothing_but_a_proposal() -> None:
    """D23: no money, no state, support's move; what it says is for staff."""
    facts = with_case(invoice_facts(), case_in(S.ESCALATED))
    decision = decide(good_act(A.APPROVE, K.INVOICE, SUPPORT, internal_note="Known."), facts, LIMITED)
    case = decision.case
    assert (case.state, case.proposed_minor, case.proposed_by_id) == (S.ESCALATED, 6_000, "support")
    assert (case.proposed_text, case.proposed_internal_note, case.decided_at) == ("Why.", "Known.", None)
    assert (decision.postings, decision.payment_refunded_delta_minor) == ((), 0)
    event = decision.event
    assert (event.note, event.amount, event.audience.value) == (None, None, "INTERNAL")
    assert event.internal_note == "APPROVE 60.00 USD: Why."


def test_a_confirmation_takes_the_decision_anew() -> None:
    """D23: with the proposal's amount and words, by whoever signs; caps, parties and escrow are looked at again."""
    decision = decide(good_act(A.CONFIRM, K.INVOICE, ADMIN), with_case(invoice_facts(), proposed()), LIMITED)
    assert [(one.name, one.note) for one in decision.events] == [
        ("CONFIRM", None),
        ("APPROVE", "Yes."),
        ("CREDIT", None),
    ]
    assert (decision.case.decided_by_id, decision.case.proposed_decision) == ("admin", None)
    assert [one.sequence for one in decision.events] == [4, 5, 6]
    gone = with_case(invoice_facts(refunded_minor=5_000), proposed())
    assert why(A.CONFIRM, gone, ADMIN) == [("AMOUNT_EXCEEDS_REFUNDABLE", "C14")]
    released = with_case(
        escrow_facts(status=MilestoneStatus.RELEASED), proposed(kind=K.ESCROW, proposed_rest=RestOfEscrow.HOLD)
    )
    assert why(A.CONFIRM, released, ADMIN)[0] == ("MILESTONE_RELEASED", "C30")
    party = person("client", Role.CLIENT, Role.ADMIN)
    assert why(A.CONFIRM, with_case(invoice_facts(), proposed()), party) == [("OWN_CASE", None)]
    filer = with_case(invoice_facts(), proposed(filed_by_id="admin"))
    assert why(A.CONFIRM, filer, ADMIN) == [("OWN_CASE", "D4")]


def test_who_signs() -> None:
    """D23: never the proposer; who has the limit; an administrator signs what another one proposed."""
    facts = with_case(invoice_facts(), proposed())
    act = good_act(A.CONFIRM, K.INVOICE, COLLEAGUE)
    assert told(refused(act, facts, LIMITED)) == [("LIMIT_EXCEEDED", "D23")]
    assert decide(act, facts, replace(POLICY, decision_limit_minor={"USD": 6_000})).event.name == "CONFIRM"
    assert told(refused(good_act(A.CONFIRM, K.INVOICE, SUPPORT), facts, LIMITED)) == [("SAME_DECIDER", "D23")]
    assert decide(good_act(A.CONFIRM, K.INVOICE, ADMIN), facts, BOTH).case.state is S.CREDITED


def test_the_event_shows_the_role_by_whose_right_it_was_done() -> None:
    """D23: above support's limit somebody who is both acts as ADMIN, up to it as SUPPORT."""
    both, facts = person("both", Role.SUPPORT, Role.ADMIN), with_case(invoice_facts(), proposed())

    def roles(action: A, facts: Facts, limit: int) -> list[tuple[str, str]]:
        policy = replace(POLICY, decision_limit_minor={"USD": limit})
        events = decide(good_act(action, K.INVOICE, both), facts, policy).events
        return [(one.name, one.actor_role) for one in events if one.actor_role != "SYSTEM"]

    assert roles(A.CONFIRM, facts, 5_999) == [("CONFIRM", "ADMIN"), ("APPROVE", "ADMIN")]
    assert roles(A.CONFIRM, facts, 6_000) == [("CONFIRM", "SUPPORT"), ("APPROVE", "SUPPORT")]
    assert roles(A.RETURN, facts, 5_999) == [("RETURN", "SUPPORT")]
    undecided = with_case(invoice_facts(), case_in(S.ESCALATED))
    for action in (A.APPROVE, A.DECLINE):
        assert roles(action, undecided, 5_999) == [(action.value, "ADMIN")]
        assert roles(action, undecided, 6_000) == [(action.value, "SUPPORT")]
    declining = with_case(invoice_facts(), proposed(proposed_decision=RefundDecision.DECLINE, proposed_minor=None))
    assert roles(A.CONFIRM, declining, 5_999) == [("CONFIRM", "ADMIN"), ("DECLINE", "ADMIN")]


def test_while_a_decision_is_proposed_nobody_decides_otherwise() -> None:
    """D23: confirm or return it first; other acts of the parties go on, and end it with the state."""
    facts = with_case(invoice_facts(), proposed())
    for action in (A.APPROVE, A.DECLINE):
        assert why(action, facts, ADMIN) == [("TRANSITION_NOT_ALLOWED", "D23")]
    returned = decide(good_act(A.RETURN, K.INVOICE, COLLEAGUE), facts, LIMITED)
    assert (returned.case.proposed_decision, returned.case.state) == (None, S.ESCALATED)
    consented = decide(good_act(A.CONSENT, K.INVOICE, EXPERT), facts, LIMITED).case
    assert consented.proposed_decision is RefundDecision.APPROVE
    assert decide(good_act(A.DISPUTE, K.INVOICE, CLIENT), facts, LIMITED).case.proposed_decision is None


def test_whoever_signed_the_first_look_stays_out_of_the_second_whatever_is_proposed_there() -> None:
    """D6, D22, D23: who proposed or signed the first answer does not propose, sign, return or reopen the second."""
    limited = replace(POLICY, decision_limit_minor={"USD": 1})
    deputy, third = person("deputy", Role.ADMIN), person("third", Role.SUPPORT)

    def acts(case: Case, *steps: tuple[A, Viewer]) -> Case:
        for action, viewer in steps:
            case = decide(good_act(action, K.LEAD, viewer), with_case(facts_of(K.LEAD), case), limited).case
        return case

    first = acts(case_in(S.REQUESTED, K.LEAD), (A.DECLINE, SUPPORT), (A.CONFIRM, ADMIN), (A.ESCALATE, PRO))
    assert (first.first_proposed_by_id, first.first_decided_by_id) == ("support", "admin")
    second = acts(first, (A.DECLINE, COLLEAGUE))
    for viewer in (SUPPORT, ADMIN):
        for case, actions in ((first, (A.APPROVE, A.DECLINE, A.PROPOSE)), (second, (A.CONFIRM, A.RETURN))):
            for action in actions:
                act, facts = good_act(action, K.LEAD, viewer), with_case(facts_of(K.LEAD), case)
                assert told(refused(act, facts, limited)) == [("SAME_DECIDER", "D6")], (action, viewer)
    assert acts(second, (A.RETURN, third)).state is S.ESCALATED
    final = acts(second, (A.CONFIRM, deputy))
    for viewer in (ADMIN, deputy, *(person(one, Role.ADMIN) for one in ("support", "colleague"))):
        assert why(A.REOPEN, with_case(facts_of(K.LEAD), final), viewer) == [("SAME_DECIDER", "D22")]
    again = acts(final, (A.REOPEN, person("chief", Role.ADMIN)))
    assert why(A.DECLINE, with_case(facts_of(K.LEAD), again), SUPPORT) == [("SAME_DECIDER", "D6")]


def test_who_proposed_what_was_overtaken_has_decided_nothing() -> None:
    """D22, D23: a dispute ends the proposal; its author reopens what another one declines, and signs nothing of it."""
    disputed = decide(good_act(A.DISPUTE, K.INVOICE, CLIENT), with_case(invoice_facts(), proposed()), LIMITED).case
    assert (disputed.proposed_decision, disputed.proposed_by_id) == (None, None)
    chief = person("support", Role.SUPPORT, Role.ADMIN)
    assert why(A.CONFIRM, with_case(invoice_facts(), disputed), chief) == [("TRANSITION_NOT_ALLOWED", "D23")]
    declined = decide(good_act(A.DECLINE, K.INVOICE, ADMIN), with_case(invoice_facts(), disputed), POLICY).case
    assert decide(good_act(A.REOPEN, K.INVOICE, chief), with_case(invoice_facts(), declined), POLICY).case.reopened_at


def test_limits_are_settings_in_money() -> None:
    """D23: per currency, in major units; what is no money is refused."""
    policy = Policy().with_overrides({"decision_limit_minor": "USD:500.00 JPY:70000"})
    assert dict(policy.decision_limit_minor) == {"USD": 50_000, "JPY": 70_000}
    with pytest.raises(PolicyError, match="decision_limit_minor"):
        Policy().with_overrides({"admin_decision_limit_minor": {"USD": "1.001"}})


def finally_declined(kind: RefundCaseKind = K.INVOICE, **given: object) -> Case:
    """Return a case that support declined for good a day ago."""
    base = {"final_decision": True, "support_decided": True, "decided_by_id": "support"}
    return case_in(S.DECLINED, kind, **(base | given))


@pytest.mark.parametrize("kind", K)
def test_a_final_decline_is_reopened(kind: RefundCaseKind) -> None:
    """D22: to support again, with everything that was decided before kept apart from being final."""
    facts = with_case(facts_of(kind), finally_declined(kind, second_look_used=kind is K.LEAD))
    decision = decide(good_act(A.REOPEN, kind, ADMIN), facts, POLICY)
    case = decision.case
    assert (case.state, case.final_decision, case.reopened_at) == (
        S.DISPUTED if kind is K.TIMESHEET else S.ESCALATED,
        False,
        NOW,
    )
    assert (case.whose_move.value, decision.event.name, decision.event.note) == ("SUPPORT", "REOPEN", "Why.")
    again = decide(good_act(A.DECLINE, kind, COLLEAGUE), with_case(facts_of(kind), case), POLICY).case
    assert again.final_decision
    assert why(A.REOPEN, with_case(facts_of(kind), again), ADMIN) == [("FINAL_DECISION", "D22")]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"final_decision": False}, "TRANSITION_NOT_ALLOWED"),
        ({"opened_by": A.ISSUE, "requested_minor": None}, "TRANSITION_NOT_ALLOWED"),
        ({"decided_by_id": "admin"}, "SAME_DECIDER"),
        ({"filed_by_id": "admin"}, "OWN_CASE"),
        ({"declined_at": NOW - timedelta(days=31)}, "WINDOW_CLOSED"),
        ({"declined_at": NOW - timedelta(days=30)}, None),
    ],
)
def test_what_is_not_reopened(given: dict[str, object], code: str | None) -> None:
    """D22: each condition by itself."""
    facts = with_case(invoice_facts(), finally_declined(**given))
    if code is None:
        assert decide(good_act(A.REOPEN, K.INVOICE, ADMIN), facts, POLICY).case.state is S.ESCALATED
    else:
        assert [one for one, _ in why(A.REOPEN, facts, ADMIN)] == [code]
    assert why(A.REOPEN, facts, SUPPORT)[0][0] == "FORBIDDEN"


def test_a_reopened_week_is_paid_from_where_its_money_is() -> None:
    """D22, D13: what was released meanwhile comes from the expert, whose balance may go below nothing."""
    released = week_facts(released=True, held=0)
    case = case_in(S.DISPUTED, K.TIMESHEET, reopened_at=NOW)
    decision = decide(good_act(A.APPROVE, K.TIMESHEET, SUPPORT), with_case(released, case), POLICY)
    assert moves(decision) == [("expert", "client", 6_000)]
    assert decision.postings[0].may_overdraw


def escrow(state: S = S.DISPUTED, **given: object) -> Facts:
    """Return a milestone of 100.00 in dispute about all of it."""
    return with_case(escrow_facts(), case_in(state, K.ESCROW, **({"requested_minor": 10_000} | given)))


@pytest.mark.parametrize(
    ("rest", "minor", "expected", "status"),
    [
        (None, 4_000, [("held", "client", 4_000)], None),
        (RestOfEscrow.HOLD, 4_000, [("held", "client", 4_000)], None),
        (RestOfEscrow.RELEASE, 4_000, [("held", "client", 4_000), ("held", "expert", 6_000)], MilestoneStatus.RELEASED),
        (RestOfEscrow.RELEASE, 10_000, [("held", "client", 10_000)], MilestoneStatus.RETURNED),
    ],
)
def test_what_becomes_of_the_rest_of_escrow(
    rest: RestOfEscrow | None, minor: int, expected: list[object], status: MilestoneStatus | None
) -> None:
    """D11: held unless support releases it; of a whole approval nothing is left."""
    decision = decide(good_act(A.APPROVE, K.ESCROW, SUPPORT, amount=usd(minor), rest=rest), escrow(), POLICY)
    assert (moves(decision), decision.milestone_status) == (expected, status)
    if rest is not None:
        assert ("rest", rest.value) in decision.event.facts


def test_only_support_says_what_becomes_of_the_rest() -> None:
    """D11: for escrow, not by the expert, and with an approval; preview and act alike."""
    for action, kind, state, viewer in (
        (A.APPROVE, K.ESCROW, S.REQUESTED, EXPERT),
        (A.APPROVE, K.INVOICE, S.ESCALATED, SUPPORT),
        (A.DECLINE, K.ESCROW, S.DISPUTED, SUPPORT),
    ):
        facts = with_case(facts_of(kind), case_in(state, kind))
        assert why(action, facts, viewer, rest=RestOfEscrow.RELEASE) == [("INVALID_INPUT", "D11")]
        for policy in (POLICY, replace(POLICY, decision_limit_minor={"USD": 1})):
            act = good_act(action, kind, viewer, rest=RestOfEscrow.RELEASE)
            assert told(decision_preview(act, facts, policy).blockers) == [("INVALID_INPUT", "D11")]


def test_a_confirmed_decision_keeps_what_was_said_of_the_rest() -> None:
    """D11, D23: the rest is released when it is signed."""
    act = good_act(A.APPROVE, K.ESCROW, SUPPORT, amount=usd(8_000), rest=RestOfEscrow.RELEASE)
    waiting = decide(act, escrow(), LIMITED).case
    decision = decide(good_act(A.CONFIRM, K.ESCROW, ADMIN), with_case(escrow_facts(), waiting), LIMITED)
    assert moves(decision) == [("held", "client", 8_000), ("held", "expert", 2_000)]


def test_a_preview_tells_both_sides_and_what_stays_open() -> None:
    """The balances, the contract's worth, hidden reviews, and the client's ways on after a part or a no."""
    facts = with_case(invoice_facts(), case_in(S.REQUESTED, requested_minor=9_000))
    for minor, ways in ((4_000, {A.ESCALATE, A.DISPUTE, A.REQUEST}), (9_000, {A.REQUEST})):
        found = decision_preview(good_act(A.APPROVE, K.INVOICE, EXPERT, amount=usd(minor)), facts, POLICY)
        assert (found.contract_total_after, found.reviews_hidden) == (usd(10_000 - minor), minor > 7_500)
        assert set(found.stays_open) == ways
        assert (found.requester_balance_after, found.counterparty_balance_after) == (None, usd(10_000 - minor))
    declined = decision_preview(good_act(A.DECLINE, K.INVOICE, EXPERT), facts, POLICY)
    assert set(declined.stays_open) == {A.ESCALATE, A.DISPUTE, A.REQUEST}
    escalated = with_case(invoice_facts(), case_in(S.ESCALATED))
    found = decision_preview(good_act(A.DECLINE, K.INVOICE, SUPPORT), escalated, POLICY)
    assert set(found.stays_open) == {A.REQUEST}
    assert found.requester_balance_after == usd(10_000)
