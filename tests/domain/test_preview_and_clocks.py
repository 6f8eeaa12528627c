"""What is told before an act, and which deadlines a case shows: instants, moves and words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from domain_world import (
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
    good_act,
    invoice_facts,
    lead_facts,
    moves,
    told,
    usd,
    week_facts,
    with_case,
)

from refundgql.domain.cases import case_clocks, is_final, preview
from refundgql.domain.facts import Facts
from refundgql.domain.review_hiding import reviews_hidden
from refundgql.domain.vocabulary import ContractKind, IssueDecision, RefundReason, SettlementStatus, WhoseMove


def clocks(facts: Facts) -> dict[str, tuple[str, object, str]]:
    """Return the shown clocks by name: rule, end and whose move."""
    return {
        clock.name.value: (clock.rule, clock.ends_at, clock.whose_move.value)
        for clock in case_clocks(facts, NOW, POLICY)
    }


def test_a_preview_of_a_lead() -> None:
    """Route, maximum, who decides by when, and the posting of a credit; a lead has no contract."""
    told_before = preview(good_act(A.REQUEST, K.LEAD, PRO, case_id=None), lead_facts(), POLICY)
    assert told_before.allowed
    assert told_before.route is not None
    assert (told_before.route.value, told_before.maximum) == ("SUPPORT", usd(2_000))
    assert told_before.decided_by is WhoseMove.SUPPORT
    assert told_before.decision_due_by == NOW + timedelta(hours=48)
    assert [(one.from_key, one.amount) for one in told_before.postings] == [("platform_leads:USD", usd(2_000))]
    assert (told_before.contract_total_after, told_before.reviews_hidden) == (None, None)
    assert [clock.name.value for clock in told_before.clocks] == ["SLA_DECISION"]


@pytest.mark.parametrize(("minor", "hidden"), [(7_500, False), (7_501, True), (None, True)])
def test_a_preview_of_an_invoice(minor: int | None, hidden: bool) -> None:
    """C21: what the contract is worth afterwards; without an amount all of it."""
    amount = usd(minor) if minor is not None else None
    found = preview(good_act(A.REQUEST, K.INVOICE, CLIENT, amount=amount), invoice_facts(), POLICY)
    assert (found.allowed, found.decided_by, found.maximum) == (True, WhoseMove.COUNTERPARTY, usd(10_000))
    assert (found.contract_total_after, found.reviews_hidden) == (usd(10_000 - (minor or 10_000)), hidden)
    assert found.decision_due_by == day("2026-03-12")
    assert [clock.name.value for clock in found.clocks] == ["RESPOND_BY", "DISPUTE_RESOLUTION", "DIRECT_WINDOW"]


def test_a_preview_posts_what_the_approval_posts() -> None:
    """The preview's postings are those of the credit, from held money first."""
    for kind, facts in ((K.INVOICE, week_facts()), (K.ESCROW, escrow_facts()), (K.INVOICE, invoice_facts())):
        told_before = preview(good_act(A.REQUEST, kind, CLIENT), facts, POLICY)
        asked = done(A.REQUEST, facts, CLIENT, kind=kind)
        approved = done(A.APPROVE, with_case(facts, asked.case), EXPERT)
        assert moves(replace(approved, postings=told_before.postings)) == moves(approved)


def test_a_preview_says_why_not() -> None:
    """The same refusals as the act's, and still the maximum."""
    late = invoice_facts(paid_at=NOW - timedelta(days=366))
    found = preview(good_act(A.REQUEST, K.INVOICE, CLIENT), late, POLICY)
    assert (found.allowed, told(found.blockers), found.maximum) == (False, [("WINDOW_CLOSED", "C07")], usd(10_000))
    assert (found.postings, found.clocks) == ((), ())
    much = preview(good_act(A.REQUEST, K.INVOICE, CLIENT, amount=usd(10_001)), invoice_facts(), POLICY)
    assert told(much.blockers) == [("AMOUNT_EXCEEDS_REFUNDABLE", "C14")]
    hired = good_act(A.REQUEST, K.LEAD, PRO, reason=RefundReason.NOT_HIRED, reason_detail=None)
    assert told(preview(hired, lead_facts(), POLICY).blockers) == [("REASON_NOT_REFUNDABLE", "L08")]
    wrong = good_act(A.REQUEST, K.INVOICE, CLIENT, reason=RefundReason.JOB_CHANGED)
    assert told(preview(wrong, invoice_facts(), POLICY).blockers) == [("INVALID_INPUT", "D17")]
    unpaid = preview(good_act(A.REQUEST, K.INVOICE, CLIENT), invoice_facts(paid_at=None), POLICY)
    assert unpaid.maximum == usd(0)


