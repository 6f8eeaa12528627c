"""Who of the staff takes care of a case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from refundgql.commands.checks import Checks, is_uuid
from refundgql.commands.deciding import act_on_case
from refundgql.commands.results import CaseResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.cases import decide
from refundgql.domain.decisions import Act
from refundgql.domain.facts import Facts
from refundgql.domain.refusals import Refused, not_found
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundActionName
from refundgql.storage.accounts import find_viewer
from refundgql.storage.cases import list_assigned
from refundgql.storage.facts import load_case_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignCase:
    """Give a case to a member of staff, or with no assignee to nobody."""

    refund_case_id: str
    assignee_id: str | None = None
    expected_version: int | None = None
    idempotency_key: str | None = None


async def assign_case(uow: UnitOfWork, viewer: Viewer, given: AssignCase) -> CaseResult:
    """Assign a case to a member of staff, or take it from whoever has it.

    Refuses: NOT_FOUND for an account that does not exist; INVALID_INPUT for one that is not staff.
    """
    assignees: list[Viewer] = []

    async def with_assignee(unit: Unit, facts: Facts) -> Facts:
        if given.assignee_id is not None and viewer.is_staff:
            account = await find_viewer(unit.tx, given.assignee_id) if is_uuid(given.assignee_id) else None
            if account is None:
                raise Refused(not_found(phrase("account"), "assigneeId"))
            assignees[:] = [account]
        return facts

    def fill(act: Act, checks: Checks) -> Act:
        if not all(account.is_staff for account in assignees):
            message = sentence("ONLY_STAFF_TAKE_CASES", "Only a member of staff can take a case: choose one of them.")
            checks.refuse(message, "assigneeId")
        return replace(act, assignee_id=given.assignee_id)

    return await act_on_case(
        uow,
        viewer,
        given,
        RefundActionName.ASSIGN,
        fill,
        prepare=with_assignee,
        prepare_locks=False,  # who was staff a moment ago may have been given the case
    )


async def take_back_cases(unit: Unit, account_id: str) -> None:
    """Give the cases of somebody who is no member of staff any more to nobody, where colleagues find them.

    These are the open ones, and those that may still be taken to support or be reopened.
    """
    declined_after = unit.now() - timedelta(days=unit.policy.reopen_window_days + 1)
    ids = await list_assigned(unit.tx, account_id, unit.now(), declined_after)
    found = await load_case_facts(unit.tx, ids, lock=True)
    for case_id, facts in found.items():
        act = Act(action=RefundActionName.ASSIGN, at=unit.now(), case_id=case_id)
        await unit.save(decide(act, facts, unit.policy), facts)
