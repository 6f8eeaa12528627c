"""The machines' strict settings, and that one step of ours is what the library's full engine does."""

from __future__ import annotations

import pytest
from domain_world import CLIENT, EXPERT, POLICY, PRO, SUPPORT, A, K, S, case_in, facts_of, good_act, with_case
from statemachine import State, StateChart
from statemachine.engines.sync import SyncEngine
from statemachine.exceptions import TransitionNotAllowed

from refundgql.domain.cases import situation_of
from refundgql.domain.machines import MACHINES, machine_of
from refundgql.domain.machines.base import NOTHING, CaseMachine
from refundgql.domain.machines.row import guarded
from refundgql.domain.refusals import Refused
from refundgql.domain.rules.situation import Situation
from refundgql.domain.rules.who import Who
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundCaseKind, RefundCaseState

PEOPLE: tuple[Viewer | None, ...] = (PRO, CLIENT, EXPERT, SUPPORT, None)


def on_full_engine(machine: type[CaseMachine]) -> type[CaseMachine]:
    """Return the same machine on the library's own engine."""

    class Full(machine):  # type: ignore[misc, valid-type]
        validate_trap_states = False
        validate_final_reachability = False

        def _get_engine(self) -> SyncEngine:
            return SyncEngine(self)

    return Full


def sent(machine: type[CaseMachine], state: RefundCaseState | None, event: str, it: Situation) -> str:
    """Return where a fresh machine goes, or why it refuses and that it stayed."""
    start = NOTHING if state is None else state.value
    chart = machine(start_value=start)
    try:
        chart.send(event, situation=it)
    except (Refused, TransitionNotAllowed) as error:
        assert chart.current_state_value == start
        return f"{type(error).__name__}: {error}"
    return str(chart.current_state_value)


def stepped(machine: type[CaseMachine], state: RefundCaseState | None, event: str, it: Situation) -> str:
    """Return where one step without a machine goes, or why it refuses."""
    try:
        return machine.step(state, event, it).value
    except (Refused, TransitionNotAllowed) as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("kind", K)
def test_one_step_is_what_the_full_engine_does(kind: RefundCaseKind) -> None:
    """Every state and event, by five people: same new state, same refusal, and the state kept when refused."""
    machine, compared = MACHINES[kind], 0
    full = on_full_engine(machine)
    events = sorted({str(event) for state in machine.states for one in state.transitions for event in one.events})
    for state in (None, *(RefundCaseState(one.value) for one in machine.states if one.value != NOTHING)):
        if state in (S.CREDITED, S.CANCELLED):
            continue  # the full engine has stopped there; see the next test
        for event in events:
            for viewer in PEOPLE:
                facts = facts_of(kind) if state is None else with_case(facts_of(kind), case_in(state, kind))
                action = A(event.upper())
                act = good_act(action, kind, viewer)
                case = facts.case
                it = Situation(act, facts, POLICY, kind, action, case)
                ours, theirs = sent(machine, state, event, it), sent(full, state, event, it)
                assert stepped(machine, state, event, it) == ours == theirs, (kind, state, event)
                compared += 1
    assert compared >= 75


@pytest.mark.parametrize("kind", K)
def test_nothing_leads_out_of_a_final_state(kind: RefundCaseKind) -> None:
    """CREDITED and CANCELLED are the library's final states, and every event there raises."""
    machine = MACHINES[kind]
    assert {state.value for state in machine.final_states} == {"CREDITED", "CANCELLED"}
    for state in (S.CREDITED, S.CANCELLED):
        it = situation_of(good_act(A.APPROVE, kind, SUPPORT), with_case(facts_of(kind), case_in(state, kind)), POLICY)
        with pytest.raises(TransitionNotAllowed):
            machine_of(kind).step(state, "approve", it)


def test_an_event_that_is_not_allowed_raises() -> None:
    """Neither an unknown event nor one of another state is ignored."""
    it = situation_of(
        good_act(A.APPROVE, K.LEAD, SUPPORT), with_case(facts_of(K.LEAD), case_in(S.DECLINED, K.LEAD)), POLICY
    )
    for event in ("approve", "no_such_event", "consent", "dispute"):
        with pytest.raises(TransitionNotAllowed):
            machine_of(K.LEAD).step(S.DECLINED, event, it)


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


@pytest.mark.parametrize("machine", [Failing, on_full_engine(Failing)])
def test_an_error_in_a_guard_propagates_and_changes_nothing(machine: type[CaseMachine]) -> None:
    """Errors are never turned into events, and the state is changed whole or not at all."""
    chart = machine(start_value="REQUESTED")
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


def test_a_machine_keeps_nothing_of_a_step() -> None:
    """A refused act leaves nothing behind for the next one, and neither does one that passed."""
    machine = machine_of(K.INVOICE)
    asked = with_case(facts_of(K.INVOICE), case_in(S.REQUESTED))
    with pytest.raises(Refused):
        machine.step(S.REQUESTED, "approve", situation_of(good_act(A.APPROVE, K.INVOICE, CLIENT), asked, POLICY))
    good = situation_of(good_act(A.APPROVE, K.INVOICE, EXPERT), asked, POLICY)
    assert machine.step(S.REQUESTED, "approve", good) is S.APPROVED
    assert machine.step(S.REQUESTED, "approve", good) is S.APPROVED
