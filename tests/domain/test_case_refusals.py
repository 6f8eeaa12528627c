"""Each rule's refusal exactly: code, rule, parameters, and what to do instead."""

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
    PRO,
    SUPPORT,
    A,
    K,
    S,
    case_in,
    day,
    done,
    escrow_facts,
    facts_of,
    good_act,
    invoice_facts,
    lead_facts,
    only,
    person,
    refused,
    usd,
    week_facts,
    why,
    with_case,
)

from refundgql.domain.facts import FundsFacts
from refundgql.domain.money import Money
from refundgql.domain.payment_cases import with_cases
from refundgql.domain.refusals import AmountRefusal, BasicRefusal, ConflictRefusal, WindowRefusal
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    ContractKind,
    IssueDecision,
    MilestoneStatus,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundReason,
    RefusalCode,
    Role,
    SettlementStatus,
)


def test_the_cap_counts_payment_and_contract() -> None:
    """C14, D9: the smaller rest of the two, less what is reserved."""
    facts = invoice_facts(refunded_minor=1_000, reserved_minor=500)
    assert facts.contract is not None
    refusal = only(good_act(A.REQUEST, K.INVOICE, CLIENT, amount=usd(8_501)), facts)
    assert isinstance(refusal, AmountRefusal)
    assert (refusal.code.value, refusal.rule) == ("AMOUNT_EXCEEDS_REFUNDABLE", "C14")
    assert (refusal.maximum, refusal.requested, refusal.field) == (usd(8_500), usd(8_501), ("amount",))
    poorer = replace(facts, contract=replace(facts.contract, refunded_minor=9_000))
    assert only(good_act(A.REQUEST, K.INVOICE, CLIENT), poorer).maximum == usd(500)  # type: ignore[attr-defined]
    nothing = invoice_facts(refunded_minor=10_000)
    refusal = only(good_act(A.REQUEST, K.INVOICE, CLIENT, amount=usd(1)), nothing)
    assert refusal.maximum == usd(0)  # type: ignore[attr-defined]
    assert refusal.message == "Nothing is left of this payment to refund: look at its earlier refunds."


def test_an_approval_is_at_most_what_was_asked_and_is_left() -> None:
    """D9: looked at again when it is approved; without an amount it is the requested one."""
    facts = with_case(invoice_facts(), case_in(S.REQUESTED))
    refusal = only(good_act(A.APPROVE, K.INVOICE, EXPERT, amount=usd(6_001)), facts)
    assert isinstance(refusal, AmountRefusal)
    assert (refusal.rule, refusal.maximum, refusal.requested) == ("D9", usd(6_000), usd(6_001))
    less = with_case(invoice_facts(refunded_minor=5_000), case_in(S.REQUESTED))
    refusal = only(good_act(A.APPROVE, K.INVOICE, EXPERT), less)
    assert isinstance(refusal, AmountRefusal)
    assert (refusal.rule, refusal.maximum, refusal.requested) == ("C14", usd(5_000), usd(6_000))
    assert done(A.APPROVE, less, EXPERT, amount=usd(5_000)).case.credited_minor == 5_000


def test_support_approves_at_most_a_leads_price() -> None:
    """D5: all or part of the price."""
    facts = with_case(lead_facts(), case_in(S.REQUESTED, K.LEAD))
    refusal = only(good_act(A.APPROVE, K.LEAD, SUPPORT, amount=usd(2_001)), facts)
    assert isinstance(refusal, AmountRefusal)
    assert (refusal.rule, refusal.maximum) == ("D5", usd(2_000))
    assert done(A.APPROVE, facts, SUPPORT, amount=usd(1)).case.credited_minor == 1


