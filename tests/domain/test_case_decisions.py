"""What decisions change: events in order, money from where to where, sums, timers, flags."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from domain_world import (
    ADMIN,
    CLIENT,
    EXPERT,
    NOW,
    POLICY,
    PRO,
    SUPPORT,
    A,
    K,
    S,
    case_in,
    contract,
    day,
    done,
    escrow_facts,
    invoice_facts,
    lead_facts,
    moves,
    usd,
    week_facts,
    with_case,
)

from refundgql.domain.cases import run_out, shortfall, withdrawal_changed
from refundgql.domain.decisions import Decision
from refundgql.domain.facts import Facts, FundsFacts
from refundgql.domain.refusals import Refused
from refundgql.domain.vocabulary import IssueDecision, MilestoneStatus, RefundReason, RefundReasonDetail

SATURDAY = day("2026-03-07T09:00")


def names(decision: Decision) -> list[str]:
    """Return the names of the events."""
    return [event.name for event in decision.events]


def after(facts: Facts, decision: Decision) -> Facts:
    """Return the facts with the decision's case."""
    return with_case(replace(facts, case=None), decision.case)


def test_a_lead_is_asked_about() -> None:
    """L14, L16, D3: REQUESTED on the support route, due in 48 hours, asking for the price, with a first event."""
    decision = done(A.REQUEST, lead_facts(), PRO)
    case = decision.case
    assert (case.state, case.route.value, case.whose_move.value) == (S.REQUESTED, "SUPPORT", "SUPPORT")
    assert (case.requested_minor, case.counterparty_id, case.version, case.number) == (2_000, None, 1, 0)
    assert [(clock.name.value, clock.due_at) for clock in decision.clocks] == [
        ("SLA_DECISION", NOW + timedelta(hours=24))  # a word, a day before the target (D21)
    ]
    assert case.deadline_at == NOW + timedelta(hours=48)
    (event,) = decision.events
    assert (event.name, event.sequence, event.from_state, event.to_state) == ("REQUEST", 1, None, S.REQUESTED)
    assert (event.actor_id, event.actor_role, event.amount, event.note) == ("pro", "PRO", usd(2_000), "Why.")
    seen = (("elapsedDays", "3"), ("limitDays", "30"), ("requestsMade", "0"), ("maximum", "20.00 USD"))
    assert event.facts == (*seen, ("policyVersion", POLICY.version))
    assert (decision.postings, decision.customer_reported) == ((), False)


def test_a_terms_violation_reports_the_customer() -> None:
    """L10: the report is filed with the request."""
    decision = done(
        A.REQUEST,
        lead_facts(),
        PRO,
        reason=RefundReason.TERMS_VIOLATION,
        reason_detail=RefundReasonDetail.RECRUITING_EMPLOYEES,
    )
    assert decision.customer_reported


def test_a_leads_approval_is_credited_at_once() -> None:
    """L17, L18, D5: both events in order, the money in the balance for leads, which is never sent on."""
    facts = with_case(lead_facts(), case_in(S.REQUESTED, K.LEAD))
    decision = done(A.APPROVE, facts, SUPPORT, amount=usd(1_500))
    assert names(decision) == ["APPROVE", "CREDIT"]
    assert [event.sequence for event in decision.events] == [4, 5]
    assert [event.actor_role for event in decision.events] == ["SUPPORT", "SYSTEM"]
    assert moves(decision) == [("platform", "pro", 1_500)]
    case = decision.case
    assert (case.state, case.credited_minor, case.settlement.value) == (S.CREDITED, 1_500, "SETTLED")
    assert (decision.payment_refunded_delta_minor, decision.payment_reserved_delta_minor) == (1_500, 0)
    assert (decision.clocks, decision.withdrawal_requested, decision.reviews_hidden) == ((), False, None)
    assert (case.first_decided_by_id, case.version, decision.event.name) == ("support", 5, "APPROVE")


def test_a_leads_first_decline_is_not_final() -> None:
    """D6: the move is the professional's; after the second look it is nobody's."""
    decision = done(A.DECLINE, with_case(lead_facts(), case_in(S.REQUESTED, K.LEAD)), SUPPORT)
    case = decision.case
    assert (case.final_decision, case.whose_move.value, case.first_decided_by_id) == (False, "REQUESTER", "support")
    second = with_case(lead_facts(), case_in(S.ESCALATED, K.LEAD, second_look_used=True, first_decided_by_id="x"))
    case = done(A.DECLINE, second, SUPPORT).case
    assert (case.final_decision, case.whose_move.value, case.first_decided_by_id) == (True, "NOBODY", "x")


