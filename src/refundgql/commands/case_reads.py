"""Marking a case as read, for oneself."""

from __future__ import annotations

from dataclasses import dataclass

from refundgql.commands.checks import Checks
from refundgql.commands.deciding import case_of, visible_case_facts
from refundgql.commands.idempotency import Made, once
from refundgql.commands.results import CaseReadResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.sentences import sentence
from refundgql.domain.viewers import Viewer
from refundgql.storage.case_reads import mark_read


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkCaseRead:
    """Mark a case as read up to an event, or with no version up to its last one."""

    refund_case_id: str
    up_to_version: int | None = None
    idempotency_key: str | None = None


async def mark_case_read(uow: UnitOfWork, viewer: Viewer, given: MarkCaseRead) -> CaseReadResult:
    """Mark a case as read; what was read stays read.

    Refuses: NOT_FOUND; INVALID_INPUT for a version that the case does not have.
    """

    async def work(unit: Unit) -> Made:
        # Without a lock: reading must not wait for whoever decides, and what comes meanwhile stays unread.
        case = case_of(await visible_case_facts(unit, viewer, given.refund_case_id, lock=False))
        version, checks = case.version, Checks()
        up_to = version if given.up_to_version is None else given.up_to_version
        if not 0 < up_to <= version:
            message = sentence(
                "VERSION_OUT_OF_RANGE", "Give a version from 1 to {version}, or leave it out.", version=version
            )
            checks.refuse(message, "upToVersion")
        checks.raise_if_any()
        mark_read(unit.tx, viewer.account_id, case.id, up_to)
        return {"case_id": case.id}

    made, replayed = await once(uow, viewer, given, work)
    return CaseReadResult(made["case_id"], replayed=replayed)
