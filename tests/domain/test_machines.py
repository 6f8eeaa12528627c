"""The machines' strict settings, and that judging by the table's row is what the library's own engine does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from domain_world import CLIENT, EXPERT, POLICY, PRO, SUPPORT, A, K, S, case_in, facts_of, good_act, with_case
from statemachine import State, StateChart
from statemachine.exceptions import TransitionNotAllowed

from refundgql.domain.cases import situation_of
from refundgql.domain.machines import MACHINES
from refundgql.domain.machines.base import NOTHING, CaseMachine
from refundgql.domain.machines.judge import blockers, judge
from refundgql.domain.machines.row import guarded
from refundgql.domain.machines.table import ROWS
from refundgql.domain.refusals import Refused
from refundgql.domain.rules.situation import Situation
from refundgql.domain.rules.who import Who
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import IssueDecision, RefundCaseKind, RefundCaseState

PEOPLE: tuple[Viewer | None, ...] = (PRO, CLIENT, EXPERT, SUPPORT, None)


def sent(machine: type[CaseMachine], state: RefundCaseState | None, event: str, it: Situation) -> str:
    """Return where a fresh machine on the library's engine goes, or why it refuses and that it stayed."""
    start = NOTHING if state is None else state.value
    chart = machine(start_value=start)
    try:
        chart.send(event, situation=it)
    except Refused as refused:
        assert chart.current_state_value == start
        return f"refused: {refused}"
    except TransitionNotAllowed:
        assert chart.current_state_value == start
        return "no row"
    return str(chart.current_state_value)


def judged(it: Situation) -> str:
    """Return where the row that the act takes leads, or why it is refused, in the words of `sent`."""
    found = blockers(it)
    try:
        to_state = judge(it).to_state.value
    except Refused as refused:
        nowhere = any(refusal.code.value == "TRANSITION_NOT_ALLOWED" for refusal in found)
        return "no row" if nowhere else f"refused: {refused}" if tuple(found) == refused.refusals else "differs"
    return to_state if not found else "differs"


@pytest.mark.parametrize("kind", K)
def test_judging_by_the_row_is_what_the_librarys_engine_does(kind: RefundCaseKind) -> None:
    """Every state and transition, by five people: the same new state, or the same refusal and the state kept."""
    machine, compared = MACHINES[kind], 0
    for row in ROWS[kind]:
        if row.is_remark:
            continue
        for viewer in PEOPLE:
            state = row.from_state
            facts = facts_of(kind) if state is None else with_case(facts_of(kind), case_in(state, kind))
            for decision in (None, IssueDecision.FULL, IssueDecision.NONE) if row.action == "ISSUE" else (None,):
                act = replace(good_act(A(row.action), kind, viewer), decision=decision)
                it = Situation(act, facts, POLICY, kind, A(row.action), facts.case)
                assert sent(machine, state, row.action.lower(), it) == judged(it), (kind, state, row.action)
                compared += 1
    assert compared >= 25


@pytest.mark.parametrize("kind", K)
def test_an_event_without_a_row_raises_in_the_library_too(kind: RefundCaseKind) -> None:
    """An event that no row takes in a state is refused by both, never ignored; final states take none at all."""
    machine, compared = MACHINES[kind], 0
    events = sorted({row.action for row in ROWS[kind] if not row.is_remark})
    taken = {(row.action, row.from_state) for row in ROWS[kind] if not row.is_remark}
    for state in RefundCaseState:
        if state.value not in machine.states_map or machine.states_map[state.value].final:
            continue
        for event in events:
            if (event, state) in taken:
                continue
            it = situation_of(good_act(A(event), kind, None), with_case(facts_of(kind), case_in(state, kind)), POLICY)
            assert sent(machine, state, event.lower(), it) == "no row"
            compared += 1
    assert compared >= 8
    assert {state.value for state in machine.final_states} == {"CREDITED", "CANCELLED"}
    assert not any(state.transitions for state in machine.final_states)


def broken(situation: object) -> None:
    """Fail instead of refusing."""
    raise ZeroDivisionError


class Failing(CaseMachine):
    """A machine with a guard that fails."""

    kind = K.LEAD

    nothing = State(NOTHING, value=NOTHING, initial=True)
    requested = State(value="REQUESTED")
    credited = State(value="CREDITED", final=True)

    request = nothing.to(requested, validators=guarded(Who.PRO))
    credit = requested.to(credited, validators=broken)


def test_an_error_in_a_guard_propagates_and_changes_nothing() -> None:
    """Errors are never turned into events, and the state is changed whole or not at all."""
    chart = Failing(start_value="REQUESTED")
    with pytest.raises(ZeroDivisionError):
        chart.send("credit", situation=None)
    assert chart.current_state_value == "REQUESTED"


def test_the_settings_are_strict() -> None:
    """The base class and each machine keep the settings that make wrong acts noticed."""
    for machine in (CaseMachine, *MACHINES.values()):
        assert machine.allow_event_without_transition is False
        assert machine.catch_errors_as_events is False
        assert machine.atomic_configuration_update is True
        assert issubclass(machine, StateChart)


def test_a_refused_act_leaves_nothing_behind() -> None:
    """The next one is judged as if there had been none."""
    asked = with_case(facts_of(K.INVOICE), case_in(S.REQUESTED))
    good = situation_of(good_act(A.APPROVE, K.INVOICE, EXPERT), asked, POLICY)
    with pytest.raises(Refused):
        judge(situation_of(good_act(A.APPROVE, K.INVOICE, CLIENT), asked, POLICY))
    assert judge(good).to_state is judge(good).to_state is S.APPROVED