def test_a_target_is_missed_once() -> None:
    """L14: flags the case, decides nothing, and does nothing when it does not apply any more."""
    case = case_in(S.REQUESTED, K.LEAD, opened_at=NOW - timedelta(hours=48))
    facts = with_case(lead_facts(), case)
    assert run_out(facts, NOW - timedelta(microseconds=1), POLICY, reminding=False) is None
    decision = run_out(facts, NOW, POLICY)
    assert decision is not None
    assert (names(decision), decision.case.state, decision.case.overdue) == (["TARGET_MISSED"], S.REQUESTED, True)
    assert (decision.event.rule, decision.clocks) == ("L14", ())
    for gone in (decision.case, case_in(S.DECLINED, K.LEAD)):
        assert run_out(with_case(lead_facts(), gone), NOW, POLICY) is None
    escalated = done(A.ESCALATE, with_case(lead_facts(), case_in(S.DECLINED, K.LEAD, overdue=True)), PRO).case
    assert not escalated.overdue


def test_remarks_keep_the_timers() -> None:
    """A message or evidence changes no state and leaves the case's timers set."""
    facts = with_case(invoice_facts(), done(A.REQUEST, invoice_facts(), CLIENT).case)
    for action in (A.SEND_MESSAGE, A.ADD_EVIDENCE):
        decision = done(action, facts, EXPERT)
        assert [clock.name.value for clock in decision.clocks] == ["RESPOND_BY"]
        assert (decision.case.state, decision.case.version) == (S.REQUESTED, 2)
    assert done(A.SEND_MESSAGE, facts, EXPERT).event.note is None
    assert done(A.ASSIGN, facts, SUPPORT, assignee_id="support").case.assignee_id == "support"


def test_an_invoice_is_asked_about() -> None:
    """C04, D8: the expert's move, answer time and direct window announced."""
    decision = done(A.REQUEST, invoice_facts(), CLIENT, send_to_payment_method=True)
    case = decision.case
    assert (case.state, case.route.value, case.whose_move.value) == (S.REQUESTED, "DIRECT", "COUNTERPARTY")
    assert (case.requester_id, case.counterparty_id, case.requested_minor) == ("client", "expert", 6_000)
    assert case.deadline_at == case.respond_by == day("2026-03-12")
    assert [clock.name.value for clock in decision.clocks] == ["RESPOND_BY"]
    assert done(A.APPROVE, after(invoice_facts(), decision), EXPERT).withdrawal_requested


def test_an_invoices_approval_comes_from_the_expert() -> None:
    """C16: at once when the balance covers it."""
    decision = done(A.APPROVE, with_case(invoice_facts(), case_in(S.REQUESTED)), EXPERT, amount=usd(4_000))
    assert (names(decision), moves(decision)) == (["APPROVE", "CREDIT"], [("expert", "client", 4_000)])
    assert not decision.postings[0].may_overdraw
    assert decision.events[0].amount == decision.events[1].amount == usd(4_000)


def test_held_money_of_a_week_comes_first() -> None:
    """INVOICE credit takes held money first, then the expert's balance."""
    facts = with_case(week_facts(held=2_500), case_in(S.REQUESTED))
    facts = replace(facts, funds=FundsFacts(held_minor=2_500, expert_available_minor=3_500))
    assert moves(done(A.APPROVE, facts, EXPERT)) == [("held", "client", 2_500), ("expert", "client", 3_500)]
    held = with_case(week_facts(), case_in(S.REQUESTED))
    assert moves(done(A.APPROVE, held, EXPERT)) == [("held", "client", 6_000)]


def test_an_approval_without_funds_waits() -> None:
    """D13: APPROVED and AWAITING_FUNDS, reserved, credited by itself later; the shortfall is known."""
    facts = with_case(invoice_facts(funds=1_000), case_in(S.REQUESTED))
    decision = done(A.APPROVE, facts, EXPERT)
    case = decision.case
    assert (names(decision), case.state, case.settlement.value) == (["APPROVE"], S.APPROVED, "AWAITING_FUNDS")
    assert (case.whose_move.value, case.approved_at) == ("SYSTEM", NOW)
    assert (decision.postings, decision.payment_reserved_delta_minor) == ((), 6_000)
    assert decision.events[0].case_after == case
    waiting = after(invoice_facts(funds=1_000), decision)
    assert shortfall(waiting, POLICY, NOW) == 5_000
    paid = done(A.CREDIT, replace(waiting, funds=FundsFacts(expert_available_minor=6_000)), None)
    assert (names(paid), moves(paid)) == (["CREDIT"], [("expert", "client", 6_000)])
    assert (paid.payment_reserved_delta_minor, paid.payment_refunded_delta_minor) == (-6_000, 6_000)
    assert shortfall(after(invoice_facts(), paid), POLICY, NOW) == 0


