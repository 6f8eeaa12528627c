"""Opening a case: a lead refund, an invoice or escrow refund, a timesheet dispute, and what an expert issues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from uuid_utils.compat import uuid7

from refundgql.commands.checks import EXPLANATION_CHARS, Amount, Checks, existing_id
from refundgql.commands.deciding import AfterSave, FillAct, Prepare, decide_and_save
from refundgql.commands.evidence import FROZEN_MESSAGES, check_selection, freeze_conversation, read_chat, with_messages
from refundgql.commands.idempotency import Given, Made, once
from refundgql.commands.results import CaseResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.decisions import Act, Decision
from refundgql.domain.facts import Facts
from refundgql.domain.refusals import Refused, not_found
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    IssueDecision,
    RefundActionName,
    RefundCaseKind,
    RefundReason,
    RefundReasonDetail,
)
from refundgql.storage.cases import SavedDecision
from refundgql.storage.evidence import ChatMessage
from refundgql.storage.facts import load_payment_facts
from refundgql.storage.subjects import Subject, payment_of
from refundgql.storage.visibility import sees_payment


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLeadRefund:
    """Ask for a lead's price back; staff who file for a pro say why (D4)."""

    lead_id: str
    reason: RefundReason
    reason_detail: RefundReasonDetail | None = None
    explanation: str | None = None
    message_ids: tuple[str, ...] | None = None
    on_behalf_reason: str | None = None
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInvoiceRefund:
    """Ask for money of a paid invoice back, named by itself, by its billing week or by its released milestone."""

    invoice_id: str | None = None
    billing_week_id: str | None = None
    milestone_id: str | None = None
    amount: Amount
    reason: RefundReason | None = None
    explanation: str | None = None
    send_to_payment_method: bool | None = None
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEscrowRefund:
    """Ask for a funded, unreleased milestone's money back."""

    milestone_id: str
    amount: Amount
    reason: RefundReason | None = None
    explanation: str | None = None
    send_to_payment_method: bool | None = None
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTimesheetDispute:
    """Dispute hours of the prior billing week."""

    billing_week_id: str
    amount: Amount
    explanation: str
    send_to_payment_method: bool | None = None
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRefund:
    """Issue a refund without being asked: all, part or none, of exactly one payment."""

    invoice_id: str | None = None
    milestone_id: str | None = None
    billing_week_id: str | None = None
    decision: IssueDecision
    amount: Amount | None = None
    note: str | None = None
    idempotency_key: str


async def request_lead_refund(uow: UnitOfWork, viewer: Viewer, given: RequestLeadRefund) -> CaseResult:
    """Ask for a lead's price back, with the chat frozen as it stands (L01–L16, D4)."""
    chat: list[ChatMessage] = []
    chosen = tuple(dict.fromkeys(given.message_ids or ()))

    async def with_chat(unit: Unit, facts: Facts) -> Facts:
        chat[:] = await read_chat(unit, given.lead_id, chosen, latest=FROZEN_MESSAGES)
        return with_messages(facts, chat, chosen)

    def fill(act: Act, checks: Checks) -> Act:
        check_selection(chosen, checks)
        return replace(
            act,
            kind=RefundCaseKind.LEAD,
            reason=given.reason,
            reason_detail=given.reason_detail,
            text=checks.text(given.explanation, "explanation", EXPLANATION_CHARS),
            on_behalf_reason=checks.text(given.on_behalf_reason, "onBehalfReason"),
            message_ids=chosen,
        )

    async def keep_chat(unit: Unit, decision: Decision, saved: SavedDecision) -> None:
        selected = set(chosen)
        freeze_conversation(unit, viewer, decision, [message for message in chat if message.id in selected])
        freeze_conversation(unit, viewer, decision, chat)

    return await _open_case(
        uow,
        viewer,
        given,
        RefundActionName.REQUEST,
        fill,
        subject=lambda: (Subject.LEAD, given.lead_id),
        prepare=with_chat,
        after=keep_chat,
    )


async def request_invoice_refund(uow: UnitOfWork, viewer: Viewer, given: RequestInvoiceRefund) -> CaseResult:
    """Ask for all or part of a paid invoice or week back (C04–C11, C15), or of a released milestone (C29)."""

    def fill(act: Act, checks: Checks) -> Act:
        return replace(_fill_money_request(act, checks, given), kind=RefundCaseKind.INVOICE)

    return await _open_case(
        uow,
        viewer,
        given,
        RefundActionName.REQUEST,
        fill,
        subject=lambda: _one_subject(
            invoice_id=given.invoice_id, milestone_id=given.milestone_id, billing_week_id=given.billing_week_id
        ),
    )