def test_previews_of_other_openings() -> None:
    """Issuing is decided by the expert; a dispute and a late request by support."""
    issue = preview(good_act(A.ISSUE, K.INVOICE, EXPERT), invoice_facts(), POLICY)
    assert (issue.allowed, issue.decided_by) == (True, WhoseMove.REQUESTER)
    none = preview(good_act(A.ISSUE, K.INVOICE, EXPERT, decision=IssueDecision.NONE), invoice_facts(), POLICY)
    assert (none.postings, none.contract_total_after, none.reviews_hidden) == ((), usd(10_000), False)
    dispute = preview(good_act(A.OPEN_TIMESHEET_DISPUTE, K.TIMESHEET, CLIENT), week_facts(), POLICY)
    assert (dispute.decided_by, dispute.decision_due_by) == (WhoseMove.SUPPORT, NOW + timedelta(hours=72))
    late = preview(good_act(A.REQUEST, K.INVOICE, CLIENT), invoice_facts(paid_at=NOW - timedelta(days=200)), POLICY)
    assert late.route is not None
    assert (late.route.value, late.decided_by) == ("SUPPORT", WhoseMove.SUPPORT)


def test_the_clocks_of_a_request_on_a_week() -> None:
    """D7, D8, C25, C31: none of them waits for the request."""
    facts = with_case(week_facts(paid_at=day("2026-03-03")), case_in(S.REQUESTED))
    assert clocks(facts) == {
        "RESPOND_BY": ("D8", day("2026-03-11"), "COUNTERPARTY"),
        "DIRECT_WINDOW": ("D7", day("2026-08-31"), "COUNTERPARTY"),
        "TIMESHEET_DISPUTE": ("C25", day("2026-03-07"), "REQUESTER"),
        "DISPUTE_RESOLUTION": ("C31", day("2026-04-03"), "REQUESTER"),
    }
    shown = case_clocks(facts, NOW, POLICY)
    assert [clock.ends_at for clock in shown] == sorted(clock.ends_at for clock in shown)
    assert not any(clock.paused_by_request for clock in shown)
    assert all(clock.when_it_runs_out.endswith(".") and clock.starts_at < clock.ends_at for clock in shown)
    later = case_clocks(facts, day("2026-03-11"), POLICY)
    assert [clock.name.value for clock in later] == ["DISPUTE_RESOLUTION", "DIRECT_WINDOW"]


def test_the_clocks_of_other_cases() -> None:
    """L14, D6, C24, C22, D13, D10: each where it runs, and none on what is final."""
    looked_at = case_in(S.REQUESTED, K.LEAD, opened_at=NOW - timedelta(hours=49), overdue=True)
    assert clocks(with_case(lead_facts(), looked_at)) == {"SLA_DECISION": ("L14", NOW - timedelta(hours=1), "SUPPORT")}
    declined = case_in(S.DECLINED, K.LEAD, declined_at=day("2026-03-04"))
    assert clocks(with_case(lead_facts(), declined)) == {"SECOND_LOOK": ("D6", day("2026-04-04"), "REQUESTER")}
    assert clocks(with_case(lead_facts(), declined.changed(second_look_used=True))) == {}
    hourly = invoice_facts(paid_at=day("2026-01-01"))
    hourly = replace(hourly, contract=contract(ended_at=day("2026-03-01")))
    assert clocks(with_case(hourly, case_in(S.DECLINED))) == {
        "SUPPORT_WINDOW": ("C24", day("2027-01-02"), "REQUESTER"),
        "REVIEW": ("C22", day("2026-03-16"), "REQUESTER"),
    }
    final = with_case(hourly, case_in(S.DECLINED, final_decision=True))
    assert {name: rule for name, (rule, *_) in clocks(final).items()} == {"REVIEW": "C22", "SUPPORT_WINDOW": "D14"}
    asked_out = replace(final, payment=replace(final.payment, requests_made=3))
    assert set(clocks(asked_out)) == {"REVIEW"}
    for client, expert, whose in ((False, True, "REQUESTER"), (True, False, "COUNTERPARTY")):
        posted = replace(contract(ended_at=day("2026-03-01")), client_reviewed=client, expert_reviewed=expert)
        assert clocks(replace(asked_out, contract=posted)) == {"REVIEW": ("C22", day("2026-03-16"), whose)}
    both = replace(contract(ended_at=day("2026-03-01")), client_reviewed=True, expert_reviewed=True)
    assert clocks(replace(asked_out, contract=both)) == {}
    for state in (S.ESCALATED, S.DISPUTED):
        with_support = clocks(with_case(invoice_facts(paid_at=day("2025-06-01")), case_in(state)))
        assert with_support == {
            "SLA_DECISION": ("D20", NOW + timedelta(hours=48), "SUPPORT"),
            "SUPPORT_WINDOW": ("C07", day("2026-06-02"), "SUPPORT"),
        }
    fixed = with_case(
        invoice_facts(paid_at=day("2026-03-03"), contract_kind=ContractKind.FIXED_PRICE), case_in(S.DECLINED)
    )
    assert clocks(fixed) == {"SUPPORT_WINDOW": ("D14", day("2027-03-04"), "REQUESTER")}
    assert clocks(replace(fixed, payment=replace(fixed.payment, requests_made=3))) == {}
    unheard = with_case(week_facts(paid_at=day("2026-03-03")), case_in(S.DECLINED, final_decision=True))
    unheard = replace(unheard, payment=replace(unheard.payment, requests_made=3))
    assert clocks(unheard) == {"TIMESHEET_DISPUTE": ("C25", day("2026-03-07"), "REQUESTER")}
    answered = replace(unheard.payment, support_decided=True)
    assert clocks(replace(unheard, payment=answered)) == {}
    waiting = case_in(S.APPROVED, approved_at=day("2026-03-01"), settlement=SettlementStatus.AWAITING_FUNDS)
    assert clocks(with_case(invoice_facts(), waiting)) == {"FUNDS_ESCALATION": ("D13", day("2026-03-16"), "SYSTEM")}
    sent_on = with_case(invoice_facts(), case_in(S.CREDITED))
    sent_on = replace(sent_on, withdrawal_filed_at=NOW, withdrawal_expected_until=day("2026-03-12"))
    assert clocks(sent_on) == {"WITHDRAWAL_ESTIMATE": ("D10", day("2026-03-12"), "SYSTEM")}
    assert clocks(with_case(invoice_facts(), case_in(S.CANCELLED))) == {}
    assert case_clocks(invoice_facts(), NOW, POLICY) == ()