def test_accepted_work_is_refunded_by_consent_alone() -> None:
    """C29: support approves at most what the expert consented to; nobody escalates or disputes it."""
    escalated = case_in(S.ESCALATED)
    facts = with_case(escrow_facts(status=MilestoneStatus.RELEASED), escalated)
    refusal = only(good_act(A.APPROVE, K.INVOICE, SUPPORT), facts)
    assert isinstance(refusal, AmountRefusal)
    assert (refusal.code.value, refusal.rule, refusal.maximum) == ("AMOUNT_EXCEEDS_REFUNDABLE", "C29", usd(0))
    consented = done(A.CONSENT, facts, EXPERT, amount=usd(2_500))
    facts = with_case(escrow_facts(status=MilestoneStatus.RELEASED), consented.case)
    refusal = only(good_act(A.APPROVE, K.INVOICE, SUPPORT, amount=usd(2_501)), facts)
    assert refusal.maximum == usd(2_500)  # type: ignore[attr-defined]
    assert done(A.APPROVE, facts, SUPPORT, amount=usd(2_500)).case.credited_minor == 2_500
    assert why(A.DISPUTE, facts, CLIENT) == [("DISPUTE_NOT_AVAILABLE", "C29")]
    declined = with_case(escrow_facts(status=MilestoneStatus.RELEASED), case_in(S.DECLINED))
    refusal = only(good_act(A.ESCALATE, K.INVOICE, CLIENT), declined)
    assert (refusal.code.value, refusal.rule, refusal.alternatives) == ("ESCALATION_NOT_AVAILABLE", "C29", (A.REQUEST,))


def test_consent_is_at_most_what_was_asked() -> None:
    """C15: consent above the requested amount is refused."""
    facts = with_case(invoice_facts(), case_in(S.ESCALATED))
    refusal = only(good_act(A.CONSENT, K.INVOICE, EXPERT, amount=usd(6_001)), facts)
    assert isinstance(refusal, AmountRefusal)
    assert (refusal.rule, refusal.maximum) == ("C15", usd(6_000))


def test_only_hourly_work_is_escalated_and_disputed() -> None:
    """C24, C31: a fixed price without milestone is asked about again instead."""
    facts = with_case(invoice_facts(contract_kind=ContractKind.FIXED_PRICE), case_in(S.DECLINED))
    for action, code, rule in (
        (A.ESCALATE, "ESCALATION_NOT_AVAILABLE", "C24"),
        (A.DISPUTE, "DISPUTE_NOT_AVAILABLE", "C31"),
    ):
        refusal = only(good_act(action, K.INVOICE, CLIENT), facts)
        assert (refusal.code.value, refusal.rule, refusal.alternatives) == (code, rule, (A.REQUEST,))


@pytest.mark.parametrize(("given", "rule"), [({"opened_by": A.ISSUE}, "C13"), ({}, "D14")])
def test_a_final_decline_goes_nowhere(given: dict[str, object], rule: str) -> None:
    """C13, D14: what made it final is said."""
    facts = with_case(invoice_facts(), case_in(S.DECLINED, final_decision=True, **given))
    assert why(A.ESCALATE, facts, CLIENT) == [("ESCALATION_NOT_AVAILABLE", rule)]
    assert why(A.DISPUTE, facts, CLIENT) == [("DISPUTE_NOT_AVAILABLE", rule)]


def test_what_a_state_does_not_allow_is_said_in_words() -> None:
    """TRANSITION_NOT_ALLOWED names neither acts nor states as the program does."""
    facts = with_case(invoice_facts(), case_in(S.CANCELLED))
    refusal = only(good_act(A.CANCEL, K.INVOICE, CLIENT), facts)
    assert isinstance(refusal, ConflictRefusal)
    assert refusal.message == "A refund that is cancelled cannot be cancelled: look at what the case allows now."
    refusal = only(good_act(A.CONSENT, K.INVOICE, EXPERT, amount=usd(1)), with_case(facts, case_in(S.REQUESTED)))
    assert refusal.message == "A refund that is requested cannot be consented to: look at what the case allows now."


def test_the_second_look_is_taken_once() -> None:
    """D6: SECOND_LOOK_USED, and the first decider does not take it."""
    used = case_in(S.DECLINED, K.LEAD, second_look_used=True)
    assert why(A.ESCALATE, with_case(lead_facts(), used), PRO) == [("SECOND_LOOK_USED", "D6")]
    looking = with_case(lead_facts(), case_in(S.ESCALATED, K.LEAD, first_decided_by_id="support"))
    for action in (A.APPROVE, A.DECLINE):
        assert why(action, looking, SUPPORT) == [("SAME_DECIDER", "D6")]
        assert done(action, looking, COLLEAGUE).case.decided_by_id == "colleague"


