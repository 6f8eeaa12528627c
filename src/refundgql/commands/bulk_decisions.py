"""Support's bulk work: many cases decided with one request, each by itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from refundgql.commands.checks import Amount, Checks
from refundgql.commands.decisions import ApproveRefund, DeclineRefund, approve_refund, decline_refund
from refundgql.commands.idempotency import Made, once
from refundgql.commands.results import CaseResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.refusals import Refused, refusal
from refundgql.domain.sentences import sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundDecision, RefusalCode

DECISIONS_AT_ONCE = 50
"""Each takes some milliseconds, and all of them have to fit into the time of one operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDecision:
    """What is decided of one case; the fields are those of approving or of declining it."""

    refund_case_id: str
    decision: RefundDecision
    amount: Amount | None = None
    note: str | None = None
    message: str | None = None
    internal_note: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideRefunds:
    """Decide many cases."""

    decisions: tuple[CaseDecision, ...]
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class DecidedRefunds:
    """What became of each decision, in order: a result or why not; `replayed` when the key had begun them before."""

    outcomes: tuple[CaseResult | Refused, ...]
    replayed: bool = False


async def decide_refunds(uow: UnitOfWork, viewer: Viewer, given: DecideRefunds) -> DecidedRefunds:
    """Decide many cases one after the other; one that is refused does not stop the others.

    The key stands for the whole list, and each case has one derived from it: a repeat after a crash does what is left.
    A fault of the server is raised when the others are done; the same request again tells the rest.

    Refuses, as a whole: IDEMPOTENCY_KEY_REUSED; FORBIDDEN for others than staff; INVALID_INPUT for no decision, more
    than 50, or two about one case.
    """

    async def begin(unit: Unit) -> Made:
        _check(viewer, given)
        return {}

    _, replayed = await once(uow, viewer, given, begin)
    outcomes: list[CaseResult | Refused] = []
    fault: Exception | None = None
    for index, decision in enumerate(given.decisions):
        try:
            outcomes.append(await _decide(uow, viewer, decision, given.idempotency_key))
        except Refused as refused:
            outcomes.append(_at(index, refused))
            if uow.watch is not None:
                uow.watch.act_refused(refused.refusals)
        except Exception as error:
            fault = fault or error
    if fault is not None:
        raise fault
    return DecidedRefunds(tuple(outcomes), replayed)


def _check(viewer: Viewer, given: DecideRefunds) -> None:
    if not viewer.is_staff:
        message = sentence("ONLY_SUPPORT_DECIDES_MANY", "Many cases at once are decided by support.")
        raise Refused(refusal(RefusalCode.FORBIDDEN, message))
    checks = Checks()
    ids = [one.refund_case_id for one in given.decisions if one.refund_case_id]
    if not 1 <= len(given.decisions) <= DECISIONS_AT_ONCE:
        checks.refuse(
            sentence("DECISIONS_OUT_OF_RANGE", "Give 1 to {limit} decisions.", limit=DECISIONS_AT_ONCE), "decisions"
        )
    elif len(set(ids)) < len(ids):
        checks.refuse(sentence("CASE_DECIDED_TWICE", "Decide each case once."), "decisions")
    checks.raise_if_any()


async def _decide(uow: UnitOfWork, viewer: Viewer, given: CaseDecision, key: str) -> CaseResult:
    digest = hashlib.sha256(f"{key}\n{given.refund_case_id}".encode()).hexdigest()
    derived = f"decide_refunds {digest}"
    if given.decision is RefundDecision.APPROVE:
        _leave_out("APPROVE", message=given.message, internalNote=given.internal_note)
        approval = ApproveRefund(
            refund_case_id=given.refund_case_id,
            amount=given.amount,
            note=given.note,
            expected_version=given.expected_version,
            idempotency_key=derived,
        )
        return await approve_refund(uow, viewer, approval)
    _leave_out("DECLINE", amount=given.amount, note=given.note)
    decline = DeclineRefund(
        refund_case_id=given.refund_case_id,
        message=given.message or "",
        internal_note=given.internal_note,
        expected_version=given.expected_version,
        idempotency_key=derived,
    )
    return await decline_refund(uow, viewer, decline)


def _at(index: int, refused: Refused) -> Refused:
    """Return the refusals with their fields named from the whole list downwards."""
    return Refused(
        *(
            it if it.field is None else replace(it, field=("decisions", str(index), *it.field))
            for it in refused.refusals
        )
    )


def _leave_out(decision: str, **given: object) -> None:
    checks = Checks()
    for name, value in given.items():
        if value is not None:
            message = sentence(
                "NOT_FOR_DECISION", "{field} is not for {decision}: leave it out.", field=name, decision=decision
            )
            checks.refuse(message, name)
    checks.raise_if_any()