def test_support_is_credited_at_once_and_may_overdraw() -> None:
    """D13: the expert's balance may go negative by support's decision alone."""
    facts = with_case(invoice_facts(funds=-500), case_in(S.ESCALATED))
    decision = done(A.APPROVE, facts, SUPPORT)
    assert (names(decision), moves(decision)) == (["APPROVE", "CREDIT"], [("expert", "client", 6_000)])
    assert decision.postings[0].may_overdraw
    assert decision.case.support_decided


def test_escrow_that_comes_back_whole_returns_the_milestone() -> None:
    """C30, D11: all of it returns the milestone, a part stays held."""
    facts = with_case(escrow_facts(), case_in(S.REQUESTED, K.ESCROW, requested_minor=10_000))
    whole = done(A.APPROVE, facts, EXPERT)
    assert (moves(whole), whole.milestone_status) == ([("held", "client", 10_000)], MilestoneStatus.RETURNED)
    part = done(A.APPROVE, facts, EXPERT, amount=usd(9_999))
    assert (moves(part), part.milestone_status) == ([("held", "client", 9_999)], None)
    rest = with_case(escrow_facts(refunded_minor=9_999), case_in(S.REQUESTED, K.ESCROW, requested_minor=1))
    assert done(A.APPROVE, rest, EXPERT).milestone_status is MilestoneStatus.RETURNED


def test_an_expert_issues() -> None:
    """C12: all that is left or a part, credited at once; the expert asks, the client stands opposite."""
    facts = invoice_facts(refunded_minor=1_000)
    whole = done(A.ISSUE, facts, EXPERT)
    assert (names(whole), moves(whole)) == (["ISSUE", "CREDIT"], [("expert", "client", 9_000)])
    case = whole.case
    assert (case.requester_id, case.counterparty_id, case.requested_minor) == ("expert", "client", None)
    assert (case.opened_by, case.approved_minor, case.decided_by_id) == (A.ISSUE, 9_000, "expert")
    part = done(A.ISSUE, facts, EXPERT, decision=IssueDecision.PARTIAL, amount=usd(100))
    assert moves(part) == [("expert", "client", 100)]
    waits = done(A.ISSUE, invoice_facts(funds=0), EXPERT)
    assert (waits.case.state, waits.payment_reserved_delta_minor) == (S.APPROVED, 10_000)
    assert moves(done(A.ISSUE, escrow_facts(), EXPERT)) == [("held", "client", 10_000)]


def test_an_issued_refund_without_funds_is_taken_to_support() -> None:
    """D13: what the expert issued stands as consent, and caps what support approves."""
    case = case_in(S.APPROVED, opened_by=A.ISSUE, requested_minor=None, approved_minor=5_000)
    escalated = done(A.ESCALATE, with_case(invoice_facts(funds=0), case), CLIENT)
    assert (escalated.case.consented_minor, escalated.payment_reserved_delta_minor) == (5_000, -5_000)
    decided = done(A.APPROVE, with_case(invoice_facts(funds=0), escalated.case), SUPPORT)
    assert decided.case.credited_minor == 5_000


def test_a_timesheet_dispute_supersedes_an_undecided_request() -> None:
    """C25: the request is cancelled by SUPERSEDE first, in the same decision."""
    there = with_case(week_facts(), case_in(S.ESCALATED, id="asked"))
    facts = replace(there, case=None, open_case=there.case)
    decision = done(A.OPEN_TIMESHEET_DISPUTE, facts, CLIENT, kind=K.TIMESHEET)
    assert [(event.name, event.case_after.id) for event in decision.events] == [
        ("SUPERSEDE", "asked"),
        ("OPEN_TIMESHEET_DISPUTE", "case"),
    ]
    earlier, case = decision.cases
    assert (earlier.state, earlier.version, case.state, case.version) == (S.CANCELLED, 4, S.DISPUTED, 1)
    assert decision.event.name == "OPEN_TIMESHEET_DISPUTE"
    assert [(clock.name.value, clock.due_at) for clock in decision.clocks] == [
        ("SLA_DECISION", NOW + timedelta(hours=48)),  # a word, a day before the target
        ("WEEK_RELEASE", day("2026-03-07")),
    ]