def test_an_expert_whose_case_moved_on_may_consent() -> None:
    """C15: who may not decide any more is told what is left."""
    for kind, state in ((K.INVOICE, S.ESCALATED), (K.ESCROW, S.DISPUTED), (K.TIMESHEET, S.DISPUTED)):
        facts = with_case(facts_of(kind), case_in(state, kind))
        refusal = only(good_act(A.APPROVE, kind, EXPERT), facts)
        assert (refusal.code.value, refusal.alternatives) == ("FORBIDDEN", (A.CONSENT,))
        assert only(good_act(A.APPROVE, kind, CLIENT), facts).alternatives == ()


def test_nobody_decides_on_their_own_money() -> None:
    """Staff who are a party, or who filed the case, leave the decision to a colleague (D4)."""
    filer = with_case(lead_facts(), case_in(S.REQUESTED, K.LEAD, filed_by_id="support"))
    assert why(A.APPROVE, filer, SUPPORT) == [("OWN_CASE", "D4")]
    assert why(A.DECLINE, filer, SUPPORT) == [("OWN_CASE", "D4")]
    for account in ("pro", "customer"):
        own = with_case(lead_facts(), case_in(S.REQUESTED, K.LEAD))
        assert why(A.APPROVE, own, person(account, Role.PRO, Role.SUPPORT)) == [("OWN_CASE", None)]
    for account in ("client", "expert"):
        party = person(account, Role.CLIENT, Role.EXPERT, Role.SUPPORT, Role.ADMIN)
        assert why(A.APPROVE, with_case(invoice_facts(), case_in(S.ESCALATED)), party) == [("OWN_CASE", None)]
        assert why(A.REVERSE, with_case(invoice_facts(), case_in(S.CREDITED)), party) == [("OWN_CASE", None)]
    expert_and_staff = person("expert", Role.EXPERT, Role.SUPPORT)
    assert done(A.APPROVE, with_case(invoice_facts(), case_in(S.REQUESTED)), expert_and_staff).event.actor_role == (
        "EXPERT"
    )


DECIDING = [
    (K.LEAD, S.REQUESTED, A.APPROVE),
    (K.LEAD, S.REQUESTED, A.DECLINE),
    (K.LEAD, S.ESCALATED, A.APPROVE),
    (K.LEAD, S.ESCALATED, A.DECLINE),
    *(
        (kind, state, act)
        for kind in (K.INVOICE, K.ESCROW)
        for state in (S.ESCALATED, S.DISPUTED)
        for act in (A.APPROVE, A.DECLINE)
    ),
    (K.TIMESHEET, S.DISPUTED, A.APPROVE),
    (K.TIMESHEET, S.DISPUTED, A.DECLINE),
    *((kind, S.CREDITED, A.REVERSE) for kind in K),
    *((kind, S.DECLINED, A.REOPEN) for kind in K),
    *(
        (kind, S.DISPUTED if kind is not K.LEAD else S.ESCALATED, act)
        for kind in K
        for act in (A.PROPOSE, A.CONFIRM, A.RETURN)
    ),
]
"""Every act by which staff decide, in every state in which they do."""


@pytest.mark.parametrize(("kind", "state", "action"), DECIDING)
def test_neither_a_party_nor_the_filer_decides(
    kind: RefundCaseKind, state: RefundCaseState, action: RefundActionName
) -> None:
    """OWN_CASE for both sides of the money and for whoever filed, in every kind and state (D4)."""
    sides = ("pro", "customer") if kind is K.LEAD else ("client", "expert")
    for account in sides:
        party = person(account, Role.PRO, Role.CLIENT, Role.EXPERT, Role.SUPPORT, Role.ADMIN)
        facts = with_case(facts_of(kind), case_in(state, kind, support_decided=True, final_decision=True))
        assert ("OWN_CASE", None) in why(action, facts, party)
    filed = with_case(facts_of(kind), case_in(state, kind, filed_by_id="admin", final_decision=True))
    assert ("OWN_CASE", "D4") in why(action, filed, ADMIN)


