"""What the button says is what the act does, for facts of any shape."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

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
    contract,
    escrow_facts,
    good_act,
    invoice,
    invoice_facts,
    lead_facts,
    person,
    refused,
    told,
    usd,
    week_facts,
    with_case,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_case_workflow import EVENTS

from refundgql.domain.cases import available_actions, decide, decision_preview, is_final, subject_availability
from refundgql.domain.decisions import Act, Availability
from refundgql.domain.facts import Case, Facts, FundsFacts
from refundgql.domain.machines.judge import blockers
from refundgql.domain.payment_cases import for_another_case
from refundgql.domain.policy import Policy
from refundgql.domain.refusals import Refused
from refundgql.domain.rules.situation import Situation
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    ContractKind,
    InvoiceStatus,
    IssueDecision,
    MilestoneStatus,
    RefundActionName,
    RefundCaseKind,
    RefundDecision,
    RestOfEscrow,
    Role,
    SettlementStatus,
)
from usual_examples import USUAL

PEOPLE = st.sampled_from(
    [
        PRO,
        CLIENT,
        EXPERT,
        SUPPORT,
        COLLEAGUE,
        ADMIN,
        SERVICE,
        CUSTOMER,
        STRANGER,
        person("client", Role.CLIENT, Role.SUPPORT),
        person("expert", Role.EXPERT, Role.CLIENT, Role.ADMIN),
        person("pro", Role.PRO, Role.SUPPORT),
    ]
)
AGO = st.sampled_from([0, 1, 2, 4, 5, 6, 7, 8, 14, 15, 29, 30, 31, 32, 179, 180, 181, 182, 364, 365, 366, 900])
SUMS = st.sampled_from([0, 1, 5_999, 6_000, 9_999, 10_000])
STATES = {
    K.LEAD: [S.REQUESTED, S.APPROVED, S.DECLINED, S.ESCALATED, S.CREDITED, S.CANCELLED],
    K.INVOICE: list(S),
    K.ESCROW: list(S),
    K.TIMESHEET: [S.DISPUTED, S.APPROVED, S.DECLINED, S.CREDITED, S.CANCELLED],
}
OPENING = {A.REQUEST, A.ISSUE, A.OPEN_TIMESHEET_DISPUTE}


@st.composite
def payments(draw: st.DrawFn, kind: RefundCaseKind) -> Facts:
    """Draw a payment of any age, paid or not, partly refunded or not."""
    refunded, reserved = draw(st.sampled_from([0, 0, 1, 4_000, 9_999, 10_000])), draw(st.sampled_from([0, 0, 1, 4_000]))
    paid_at = draw(st.one_of(st.none(), AGO.map(_ago)))
    if kind is K.LEAD:
        facts = lead_facts(price=10_000, charged_at=paid_at or NOW)
    elif kind is K.TIMESHEET:
        ends_at = datetime(2026, 3, 2, tzinfo=NOW.tzinfo) + timedelta(days=draw(st.sampled_from([-14, -7, 0, 7])))
        facts = week_facts(
            paid_at=paid_at,
            hours=Decimal(draw(st.sampled_from([0, 4]))),
            starts_at=ends_at - timedelta(days=7),
            ends_at=ends_at,
            released=draw(st.booleans()),
        )
    elif kind is K.ESCROW:
        facts = escrow_facts(status=draw(st.sampled_from(MilestoneStatus)), with_invoice=draw(st.booleans()))
    else:
        facts = invoice_facts(paid_at=paid_at)
        facts = replace(facts, contract=contract(draw(st.sampled_from(ContractKind)), paid_minor=10_000))
    if facts.invoice is not None and facts.invoice.status is InvoiceStatus.PAID and kind is K.ESCROW:
        facts = replace(facts, invoice=invoice(paid_at))
    return _with_sums(draw, facts, refunded, min(reserved, 10_000 - refunded))


def _with_sums(draw: st.DrawFn, facts: Facts, refunded: int, reserved: int) -> Facts:
    there = facts.contract
    if there is not None:
        there = replace(there, refunded_minor=refunded, reserved_minor=reserved)
    payment = replace(
        facts.payment,
        refunded_minor=refunded,
        reserved_minor=reserved,
        requests_made=draw(st.integers(0, 4)),
        support_decided=facts.lead is None and draw(st.sampled_from([False, False, True])),
    )
    funds = FundsFacts(
        held_minor=draw(SUMS), expert_available_minor=draw(SUMS) - 3, requester_available_minor=draw(SUMS)
    )
    return replace(facts, payment=payment, contract=there, funds=funds)


def _ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


@st.composite
def cases(draw: st.DrawFn, kind: RefundCaseKind) -> Case:
    """Draw a case of any state and past."""
    state = draw(st.sampled_from(STATES[kind]))
    given: dict[str, Any] = {}
    if draw(st.booleans()):
        given["final_decision"] = draw(st.booleans())
        given["support_decided"] = draw(st.booleans())
        given["second_look_used"] = draw(st.booleans())
        given["filed_by_id"] = draw(st.sampled_from(["pro", "client", "expert", "support"]))
        given["first_decided_by_id"] = draw(st.sampled_from([None, "support", "colleague"]))
        given["consented_minor"] = draw(st.sampled_from([None, 1, 3_000]))
        given["reversed_at"] = draw(st.sampled_from([None, NOW]))
        given["reopened_at"] = draw(st.sampled_from([None, NOW]))
    if (
        draw(st.booleans())
        and state in (S.REQUESTED, S.ESCALATED, S.DISPUTED)
        and (kind is K.LEAD) == (state is S.REQUESTED)
    ):
        given["proposed_decision"] = draw(st.sampled_from(RefundDecision))
        given["proposed_minor"] = draw(st.sampled_from([1, 6_000])) if given["proposed_decision"] == "APPROVE" else None
        given |= {
            "proposed_text": "Why.",
            "proposed_by_id": draw(st.sampled_from(["support", "admin"])),
            "proposed_at": NOW,
        }
    if state is S.REQUESTED and kind is not K.LEAD:
        given["opened_at"] = draw(AGO.map(_ago))
    if state is S.DECLINED:
        given["declined_at"] = draw(AGO.map(_ago))
    if state is S.APPROVED:
        given["approved_at"] = draw(AGO.map(_ago))
        given["settlement"] = draw(st.sampled_from([SettlementStatus.NOT_DUE, SettlementStatus.AWAITING_FUNDS]))
    if state is S.CREDITED and draw(st.booleans()):
        given |= {"credited_minor": 1, "approved_minor": 1, "continued_by_id": draw(st.sampled_from([None, "next"]))}
    if draw(st.booleans()) and kind in (K.INVOICE, K.ESCROW):
        given |= {"opened_by": A.ISSUE, "requester_id": "expert", "requested_minor": None}
    return case_in(state, kind, **given)


@st.composite
def worlds(draw: st.DrawFn) -> Facts:
    """Draw facts with a case on the payment, sometimes another open one beside it."""
    kind = draw(st.sampled_from(K))
    paid_as = K.TIMESHEET if kind is K.INVOICE and draw(st.booleans()) else kind
    facts = draw(payments(paid_as))
    facts = with_case(facts, draw(cases(kind)))
    if draw(st.booleans()):
        other = case_in(draw(st.sampled_from([S.REQUESTED, S.ESCALATED, S.APPROVED])), K.INVOICE, id="other")
        facts = replace(facts, open_case=other, payment=replace(facts.payment, open_case_id="other"))
    return facts


LIMITED = replace(POLICY, decision_limit_minor={"USD": 3_000}, admin_decision_limit_minor={"USD": 8_000})
POLICIES = st.sampled_from([POLICY, LIMITED])


def right_act(action: RefundActionName, kind: RefundCaseKind, viewer: Viewer, at: datetime = NOW) -> Act:
    """Return an act with right input and the smallest amount there is."""
    small = usd(1) if action in (A.REQUEST, A.OPEN_TIMESHEET_DISPUTE, A.APPROVE, A.CONSENT) else None
    if action is A.REQUEST and kind is K.LEAD:
        small = None
    return good_act(action, kind, viewer, at, amount=small, decision=IssueDecision.FULL if action is A.ISSUE else None)


def agree(shown: Availability, act: Act, facts: Facts, policy: Policy = POLICY) -> None:
    """Assert that an act does what its button says, for the same reasons."""
    if shown.name is A.PROPOSE or [one.code.value for one in shown.blockers] == ["LIMIT_EXCEEDED"]:
        proposes(shown, act, facts, policy)
    elif shown.blockers:
        refusals = refused(act, facts, policy)
        # The button asks about the whole; the smallest amount is within any limit (D23).
        blockers = [one for one in shown.blockers if one.code.value != "LIMIT_EXCEEDED"]
        refusals = tuple(one for one in refusals if one.code.value != "LIMIT_EXCEEDED")
        assert told(refusals) == told(tuple(blockers))
        assert [one.alternatives for one in refusals] == [one.alternatives for one in blockers]
    else:
        assert decide(act, facts, policy).event.name == EVENTS.get(act.action, act.action.value)
        assert shown.available_from is None or shown.available_from <= act.at
        assert shown.available_until is None or shown.available_until > act.at


def proposes(shown: Availability, act: Act, facts: Facts, policy: Policy) -> None:
    """Assert that the whole decision is proposed exactly when the button says that it is above the limit (D23)."""
    action = A.APPROVE if shown.name in (A.PROPOSE, A.CONFIRM) else act.action
    whole = replace(act, action=action, amount=None)
    if shown.name is A.CONFIRM:
        assert told(refused(act, facts, policy)) == told(shown.blockers)
        return
    try:
        name = decide(whole, facts, policy).event.name
    except Refused as refusal:
        name = " ".join(one.code.value for one in refusal.refusals)
    capped = "AMOUNT_EXCEEDS_REFUNDABLE" in name or "CHARGED_BACK" in name  # more was asked than is left
    if capped or (shown.name is A.PROPOSE and name not in ("APPROVE", "PROPOSE")):
        return
    assert (name == "PROPOSE") is (shown.enabled or shown.name is not A.PROPOSE)


@settings(max_examples=4 * USUAL)
@given(facts=worlds(), viewer=PEOPLE, policy=POLICIES)
def test_buttons_of_a_case_say_what_the_server_does(facts: Facts, viewer: Viewer, policy: Policy) -> None:
    """Each act on a case is possible exactly when its button is enabled, else refused by the same rules."""
    assert facts.case is not None
    for shown in available_actions(facts, viewer, NOW, policy):
        assert shown.name not in OPENING
        agree(shown, right_act(shown.name, facts.case.kind, viewer), facts, policy)


@settings(max_examples=4 * USUAL)
@given(
    facts=worlds(),
    viewer=PEOPLE,
    policy=POLICIES,
    minor=st.sampled_from([None, 0, 1, 2_000, 3_001, 6_000, 6_001]),
    approves=st.booleans(),
    rest=st.sampled_from([None, RestOfEscrow.HOLD, RestOfEscrow.RELEASE]),
)
def test_a_decisions_preview_is_the_decision(
    facts: Facts, viewer: Viewer, policy: Policy, minor: int | None, approves: bool, rest: RestOfEscrow | None
) -> None:
    """Its blockers are the act's refusals, its postings and sums the act's, its ways on are open then."""
    assert facts.case is not None
    action = A.APPROVE if approves else A.DECLINE
    amount = None if minor is None or not approves else usd(minor)
    act = good_act(action, facts.case.kind, viewer, amount=amount, rest=rest)
    found = decision_preview(act, facts, policy)
    if not found.allowed:
        assert refused(act, facts, policy) == found.blockers
        return
    decision = decide(act, facts, policy)
    assert found.needs_confirmation is (decision.event.name == "PROPOSE")
    if found.needs_confirmation:
        assert decision.postings == ()
        return
    assert found.postings == decision.postings
    contract = facts.contract
    if contract is not None:
        left = contract.paid_minor - contract.refunded_minor - decision.payment_refunded_delta_minor
        assert found.contract_total_after == usd(left)
        if decision.reviews_hidden is not None:
            assert found.reviews_hidden is decision.reviews_hidden
    case = decision.case
    if not viewer.is_staff and viewer.account_id != case.requester_id:
        assert found.requester_balance_after is None
    if case.state is S.CREDITED and case.support_decided:
        assert {A.ESCALATE, A.DISPUTE}.isdisjoint(found.stays_open)


@settings(max_examples=4 * USUAL)
@given(st.data(), PEOPLE)
def test_buttons_of_a_payment_say_what_the_server_does(data: st.DataObject, viewer: Viewer) -> None:
    """Each way of opening a case is possible exactly when its button is enabled."""
    kind = data.draw(st.sampled_from(K))
    facts = data.draw(payments(kind))
    other = data.draw(st.sampled_from([None, S.REQUESTED, S.ESCALATED, S.DISPUTED, S.APPROVED]))
    if other is not None and kind is not K.LEAD:
        open_case = case_in(other, K.INVOICE, id="other")
        facts = replace(facts, open_case=open_case, payment=replace(facts.payment, open_case_id="other"))
    for action in OPENING:
        if kind is K.LEAD and action is not A.REQUEST:
            continue
        named = K.INVOICE if kind is K.TIMESHEET else kind
        shown = subject_availability(action, facts, viewer, NOW, POLICY, kind=named)
        agree(shown, right_act(action, named, viewer), facts)


@settings(max_examples=2 * USUAL)
@given(facts=worlds(), viewer=PEOPLE)
def test_alternatives_are_those_that_are_open(facts: Facts, viewer: Viewer) -> None:
    """Of what a rule would offer instead, a refusal offers all that is open to the same person, and nothing else."""
    case = facts.case
    assert case is not None
    shown = {one.name: one for one in available_actions(facts, viewer, NOW, POLICY)}

    def is_open(offered: RefundActionName) -> bool:
        if offered not in OPENING:
            return offered in shown and shown[offered].enabled
        if (facts.lead is not None and offered is not A.REQUEST) or (
            offered is A.OPEN_TIMESHEET_DISPUTE and facts.week is None
        ):
            return False
        return subject_availability(offered, for_another_case(facts, case), viewer, NOW, POLICY).enabled

    act = Act(action=A.SEND_MESSAGE, at=NOW, viewer=viewer)
    found = {name: blockers(Situation(act, facts, POLICY, case.kind, name, case, asking=True)) for name in shown}
    assume(any(one.alternatives for refusals in found.values() for one in refusals))
    for name, refusals in found.items():
        offered = [tuple(one for one in refusal.alternatives if is_open(one)) for refusal in refusals]
        assert [one.alternatives for one in shown[name].blockers] == offered


@settings(max_examples=2 * USUAL)
@given(facts=worlds())
def test_a_final_case_has_no_way_on(facts: Facts) -> None:
    """isFinal means that nobody is shown an enabled act that would change the state, but to mend it."""
    assert facts.case is not None
    if not is_final(facts, NOW, POLICY):
        return
    for viewer in (PRO, CLIENT, EXPERT, SUPPORT, COLLEAGUE, ADMIN):
        for shown in available_actions(facts, viewer, NOW, POLICY):
            if shown.enabled:
                assert shown.name in (A.ADD_EVIDENCE, A.SEND_MESSAGE, A.ASSIGN, A.REVERSE, A.REOPEN)
