"""What is wrong with what was given: reasons, texts, amounts, shapes, versions, and the order of reasons."""

from __future__ import annotations

from datetime import timedelta

import pytest
from domain_world import (
    ADMIN,
    CLIENT,
    EXPERT,
    NOW,
    PRO,
    SUPPORT,
    A,
    K,
    S,
    case_in,
    done,
    good_act,
    invoice_facts,
    lead_facts,
    only,
    usd,
    why,
    with_case,
)

from refundgql.domain.money import Money
from refundgql.domain.refusals import AmountRefusal, ConflictRefusal
from refundgql.domain.vocabulary import (
    ContractKind,
    IssueDecision,
    RefundActionName,
    RefundReason,
    RefundReasonDetail,
)


def test_not_being_hired_is_no_reason() -> None:
    """L08: offered, refused, with asking for another reason as what is left."""
    act = good_act(A.REQUEST, K.LEAD, PRO, reason=RefundReason.NOT_HIRED, reason_detail=None)
    refusal = only(act, lead_facts())
    assert (refusal.code.value, refusal.rule, refusal.field) == ("REASON_NOT_REFUNDABLE", "L08", ("reason",))
    assert refusal.alternatives == (A.REQUEST,)


@pytest.mark.parametrize(
    ("given", "rule", "field"),
    [
        ({"reason": None, "reason_detail": None}, "D17", "reason"),
        ({"reason": RefundReason.QUALITY, "reason_detail": None}, "D17", "reason"),
        ({"reason_detail": None}, "L09", "reasonDetail"),
        ({"reason_detail": RefundReasonDetail.MINOR}, "L09", "reasonDetail"),
        ({"reason": RefundReason.TERMS_VIOLATION}, "L10", "reasonDetail"),
        ({"reason": RefundReason.OTHER}, "D17", "reasonDetail"),
        ({"reason": RefundReason.OTHER, "reason_detail": None, "text": " \n"}, "L12", "explanation"),
        ({"on_behalf_reason": "Me."}, "D4", "onBehalfReason"),
        ({"text": "x" * 10_001}, None, "explanation"),
        ({"text": "a\0b"}, None, "explanation"),
        ({"text": "a\ud800b"}, None, "explanation"),
    ],
)
def test_what_a_lead_request_needs(given: dict[str, object], rule: str | None, field: str) -> None:
    """L09, L10, L12, D4, D17: reasons, details and texts of a lead's request."""
    refusal = only(good_act(A.REQUEST, K.LEAD, PRO, **given), lead_facts())
    assert (refusal.code.value, refusal.rule, refusal.field) == ("INVALID_INPUT", rule, (field,))


def test_staff_say_why_they_file() -> None:
    """D4: staff who file for a professional give a reason."""
    refusal = only(good_act(A.REQUEST, K.LEAD, SUPPORT, on_behalf_reason=" "), lead_facts())
    assert (refusal.code.value, refusal.rule, refusal.field) == ("INVALID_INPUT", "D4", ("onBehalfReason",))


@pytest.mark.parametrize(
    ("action", "case", "field"),
    [
        (A.DECLINE, case_in(S.REQUESTED), "message"),
        (A.ESCALATE, case_in(S.DECLINED), "explanation"),
        (A.DISPUTE, case_in(S.REQUESTED), "explanation"),
        (A.REVERSE, case_in(S.CREDITED), "reason"),
    ],
)
def test_acts_that_need_words(action: RefundActionName, case: object, field: str) -> None:
    """A decline, an escalation, a dispute and a reversal come with words."""
    viewer = {A.DECLINE: EXPERT, A.REVERSE: ADMIN}.get(action, CLIENT)
    refusal = only(good_act(action, K.INVOICE, viewer, text=None), with_case(invoice_facts(), case))  # type: ignore[arg-type]
    assert (refusal.code.value, refusal.field) == ("INVALID_INPUT", (field,))


def test_reasons_of_contracts() -> None:
    """D17: a reason of contracts or none; incorrect hours only where hours are billed."""
    fixed = invoice_facts(contract_kind=ContractKind.FIXED_PRICE)
    assert done(A.REQUEST, fixed, CLIENT, reason=None).case.reason is None
    assert done(A.REQUEST, invoice_facts(), CLIENT, reason=RefundReason.HOURS_INCORRECT).case
    assert why(A.REQUEST, fixed, CLIENT, reason=RefundReason.HOURS_INCORRECT) == [("INVALID_INPUT", "D17")]
    assert why(A.REQUEST, fixed, CLIENT, reason=RefundReason.JOB_CHANGED) == [("INVALID_INPUT", "D17")]
    assert why(A.REQUEST, fixed, CLIENT, reason=RefundReason.NOT_HIRED) == [("INVALID_INPUT", "D17")]