@pytest.mark.parametrize("kind", K)
def test_every_reversal_has_a_reason(kind: RefundCaseKind) -> None:
    """D16: without words it is refused, of a lead too."""
    facts = with_case(facts_of(kind), case_in(S.CREDITED, kind))
    for text in (None, "  "):
        assert why(A.REVERSE, facts, ADMIN, text=text) == [("INVALID_INPUT", "D16")]


def test_nothing_in_a_currency_of_three_decimals_is_nothing() -> None:
    """D2: 0.000 KWD is no amount, 0.001 KWD is one."""
    facts = invoice_facts()
    assert facts.contract is not None
    kwd = replace(
        facts, payment=replace(facts.payment, currency="KWD"), contract=replace(facts.contract, currency="KWD")
    )
    assert why(A.REQUEST, kwd, CLIENT, amount=Money(0, "KWD")) == [("INVALID_INPUT", "D2")]
    assert done(A.REQUEST, kwd, CLIENT, amount=Money(1, "KWD")).case.requested_minor == 1


def test_faults_of_the_input_come_in_their_place() -> None:
    """Who acts comes first, then what was given, each field once, then the version, the state and the rules."""
    fault = BasicRefusal(code=RefusalCode.INVALID_INPUT, message="No amount.", rule="D2", field=("amount",))
    long = BasicRefusal(code=RefusalCode.INVALID_INPUT, message="Too long.", field=("message",))
    facts = with_case(invoice_facts(paid_at=NOW - timedelta(days=300)), case_in(S.REQUESTED))
    assert why(A.APPROVE, facts, CLIENT, faults=(fault,)) == [("FORBIDDEN", "C12")]
    assert why(A.APPROVE, facts, EXPERT, faults=(fault,), expected_version=1) == [("INVALID_INPUT", "D2")]
    assert why(A.APPROVE, facts, EXPERT, expected_version=1) == [("VERSION_CONFLICT", None)]
    assert why(A.APPROVE, facts, EXPERT) == [("WINDOW_CLOSED", "D7")]
    assert why(A.REVERSE, facts, ADMIN, text=None) == [("INVALID_INPUT", "D16")]
    both = good_act(A.DECLINE, K.INVOICE, EXPERT, text="x" * 10_001, faults=(long,))
    assert [one.message for one in refused(both, facts)] == ["Too long."]
    explained = good_act(A.REQUEST, K.LEAD, PRO, reason=RefundReason.OTHER, reason_detail=None, text="x" * 10_001)
    assert [one.message for one in refused(explained, lead_facts())] == ["Shorten the text to 10000 characters."]


def test_own_case_and_same_decider_are_told_together() -> None:
    """The first group that refuses gives all of its refusals."""
    case = case_in(S.ESCALATED, K.LEAD, first_decided_by_id="support", filed_by_id="support")
    assert why(A.APPROVE, with_case(lead_facts(), case), SUPPORT) == [("OWN_CASE", "D4"), ("SAME_DECIDER", "D6")]


def test_only_whoever_asked_cancels() -> None:
    """D15: an issued refund that was escalated is cancelled by nobody."""
    issued = with_case(
        invoice_facts(),
        case_in(S.ESCALATED, opened_by=A.ISSUE, requester_id="expert", counterparty_id="client", filed_by_id="expert"),
    )
    assert why(A.CANCEL, issued, CLIENT) == [("FORBIDDEN", "D15")]
    assert why(A.CANCEL, issued, EXPERT) == [("FORBIDDEN", "D15")]


def test_one_open_case_per_payment() -> None:
    """D14: the open case's number and what can be done with it."""
    facts = replace(with_case(invoice_facts(), case_in(S.REQUESTED)), case=None)
    facts = replace(facts, open_case=case_in(S.REQUESTED))
    refusal = only(good_act(A.REQUEST, K.INVOICE, CLIENT), facts)
    assert (refusal.code.value, refusal.rule) == ("CASE_ALREADY_OPEN", "D14")
    assert "RC-000007" in refusal.message
    assert refusal.alternatives == (A.DISPUTE, A.ADD_EVIDENCE, A.CANCEL)
    assert only(good_act(A.ISSUE, K.INVOICE, EXPERT), facts).alternatives == (A.APPROVE, A.DECLINE, A.ADD_EVIDENCE)
    none = good_act(A.ISSUE, K.INVOICE, EXPERT, decision=IssueDecision.NONE)
    assert only(none, facts).code.value == "CASE_ALREADY_OPEN"
    declined = with_case(invoice_facts(open_case_id="other"), case_in(S.DECLINED))
    declined = replace(declined, payment=replace(declined.payment, open_case_id="other"))
    assert why(A.ESCALATE, declined, CLIENT) == [("CASE_ALREADY_OPEN", "D14")]
    assert why(A.DISPUTE, declined, CLIENT) == [("CASE_ALREADY_OPEN", "D14")]


