"""Decide a case and move it on: approve, decline, sign, ask, escalate, dispute, consent, cancel, reverse, reopen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from refundgql.commands.checks import EXPLANATION_CHARS, NOTE_CHARS, Amount, Checks
from refundgql.commands.deciding import Prepare, act_on_case
from refundgql.commands.results import CaseResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.decisions import Act
from refundgql.domain.facts import Facts
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefundActionName, RestOfEscrow, WhoseMove
from refundgql.storage.ledger import load_credit


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCase:
    """An act on a case that is there, as its sender last saw it."""

    refund_case_id: str
    expected_version: int | None = None
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveRefund(OnCase):
    """Approve all of what is asked (no amount) or part of it."""

    amount: Amount | None = None
    note: str | None = None
    rest: RestOfEscrow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineRefund(OnCase):
    """Decline with a message for the requester; the internal note is for staff only."""

    message: str
    internal_note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalateRefund(OnCase):
    """Bring a case to support."""

    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeRefund(OnCase):
    """Bring a case to dispute resolution."""

    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentToRefund(OnCase):
    """The expert consents to an amount while support decides."""

    amount: Amount
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRefund(OnCase):
    """The requester takes the request back."""

    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseRefund(OnCase):
    """Undo a credited refund by a compensating posting."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInformation(OnCase):
    """Ask a party a question, to be answered within a number of days."""

    asked_party: WhoseMove
    question: str
    days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmDecision(OnCase):
    """Sign a proposed decision; the note is for staff."""

    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnDecision(OnCase):
    """Give a proposed decision back, with what should be different."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenRefund(OnCase):
    """Mend a final decline."""

    reason: str


async def approve_refund(uow: UnitOfWork, viewer: Viewer, given: ApproveRefund) -> CaseResult:
    """Approve a case, and credit it in the same transaction where the money is there (L18, D5, D9, D13)."""

    def fill(act: Act, checks: Checks) -> Act:
        note = checks.text(given.note, "note")
        return replace(act, amount=checks.money(given.amount), text=note, rest=given.rest)

    return await act_on_case(uow, viewer, given, RefundActionName.APPROVE, fill)


async def decline_refund(uow: UnitOfWork, viewer: Viewer, given: DeclineRefund) -> CaseResult:
    """Decline a case with a message for the requester (D12 when it is support who does)."""

    def fill(act: Act, checks: Checks) -> Act:
        return replace(
            act,
            text=checks.text(given.message, "message"),
            internal_note=checks.text(given.internal_note, "internalNote"),
        )

    return await act_on_case(uow, viewer, given, RefundActionName.DECLINE, fill)


async def escalate_refund(uow: UnitOfWork, viewer: Viewer, given: EscalateRefund) -> CaseResult:
    """Bring a declined case, or an approved one that waits for funds, to support (D6, C24, D13)."""
    return await _with_words(uow, viewer, given, RefundActionName.ESCALATE, "explanation", EXPLANATION_CHARS)


async def dispute_refund(uow: UnitOfWork, viewer: Viewer, given: DisputeRefund) -> CaseResult:
    """Open dispute resolution on a case (C31)."""
    return await _with_words(uow, viewer, given, RefundActionName.DISPUTE, "explanation", EXPLANATION_CHARS)


async def consent_to_refund(uow: UnitOfWork, viewer: Viewer, given: ConsentToRefund) -> CaseResult:
    """Record the expert's consent to an amount (C15)."""

    def fill(act: Act, checks: Checks) -> Act:
        return replace(act, amount=checks.money(given.amount), text=checks.text(given.note, "note"))

    return await act_on_case(uow, viewer, given, RefundActionName.CONSENT, fill)


async def cancel_refund(uow: UnitOfWork, viewer: Viewer, given: CancelRefund) -> CaseResult:
    """Cancel an undecided case of one's own (D15)."""
    return await _with_words(uow, viewer, given, RefundActionName.CANCEL, "note")


async def reverse_refund(uow: UnitOfWork, viewer: Viewer, given: ReverseRefund) -> CaseResult:
    """Reverse a credited refund by a posting of its own; never by editing (D16)."""

    async def with_credit(unit: Unit, facts: Facts) -> Facts:
        return replace(facts, credit=await load_credit(unit.tx, given.refund_case_id))

    return await _with_words(uow, viewer, given, RefundActionName.REVERSE, "reason", prepare=with_credit)


async def request_information(uow: UnitOfWork, viewer: Viewer, given: RequestInformation) -> CaseResult:
    """Ask a party for information; support's target stands still until the answer or the end of the days (D24)."""

    def fill(act: Act, checks: Checks) -> Act:
        text = checks.text(given.question, "question")
        return replace(act, text=text, asked_party=given.asked_party, days=given.days)

    return await act_on_case(uow, viewer, given, RefundActionName.REQUEST_INFORMATION, fill)


async def confirm_decision(uow: UnitOfWork, viewer: Viewer, given: ConfirmDecision) -> CaseResult:
    """Take a decision that a colleague proposed, as far as it can be taken now (D23)."""
    return await _with_words(uow, viewer, given, RefundActionName.CONFIRM, "note")


async def return_decision(uow: UnitOfWork, viewer: Viewer, given: ReturnDecision) -> CaseResult:
    """Return a proposed decision: nothing is decided (D23)."""
    return await _with_words(uow, viewer, given, RefundActionName.RETURN, "reason")


async def reopen_refund(uow: UnitOfWork, viewer: Viewer, given: ReopenRefund) -> CaseResult:
    """Take a finally declined case to support again, once (D22)."""
    return await _with_words(uow, viewer, given, RefundActionName.REOPEN, "reason")


async def _with_words(
    uow: UnitOfWork,
    viewer: Viewer,
    given: OnCase,
    action: RefundActionName,
    field: str,
    limit_chars: int = NOTE_CHARS,
    *,
    prepare: Prepare | None = None,
) -> CaseResult:
    """Perform an act that takes nothing but words, in a field of its input."""

    def fill(act: Act, checks: Checks) -> Act:
        return replace(act, text=checks.text(getattr(given, field), field, limit_chars))

    return await act_on_case(uow, viewer, given, action, fill, prepare=prepare)
