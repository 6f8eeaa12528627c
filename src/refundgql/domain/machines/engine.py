"""The library's synchronous engine, cut down to what flat machines need: one event, one transition, nothing queued.

The full engine serves nested states, timers and invoked work, at many times the cost of a decision. It must not
choose differently from the full engine; tests/domain/test_engine.py drives both over every state and event.
"""

from __future__ import annotations

from typing import Any

from statemachine.engines.sync import SyncEngine
from statemachine.event import Event
from statemachine.event_data import TriggerData
from statemachine.exceptions import TransitionNotAllowed
from statemachine.orderedset import OrderedSet
from statemachine.state import State
from statemachine.transition import Transition


class OneStepEngine(SyncEngine):
    """Take the first transition whose validators and conditions let the event pass, and change the state at once."""

    _next: TriggerData | None = None

    def put(self, trigger_data: TriggerData, internal: bool = False) -> None:
        """Keep the one event that `processing_loop` takes right afterwards."""
        self._next = trigger_data

    def processing_loop(self) -> Any:
        """Take the event: the state changes after every guard has passed, or not at all.

        Refuses: whatever a validator raises; TransitionNotAllowed when no transition of the state takes the event.
        """
        trigger, self._next = self._next, None
        if trigger is None:
            return None
        (state,) = self.sm.configuration
        transition = taken(state, str(trigger.event), trigger.kwargs["situation"])
        self.sm.current_state_value = target_of(transition).value
        return transition


def taken(state: State, event: str, situation: Any) -> Transition:
    """Return the transition that an event takes out of a state.

    Refuses: whatever a validator raises; TransitionNotAllowed when no transition of the state takes the event.
    """
    for transition in state.transitions:
        if transition.match(event) and _passes(transition, situation):
            found: Transition = transition
            return found
    raise TransitionNotAllowed(Event(event), OrderedSet([state]))


def target_of(transition: Transition) -> State:
    """Return where a transition leads; one that leads nowhere is none of a case machine's."""
    target = transition.target
    if target is None:
        raise TypeError(f"{transition} leads nowhere: a row needs a target")
    found: State = target
    return found


def _passes(transition: Transition, situation: Any) -> bool:
    """Ask the validators, which raise, then the conditions, which answer: in the library's own order."""
    for validator in transition.validators:
        validator.func(situation)
    return all(bool(condition.func(situation)) is condition.expected_value for condition in transition.cond)
