"""The strict base of the small machines: what an object may become next, and a clear refusal otherwise."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from statemachine import State, StateMachine

from refundgql.domain.refusals import Refused, refusal
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.vocabulary import RefusalCode


class StrictMachine(StateMachine):
    """A machine that raises on events that are not allowed and moves only when every action succeeded."""

    allow_event_without_transition = False
    catch_errors_as_events = False
    atomic_configuration_update = True


@lru_cache(maxsize=64)
def steps(machine: type[StrictMachine]) -> dict[tuple[str, str], str]:
    """Return the machine's table: (from state, to state) to the event that leads there."""
    states: list[State] = list(machine.states)
    return {
        (str(transition.source.value), str(transition.target.value)): str(transition.event)
        for state in states
        for transition in state.transitions
        if transition.target is not None and transition.source is not None
    }


def advance(machine: type[StrictMachine], what: Sentence, current: str, target: str, **facts: Any) -> None:
    """Send the event that leads from one state to another, with the facts that the machine's guards ask for.

    Refuses: TRANSITION_NOT_ALLOWED when the machine has no such step; whatever its guards refuse.
    """
    event = steps(machine).get((current, target))
    if event is None:
        message = sentence(
            "CANNOT_BECOME",
            "A {what} that is {state} cannot become {target}: look at it as it stands now.",
            what=what,
            state=current,
            target=target,
        )
        raise Refused(refusal(RefusalCode.TRANSITION_NOT_ALLOWED, message))
    machine(start_value=current).send(event, **facts)
