"""The sentences that are kept as text, in the ledger and in histories, and said again when somebody reads them."""

from __future__ import annotations

from refundgql.domain.sentences import Kept, Sentence, sentence
from refundgql.domain.vocabulary import RefundCaseKind

REFUND_REQUEST = Kept("REFUND_REQUEST", "Refund request")
REFUNDS = {
    RefundCaseKind.LEAD: Kept("REFUND_OF_LEAD", "Refund of a lead"),
    RefundCaseKind.INVOICE: Kept("REFUND_OF_INVOICE", "Refund of an invoice"),
    RefundCaseKind.ESCROW: Kept("REFUND_FROM_ESCROW", "Refund from escrow"),
    RefundCaseKind.TIMESHEET: Kept("REFUND_OF_HOURS", "Refund of disputed hours"),
}
REFUND_OF_LEAD = Kept("REFUND_OF_LEAD_TITLED", "Refund of a lead: {title}")
REVERSED = Kept("REVERSAL", "Reversal: {what}")
TAKEN_BACK = {
    "REFUND": Kept("PAST_REFUND", "Refund: {what}"),
    "CHARGEBACK": Kept("CHARGEBACK", "Chargeback: {what}"),
}
WEEK_RELEASED = Kept("WEEK_RELEASED_TO_EXPERT", "Billing week released")
INVOICED_WEEK_RELEASED = Kept("INVOICED_WEEK_RELEASED", "Week released: invoice {number}")
MILESTONE_RELEASED = Kept("MILESTONE_RELEASED", "Milestone released")
TITLED_MILESTONE_RELEASED = Kept("TITLED_MILESTONE_RELEASED", "Milestone released: {title}")
OPENING_BALANCE = Kept("OPENING_BALANCE", "Opening balance")
LEAD_TOP_UP = Kept("LEAD_TOP_UP", "Paid for a lead")
LEAD = Kept("LEAD_CHARGED", "Lead: {title}")
INVOICE = Kept("INVOICE_PAID", "Invoice {number}")
MILESTONE = Kept("MILESTONE_FUNDED", "Milestone: {title}")
WITHDRAWAL = Kept("WITHDRAWAL_REQUESTED", "Withdrawal to your payment method")
WITHDRAWAL_PAID = Kept("WITHDRAWAL_PAID", "Withdrawal arrived at your payment method")
WITHDRAWAL_FAILED = Kept("WITHDRAWAL_FAILED", "Withdrawal failed: the money is back on your balance")
WITHDRAWAL_CANCELLED = Kept("WITHDRAWAL_CANCELLED", "Withdrawal cancelled: the money is back on your balance")
CANCELLED_BY_OWNER = Kept("WITHDRAWAL_CANCELLED_BY_OWNER", "You cancelled it before it was sent.")
DUE_SOON_NOTE = Kept("DUE_SOON", "{clock} ends on {ends_at}.")
DEADLINE_MOVED_NOTE = Kept("DEADLINE_MOVED", "The rules have changed: {clock} ends on {ends_at} instead of {ended_at}.")

_POSTED = (
    *(REFUND_REQUEST, *REFUNDS.values(), REFUND_OF_LEAD, REVERSED, *TAKEN_BACK.values()),
    *(WEEK_RELEASED, INVOICED_WEEK_RELEASED, MILESTONE_RELEASED, TITLED_MILESTONE_RELEASED),
    *(OPENING_BALANCE, LEAD_TOP_UP, LEAD, INVOICE, MILESTONE),
    *(WITHDRAWAL, WITHDRAWAL_PAID, WITHDRAWAL_FAILED, WITHDRAWAL_CANCELLED),
)

_NOTED = (DUE_SOON_NOTE, DEADLINE_MOVED_NOTE)


def read_posted(description: str) -> Sentence | None:
    """Return the sentence that describes a posting; None for what an earlier release wrote otherwise."""
    found = _read(description, _POSTED)
    what = None if found is None else found.parameters.get("what")
    inner = _read(what, _POSTED) if isinstance(what, str) else None
    if found is None or inner is None:
        return found
    return sentence(found.code, found.template, what=inner)


def read_noted(note: str) -> Sentence | None:
    """Return the sentence that the desk noted with an event."""
    return _read(note, _NOTED)


def _read(text: str, among: tuple[Kept, ...]) -> Sentence | None:
    return next((found for one in among if (found := one.read(text)) is not None), None)
