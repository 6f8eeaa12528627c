"""What is printed for people is what the machines do: rows, diagram and table."""

from __future__ import annotations

import pytest
from domain_world import A, K, S
from test_tables import OPENING, SAME, STATES, TABLES

from refundgql.domain.machines import MACHINES
from refundgql.domain.policy import Policy
from refundgql.domain.vocabulary import RefundCaseKind
from refundgql.domain.workflow import workflow

SYSTEM_ROWS = {
    "TARGET_MISSED",
    "WITHDRAWAL_CHANGED",
    "EVIDENCE_WITHDRAWN",
    "EVIDENCE_REDACTED",
    "DUE_SOON",
    "DEADLINE_MOVED",
    "INFORMATION_ENDED",
    "FINALISE",
    "STAFF_NOTE",
    "CHARGEBACK",
}
EVENTS = {A.REQUEST_INFORMATION: "INFORMATION_REQUESTED"}
PARTS = {"SUPPORT": {"SUPPORT", "ADMIN"}}
THROUGH_APPROVED = {A.APPROVE, A.ISSUE}
REMARKS = {A.CONFIRM}
"""What the decision that it signs moves, not the act itself."""


def people(roles: tuple[str, ...]) -> set[str]:
    """Return who plays the roles of a row: administrators are support, too."""
    return {who for role in roles for who in PARTS.get(role, {role})}


@pytest.mark.parametrize("kind", K)
def test_the_printed_rows_are_the_table(kind: RefundCaseKind) -> None:
    """Each printed row is one of the written table, with the same people, and none is missing."""
    printed = {
        (row.action, row.from_state, row.to_state or SAME): {
            who for role in row.roles for who in PARTS.get(role, {role})
        }
        for row in workflow(kind).transitions
        if row.action not in SYSTEM_ROWS
    }
    written = {}
    for action, rows in TABLES[kind].items():
        for state, (to_state, roles) in rows.items():
            to = S.APPROVED if action in THROUGH_APPROVED and to_state is S.CREDITED else to_state
            to = SAME if action in REMARKS else to
            written[(EVENTS.get(action, action.value), state, to)] = roles
    for extra in ((A.REQUEST, None, S.ESCALATED, {"CLIENT"}), (A.ISSUE, None, S.DECLINED, {"EXPERT"})):
        if (kind is K.INVOICE or (kind is K.ESCROW and extra[0] is A.ISSUE)) and extra[0] in OPENING:
            written[(extra[0].value, None, extra[2])] = extra[3]
    for action, to_state in ((A.ESCALATE, S.ESCALATED), (A.DISPUTE, S.DISPUTED)):
        if kind is K.INVOICE or (kind is K.ESCROW and action is A.DISPUTE):  # a follow-up case (D19)
            written[(action.value, None, to_state)] = written[(action.value, S.CREDITED, SAME)] = {"CLIENT"}
    assert printed == written


@pytest.mark.parametrize("kind", K)
def test_every_row_says_who_why_and_by_which_rule(kind: RefundCaseKind) -> None:
    """Roles and guards are words; rules are numbers of the catalogue."""
    known = {rule.rule for rule in Policy().rules()}
    for row in workflow(kind).transitions:
        assert row.roles
        assert all(guard and not guard.endswith(".") for guard in row.guards)
        assert set(row.rules) <= known
        assert row.rules or row.action in ("SEND_MESSAGE", "ASSIGN")


@pytest.mark.parametrize("kind", K)
def test_states_are_the_machines(kind: RefundCaseKind) -> None:
    """Each state is described; CREDITED and CANCELLED alone are final."""
    states = workflow(kind).states
    assert {one.state for one in states} == set(STATES[kind])
    assert {one.state for one in states if one.final} == {S.CREDITED, S.CANCELLED}
    assert all(one.description.endswith(".") for one in states)


@pytest.mark.parametrize("kind", K)
def test_the_diagram_and_the_table_show_every_transition(kind: RefundCaseKind) -> None:
    """Each transition of the class has its line in the diagram and its row in the table."""
    printed = workflow(kind)
    lines = printed.mermaid.splitlines()
    assert lines[0] == "stateDiagram-v2"
    transitions = [one for state in MACHINES[kind].states for one in state.transitions]
    assert sum("-->" in line for line in lines) == len(transitions) + 2
    for transition in transitions:
        start = "[*]" if transition.source.value == "NOTHING" else transition.source.value
        assert transition.target is not None
        assert any(
            line.strip().startswith(f"{start} --> {transition.target.value} : {str(transition.event).upper()}")
            for line in lines
        )
    assert printed.table.startswith(f"### {kind.value}\n")
    assert {line.split("|")[1].strip() for line in printed.table.splitlines()[4:]} == {
        row.action for row in printed.transitions
    }
