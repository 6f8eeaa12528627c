"""A part is not a no, and not a yes to the rest: the rest of a part approval can be taken to support (D19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from domain_world import (
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
    good_act,
    invoice_facts,
    only,
    usd,
    why,
    with_case,
)

from refundgql.domain.cases import available_actions, is_final, open_minor
from refundgql.domain.facts import Case, Facts
from refundgql.domain.payment_cases import with_cases
from refundgql.domain.vocabulary import ContractKind, MilestoneStatus, RefundActionName, SettlementStatus


def in_part(kind: K = K.INVOICE, **given: object) -> Case:
    """Return a case of 60.00 of which an expert approved and credited 0.01."""
    return case_in(S.CREDITED, kind, **({"approved_minor": 1, "credited_minor": 1} | given))


def offered(facts: Facts) -> set[RefundActionName]:
    """Return what the client can do about a case."""
    return {one.name for one in available_actions(facts, CLIENT, NOW, POLICY) if one.enabled}


@pytest.mark.parametrize(("action", "state"), [(A.ESCALATE, S.ESCALATED), (A.DISPUTE, S.DISPUTED)])
def test_the_rest_of_an_hourly_invoice_goes_to_support(action: RefundActionName, state: S) -> None:
    """C24, C31: a follow-up case for what was asked and not credited, tied to the credited one by an event each."""
    facts = with_case(invoice_facts(), in_part(send_to_payment_method=True))
    decision = done(action, facts, CLIENT)
    earlier, case = decision.cases
    assert [(one.name, one.case_after.id, one.from_state, one.to_state) for one in decision.events] == [
        (action.value, "case", S.CREDITED, S.CREDITED),
        (action.value, "next", None, state),
    ]
    assert (earlier.continued_by_id, earlier.version, earlier.state) == ("next", 4, S.CREDITED)
    assert (case.continues_id, case.version, case.state, case.route.value) == ("case", 1, state, "SUPPORT")
    assert (case.requested_minor, case.requester_id, case.counterparty_id) == (5_999, "client", "expert")
    assert (case.whose_move.value, case.opened_by, case.explanation) == ("SUPPORT", action, "Why.")
    assert (case.send_to_payment_method, case.credited_minor, case.number) == (True, None, 0)
    assert decision.event is decision.events[1]
    assert (decision.event.amount, decision.event.rule, decision.event.note) == (usd(5_999), "D19", "Why.")
    assert (decision.postings, decision.payment_refunded_delta_minor) == ((), 0)


def test_the_rest_of_escrow_is_disputed_and_not_escalated() -> None:
    """C31: while the milestone is not released."""
    facts = with_case(escrow_facts(), in_part(K.ESCROW))
    assert {A.ESCALATE, A.DISPUTE} & offered(facts) == {A.DISPUTE}
    assert done(A.DISPUTE, facts, CLIENT).case.requested_minor == 5_999
    released = with_case(escrow_facts(status=MilestoneStatus.RELEASED), in_part(K.ESCROW))
    assert why(A.DISPUTE, released, CLIENT) == [("DISPUTE_NOT_AVAILABLE", "C29")]


def test_the_follow_up_asks_for_no_more_than_is_left() -> None:
    """D9: capped by payment and contract; of nothing there is no follow-up."""
    facts = with_case(invoice_facts(refunded_minor=9_000), in_part())
    assert done(A.ESCALATE, facts, CLIENT).case.requested_minor == 999
    gone = with_case(invoice_facts(refunded_minor=9_999), in_part())
    assert why(A.ESCALATE, gone, CLIENT) == [("AMOUNT_EXCEEDS_REFUNDABLE", "D19")]


@pytest.mark.parametrize(
    ("facts", "case", "escalate", "dispute"),
    [
        (invoice_facts(), case_in(S.CREDITED), "TRANSITION_NOT_ALLOWED", "TRANSITION_NOT_ALLOWED"),
        (
            invoice_facts(),
            in_part(opened_by=A.ISSUE, requested_minor=None),
            "TRANSITION_NOT_ALLOWED",
            "TRANSITION_NOT_ALLOWED",
        ),
        (invoice_facts(), in_part(support_decided=True), "FINAL_DECISION", "FINAL_DECISION"),
        (invoice_facts(), in_part(continued_by_id="next"), "ESCALATION_NOT_AVAILABLE", "DISPUTE_NOT_AVAILABLE"),
        (invoice_facts(), in_part(final_decision=True), "ESCALATION_NOT_AVAILABLE", "DISPUTE_NOT_AVAILABLE"),
        (invoice_facts(paid_at=NOW - timedelta(days=31)), in_part(), None, "WINDOW_CLOSED"),
        (invoice_facts(paid_at=NOW - timedelta(days=365)), in_part(), None, "WINDOW_CLOSED"),
        (invoice_facts(paid_at=NOW - timedelta(days=366)), in_part(), "WINDOW_CLOSED", "WINDOW_CLOSED"),
        (
            invoice_facts(contract_kind=ContractKind.FIXED_PRICE),
            in_part(),
            "ESCALATION_NOT_AVAILABLE",
            "DISPUTE_NOT_AVAILABLE",
        ),
    ],
)
def test_the_rest_goes_on_as_after_a_decline(
    facts: Facts, case: Case, escalate: str | None, dispute: str | None
) -> None:
    """In the windows of a decline, once, for hourly money, and not after support's own decision."""
    there = with_case(facts, case)
    for action, code in ((A.ESCALATE, escalate), (A.DISPUTE, dispute)):
        if code is None:
            assert action in offered(there)
        else:
            assert only_code(action, there) == code
            assert action not in offered(there)


