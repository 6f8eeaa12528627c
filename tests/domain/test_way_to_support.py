"""No sequence of the expert's acts alone leaves the client, inside the windows, without a way to support (D19)."""

from __future__ import annotations

from typing import Any

import pytest
from desk_story import OPEN, Story
from domain_world import CLIENT, EXPERT, LEDGER, POLICY, A, K, S, good_act, usd
from hypothesis import given, settings
from hypothesis import strategies as st

from refundgql.domain.calendar import day_number
from refundgql.domain.cases import available_actions, subject_availability
from refundgql.domain.vocabulary import IssueDecision, RefundCaseKind
from usual_examples import USUAL

HOURLY = (K.INVOICE, K.TIMESHEET, K.ESCROW)
PARTS = st.sampled_from([None, 1, 1, 1, 99, 5_000, 9_999, 10_000])
STEPS = st.one_of(
    st.tuples(st.just("ask"), PARTS),
    st.tuples(st.sampled_from(["approve", "decline", "issue", "issue nothing"]), PARTS),
    st.tuples(st.sampled_from(["spend", "earn"]), st.none()),
    st.tuples(st.just("days"), st.sampled_from([0, 1, 3, 5, 8, 8, 15, 40])),
)


def play(story: Story, kind: RefundCaseKind, what: str, given_here: int | None, number: int) -> None:
    """Perform one step: the client asks for all that is left, the expert does anything, time passes."""
    named = K.ESCROW if kind is K.ESCROW else K.INVOICE
    left = story.facts.payment.paid_minor - story.facts.payment.refunded_minor - story.facts.payment.reserved_minor
    more: dict[str, Any] = {"case_id": f"case-{number}"}
    case = next((one for one in story.cases.values() if one.state in OPEN), None)
    amount = usd(given_here) if given_here is not None and what != "days" else None
    if what == "ask" and left > 0:
        story.tries(good_act(A.REQUEST, named, CLIENT, story.at, amount=usd(left), **more), None)
    elif what in ("approve", "decline") and case is not None:
        act = A.APPROVE if what == "approve" else A.DECLINE
        story.tries(good_act(act, named, EXPERT, story.at, amount=amount if act is A.APPROVE else None), case)
    elif what.startswith("issue"):
        part = IssueDecision.PARTIAL if amount is not None else IssueDecision.FULL
        none = what.endswith("nothing")
        decision = IssueDecision.NONE if none else part
        act = good_act(A.ISSUE, named, EXPERT, story.at, decision=decision, amount=None if none else amount, **more)
        story.tries(act, None)
    elif what == "spend":
        story.bring(LEDGER["expert"], -max(story.ledger[LEDGER["expert"]], 0))
    elif what == "earn":
        story.bring(LEDGER["expert"], 4_000)
        story.settle()
    elif what == "days":
        story.pass_days(given_here or 0)


def ways(story: Story, kind: RefundCaseKind) -> set[str]:
    """Return the ways in which the client's money can still come before support."""
    found = {one.state.value for one in story.cases.values() if one.state in OPEN}
    for case in story.cases.values():
        for shown in available_actions(story.seen(case), CLIENT, story.at, POLICY):
            if shown.name in (A.ESCALATE, A.DISPUTE) and shown.enabled:
                found.add(shown.name.value)
    asked = K.ESCROW if kind is K.ESCROW else K.INVOICE
    for action in (A.REQUEST, A.OPEN_TIMESHEET_DISPUTE):
        if action is A.REQUEST or kind is K.TIMESHEET:
            facts = story.seen(None)
            if subject_availability(action, facts, CLIENT, story.at, POLICY, kind=asked).enabled:
                found.add(action.value)
    return found


@settings(max_examples=3 * USUAL)
@given(kind=st.sampled_from(HOURLY), script=st.lists(STEPS, min_size=3, max_size=25))
def test_the_client_always_has_a_way_to_support(kind: RefundCaseKind, script: list[tuple[str, int | None]]) -> None:
    """For hourly money and unreleased escrow of which something is left, whatever the expert does and however late."""
    story = Story.of(kind)
    for number, (what, given_here) in enumerate(script):
        play(story, kind, what, given_here, number)
        story.check()
        payment, invoice = story.facts.payment, story.facts.invoice
        assert invoice is not None
        assert invoice.paid_at is not None
        if kind is not K.ESCROW and day_number(invoice.paid_at, story.at) > POLICY.support_window_days:
            return
        if payment.paid_minor - payment.refunded_minor > 0:
            assert ways(story, kind), [(one.id, one.state.value) for one in story.cases.values()]


@pytest.mark.parametrize("kind", HOURLY)
def test_three_cents_leave_a_way(kind: RefundCaseKind) -> None:
    """The expert approves a cent three times, and once more after months, and the rest can be taken to support."""
    story = Story.of(kind)
    story.bring(LEDGER["expert"], 10)
    for number in range(3):
        play(story, kind, "ask", None, number)
        play(story, kind, "approve", 1, number)
    assert [case.state for case in story.cases.values()] == [S.CREDITED] * 3
    expected = {"DISPUTE", "REQUEST"} if kind is K.ESCROW else {"ESCALATE", "DISPUTE", "REQUEST"}
    assert expected <= ways(story, kind)
    play(story, kind, "days", 100, 4)
    assert ("ESCALATE" if kind is not K.ESCROW else "DISPUTE") in ways(story, kind)