@pytest.mark.parametrize("state", [S.DISPUTED, S.APPROVED])
def test_a_case_further_on_keeps_a_timesheet_dispute_out(state: object) -> None:
    """D14, C25: only an undecided invoice request gives way to a dispute of its week."""
    there = with_case(week_facts(), case_in(state))  # type: ignore[arg-type]
    facts = replace(there, case=None, open_case=there.case)
    assert why(A.OPEN_TIMESHEET_DISPUTE, facts, CLIENT, kind=K.TIMESHEET)[0] == ("CASE_ALREADY_OPEN", "D14")


def test_three_requests_per_payment() -> None:
    """D14: the fourth is refused, cancelled ones included; issuing counts for nothing."""
    assert why(A.REQUEST, invoice_facts(requests_made=3), CLIENT) == [("TOO_MANY_REQUESTS_FOR_PAYMENT", "D14")]
    assert done(A.REQUEST, invoice_facts(requests_made=2), CLIENT).case
    assert done(A.ISSUE, invoice_facts(requests_made=3), EXPERT).case


@pytest.mark.parametrize("state", [S.DECLINED, S.CREDITED, S.APPROVED])
@pytest.mark.parametrize("own", [True, False])
def test_supports_decision_is_final_for_the_payment(state: RefundCaseState, own: bool) -> None:
    """D12: on whatever kind of case it was taken, no case on that money is escalated or disputed any more."""
    decided = case_in(state, support_decided=own, approved_minor=1, credited_minor=1, final_decision=own)
    for facts in (with_case(invoice_facts(support_decided=not own), decided),):
        assert why(A.ESCALATE, facts, CLIENT)[0] == ("FINAL_DECISION", "D12")
        if state is not S.APPROVED:
            assert why(A.DISPUTE, facts, CLIENT)[0] == ("FINAL_DECISION", "D12")
    week = replace(week_facts(), payment=replace(week_facts().payment, support_decided=True))
    refusal = only(good_act(A.OPEN_TIMESHEET_DISPUTE, K.TIMESHEET, CLIENT), week)
    assert (refusal.code.value, refusal.rule, refusal.alternatives) == ("FINAL_DECISION", "D12", (A.REQUEST,))


def test_after_supports_decision_the_expert_is_asked_as_goodwill() -> None:
    """D12, C29: while the direct window is open, without an answer time, and support only gives what was consented."""
    decided = invoice_facts(support_decided=True)
    case = done(A.REQUEST, decided, CLIENT).case
    assert (case.state, case.respond_by) == (S.REQUESTED, day("2026-08-30"))  # as C29: the direct window alone
    assert done(A.REQUEST, escrow_facts(support_decided=True), CLIENT).case.respond_by is None
    assert why(A.DISPUTE, with_case(decided, case), CLIENT) == [("FINAL_DECISION", "D12")]
    late = invoice_facts(support_decided=True, paid_at=NOW - timedelta(days=181))
    assert why(A.REQUEST, late, CLIENT) == [("FINAL_DECISION", "D12")]
    escalated = with_case(decided, case_in(S.ESCALATED))
    refusal = only(good_act(A.APPROVE, K.INVOICE, SUPPORT), escalated)
    assert isinstance(refusal, AmountRefusal)
    assert (refusal.rule, refusal.maximum) == ("D12", usd(0))
    consented = with_case(decided, case_in(S.ESCALATED, consented_minor=2_000))
    assert only(good_act(A.APPROVE, K.INVOICE, SUPPORT), consented).maximum == usd(2_000)  # type: ignore[attr-defined]
    assert done(A.APPROVE, consented, SUPPORT, amount=usd(2_000)).case.credited_minor == 2_000


