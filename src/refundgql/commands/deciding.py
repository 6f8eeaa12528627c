"""The road every act on a case takes: key, visibility, facts under lock, the domain's decision, saved whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from uuid_utils.compat import uuid7

from refundgql.commands.checks import Checks, existing_id
from refundgql.commands.filing import file_withdrawal
from refundgql.commands.idempotency import Given, Made, once
from refundgql.commands.results import CaseResult
from refundgql.commands.settle import find_waiting, settle_balances
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.cases import decide
from refundgql.domain.decisions import Act, Decision
from refundgql.domain.facts import Case, Facts
from refundgql.domain.refusals import Refused, not_found
from refundgql.domain.sentences import phrase
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundActionName
from refundgql.storage.cases import SavedDecision
from refundgql.storage.facts import load_case_facts
from refundgql.storage.visibility import sees_case

_LOOKS_FURTHER = (RefundActionName.ESCALATE, RefundActionName.DISPUTE)

FillAct = Callable[[Act, Checks], Act]
"""Puts the checked input into an act."""
Prepare = Callable[[Unit, Facts], Awaitable[Facts]]
"""Loads what else an act looks at, under the same locks."""
AfterSave = Callable[[Unit, Decision, SavedDecision], Awaitable[None]]
"""Writes what belongs to an act beside the case itself."""


class CaseInput(Given, Protocol):
    """The input of an act on an existing case."""

    @property
    def refund_case_id(self) -> str:
        """Return the case's id."""
        ...


async def act_on_case(
    uow: UnitOfWork,
    viewer: Viewer,
    given: CaseInput,
    action: RefundActionName,
    fill: FillAct,
    *,
    prepare: Prepare | None = None,
    prepare_locks: bool = True,
    after: AfterSave | None = None,
) -> CaseResult:
    """Perform one act on an existing case and return the case and the act's own event.

    `prepare_locks` says that what prepares the act must stay as it is until the act is written.

    Refuses: IDEMPOTENCY_KEY_REUSED; NOT_FOUND, also for a case that the viewer may not see; then as the rules do.
    """

    # Of the attempt that was committed: nothing is kept of the ones before it.
    saved: Decision | None = None

    async def work(unit: Unit) -> Made:
        nonlocal saved
        facts = await visible_case_facts(unit, viewer, given.refund_case_id)
        if prepare is not None:
            facts = await prepare(unit, facts)
        act = Act(
            action=action,
            at=unit.now(),
            viewer=viewer,
            case_id=given.refund_case_id,
            follow_up_id=str(uuid7()),
            expected_version=getattr(given, "expected_version", None),
        )
        made, saved = await _decide_and_save(unit, act, facts, fill, after)
        return made

    # What prepares or adds to an act may look at more than its case, and a follow-up case is given its number.
    prepares = prepare is not None and prepare_locks
    alone = not prepares and after is None and action not in _LOOKS_FURTHER
    made, replayed = await once(uow, viewer, given, work, one_write=alone)
    if replayed or saved is None:
        return CaseResult(made["case_id"], made["event_id"], replayed)
    return CaseResult(made["case_id"], made["event_id"], replayed, saved.case, saved.event)


async def decide_and_save(unit: Unit, act: Act, facts: Facts, fill: FillAct, after: AfterSave | None = None) -> Made:
    """Let the domain decide, save the decision and what follows from its money, and return the ids it made."""
    made, _ = await _decide_and_save(unit, act, facts, fill, after)
    return made


async def _decide_and_save(
    unit: Unit, act: Act, facts: Facts, fill: FillAct, after: AfterSave | None
) -> tuple[Made, Decision | None]:
    """Return the ids, and the decision when nothing else has written what it wrote."""
    checks = Checks()
    act = fill(act, checks)
    decision = decide(replace(act, faults=tuple(checks.refusals)), facts, unit.policy)
    waiting = await find_waiting(unit, decision.postings)  # before anything is written: writes go together, at the end
    saved = await unit.save(decision, facts)
    if after is not None:
        await after(unit, decision, saved)
    await settle_balances(unit, waiting)
    if decision.withdrawal_requested:
        await file_withdrawal(unit, decision)
    one = len(decision.cases) == 1
    alone = one and after is None and not waiting and not decision.withdrawal_requested
    return {"case_id": decision.case.id, "event_id": saved.event_id}, decision if alone else None


async def visible_case_facts(unit: Unit, viewer: Viewer, case_id: str, *, lock: bool = True) -> Facts:
    """Return the facts of a case, under lock unless that is not needed.

    Refuses: NOT_FOUND when there is none that the viewer may see, in the same words for both.
    """
    existing_id(case_id, phrase("refund case"), "refundCaseId")
    facts = (await load_case_facts(unit.tx, [case_id], lock=lock, reader=viewer)).get(case_id)
    if facts is None or not sees_case(viewer, case_of(facts)):
        raise Refused(not_found(phrase("refund case"), "refundCaseId"))
    return facts


def case_of(facts: Facts) -> Case:
    """Return the case that the facts were loaded for."""
    assert facts.case is not None, "facts loaded for a case hold it"  # noqa: S101 - narrows the type
    return facts.case
