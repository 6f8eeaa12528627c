"""The transition table for people: states, rows, a Mermaid diagram and a Markdown table, printed from the machines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from refundgql.domain.machines import MACHINES
from refundgql.domain.machines.base import NOTHING
from refundgql.domain.machines.table import ROWS, TableRow
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
_KINDS = {
    RefundCaseKind.LEAD: "What a professional was charged for a lead.",
    RefundCaseKind.INVOICE: "A paid invoice of a contract, hourly or fixed-price.",
    RefundCaseKind.ESCROW: "A milestone that is funded and not released.",
    RefundCaseKind.TIMESHEET: "The hours of the billing week that ended last.",
}
_PAGE_HEAD = """# Workflow

Each kind of refund case has its own state machine. This page is printed from the machines and never edited by hand:

    refundgql workflow --format page > docs/workflow.md

The API serves the same under `refundWorkflow(kind:)`. ∅ is where a case does not exist yet; rules are the numbers that
`refundPolicy` lists. An act that no row allows is refused, with the reason, and changes nothing. In the diagrams an
arrow names the event and who may cause it; events that change no state stand in the tables only. SUPPORT includes
administrators."""


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


def workflow_page(kinds: Iterable[RefundCaseKind]) -> str:
    """Return a Markdown page: for each kind its states, its diagram and its transition table."""
    return "\n\n".join([_PAGE_HEAD, *(_section(workflow(kind)) for kind in kinds)])


def _section(machine: Workflow) -> str:
    heading, table = machine.table.split("\n\n", 1)
    states = ["| state | meaning |", "|---|---|"]
    states += [f"| {one.state}{' (final)' if one.final else ''} | {one.description} |" for one in machine.states]
    diagram = f"```mermaid\n{machine.mermaid}\n```"
    return "\n\n".join([heading.removeprefix("#"), _KINDS[machine.kind], "\n".join(states), diagram, table])


def _transition(row: TableRow) -> WorkflowTransition:
    guards = row.guards
    chosen = tuple((one.yes if expected else one.no)[0] for one, expected in row.conditions)
    numbers = (*row.cites, *(number for rule in guards.rules for number in rule.rules))
    return WorkflowTransition(
        action=row.event,
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
