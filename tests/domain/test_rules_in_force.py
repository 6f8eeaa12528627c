"""Deadlines and what guards decide are one, in every life of a case, at every instant, under changing rules (D28)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from desk_story import Story
from domain_world import ADMIN, CLIENT, COLLEAGUE, EXPERT, PRO, SUPPORT, A, K, S, good_act, person, usd
from hypothesis import given, settings
from hypothesis import strategies as st
from test_stories import play

from refundgql.domain.cases import available_actions, case_clocks, decide, run_out, subject_availability
from refundgql.domain.clocks import mover, running, timers, whose_move
from refundgql.domain.decisions import Act
from refundgql.domain.facts import Case
from refundgql.domain.policy import Policy, PolicyError
from refundgql.domain.refusals import Refused
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import ContractKind, IssueDecision, RefundActionName, RefundCaseKind, Role, WhoseMove
from usual_examples import USUAL

UNDECIDED = (S.REQUESTED, S.ESCALATED, S.DISPUTED)
STAFF = (SUPPORT, COLLEAGUE, ADMIN)
DESK = (*STAFF, person("deputy", Role.ADMIN), person("newcomer", Role.SUPPORT))
"""Staff, and two who have had nothing to do with any case yet."""
TICK = timedelta(microseconds=1)
SETTINGS = {
    "lead_window_days": (1, 30, 90),
    "decision_target_hours": (1, 48, 200),
    "contract_target_hours": (1, 72, 200),
    "reminder_hours": (1, 24, 100),
    "second_look_window_days": (1, 30, 90),
    "direct_window_days": (1, 20, 100, 180, 200, 365),
    "support_window_days": (200, 365, 400),
    "respond_within_days": (1, 7, 30, 300),
    "timesheet_dispute_days": (1, 5, 7),
    "dispute_resolution_days": (1, 30, 60),
    "funds_wait_days": (1, 14, 40),
    "requests_per_payment": (1, 3),
    "information_days": (1, 3),
    "reopen_window_days": (1, 30),
    "decision_limit_minor": ("USD:0.50", "USD:15", "USD:1000"),
    "admin_decision_limit_minor": ("USD:0.50", "USD:1000"),
}


@st.composite
def rules(draw: st.DrawFn) -> Policy:
    """Draw rules with some settings changed."""
    names = draw(st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=4, unique=True))
    try:
        return Policy().with_overrides({name: draw(st.sampled_from(SETTINGS[name])) for name in names})
    except PolicyError:
        return Policy()


STEPS = st.one_of(
    *[st.tuples(st.just("act"), st.integers(0, 60))] * 5,
    st.tuples(st.just("days"), st.sampled_from([0, 1, 2, 4, 8, 20, 40, 190, 400])),
    st.tuples(st.just("hours"), st.sampled_from([-30, -1, 1, 23, 25, 49])),
    st.tuples(st.just("rules"), rules()),
    st.tuples(st.sampled_from(["money", "spend", "release"]), st.just(1)),
    st.tuples(st.just("bank"), st.sampled_from([0, 0, 1, 1_500, 4_000, 10_000])),
    st.tuples(st.just("bank takes"), st.sampled_from([1_500, 10_000])),
    st.tuples(st.just("erase"), st.sampled_from(["recipient", "expert"])),
)
EVERYBODY = (PRO, CLIENT, EXPERT, *STAFF)
OPENINGS = (A.REQUEST, A.ISSUE, A.OPEN_TIMESHEET_DISPUTE)
QUIET = (A.SEND_MESSAGE, A.ADD_EVIDENCE, A.ASSIGN)
DECIDING = (A.APPROVE, A.DECLINE, A.PROPOSE, A.CONFIRM)


def choices(story: Story, kind: RefundCaseKind) -> list[tuple[RefundActionName, Viewer, Case | None]]:
    """Return everything that somebody may do now, on the payment and on its latest cases."""
    found: list[tuple[RefundActionName, Viewer, Case | None]] = []
    for viewer in map(story.as_now, EVERYBODY):
        for action in OPENINGS:
            if (kind is K.LEAD and action is not A.REQUEST) or (action is A.OPEN_TIMESHEET_DISPUTE) > (
                kind is K.TIMESHEET
            ):
                continue
            named = K.INVOICE if kind is K.TIMESHEET else kind
            if subject_availability(action, story.seen(None), viewer, story.at, story.policy, kind=named).enabled:
                found.append((action, viewer, None))
        for case in list(story.cases.values())[-2:]:
            shown = available_actions(story.seen(case), viewer, story.at, story.policy)
            found += [(one.name, viewer, case) for one in shown if one.enabled and one.name not in QUIET]
            if case.information_from is not None:
                found.append((A.SEND_MESSAGE, viewer, case))
    return found


def do_something(story: Story, kind: RefundCaseKind, choice: int, number: int) -> None:
    """Let somebody do one of the things that are open, for a whole or for a part."""
    open_now = choices(story, kind)
    if not open_now:
        return
    action, viewer, case = open_now[choice % len(open_now)]
    named = case.kind if case is not None else K.INVOICE if kind is K.TIMESHEET else kind
    more: dict[str, Any] = {"case_id": f"case-{number}", "follow_up_id": f"case-{number}"}
    if action in (A.REQUEST, A.OPEN_TIMESHEET_DISPUTE) and named is not K.LEAD:
        more["amount"] = usd((50, 2_000)[choice % 2])
    if action in (A.APPROVE, A.CONSENT) and choice % 3 == 0:
        more["amount"] = usd(10)
    if action is A.ISSUE:
        more["decision"] = (IssueDecision.FULL, IssueDecision.NONE)[choice % 2]
    if action is A.REQUEST_INFORMATION and case is not None and case.counterparty_id is not None and choice % 2:
        more["asked_party"] = WhoseMove.COUNTERPARTY
    story.tries(good_act(action, named, viewer, story.at, **more), case)


def live(story: Story, kind: RefundCaseKind, script: list[tuple[str, Any]]) -> None:
    """Perform steps: acts, days with sweeps, hours in both directions, changed rules, banks, and who is forgotten."""
    for number, (what, value) in enumerate(script):
        if what == "rules":
            story.change_rules(value)
        elif what == "hours":
            story.at += timedelta(hours=value)
        elif what == "bank":
            story.charge_back(value)
        elif what == "bank takes":
            story.charge_back(value)
            story.lose()
        elif what == "erase":
            story.erase(value)
        elif what == "act":
            do_something(story, kind, value, number)
        else:
            play(story, kind, (what, value), number)


def may(story: Story, case: Case, viewer: Viewer, at: datetime, *actions: RefundActionName) -> bool:
    """Tell whether somebody may take one of these acts on a case."""
    shown = available_actions(story.seen(case), story.as_now(viewer), at, story.policy)
    return any(one.enabled for one in shown if one.name in actions)


def check_somebody_decides(story: Story, case: Case, at: datetime) -> None:
    """Assert that somebody may decide an undecided case now, maybe with two signatures, or that a clock moves it."""
    facts = story.seen(case)
    decides = any(may(story, case, viewer, at, *DECIDING) for viewer in (EXPERT, *DESK))
    moves = any(timer.event == "HAND_OVER" for timer in timers(facts, case, at, story.policy))
    assert decides or moves, (case.kind, case.state, at)


def check_whose_move(story: Story, case: Case, at: datetime) -> None:
    """Assert that the move is theirs who can act, and that the index of lists says the same."""
    facts, requester = story.seen(case), PRO if case.kind is K.LEAD else CLIENT
    move = whose_move(facts, case, story.policy).at(at)
    assert mover(case, at) is move
    if move is WhoseMove.SUPPORT:
        assert any(may(story, case, viewer, at, *DECIDING) for viewer in DESK)
    if move is WhoseMove.COUNTERPARTY and case.information_from is None and case.state is S.REQUESTED:
        answers = may(story, case, EXPERT, at, A.APPROVE, A.DECLINE)
        assert answers or (story.facts.expert_erased_at is not None and at < case.opened_at)
    if case.state in (S.DECLINED, S.CREDITED) and case.requester_id == requester.account_id:
        open_now = may(story, case, requester, at, A.ESCALATE, A.DISPUTE)
        occupied = facts.payment.open_case_id is not None
        assert open_now is (move is WhoseMove.REQUESTER) or (occupied and not open_now)
        if open_now and (facts.paid_at is None or at >= facts.paid_at):
            check_leads_to_money(story, case, requester, at)
    if case.state is S.APPROVED:
        check_awaited(story, case, at, move)


def check_leads_to_money(story: Story, case: Case, requester: Viewer, at: datetime) -> None:
    """Assert that support may give something once a way on from an answer is taken."""
    for action in (A.ESCALATE, A.DISPUTE):
        later = story.copy()
        later.at = at
        act = good_act(action, case.kind, requester, at, follow_up_id="further")
        decision = later.tries(act, case)
        if decision is not None:
            assert any(may(later, decision.case, viewer, at, A.APPROVE, A.PROPOSE) for viewer in DESK)


def check_awaited(story: Story, case: Case, at: datetime, move: WhoseMove) -> None:
    """Assert that the desk's move is a credit that money can bring about; what none can, the client ends (D25)."""
    facts = story.seen(case)
    plenty = replace(facts.funds, expert_available_minor=10**9)
    left = facts.payment.paid_minor - facts.payment.refunded_minor - facts.payment.charged_back_minor
    try:
        decide(Act(action=A.CREDIT, at=at, case_id=case.id), replace(facts, funds=plenty), story.policy)
    except Refused:
        assert left < (case.approved_minor or 0)
        assert move in (WhoseMove.SYSTEM, WhoseMove.REQUESTER, WhoseMove.COUNTERPARTY)
        assert may(story, case, CLIENT, at, A.ESCALATE) is (move is not WhoseMove.SYSTEM)
    else:
        assert move is WhoseMove.SYSTEM


