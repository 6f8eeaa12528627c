"""What a past act found is put together again from the events before it, and from what the marketplace told by then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from domain_world import NOW, A, K, S, case_in, invoice_facts, lead_facts, with_case

from refundgql.domain.facts import Facts
from refundgql.domain.history import History, PastEvent, ToldChange, act_of, facts_before
from refundgql.domain.vocabulary import IssueDecision, RefundCaseKind, RefundCaseState, RefundReason

Line = tuple[str, str, RefundCaseState | None, RefundCaseState, int | None]
"""Case, event, from, to, minor units."""


def event(place: int, line: Line, kind: RefundCaseKind, **given: Any) -> PastEvent:
    """Return a recorded event at a place of the stream."""
    case_id, name, from_state, to_state, minor = line
    base: dict[str, Any] = {
        "case_id": case_id,
        "case_kind": kind,
        "opened_by": A.REQUEST,
        "payment_id": "payment",
        "place": (place, place),
        "name": "".join(list(name)),  # as a database gives it: equal to its constant, and another object
        "at": NOW - timedelta(hours=100 - place),
        "actor_id": "client",
        "actor_role": "CLIENT",
        "from_state": from_state,
        "to_state": to_state,
        "amount_minor": minor,
    }
    return PastEvent(**(base | given))


def before(
    lines: Sequence[Line], kind: RefundCaseKind = K.INVOICE, told: Sequence[ToldChange] = (), **given: Any
) -> Facts:
    """Return what the last of these events found, of the case that it is about."""
    facts = lead_facts() if kind is K.LEAD else invoice_facts()
    events = [event(place, line, kind, **given) for place, line in enumerate(lines, 1)]
    case = case_in(S.REQUESTED, kind, id=lines[-1][0])
    history = History(
        facts=with_case(facts, case),
        events=[one for one in events if one.case_id == case.id],
        money_events=events,
        contract_payments=[(NOW - timedelta(days=10), 7_000), (NOW + timedelta(days=1), 900)],
        told=told,
    )
    return facts_before(history, len(history.events) - 1)


ASKED: Line = ("mine", "REQUEST", None, S.REQUESTED, 100)
OTHER: list[Line] = [
    ("other", "REQUEST", None, S.REQUESTED, 3_000),
    ("other", "APPROVE", S.REQUESTED, S.APPROVED, 2_000),
    ("other", "CREDIT", S.APPROVED, S.CREDITED, 2_000),
    ("other", "REVERSE", S.CREDITED, S.CREDITED, 2_000),
]


@pytest.mark.parametrize(("known", "refunded", "reserved"), [(1, 0, 0), (2, 0, 2_000), (3, 2_000, 0), (4, 0, 0)])
def test_what_was_spoken_for(known: int, refunded: int, reserved: int) -> None:
    """An approval is reserved until it is credited, a credit counts until it is reversed (D9, D16)."""
    facts = before([*OTHER[:known], ASKED])
    assert facts.contract is not None
    for money in (facts.payment, facts.contract):
        assert (money.refunded_minor, money.reserved_minor) == (refunded, reserved)
    assert facts.contract.paid_minor == 7_000  # the other payment came later


def test_what_was_approved_and_went_to_support_is_reserved_no_more() -> None:
    """An escalation for want of funds takes the approval back (D13)."""
    gone: Line = ("other", "ESCALATE", S.APPROVED, S.ESCALATED, None)
    assert before([*OTHER[:2], gone, ASKED]).payment.reserved_minor == 0


@pytest.mark.parametrize(("approved", "counted"), [(2_999, 0), (3_000, 1)])
def test_requests_approved_in_part_are_not_counted(approved: int, counted: int) -> None:
    """D14, D19: a part leaves the request uncounted, all of it does not."""
    part: Line = ("other", "APPROVE", S.REQUESTED, S.APPROVED, approved)
    credit: Line = ("other", "CREDIT", S.APPROVED, S.CREDITED, approved)
    for lines in ([OTHER[0], part], [OTHER[0], part, credit]):
        assert before([*lines, ASKED]).payment.requests_made == counted


def test_an_open_case_and_what_support_decided() -> None:
    """D12, D14: who stands in the way, and whose decision is final for the money."""
    escalated: Line = ("other", "ESCALATE", S.DECLINED, S.ESCALATED, None)
    declined: Line = ("other", "DECLINE", S.ESCALATED, S.DECLINED, None)
    own: Line = ("other", "DECLINE", S.REQUESTED, S.DECLINED, None)
    payment = before([OTHER[0], own, escalated, ASKED]).payment
    assert (payment.open_case_id, payment.support_decided) == ("other", False)
    payment = before([OTHER[0], own, escalated, declined, ASKED]).payment
    assert (payment.open_case_id, payment.support_decided, payment.latest_case_id) == (None, True, "other")


@pytest.mark.parametrize(("kind", "came_from", "lasts"), [(K.LEAD, S.ESCALATED, True), (K.LEAD, S.REQUESTED, False)])
def test_a_cancelled_second_look_lasts(kind: RefundCaseKind, came_from: RefundCaseState, lasts: bool) -> None:
    """D6: cancelling a second look leaves the decline as it stood, cancelling a first one leaves nothing."""
    cancelled: Line = ("other", "CANCEL", came_from, S.CANCELLED, None)
    facts = before([OTHER[0], cancelled, ASKED], kind)
    assert facts.lead is not None
    assert facts.lead.case_id == ("other" if lasts else None)
    assert not facts.payment.support_decided


def test_a_cancelled_contract_case_leaves_nothing() -> None:
    """Whatever it was cancelled from."""
    cancelled: Line = ("other", "CANCEL", S.ESCALATED, S.CANCELLED, None)
    assert before([OTHER[0], cancelled, ASKED]).payment.latest_case_id is None


def test_what_banks_wanted_then_counts() -> None:
    """D25: a chargeback or a refund of the past that was told later had not happened yet, and a won one is over."""
    told = [
        ToldChange(payment_id="payment", after_position=0, refunded_minor=50),
        ToldChange(payment_id="payment", after_position=1, charged_back_minor=400),
        ToldChange(payment_id="elsewhere", after_position=1, charged_back_minor=30),
        ToldChange(payment_id="payment", after_position=2, charged_back_minor=-400),
        ToldChange(payment_id="payment", after_position=4, charged_back_minor=900),
    ]
    found = []
    for known in range(1, 5):
        lines: list[Line] = [*[("other", "ASSIGN", S.REQUESTED, S.REQUESTED, None)] * (known - 1), ASKED]
        facts = before(lines, told=told)
        assert facts.contract is not None
        found.append((facts.payment.charged_back_minor, facts.contract.charged_back_minor))
        assert (facts.payment.refunded_minor, facts.contract.refunded_minor) == (50, 50)
    assert found == [(0, 0), (400, 430), (0, 30), (0, 30)]


def test_what_an_expert_issued_is_told_from_its_event() -> None:
    """C12, C13: nothing, all that was left then, or a part of it."""
    for to_state, minor, decision in (
        (S.DECLINED, None, IssueDecision.NONE),
        (S.APPROVED, 7_000, IssueDecision.FULL),
        (S.APPROVED, 6_999, IssueDecision.PARTIAL),
    ):
        line: Line = ("mine", "ISSUE", None, to_state, minor)
        one = event(1, line, K.INVOICE)
        facts = before([line])
        history = History(facts=with_case(invoice_facts(), case_in(S.REQUESTED)), events=[one], money_events=[one])
        act = act_of(history, 0, facts)
        assert act.decision is decision
        assert (act.amount is not None) is (decision is IssueDecision.PARTIAL)


def test_words_that_were_erased_were_there() -> None:
    """D30: what had to be explained was, by whoever was forgotten since, and whoever filed for them said why."""
    declined: Line = ("mine", "DECLINE", S.REQUESTED, S.DECLINED, None)
    asked: Line = ("mine", "REQUEST", None, S.REQUESTED, 2_000)
    case = case_in(S.DECLINED, K.LEAD, reason=RefundReason.OTHER, filed_by_id="support", id="mine")
    events = [event(1, asked, K.LEAD), event(2, declined, K.LEAD, actor_id="support", actor_role="SUPPORT")]
    history = History(facts=with_case(lead_facts(), case), events=events, money_events=events)
    request, decline = [act_of(history, index, facts_before(history, index)) for index in range(2)]
    assert request.text
    assert request.on_behalf_reason
    assert decline.text
    own = replace(history, facts=with_case(lead_facts(), replace(case, filed_by_id="pro")))
    assert act_of(own, 0, facts_before(own, 0)).on_behalf_reason is None


def test_a_reversal_finds_the_credit_that_it_undid() -> None:
    """D16: all of it, wherever its money had come from."""
    found = before(OTHER)
    assert [part.minor for part in found.credit] == [2_000]
    assert before([ASKED]).credit == ()


@pytest.mark.parametrize(
    ("names", "hours", "at_once"),
    [
        (["REQUEST", "APPROVE", "CREDIT"], [1, 2, 2], True),
        (["REQUEST", "APPROVE", "CREDIT"], [1, 2, 3], False),
        (["REQUEST", "APPROVE", "SEND_MESSAGE", "CREDIT"], [1, 2, 2, 2], False),
        (["REQUEST", "APPROVE"], [1, 2], False),
    ],
)
def test_a_credit_with_its_approval(names: list[str], hours: list[int], at_once: bool) -> None:
    """It is the very next event, of the same instant; one that waited for money comes later (D13)."""
    at = [NOW + timedelta(hours=hour) for hour in hours]
    events = [
        event(place, ("mine", name, S.REQUESTED, S.APPROVED, 100), K.INVOICE, at=at[place])
        for place, name in enumerate(names)
    ]
    assert History(facts=invoice_facts(), events=events, money_events=events).is_credited_at_once(1) is at_once
