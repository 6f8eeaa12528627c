"""Evidence withdrawn or redacted, told in the case's history by the hash of what it said."""

from __future__ import annotations

from datetime import datetime

from refundgql.domain.decisions import Decision
from refundgql.domain.draft import Draft
from refundgql.domain.facts import Facts
from refundgql.domain.machines.table import TABLE
from refundgql.domain.policy import Policy
from refundgql.domain.rules.who import actor_role
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import STAFF_NOTE, Audience, RefundEventName


def evidence_changed(
    facts: Facts,
    viewer: Viewer,
    at: datetime,
    policy: Policy,
    *,
    name: RefundEventName,
    sha256: str,
    audience: Audience,
    note: str | None = None,
) -> Decision:
    """Record that evidence was withdrawn or redacted; the hash of what it said stays in the history (D26)."""
    if facts.case is None:
        raise ValueError("evidence is a case's")
    case, internal = facts.case, audience is Audience.INTERNAL
    (row, *_) = TABLE[case.kind][name.value, case.state]
    draft = Draft(facts, policy, at)
    draft.case = draft.record(
        STAFF_NOTE if internal else name.value,
        case,
        case.state,
        actor_id=viewer.account_id,
        actor_role=actor_role(row.guards.by, viewer, facts),
        note=None if internal else note,
        internal_note=note if internal else None,
        rule="D29" if internal else "D26",
        audience=audience,
        saw=(("evidence", sha256),),
    )
    return draft.decision()