def in_the_way(story: Story, case: Case, action: RefundActionName, at: datetime) -> set[str]:
    """Return the codes of what stands in the way of the requester's act."""
    viewer = story.as_now(PRO if case.kind is K.LEAD else CLIENT)
    if action in (A.REQUEST, A.OPEN_TIMESHEET_DISPUTE):
        facts = story.seen(None)
        shown = subject_availability(action, facts, viewer, at, story.policy, kind=case.kind)
    else:
        shown = next(one for one in available_actions(story.seen(case), viewer, at, story.policy) if one.name is action)
    return {one.code.value for one in shown.blockers}


def check_clocks(story: Story, case: Case, at: datetime) -> None:
    """Assert that each shown deadline bounds an act that is open until then, or ends where its hand-over begins."""
    facts = story.seen(case)
    shown = {clock.name for clock in case_clocks(facts, at, story.policy)}
    for one in running(facts, case, story.policy):
        if one.of.bounds is not None:
            before = in_the_way(story, case, one.of.bounds, one.ends_at - TICK)
            assert one.ends_at <= max(at, case.opened_at) or before <= {"CASE_ALREADY_OPEN"}
            assert in_the_way(story, case, one.of.bounds, one.ends_at) & {"WINDOW_CLOSED", "FINAL_DECISION"}
        if one.ends_at > at and not one.of.lasts:
            assert one.of.name in shown
        if one.of.triggers == "HAND_OVER":
            decide(Act(action=A.HAND_OVER, at=one.ends_at, case_id=case.id), facts, story.policy)
            with pytest.raises(Refused) as early:
                decide(Act(action=A.HAND_OVER, at=one.ends_at - TICK, case_id=case.id), facts, story.policy)
            assert [refusal.code.value for refusal in early.value.refusals] == ["NOT_YET_AVAILABLE"]


