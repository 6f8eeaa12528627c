"""What has been paid, is still held, or is already being asked about (C04, C10, C11, C29, C30, D6, D12, D14)."""

from __future__ import annotations

from refundgql.domain.deadlines import CUT_OFF, LEAD_WINDOW
from refundgql.domain.refusals import Refusal, WindowRefusal, refusal
from refundgql.domain.rules.situation import Rule, Situation, Window
from refundgql.domain.sentences import Sentence, phrase, sentence
from refundgql.domain.vocabulary import (
    InvoiceStatus,
    MilestoneStatus,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundReason,
    RefusalCode,
)

SUPERSEDED_STATES = (RefundCaseState.REQUESTED, RefundCaseState.ESCALATED)
"""In these an INVOICE case gives way to a dispute of the same week's hours (C25)."""


def is_paid(it: Situation) -> bool:
    """Tell whether the payment has been made by then: a lead charged, an invoice paid, a milestone funded (D27)."""
    facts = it.facts
    if facts.lead is not None:
        return it.at >= facts.lead.charged_at
    if facts.paid_at is not None and it.at < facts.paid_at:
        return False
    if facts.invoice is not None:
        return facts.invoice.status is InvoiceStatus.PAID
    return facts.milestone is not None and facts.milestone.status is not MilestoneStatus.UNFUNDED


def is_running(it: Situation) -> bool:
    """Tell whether the payment's week has not ended yet."""
    return it.facts.week is not None and it.at < it.facts.week.ends_at


class WeekEnded(Rule):
    """A running week cannot be refunded, also when its contract was closed in the middle of it."""

    rules = ("C10",)
    about = "the billing week has ended"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with UNBILLED_PERIOD while the week runs."""
        week = it.facts.week
        if week is None or not is_running(it):
            return None
        return WindowRefusal(
            code=RefusalCode.UNBILLED_PERIOD,
            message=sentence(
                "HOURS_NOT_BILLED_YET",
                "These hours are billed when their week ends: ask from {from_at}.",
                from_at=week.ends_at,
            ),
            rule="C10",
            available_from=week.ends_at,
        )

    def window(self, it: Situation) -> Window | None:
        """Open from the end of the week."""
        return Window(opens_at=it.facts.week.ends_at) if it.facts.week is not None else None


class InvoicePaid(Rule):
    """Only money that was paid can come back."""

    rules = ("C04", "C11")
    about = "the invoice is paid"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVOICE_NOT_PAID an invoice, or an ended week, that is not paid."""
        if is_running(it) or is_paid(it):
            return None
        message = sentence("NOT_PAID_YET", "This has not been paid yet: ask once the invoice is paid.")
        return refusal(RefusalCode.INVOICE_NOT_PAID, message, "C11" if it.facts.week is not None else "C04")


class LeadCharged(Rule):
    """Only money that was paid can come back."""

    rules = ("L15", "D27")
    about = "the lead was charged"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with NOT_YET_AVAILABLE before the charge."""
        lead = it.facts.lead
        if lead is None or is_paid(it):
            return None
        return WindowRefusal(
            code=RefusalCode.NOT_YET_AVAILABLE,
            message=sentence(
                "LEAD_NOT_CHARGED_YET",
                "This lead has not been charged yet: ask from {from_at}.",
                from_at=lead.charged_at,
            ),
            rule="L15",
            available_from=lead.charged_at,
            available_until=LEAD_WINDOW.end(lead.charged_at, it.policy),
            limit_days=LEAD_WINDOW.limit(it.policy),
        )


class NotInEscrow(Rule):
    """An unreleased milestone's invoice is that milestone's escrow, and comes back as such."""

    rules = ("C30",)
    about = "the money is not in escrow any more"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with NOT_YET_AVAILABLE while the milestone is not released, MILESTONE_NOT_FUNDED when returned."""
        milestone = it.facts.milestone
        if milestone is None or milestone.status is MilestoneStatus.RELEASED or not is_paid(it):
            return None
        if milestone.status is MilestoneStatus.RETURNED:
            message = sentence(
                "MONEY_RETURNED_ALREADY",
                "This milestone's money was returned already: look at its earlier refund case.",
            )
            return refusal(RefusalCode.MILESTONE_NOT_FUNDED, message, "C30")
        return WindowRefusal(
            code=RefusalCode.NOT_YET_AVAILABLE,
            message=sentence(
                "MONEY_IN_ESCROW", "This invoice's money is still in escrow: ask for the milestone's escrow instead."
            ),
            rule="C30",
            alternatives=(it.action,),
        )