def test_a_leads_requests_are_counted_too() -> None:
    """D14: cancelled first looks count; D6: a cancelled second look leaves neither a first nor a second one."""
    assert why(A.REQUEST, lead_facts(requests_made=3), PRO) == [("TOO_MANY_REQUESTS_FOR_PAYMENT", "D14")]
    first = case_in(S.CANCELLED, K.LEAD)
    asked_again = with_cases(lead_facts(), [first], None)
    assert done(A.REQUEST, asked_again, PRO).case.state is S.REQUESTED
    second = case_in(S.CANCELLED, K.LEAD, second_look_used=True)
    refusal = only(good_act(A.REQUEST, K.LEAD, PRO), with_cases(lead_facts(), [second], None))
    assert (refusal.code.value, refusal.rule) == ("TOO_MANY_REQUESTS_FOR_PAYMENT", "D6")


def test_one_case_per_lead() -> None:
    """D6: an open one, a closed one, and a cancelled one after the window."""
    open_one = replace(with_case(lead_facts(), case_in(S.REQUESTED, K.LEAD)), case=None)
    assert why(A.REQUEST, open_one, PRO) == [("CASE_ALREADY_OPEN", "D6")]
    declined = with_case(lead_facts(), case_in(S.DECLINED, K.LEAD))
    closed = replace(declined, case=None, previous_declined=declined.case)
    refusal = only(good_act(A.REQUEST, K.LEAD, PRO), closed)
    assert (refusal.code.value, refusal.rule) == ("TOO_MANY_REQUESTS_FOR_PAYMENT", "D6")
    assert refusal.alternatives == (A.ESCALATE,)
    cancelled = lead_facts(requests_made=1)
    assert done(A.REQUEST, cancelled, PRO).case.state is S.REQUESTED
    late = lead_facts(requests_made=1, charged_at=NOW - timedelta(days=31))
    assert why(A.REQUEST, late, SUPPORT) == [("TOO_MANY_REQUESTS_FOR_PAYMENT", "D6")]
    assert why(A.REQUEST, late, PRO) == [("WINDOW_CLOSED", "L15")]


def test_unpaid_money_is_not_refunded() -> None:
    """C04, C11: an invoice that is not paid."""
    assert why(A.REQUEST, invoice_facts(paid_at=None), CLIENT) == [("INVOICE_NOT_PAID", "C04")]
    assert why(A.ISSUE, invoice_facts(paid_at=None), EXPERT) == [("INVOICE_NOT_PAID", "C04")]
    assert why(A.OPEN_TIMESHEET_DISPUTE, week_facts(paid_at=None), CLIENT, kind=K.TIMESHEET) == [
        ("INVOICE_NOT_PAID", "C11")
    ]


def test_an_unreleased_milestones_invoice_is_escrow() -> None:
    """C30: asked for as an invoice it is refused, with asking for the escrow as what is left."""
    refusal = only(good_act(A.REQUEST, K.INVOICE, CLIENT), escrow_facts())
    assert (refusal.code.value, refusal.rule, refusal.alternatives) == ("NOT_YET_AVAILABLE", "C30", (A.REQUEST,))
    assert isinstance(refusal, WindowRefusal)
    assert done(A.ISSUE, escrow_facts(), EXPERT, kind=K.INVOICE).case.kind is K.ESCROW


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (MilestoneStatus.UNFUNDED, "MILESTONE_NOT_FUNDED"),
        (MilestoneStatus.RETURNED, "MILESTONE_NOT_FUNDED"),
        (MilestoneStatus.RELEASED, "MILESTONE_RELEASED"),
    ],
)
def test_escrow_needs_a_funded_milestone(status: MilestoneStatus, code: str) -> None:
    """C30: what is not in escrow does not come back from it."""
    refusals = refused(good_act(A.REQUEST, K.ESCROW, CLIENT), escrow_facts(status=status))
    assert (refusals[0].code.value, refusals[0].rule) == (code, "C30")
    if status is MilestoneStatus.RELEASED:
        assert refusals[0].alternatives == (A.REQUEST,)