def test_a_timesheet_decision_before_the_cut_off_keeps_the_rest_held() -> None:
    """C25: before Saturday the rest waits for the cut-off."""
    facts = with_case(week_facts(), case_in(S.DISPUTED, K.TIMESHEET))
    decision = done(A.APPROVE, facts, SUPPORT, amount=usd(2_000))
    assert (moves(decision), decision.week_released) == ([("held", "client", 2_000)], False)
    assert (done(A.DECLINE, facts, SUPPORT).postings, done(A.CANCEL, facts, CLIENT).postings) == ((), ())


def test_a_timesheet_decision_past_the_cut_off_releases_the_rest() -> None:
    """C25: what the dispute held goes to the expert with the decision, a decline or a cancellation."""
    facts = with_case(week_facts(), case_in(S.DISPUTED, K.TIMESHEET))
    decision = done(A.APPROVE, facts, SUPPORT, SATURDAY, amount=usd(2_000))
    assert moves(decision) == [("held", "client", 2_000), ("held", "expert", 8_000)]
    assert decision.week_released
    for action, viewer in ((A.DECLINE, SUPPORT), (A.CANCEL, CLIENT)):
        decision = done(action, facts, viewer, SATURDAY)
        assert (moves(decision), decision.week_released) == ([("held", "expert", 10_000)], True)
    everything = with_case(week_facts(), case_in(S.DISPUTED, K.TIMESHEET, requested_minor=10_000))
    decision = done(A.APPROVE, everything, SUPPORT, SATURDAY)
    assert (moves(decision), decision.week_released) == ([("held", "client", 10_000)], True)


def test_asking_again_makes_the_earlier_decline_final() -> None:
    """D14: the declined case is final by an event of its own, before the request's."""
    declined = case_in(S.DECLINED, id="earlier")
    facts = invoice_facts(requests_made=1)
    facts = replace(facts, previous_declined=declined)
    decision = done(A.REQUEST, facts, CLIENT)
    earlier, case = decision.cases
    assert (earlier.id, earlier.final_decision, earlier.whose_move.value) == ("earlier", True, "NOBODY")
    assert (earlier.version, case.id, names(decision)) == (declined.version + 1, "case", ["FINALISE", "REQUEST"])
    ended = decision.events[0]
    assert (ended.rule, ended.actor_role, ended.to_state, ended.case_after) == ("D14", "SYSTEM", S.DECLINED, earlier)
    assert decision.event.name == "REQUEST"


def test_consent_and_history_survive_a_hand_over() -> None:
    """C15, D7: the route stays, support's move, consent recorded."""
    facts = with_case(invoice_facts(), case_in(S.ESCALATED))
    decision = done(A.CONSENT, facts, EXPERT, amount=usd(3_000))
    assert (decision.case.consented_minor, decision.event.amount, decision.case.state) == (
        3_000,
        usd(3_000),
        S.ESCALATED,
    )
    disputed = done(A.DISPUTE, with_case(invoice_facts(), decision.case), CLIENT).case
    assert (disputed.consented_minor, disputed.route.value) == (3_000, "DIRECT")


@pytest.mark.parametrize(
    ("paid", "refunded", "credited", "was_hidden", "hidden"),
    [
        (10_000, 0, 7_500, False, None),  # 25.00 exactly keeps them
        (10_000, 0, 7_501, False, True),  # 24.99 hides them
        (10_000, 7_000, 501, False, True),
        (10_000, 7_600, 1, True, None),  # hidden before, hidden still
        (2_000, 0, 100, False, True),  # was under already, and is refunded now
    ],
)
def test_reviews_are_hidden_below_the_threshold(
    paid: int, refunded: int, credited: int, was_hidden: bool, hidden: bool | None
) -> None:
    """C21: strictly below 25.00 USD after a refund."""
    facts = with_case(invoice_facts(), case_in(S.REQUESTED, requested_minor=credited))
    facts = replace(
        facts,
        payment=replace(facts.payment, paid_minor=paid, refunded_minor=refunded),
        contract=contract(paid_minor=paid, refunded_minor=refunded, reviews_hidden=was_hidden),
    )
    assert done(A.APPROVE, facts, EXPERT).reviews_hidden is hidden


