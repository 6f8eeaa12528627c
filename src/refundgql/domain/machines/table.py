"""The transition table, read from the machine classes once: what availability and the printed workflow walk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from statemachine.transition import Transition

from refundgql.domain.machines import MACHINES
from refundgql.domain.machines.base import NOTHING, CaseMachine
from refundgql.domain.machines.row import Condition, Guards, Remark
from refundgql.domain.rules.situation import Situation
from refundgql.domain.rules.who import Who
from refundgql.domain.vocabulary import RefundActionName, RefundCaseKind, RefundCaseState

Choice = tuple[Condition, bool]
"""What chooses between rows, and the answer that this row needs."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a kind's table; a remark's two states are the same."""

    action: str
    from_state: RefundCaseState | None
    to_state: RefundCaseState
    guards: Guards
    conditions: tuple[Choice, ...] = ()
    is_remark: bool = False
    named: str | None = None

    @property
    def event(self) -> str:
        """Return the name of the event that the act makes."""
        return self.named or self.action

    @property
    def cites(self) -> tuple[str, ...]:
        """Return the rule numbers of the row itself, the one that chose it first."""
        chosen = tuple((one.yes if expected else one.no)[1] for one, expected in self.conditions)
        return tuple(dict.fromkeys(chosen + self.guards.cites))

    def cited(self, it: Situation) -> str | None:
        """Return the rule number that the event of an act names: a rule's own choice, or the row's first."""
        return self.guards.cited(it) or (self.cites[0] if self.cites else None)

    def applies(self, it: Situation) -> bool:
        """Tell whether this row is the one, among those of the same action and state."""
        return all(condition.holds(it) is expected for condition, expected in self.conditions)


def _case_state(value: object) -> RefundCaseState | None:
    return None if value == NOTHING else RefundCaseState(str(value))


def _row(transition: Transition, event: str) -> TableRow:
    (validator,) = transition.validators
    to_state = _case_state(transition.target.value if transition.target is not None else None)
    if to_state is None:
        raise TypeError(f"{transition} leads nowhere: a row needs a target")
    return TableRow(
        event.upper(),
        _case_state(transition.source.value),
        to_state,
        validator.func.__self__,
        tuple((spec.func.__self__, bool(spec.expected_value)) for spec in transition.cond),
    )


def _remark(action: str, state: RefundCaseState, remark: Remark) -> TableRow:
    return TableRow(action, state, state, remark.guards, remark.when, is_remark=True, named=remark.event)


def _rows(machine: type[CaseMachine]) -> Iterator[TableRow]:
    for state in machine.states:
        for transition in state.transitions:
            for event in transition.events:
                yield _row(transition, str(event))
    for ancestor in machine.__mro__:
        for name, value in vars(ancestor).items():
            if isinstance(value, Remark):
                for case_state in value.states:
                    if case_state.value in machine.states_map:
                        yield _remark(value.action or name.upper(), case_state, value)


ROWS: dict[RefundCaseKind, tuple[TableRow, ...]] = {kind: tuple(_rows(machine)) for kind, machine in MACHINES.items()}
"""Every row of every kind, transitions in the order of the states, then remarks."""


def _by_act(rows: tuple[TableRow, ...]) -> dict[tuple[str, RefundCaseState | None], tuple[TableRow, ...]]:
    keys = dict.fromkeys((row.action, row.from_state) for row in rows)
    return {key: tuple(row for row in rows if (row.action, row.from_state) == key) for key in keys}


def _by_action(rows: tuple[TableRow, ...]) -> dict[str, tuple[TableRow, ...]]:
    return {action: tuple(row for row in rows if row.action == action) for action in {row.action for row in rows}}


TABLE = {kind: _by_act(rows) for kind, rows in ROWS.items()}
"""Rows by action and state; several only where conditions choose between them."""

ACTION_ROWS = {kind: _by_action(rows) for kind, rows in ROWS.items()}
"""Rows by action."""

OPENING = frozenset({RefundActionName.REQUEST, RefundActionName.ISSUE, RefundActionName.OPEN_TIMESHEET_DISPUTE})
"""The acts that open a case."""


def _person_actions(rows: dict[str, tuple[TableRow, ...]]) -> tuple[RefundActionName, ...]:
    return tuple(
        action
        for action in RefundActionName
        if action not in OPENING
        and any(who is not Who.SYSTEM for row in rows.get(action.value, ()) for who in row.guards.by)
    )


PERSON_ACTIONS = {kind: _person_actions(rows) for kind, rows in ACTION_ROWS.items()}
"""The acts on an existing case that somebody who signs in can do, by kind."""


def row_for(it: Situation) -> TableRow | None:
    """Return the row that an act would take; None where no row of its kind starts in the state."""
    rows = TABLE[it.kind].get((it.action.value, it.state))
    if rows is None:
        return None
    return next((row for row in rows if row.applies(it)), None)