class MilestoneInEscrow(Rule):
    """Escrow comes back while it is there: funded and not released."""

    rules = ("C30",)
    about = "the milestone is funded and not released"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with MILESTONE_RELEASED or MILESTONE_NOT_FUNDED."""
        milestone = it.facts.milestone
        is_later = milestone is not None and milestone.funded_at is not None and it.at < milestone.funded_at
        if milestone is not None and milestone.status is MilestoneStatus.FUNDED and not is_later:
            return None
        if milestone is not None and milestone.status is MilestoneStatus.RELEASED and not is_later:
            message = sentence(
                "MILESTONE_RELEASED_ASK_EXPERT",
                "This milestone was released to the expert: ask the expert for a refund, as of a paid invoice.",
            )
            return refusal(
                RefusalCode.MILESTONE_RELEASED, message, "C30", RefundActionName.REQUEST, RefundActionName.ISSUE
            )
        message = sentence(
            "NO_MONEY_IN_ESCROW", "There is no money in this milestone's escrow: nothing needs to be returned."
        )
        return refusal(RefusalCode.MILESTONE_NOT_FUNDED, message, "C30")


class HoursWorked(Rule):
    """Only hours that were billed can be disputed."""

    rules = ("C25",)
    about = "hours above zero"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with DISPUTE_NOT_AVAILABLE a week without hours."""
        if it.facts.week is not None and it.facts.week.hours > 0:
            return None
        message = sentence("NO_HOURS_TO_DISPUTE", "This week has no hours to dispute: choose a week that has.")
        return refusal(RefusalCode.DISPUTE_NOT_AVAILABLE, message, "C25")


class MoneyStillHeld(Rule):
    """Hours are disputed while their money is held; a cut-off that was moved does not bring it back."""

    rules = ("D28",)
    about = "the week's money was not released"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with DISPUTE_NOT_AVAILABLE a week whose money is the expert's."""
        week = it.facts.week
        until = CUT_OFF.ends_at(it.facts, None, it.policy)
        if week is None or not week.released or until is None or it.at >= until:
            return None  # after the cut-off, its own rule says so
        message = sentence(
            "WEEK_RELEASED", "This week's money was released to the expert: ask the expert for a refund instead."
        )
        return refusal(RefusalCode.DISPUTE_NOT_AVAILABLE, message, "D28", RefundActionName.REQUEST)


def _open_case(number: int | None) -> Sentence:
    if number is None:
        return sentence("CASE_IS_OPEN", "A refund case on this payment is open: go on with that one.")
    return sentence(
        "CASE_IS_OPEN_BY_NUMBER",
        "A refund case on this payment is open ({case}): go on with that one.",
        case=f"RC-{number:06d}",
    )