async def request_escrow_refund(uow: UnitOfWork, viewer: Viewer, given: RequestEscrowRefund) -> CaseResult:
    """Ask for all or part of a funded, unreleased milestone back (C30, D11)."""

    def fill(act: Act, checks: Checks) -> Act:
        return replace(_fill_money_request(act, checks, given), kind=RefundCaseKind.ESCROW)

    return await _open_case(
        uow,
        viewer,
        given,
        RefundActionName.REQUEST,
        fill,
        subject=lambda: (Subject.MILESTONE, given.milestone_id),
    )


async def open_timesheet_dispute(uow: UnitOfWork, viewer: Viewer, given: OpenTimesheetDispute) -> CaseResult:
    """Dispute hours of the prior billing week; an undecided request on it gives way (C25–C28)."""

    def fill(act: Act, checks: Checks) -> Act:
        return replace(
            act,
            kind=RefundCaseKind.TIMESHEET,
            amount=checks.money(given.amount),
            text=checks.text(given.explanation, "explanation", EXPLANATION_CHARS),
            send_to_payment_method=bool(given.send_to_payment_method),
        )

    return await _open_case(
        uow,
        viewer,
        given,
        RefundActionName.OPEN_TIMESHEET_DISPUTE,
        fill,
        subject=lambda: (Subject.BILLING_WEEK, given.billing_week_id),
    )


async def issue_refund(uow: UnitOfWork, viewer: Viewer, given: IssueRefund) -> CaseResult:
    """Refund a client without being asked, or record that nothing is refunded (C12, C13)."""

    def fill(act: Act, checks: Checks) -> Act:
        return replace(
            act,
            kind=RefundCaseKind.INVOICE if given.milestone_id is None else RefundCaseKind.ESCROW,
            decision=given.decision,
            amount=checks.money(given.amount),
            text=checks.text(given.note, "note"),
        )

    return await _open_case(
        uow,
        viewer,
        given,
        RefundActionName.ISSUE,
        fill,
        subject=lambda: _one_subject(
            invoice_id=given.invoice_id, milestone_id=given.milestone_id, billing_week_id=given.billing_week_id
        ),
    )


def _fill_money_request(act: Act, checks: Checks, given: RequestInvoiceRefund | RequestEscrowRefund) -> Act:
    return replace(
        act,
        amount=checks.money(given.amount),
        reason=given.reason,
        text=checks.text(given.explanation, "explanation", EXPLANATION_CHARS),
        send_to_payment_method=bool(given.send_to_payment_method),
    )


_ID_FIELDS = {
    Subject.LEAD: (phrase("lead"), "leadId"),
    Subject.INVOICE: (phrase("invoice"), "invoiceId"),
    Subject.MILESTONE: (phrase("milestone"), "milestoneId"),
    Subject.BILLING_WEEK: (phrase("billing week"), "billingWeekId"),
}


def _one_subject(
    *, invoice_id: str | None = None, milestone_id: str | None = None, billing_week_id: str | None = None
) -> tuple[Subject, str]:
    """Return what is asked about.

    Refuses: INVALID_INPUT unless exactly one id is given.
    """
    ids = {Subject.INVOICE: invoice_id, Subject.MILESTONE: milestone_id, Subject.BILLING_WEEK: billing_week_id}
    given = [(subject, value) for subject, value in ids.items() if value is not None]
    if len(given) != 1:
        checks = Checks()
        message = sentence("NOT_ONE_PAYMENT_ID", "Name one payment: give exactly one id.")
        checks.refuse(message, *(_ID_FIELDS[given[1][0]][1] if given else "invoiceId"))
        checks.raise_if_any()
    return given[0]


async def _open_case(
    uow: UnitOfWork,
    viewer: Viewer,
    given: Given,
    action: RefundActionName,
    fill: FillAct,
    *,
    subject: Callable[[], tuple[Subject, str]],
    prepare: Prepare | None = None,
    after: AfterSave | None = None,
) -> CaseResult:
    case_id = str(uuid7())

    async def work(unit: Unit) -> Made:
        facts = await _visible_payment_facts(unit, viewer, *subject())
        if prepare is not None:
            facts = await prepare(unit, facts)
        act = Act(action=action, at=unit.now(), viewer=viewer, case_id=case_id)
        return await decide_and_save(unit, act, facts, fill, after)

    made, replayed = await once(uow, viewer, given, work)
    return CaseResult(made["case_id"], made["event_id"], replayed)


async def _visible_payment_facts(unit: Unit, viewer: Viewer, subject: Subject, subject_id: str) -> Facts:
    """Return the facts of a payment under lock.

    Refuses: NOT_FOUND when there is nothing of that id that the viewer may see.
    """
    what, field = _ID_FIELDS[subject]
    existing_id(subject_id, what, field)
    payment_id = await payment_of(unit.tx, subject, subject_id)
    if payment_id is not None:
        facts = (await load_payment_facts(unit.tx, [payment_id], lock=True)).get(payment_id)
        if facts is not None and sees_payment(viewer, facts):
            return facts
    raise Refused(not_found(what, field))