def check_progress(story: Story, case: Case, at: datetime) -> None:
    """Assert that what is due is done in a few steps, and that nothing due is left."""
    for _ in range(6):
        facts = story.seen(case)
        decision = run_out(facts, at, story.policy)
        if decision is None:
            assert all(timer.due_at > at for timer in timers(facts, case, at, story.policy))
            return
        story.cases[case.id] = case = decision.case
    raise AssertionError("what is due does not end")


@settings(max_examples=4 * USUAL)
@given(
    kind=st.sampled_from((*K, K.INVOICE)),
    fixed=st.booleans(),
    script=st.lists(STEPS, min_size=4, max_size=25),
    hours=st.lists(st.sampled_from([-48, -1, 0, 1, 71, 72, 170, 24 * 40, 24 * 182, 24 * 400]), min_size=2, max_size=4),
)
def test_rules_in_force_leave_nobody_without_a_way(
    kind: RefundCaseKind, fixed: bool, script: list[tuple[str, Any]], hours: list[int]
) -> None:
    """Every life, of every kind, under changing rules: the invariant of D28, and one answer from clocks and guards."""
    story = Story.of(kind)
    if fixed and kind is K.INVOICE and story.facts.contract is not None:
        contract = replace(story.facts.contract, kind=ContractKind.FIXED_PRICE)
        story.facts = replace(story.facts, contract=contract)
    live(story, kind, script)
    for after in hours:
        at = story.at + timedelta(hours=after)
        for case in list(story.cases.values()):
            if case.state in UNDECIDED:
                check_somebody_decides(story, case, at)
            check_whose_move(story, case, at)
            check_clocks(story, case, at)
    for case in list(story.cases.values()):
        check_progress(story, case, story.at)
