"""The transition table for people: states, rows, a Mermaid diagram and a Markdown table, printed from the machines.

It must not state a transition by hand: what is printed is what is declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from refundgql.domain.machines import MACHINES
from refundgql.domain.machines.base import NOTHING
from refundgql.domain.machines.table import ROWS, Row
from refundgql.domain.vocabulary import RefundCaseKind, RefundCaseState

_ABOUT = {
    RefundCaseState.REQUESTED: "Asked for; the other side decides, for a lead support does.",
    RefundCaseState.APPROVED: "Approved; credited at once, or as soon as the expert's balance covers it.",
    RefundCaseState.DECLINED: "Declined; final once no way out is open to anybody.",
    RefundCaseState.ESCALATED: "With support, which decides.",
    RefundCaseState.DISPUTED: "Disputed; support decides.",
    RefundCaseState.CREDITED: "The money is on the balance.",
    RefundCaseState.CANCELLED: "Taken back by who asked, or superseded by a timesheet dispute.",
}


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """One state of a kind's machine."""

    state: RefundCaseState
    description: str
    final: bool


@dataclass(frozen=True, slots=True)
class WorkflowTransition:
    """One row: `from_state` is absent where a case begins, `to_state` where nothing changes."""

    action: str
    from_state: RefundCaseState | None
    to_state: RefundCaseState | None
    roles: tuple[str, ...]
    guards: tuple[str, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workflow:
    """A kind's machine as data, as a Mermaid diagram and as a Markdown table."""

    kind: RefundCaseKind
    states: tuple[WorkflowState, ...]
    transitions: tuple[WorkflowTransition, ...]
    mermaid: str
    table: str


@lru_cache(maxsize=len(RefundCaseKind))
def workflow(kind: RefundCaseKind) -> Workflow:
    """Return the workflow of one kind."""
    machine = MACHINES[kind]
    final = {state.value for state in machine.states if state.final}
    present = {state.value for state in machine.states if state.value != NOTHING}
    states = tuple(
        WorkflowState(state, _ABOUT[state], state.value in final) for state in RefundCaseState if state.value in present
    )
    transitions = tuple(_transition(row) for row in ROWS[kind])
    return Workflow(kind, states, transitions, _mermaid(states, transitions), _table(kind, transitions))


def _transition(row: Row) -> WorkflowTransition:
    guards = row.guards
    chosen = tuple((one.yes if expected else one.no)[0] for one, expected in row.conditions)
    numbers = (*row.cites, *(number for rule in guards.rules for number in rule.rules))
    return WorkflowTransition(
        action=row.action,
        from_state=row.from_state,
        to_state=None if row.is_remark else row.to_state,
        roles=tuple(who.value for who in guards.by),
        guards=chosen + tuple(rule.about for rule in guards.rules),
        rules=tuple(dict.fromkeys(numbers)),
    )


def _mermaid(states: tuple[WorkflowState, ...], transitions: tuple[WorkflowTransition, ...]) -> str:
    lines = ["stateDiagram-v2"]
    for one in transitions:
        if one.to_state is not None:
            start = one.from_state.value if one.from_state is not None else "[*]"
            lines.append(f"    {start} --> {one.to_state.value} : {one.action} ({', '.join(one.roles)})")
    lines += [f"    {one.state.value} --> [*]" for one in states if one.final]
    return "\n".join(lines)


def _table(kind: RefundCaseKind, transitions: tuple[WorkflowTransition, ...]) -> str:
    """Return the rows as Markdown; rows that differ in the state they start in alone share a line."""
    merged: dict[tuple[object, ...], list[str]] = {}
    for one in transitions:
        key = (one.action, one.to_state, one.roles, one.guards, one.rules)
        merged.setdefault(key, []).append(one.from_state.value if one.from_state is not None else "∅")
    lines = [f"### {kind.value}", "", "| event | from → to | who | guards | rules |", "|---|---|---|---|---|"]
    for (action, to_state, roles, guards, rules), starts in merged.items():
        way = f"{', '.join(starts)} → {to_state}" if to_state is not None else f"{', '.join(starts)} (no change)"
        if len(starts) == len(RefundCaseState):
            way = "any state (no change)"
        lines.append(f"| {action} | {way} | {_listed(roles)} | {_listed(guards, '; ')} | {_listed(rules)} |")
    return "\n".join(lines)


def _listed(texts: object, separator: str = ", ") -> str:
    return separator.join(str(text) for text in texts) if isinstance(texts, tuple) else str(texts)
