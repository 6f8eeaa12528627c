"""Buttons, previews and acts give one answer: in every life of a case, for everybody, whenever, under any rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from desk_story import Story
from domain_world import A, K, S, good_act, refused, told
from hypothesis import given, settings
from hypothesis import strategies as st
from test_availability_properties import agree, right_act
from test_rules_in_force import EVERYBODY, OPENINGS, STEPS, live, rules

from refundgql.domain.cases import available_actions, decide, decision_preview, preview, run_out, subject_availability
from refundgql.domain.facts import Case
from refundgql.domain.policy import Policy
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import ContractKind, RefundCaseKind, WhoseMove
from usual_examples import USUAL


def check_payment(story: Story, kind: RefundCaseKind, viewer: Viewer, at: datetime, policy: Policy) -> None:
    """Assert that a way of opening a case is shown, previewed and taken, or refused by the three for one reason."""
    named, facts = K.INVOICE if kind is K.TIMESHEET else kind, story.seen(None)
    for action in OPENINGS:
        if (kind is K.LEAD and action is not A.REQUEST) or (action is A.OPEN_TIMESHEET_DISPUTE) > (kind is K.TIMESHEET):
            continue
        act = right_act(action, named, viewer, at)
        agree(subject_availability(action, facts, viewer, at, policy, kind=named), act, facts, policy)
        foretold = preview(act, facts, policy)
        if not foretold.allowed:
            assert refused(act, facts, policy) == foretold.blockers
            continue
        opened = decide(act, facts, policy).case
        if story.facts.expert_erased_at is not None and opened.state is S.REQUESTED:
            handed = run_out(replace(facts, case=opened), at, policy)
            assert handed is not None
            opened = handed.case
            assert foretold.decided_by is WhoseMove.SUPPORT
        assert (opened.route, opened.deadline_at) == (foretold.route, foretold.decision_due_by)


def check_case(story: Story, case: Case, viewer: Viewer, at: datetime, policy: Policy) -> None:
    """Assert that each button of a case does what it says, and that decisions are previewed as they are taken."""
    facts = story.seen(case)
    for shown in available_actions(facts, viewer, at, policy):
        agree(shown, right_act(shown.name, case.kind, viewer, at), facts, policy)
    for action in (A.APPROVE, A.DECLINE):
        act = good_act(action, case.kind, viewer, at)
        foretold = decision_preview(act, facts, policy)
        if not foretold.allowed:
            assert refused(act, facts, policy) == foretold.blockers
            continue
        decision = decide(act, facts, policy)
        assert foretold.needs_confirmation is (decision.event.name == "PROPOSE")
        assert foretold.needs_confirmation or foretold.postings == decision.postings


@settings(max_examples=USUAL)
@given(
    kind=st.sampled_from((*K, K.INVOICE)),
    fixed=st.booleans(),
    script=st.lists(STEPS, min_size=4, max_size=20),
    hours=st.sampled_from([-48, -1, 0, 71, 170, 24 * 40, 24 * 182, 24 * 400]),
    changed=rules(),
)
def test_one_answer_in_every_life(
    kind: RefundCaseKind, fixed: bool, script: list[tuple[str, Any]], hours: int, changed: Policy
) -> None:
    """Under the rules that a life was led by, and under others that have just come into force."""
    story = Story.of(kind)
    if fixed and kind is K.INVOICE and story.facts.contract is not None:
        contract = replace(story.facts.contract, kind=ContractKind.FIXED_PRICE)
        story.facts = replace(story.facts, contract=contract)
    live(story, kind, script)
    at = story.at + timedelta(hours=hours)
    for policy in (story.policy, changed):
        for viewer in map(story.as_now, EVERYBODY):
            check_payment(story, kind, viewer, at, policy)
            for case in list(story.cases.values())[-2:]:
                check_case(story, case, viewer, at, policy)


def test_what_is_told_is_told_alike() -> None:
    """The comparison itself notices another answer."""
    story = Story.of(K.LEAD)
    act = right_act(A.REQUEST, K.LEAD, EVERYBODY[0], story.at)
    shown = subject_availability(A.REQUEST, story.seen(None), EVERYBODY[1], story.at, story.policy)
    assert told(shown.blockers) == [("FORBIDDEN", "L01")]
    try:
        agree(shown, act, story.seen(None), story.policy)
    except AssertionError:
        return
    raise AssertionError("another answer was not noticed")