def only_code(action: RefundActionName, facts: Facts) -> str:
    """Return the code of the client's one refusal."""
    ((code, _),) = why(action, facts, CLIENT)
    return code


def test_three_cents_shut_nobody_out() -> None:
    """D14: what was approved in part is not counted, so asking again stays open, too."""
    three = [in_part(id=f"case-{number}", number=number) for number in range(3)]
    facts = with_cases(invoice_facts(refunded_minor=3), three, None)
    assert facts.payment.requests_made == 0
    decision = done(A.REQUEST, facts, CLIENT)
    assert [one.name for one in decision.events] == ["FINALISE", "REQUEST"]
    assert (decision.cases[0].id, decision.cases[0].final_decision) == ("case-2", True)
    last = with_cases(invoice_facts(refunded_minor=3), three, three[-1])
    assert done(A.ESCALATE, last, CLIENT).case.requested_minor == 5_999


def test_what_is_still_open_of_a_request_is_told() -> None:
    """openAmount: undecided, declined for now, or the rest; nothing when it is over."""
    for case, minor in (
        (case_in(S.REQUESTED), 6_000),
        (case_in(S.ESCALATED), 6_000),
        (case_in(S.DECLINED), 6_000),
        (in_part(), 5_999),
        (in_part(support_decided=True), None),
        (in_part(continued_by_id="next"), None),
        (case_in(S.DECLINED, final_decision=True, support_decided=True), None),
        (case_in(S.CREDITED), None),
        (case_in(S.CANCELLED), None),
        (case_in(S.APPROVED, approved_minor=1), None),
    ):
        assert open_minor(with_case(invoice_facts(), case), NOW, POLICY) == minor, case.state
    little = with_case(invoice_facts(refunded_minor=7_000), case_in(S.REQUESTED))
    assert open_minor(little, NOW, POLICY) == 3_000
    assert not is_final(with_case(invoice_facts(), in_part()), NOW, POLICY)
    assert is_final(with_case(invoice_facts(paid_at=NOW - timedelta(days=366)), in_part()), NOW, POLICY)


def test_an_issued_cent_without_funds_bounds_nobody() -> None:
    """D13, D19: what an expert issued and cannot pay goes to support, which may approve all of hourly money."""
    issued = case_in(
        S.ESCALATED,
        opened_by=A.ISSUE,
        requester_id="expert",
        counterparty_id="client",
        requested_minor=None,
        consented_minor=1,
    )
    facts = with_case(invoice_facts(funds=0), issued)
    assert done(A.APPROVE, facts, SUPPORT).case.credited_minor == 1
    assert done(A.APPROVE, facts, SUPPORT, amount=usd(10_000)).case.credited_minor == 10_000
    fixed = with_case(invoice_facts(funds=0, contract_kind=ContractKind.FIXED_PRICE), issued)
    refusal = only(good_act(A.APPROVE, K.INVOICE, SUPPORT, amount=usd(2)), fixed)
    assert refusal.maximum == usd(1)  # type: ignore[attr-defined]


def test_a_part_without_funds_waits_and_then_goes_on() -> None:
    """D13: the client may escalate all of it after the wait, or the rest once the part is credited."""
    asked = with_case(invoice_facts(funds=0), case_in(S.REQUESTED))
    waiting = done(A.APPROVE, asked, EXPERT, amount=usd(1)).case
    assert waiting.settlement is SettlementStatus.AWAITING_FUNDS
    facts = with_case(invoice_facts(funds=0), waiting)
    escalated = done(A.ESCALATE, facts, CLIENT, NOW + timedelta(days=15)).case
    assert (escalated.state, escalated.requested_minor, escalated.consented_minor) == (S.ESCALATED, 6_000, 1)
    credited = done(A.CREDIT, replace(facts, funds=invoice_facts().funds), None).case
    assert A.ESCALATE in offered(with_case(invoice_facts(), credited))
