"""Evidence taken back by whoever added it, or redacted by an administrator (D26).

The hash and a line in the history stay. A redacted file leaves the evidence store after the commit; what a killed
process left there is removed with abandoned uploads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from refundgql.commands.checks import Checks, existing_id
from refundgql.commands.idempotency import Made, once
from refundgql.commands.results import CaseResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.calendar import to_micros
from refundgql.domain.evidence import evidence_changed
from refundgql.domain.refusals import Refused, not_found, refusal
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundEventName, RefusalCode
from refundgql.storage.evidence import (
    KeptEvidence,
    find_evidence,
    forget_file,
    redact_evidence_row,
    redacted_files,
    withdraw_evidence_row,
)
from refundgql.storage.facts import load_case_facts

_log = logging.getLogger(__name__)

DISCARDED_AT_ONCE = 100
"""One look removes so many redacted files; the next one removes the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawEvidence:
    """Take back what one has added."""

    evidence_id: str
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactEvidence:
    """Take evidence away from everybody, with a reason."""

    evidence_id: str
    reason: str
    idempotency_key: str | None = None


async def withdraw_evidence(uow: UnitOfWork, viewer: Viewer, given: WithdrawEvidence) -> CaseResult:
    """Take an item of one's own back, until a decision was made with it (D26).

    Refuses: NOT_FOUND; FORBIDDEN for somebody else's; TRANSITION_NOT_ALLOWED once it was decided with, or gone already.
    """

    def judge(found: KeptEvidence) -> str | None:
        if found.added_by_id != viewer.account_id:
            message = sentence("ONLY_OWNER_WITHDRAWS_EVIDENCE", "Only whoever added it can withdraw it.")
            raise Refused(refusal(RefusalCode.FORBIDDEN, message, "D26"))
        if found.is_decided:
            message = sentence(
                "EVIDENCE_WAS_USED",
                "A decision was made with it: ask an administrator to redact it if it must not be read.",
            )
            raise Refused(refusal(RefusalCode.TRANSITION_NOT_ALLOWED, message, "D26"))
        return None

    def write(unit: Unit, found: KeptEvidence, at: int, _: str | None) -> None:
        withdraw_evidence_row(unit.tx, found.id, at)

    return await _change(uow, viewer, given, RefundEventName.EVIDENCE_WITHDRAWN, judge, write)


async def redact_evidence(uow: UnitOfWork, viewer: Viewer, given: RedactEvidence) -> CaseResult:
    """Take an item's content away for good, its file from the evidence store too (D26).

    Refuses: NOT_FOUND; FORBIDDEN for everybody but administrators; INVALID_INPUT; TRANSITION_NOT_ALLOWED when it is
    gone already.
    """

    def judge(_: KeptEvidence) -> str | None:
        if not viewer.is_admin:
            raise Refused(
                refusal(
                    RefusalCode.FORBIDDEN,
                    sentence("ONLY_ADMIN_REDACTS", "Only an administrator can redact evidence."),
                    "D26",
                )
            )
        checks = Checks()
        reason = checks.text(given.reason, "reason")
        checks.raise_if_any()
        return reason

    def write(unit: Unit, found: KeptEvidence, at: int, reason: str | None) -> None:
        redact_evidence_row(unit.tx, found.id, at, viewer.account_id, reason or "")

    done = await _change(uow, viewer, given, RefundEventName.EVIDENCE_REDACTED, judge, write)
    await discard_now(uow)
    return done


async def discard_now(uow: UnitOfWork) -> None:
    """Remove redacted files from the evidence store; while it cannot be reached they wait for the sweeper's look."""
    try:
        await discard_redacted(uow)
    except Exception:
        # The redaction is committed and nobody reads the file any more, whatever became of the store.
        _log.exception("Redacted files could not be removed yet; the next look at uploads does it.")


async def discard_redacted(uow: UnitOfWork) -> None:
    """Remove redacted files from the evidence store; safe in several processes at once and at any kill."""
    if uow.files is None:
        return
    for evidence_id, key in await redacted_files(uow.database, limit=DISCARDED_AT_ONCE):
        await uow.files.discard(key)
        await forget_file(uow.database, evidence_id)


async def _change(
    uow: UnitOfWork,
    viewer: Viewer,
    given: WithdrawEvidence | RedactEvidence,
    name: RefundEventName,
    judge: Callable[[KeptEvidence], str | None],
    write: Callable[[Unit, KeptEvidence, int, str | None], None],
) -> CaseResult:
    async def work(unit: Unit) -> Made:
        existing_id(given.evidence_id, phrase("evidence"), "evidenceId")
        first = await find_evidence(unit.tx, viewer, given.evidence_id)
        facts = None
        if first is not None:
            facts = (await load_case_facts(unit.tx, [first.case_id], lock=True)).get(first.case_id)
        found = await find_evidence(unit.tx, viewer, given.evidence_id)  # under the case's lock
        if facts is None or found is None:
            raise Refused(not_found(phrase("evidence"), "evidenceId"))
        note = judge(found)
        if found.redacted or (found.withdrawn and name is RefundEventName.EVIDENCE_WITHDRAWN):
            message = sentence("EVIDENCE_GONE", "It is gone already: look at the case again.")
            raise Refused(refusal(RefusalCode.TRANSITION_NOT_ALLOWED, message, "D26"))
        at = unit.now()
        decision = evidence_changed(
            facts, viewer, at, unit.policy, name=name, sha256=found.sha256, audience=found.audience, note=note
        )
        saved = await unit.save(decision, facts)
        write(unit, found, to_micros(at), note)
        return {"case_id": found.case_id, "event_id": saved.event_id}

    made, replayed = await once(uow, viewer, given, work)
    return CaseResult(made["case_id"], made["event_id"], replayed)
