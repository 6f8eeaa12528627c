"""The library's synchronous engine, cut down to what flat machines need: one event, one transition, nothing queued.

The full engine serves nested states, timers and invoked work, at many times the cost of a decision. It must not
choose differently from the full engine; tests/domain/test_engine.py drives both over every state and event.
"""

from __future__ import annotations

from typing import Any

from statemachine.engines.sync import SyncEngine
from statemachine.event_data import TriggerData
from statemachine.exceptions import TransitionNotAllowed
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
        for transition in state.transitions:
            if transition.match(trigger.event) and _passes(transition, trigger.kwargs["situation"]):
                self.sm.current_state_value = transition.target.value
                return transition
        raise TransitionNotAllowed(trigger.event, self.sm.configuration)


def _passes(transition: Transition, situation: Any) -> bool:
    """Ask the validators, which raise, then the conditions, which answer: in the library's own order."""
    for validator in transition.validators:
        validator.func(situation)
    return all(bool(condition.func(situation)) is condition.expected_value for condition in transition.cond)