class NoOpenCase(Rule):
    """One open case per payment; a case never stands in its own way."""

    rules: tuple[str, ...] = ("D14",)
    about = "no other open case on the same payment"
    passes_by_itself = True

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with CASE_ALREADY_OPEN."""
        payment = it.facts.payment
        open_id = payment.open_case_id
        if open_id is None or (it.case is not None and it.case.id == open_id) or self.gives_way(it):
            return None
        message = _open_case(payment.open_case_number)
        return refusal(
            RefusalCode.CASE_ALREADY_OPEN,
            message,
            "D14",
            RefundActionName.APPROVE,
            RefundActionName.DECLINE,
            RefundActionName.DISPUTE,
            RefundActionName.CONSENT,
            RefundActionName.OPEN_TIMESHEET_DISPUTE,
            RefundActionName.ADD_EVIDENCE,
            RefundActionName.CANCEL,
        )

    def gives_way(self, it: Situation) -> bool:
        """Tell whether the open case is cancelled by this act."""
        return False


class NoLastingCase(NoOpenCase):
    """As NoOpenCase, for a timesheet dispute, to which an undecided invoice request on that week gives way (C25)."""

    rules = ("D14", "C25")
    about = "no other open case on the week but an undecided invoice request, which it supersedes"

    def gives_way(self, it: Situation) -> bool:
        """Tell whether the open case is an invoice request that nobody decided yet."""
        case = it.facts.open_case
        return case is not None and case.kind is RefundCaseKind.INVOICE and case.state in SUPERSEDED_STATES


class RequestsLeft(Rule):
    """A payment can be asked about a few times in all."""

    rules = ("D14",)
    about = "fewer requests on the payment than the policy allows"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with TOO_MANY_REQUESTS_FOR_PAYMENT."""
        limit, lead = it.policy.requests_per_payment, it.facts.lead
        if it.facts.payment.requests_made < limit or (lead is not None and lead.case_id is not None):
            return None  # of a lead's lasting case, OneCasePerLead speaks
        whom = phrase("the other side") if lead is None else phrase("support")
        message = sentence(
            "ASKED_TOO_OFTEN",
            "This payment has been asked about {limit} times already: talk to {whom} about it.",
            limit=limit,
            whom=whom,
        )
        return refusal(
            RefusalCode.TOO_MANY_REQUESTS_FOR_PAYMENT,
            message,
            "D14",
            RefundActionName.ESCALATE,
            RefundActionName.DISPUTE,
        )

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return how many requests there were before this one."""
        return (("requestsMade", str(it.facts.payment.requests_made)),)


class OneCasePerLead(Rule):
    """A lead has one case; a cancelled one does not count while the window is open."""

    rules = ("D6",)
    about = "the lead has no case yet, cancelled ones aside"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with CASE_ALREADY_OPEN, or TOO_MANY_REQUESTS_FOR_PAYMENT when its case is closed."""
        facts, lead = it.facts, it.facts.lead
        if lead is None:
            return None
        if facts.payment.open_case_id is not None:
            message = sentence(
                "LEAD_BEING_LOOKED_AT", "This lead's refund is being looked at already: add to that case."
            )
            return refusal(
                RefusalCode.CASE_ALREADY_OPEN,
                message,
                "D6",
                RefundActionName.APPROVE,
                RefundActionName.DECLINE,
                RefundActionName.ADD_EVIDENCE,
                RefundActionName.SEND_MESSAGE,
                RefundActionName.CANCEL,
            )
        late = it.at >= LEAD_WINDOW.end(lead.charged_at, it.policy)
        if lead.case_id is None and not (late and facts.payment.requests_made > 0 and it.viewer_is_filing):
            return None
        message = sentence(
            "LEAD_HAD_ITS_CASE", "This lead has had its one refund case: a declined one can have a second look."
        )
        return refusal(RefusalCode.TOO_MANY_REQUESTS_FOR_PAYMENT, message, "D6", RefundActionName.ESCALATE)


class ReasonRefundable(Rule):
    """Not being hired is part of buying leads."""

    rules = ("L08",)
    about = "a reason other than not having been hired"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with REASON_NOT_REFUNDABLE."""
        if it.act.reason is not RefundReason.NOT_HIRED:
            return None
        message = sentence(
            "NOT_HIRED_IS_NO_REASON", "Not being hired is no reason for a refund: ask again if another reason applies."
        )
        return refusal(RefusalCode.REASON_NOT_REFUNDABLE, message, "L08", RefundActionName.REQUEST, field=("reason",))