def test_a_decline_becomes_final_when_its_ways_out_close() -> None:
    """isFinal follows the rules: by kind, by time, and by who decided; another open case closes nothing for good."""
    fixed = invoice_facts(contract_kind=ContractKind.FIXED_PRICE)
    assert is_final(with_case(fixed, case_in(S.DECLINED)), NOW, POLICY)
    hourly = with_case(invoice_facts(paid_at=day("2025-05-01T23:30")), case_in(S.DECLINED))
    assert not is_final(hourly, day("2026-05-01T23:59:59"), POLICY)
    assert is_final(hourly, day("2026-05-02"), POLICY)
    busy = replace(hourly, payment=replace(hourly.payment, open_case_id="other"))
    assert not is_final(busy, day("2026-05-01"), POLICY)
    assert is_final(with_case(invoice_facts(), case_in(S.DECLINED, final_decision=True)), NOW, POLICY)
    lead = with_case(lead_facts(), case_in(S.DECLINED, K.LEAD, declined_at=day("2026-03-04")))
    assert not is_final(lead, day("2026-04-03T23:59"), POLICY)
    assert is_final(lead, day("2026-04-04"), POLICY)
    assert not is_final(with_case(escrow_facts(), case_in(S.DECLINED, K.ESCROW)), NOW, POLICY)
    for state in S:
        expected = state in (S.CREDITED, S.CANCELLED)
        if state is not S.DECLINED:
            assert is_final(with_case(invoice_facts(), case_in(state)), NOW, POLICY) is expected


def test_who_moves_after_a_decline() -> None:
    """The requester while a way out is open, nobody when none is."""
    asked = case_in(S.REQUESTED)
    assert done(A.DECLINE, with_case(invoice_facts(), asked), EXPERT).case.whose_move is WhoseMove.REQUESTER
    fixed = invoice_facts(contract_kind=ContractKind.FIXED_PRICE)
    assert done(A.DECLINE, with_case(fixed, asked), EXPERT).case.whose_move is WhoseMove.NOBODY
    escalated = with_case(invoice_facts(), case_in(S.ESCALATED))
    assert done(A.DECLINE, escalated, SUPPORT).case.whose_move is WhoseMove.NOBODY


@pytest.mark.parametrize(
    ("paid", "refunded", "currency", "hidden"),
    [
        (2_500, 0, "USD", False),
        (2_499, 0, "USD", False),
        (2_500, 1, "USD", True),
        (10_000, 7_500, "USD", False),
        (10_000, 7_501, "USD", True),
        (100, 99, "EUR", False),
    ],
)
def test_the_threshold_of_hidden_reviews(paid: int, refunded: int, currency: str, hidden: bool) -> None:
    """C21: 25.00 exactly keeps, 24.99 hides, never refunded keeps, other currencies have no threshold."""
    assert reviews_hidden(paid, refunded, currency, POLICY) is hidden