def test_amounts_are_money_of_the_payment() -> None:
    """D2: above zero, in the payment's currency; both are told at once."""
    assert why(A.REQUEST, invoice_facts(), CLIENT, amount=usd(0)) == [("INVALID_INPUT", "D2")]
    assert why(A.REQUEST, invoice_facts(), CLIENT, amount=None) == [("INVALID_INPUT", "D2")]
    assert why(A.REQUEST, invoice_facts(), CLIENT, amount=Money(-1, "EUR")) == [
        ("INVALID_INPUT", "D2"),
        ("CURRENCY_MISMATCH", "D2"),
    ]


def test_a_stale_version_is_a_conflict() -> None:
    """VERSION_CONFLICT tells the state and version that are now true, and comes before the state."""
    facts = with_case(invoice_facts(), case_in(S.REQUESTED))
    refusal = only(good_act(A.APPROVE, K.INVOICE, EXPERT, expected_version=2), facts)
    assert isinstance(refusal, ConflictRefusal)
    assert (refusal.code.value, refusal.current_state, refusal.current_version) == ("VERSION_CONFLICT", S.REQUESTED, 3)
    assert refusal.alternatives == (A.APPROVE,)
    assert done(A.APPROVE, facts, EXPERT, expected_version=3).case.state is S.CREDITED
    gone = with_case(invoice_facts(), case_in(S.CANCELLED))
    assert why(A.APPROVE, gone, EXPERT, expected_version=2) == [("VERSION_CONFLICT", None)]
    refusal = only(good_act(A.APPROVE, K.INVOICE, EXPERT, expected_version=3), gone)
    assert isinstance(refusal, ConflictRefusal)
    assert (refusal.code.value, refusal.current_state) == ("TRANSITION_NOT_ALLOWED", S.CANCELLED)


def test_the_groups_come_in_order() -> None:
    """FORBIDDEN before INVALID_INPUT before VERSION_CONFLICT before the rules, each group whole."""
    late = with_case(invoice_facts(paid_at=NOW - timedelta(days=200)), case_in(S.REQUESTED))
    wrong = {"text": "", "amount": Money(0, "EUR"), "expected_version": 1}
    assert why(A.DECLINE, late, PRO, **wrong) == [("FORBIDDEN", "C12")]
    assert why(A.DECLINE, late, EXPERT, **wrong) == [
        ("INVALID_INPUT", None),
        ("INVALID_INPUT", "D2"),
        ("CURRENCY_MISMATCH", "D2"),
    ]
    assert why(A.DECLINE, late, EXPERT, expected_version=1) == [("VERSION_CONFLICT", None)]
    overdue = with_case(late, case_in(S.REQUESTED, opened_at=NOW - timedelta(days=9)))
    assert why(A.DECLINE, overdue, EXPERT) == [("WINDOW_CLOSED", "D7"), ("WINDOW_CLOSED", "D8")]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"decision": None}, "C12"),
        ({"decision": IssueDecision.FULL, "amount": usd(1)}, "C12"),
        ({"decision": IssueDecision.NONE, "amount": usd(1)}, "C13"),
        ({"decision": IssueDecision.PARTIAL}, "C12"),
        ({"decision": IssueDecision.PARTIAL, "amount": usd(10_000)}, "C12"),
    ],
)
def test_the_shape_of_what_is_issued(given: dict[str, object], rule: str) -> None:
    """C12, C13: FULL and NONE take no amount, PARTIAL one below the maximum."""
    assert why(A.ISSUE, invoice_facts(), EXPERT, **given) == [("INVALID_INPUT", rule)]


def test_a_part_above_the_maximum() -> None:
    """C14: PARTIAL above what is left tells the maximum."""
    refusal = only(
        good_act(A.ISSUE, K.INVOICE, EXPERT, decision=IssueDecision.PARTIAL, amount=usd(10_001)), invoice_facts()
    )
    assert isinstance(refusal, AmountRefusal)
    assert (refusal.rule, refusal.maximum) == ("C14", usd(10_000))