def test_a_released_milestone_is_still_refunded_voluntarily() -> None:
    """C29: the client may ask, the expert may issue, with or without an invoice."""
    released = escrow_facts(status=MilestoneStatus.RELEASED)
    assert done(A.REQUEST, released, CLIENT, kind=K.INVOICE).case.kind is K.INVOICE
    bare = escrow_facts(status=MilestoneStatus.RELEASED, with_invoice=False)
    decision = done(A.ISSUE, bare, EXPERT, kind=K.ESCROW)
    assert (decision.case.kind, decision.case.state, decision.case.milestone_id) == (K.INVOICE, S.CREDITED, "milestone")


def test_funds_that_are_not_awaited_are_not_escalated() -> None:
    """D13: an approval whose money is not awaited stays."""
    facts = with_case(invoice_facts(), case_in(S.APPROVED, settlement=SettlementStatus.NOT_DUE))
    assert why(A.ESCALATE, facts, CLIENT) == [("ESCALATION_NOT_AVAILABLE", "D13")]


def test_credit_waits_for_funds() -> None:
    """D13: the system's CREDIT is refused while a cent is missing."""
    facts = with_case(invoice_facts(funds=5_999), case_in(S.APPROVED))
    assert why(A.CREDIT, facts, None) == [("FUNDS_INSUFFICIENT", "D13")]
    assert done(A.CREDIT, with_case(invoice_facts(funds=6_000), case_in(S.APPROVED)), None).case.state is S.CREDITED


def test_a_reversal_needs_the_money_and_happens_once() -> None:
    """D16: BALANCE_INSUFFICIENT, and a conflict the second time."""
    facts = with_case(invoice_facts(), case_in(S.CREDITED))
    poor = replace(facts, funds=FundsFacts(requester_available_minor=5_999))
    assert why(A.REVERSE, poor, ADMIN) == [("BALANCE_INSUFFICIENT", "D16")]
    again = with_case(invoice_facts(), case_in(S.CREDITED, reversed_at=NOW))
    refusal = only(good_act(A.REVERSE, K.INVOICE, ADMIN), again)
    assert isinstance(refusal, ConflictRefusal)
    assert (refusal.code.value, refusal.rule) == ("TRANSITION_NOT_ALLOWED", "D16")
    spent = replace(again, funds=FundsFacts(requester_available_minor=0))
    assert why(A.REVERSE, spent, ADMIN) == [("TRANSITION_NOT_ALLOWED", "D16")]


@pytest.mark.parametrize("viewer", [PRO, CLIENT, EXPERT, SUPPORT])
def test_nobody_plays_the_system(viewer: Viewer) -> None:
    """Timers and settlement act by themselves, never by request."""
    facts = with_case(invoice_facts(), case_in(S.REQUESTED))
    for action in (A.HAND_OVER, A.SUPERSEDE, A.CREDIT):
        assert refused(good_act(action, K.INVOICE, viewer), facts)[0].code.value == "FORBIDDEN"


def test_words_do_not_lead_to_what_is_closed() -> None:
    """Nobody is told to go on with a request that is over, or that support decides what nobody can bring there."""
    fixed = invoice_facts(contract_kind=ContractKind.FIXED_PRICE)
    for state, words in ((S.REQUESTED, "go on with the refund request"), (S.DECLINED, "look at what else")):
        assert words in only(good_act(A.DISPUTE, K.INVOICE, CLIENT), with_case(fixed, case_in(state))).message
    for days, words in ((200, "the client can still ask support"), (400, "nothing more can be done")):
        late = invoice_facts(paid_at=NOW - timedelta(days=days))
        assert words in only(good_act(A.ISSUE, K.INVOICE, EXPERT), late).message


def test_a_refusal_is_one_sentence() -> None:
    """What people read is one sentence that ends."""
    facts = with_case(invoice_facts(paid_at=NOW - timedelta(days=400)), case_in(S.DECLINED))
    for action in (A.ESCALATE, A.DISPUTE, A.APPROVE, A.CANCEL):
        for refusal in refused(good_act(action, K.INVOICE, CLIENT), facts):
            assert refusal.message.endswith(".")
            assert ". " not in refusal.message