def test_a_reversal_shows_reviews_again() -> None:
    """C21, D16: amounts and reviews follow a reversal; a contract never refunded shows them."""
    facts = with_case(invoice_facts(), case_in(S.CREDITED, credited_minor=8_000))
    assert facts.contract is not None
    facts = replace(facts, contract=replace(facts.contract, reviews_hidden=True))
    assert done(A.REVERSE, facts, ADMIN).reviews_hidden is False


def test_only_currencies_with_a_threshold_hide_reviews() -> None:
    """C21: other currencies hide nothing until the policy names a threshold."""
    facts = with_case(invoice_facts(), case_in(S.REQUESTED, requested_minor=9_999, currency="EUR"))
    assert facts.contract is not None
    facts = replace(
        facts, payment=replace(facts.payment, currency="EUR"), contract=replace(facts.contract, currency="EUR")
    )
    assert done(A.APPROVE, facts, EXPERT).reviews_hidden is None


def test_reversals_go_back_where_the_money_belongs() -> None:
    """D16: to the platform, to the expert, to escrow again, or to the expert when a week was released."""
    lead = done(A.REVERSE, with_case(lead_facts(), case_in(S.CREDITED, K.LEAD)), ADMIN)
    assert (moves(lead), names(lead)) == ([("pro", "platform", 2_000)], ["REVERSE"])
    assert (lead.case.state, lead.case.settlement.value, lead.case.reversed_at) == (S.CREDITED, "REVERSED", NOW)
    assert (lead.payment_refunded_delta_minor, lead.postings[0].reverses_id) == (-2_000, "posting-1")
    own = done(A.REVERSE, with_case(invoice_facts(), case_in(S.CREDITED)), ADMIN)
    assert moves(own) == [("client", "expert", 6_000)]
    for status, to, again in (
        (MilestoneStatus.RETURNED, "held", MilestoneStatus.FUNDED),
        (MilestoneStatus.FUNDED, "held", None),
        (MilestoneStatus.RELEASED, "expert", None),
    ):
        back = done(A.REVERSE, with_case(escrow_facts(status=status), case_in(S.CREDITED, K.ESCROW)), ADMIN)
        assert (moves(back), back.milestone_status) == ([("client", to, 6_000)], again)
    late = week_facts(paid_at=SATURDAY, released=True)
    for week, to in ((week_facts(), "held"), (week_facts(released=True), "expert"), (late, "expert")):
        back = done(A.REVERSE, with_case(week, case_in(S.CREDITED, K.TIMESHEET)), ADMIN)
        assert moves(back) == [("client", to, 6_000)]


def test_a_withdrawal_is_recorded_on_its_case() -> None:
    """D10: what happens to the money sent on is in the case's history."""
    decision = withdrawal_changed(with_case(invoice_facts(), case_in(S.CREDITED)), NOW, POLICY, "SENT", "withdrawal")
    assert (names(decision), decision.case.withdrawal_id) == (["WITHDRAWAL_CHANGED"], "withdrawal")
    assert (decision.event.actor_role, decision.event.note) == ("SYSTEM", "SENT")


def test_internal_words_stay_internal() -> None:
    """Notes for staff never stand in the public note."""
    facts = with_case(invoice_facts(), case_in(S.ESCALATED))
    event = done(A.DECLINE, facts, SUPPORT, internal_note="Known client.").event
    assert (event.note, event.internal_note) == ("Why.", "Known client.")
    filed = done(A.REQUEST, lead_facts(), SUPPORT).event
    assert (filed.note, filed.internal_note) == ("Why.", "Asked by mail.")


def test_an_awaited_approval_is_reserved_against_the_cap() -> None:
    """D9: an approval that is not credited counts, an open request does not."""
    waiting = done(A.APPROVE, with_case(invoice_facts(funds=0), case_in(S.REQUESTED)), EXPERT)
    facts = replace(with_case(invoice_facts(), waiting.case), case=None)
    facts = replace(facts, payment=replace(facts.payment, open_case_id=None))
    assert done(A.REQUEST, facts, CLIENT, amount=usd(4_000)).case
    with pytest.raises(Refused):
        done(A.REQUEST, facts, CLIENT, amount=usd(4_001))
    asked = replace(with_case(invoice_facts(), case_in(S.REQUESTED)), case=None)
    asked = replace(asked, payment=replace(asked.payment, open_case_id=None))
    assert done(A.REQUEST, asked, CLIENT, amount=usd(10_000)).case
