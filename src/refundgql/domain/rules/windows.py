"""Too early and too late: every window of the rules, as whole UTC days (D1).

It must not look at money; each answer carries the window's ends, the days elapsed and the limit.
"""

from __future__ import annotations

from datetime import datetime

from refundgql.domain.calendar import day_number, window_end_at
from refundgql.domain.refusals import BasicRefusal, Refusal, WindowRefusal
from refundgql.domain.rules.payments import is_paid, is_running
from refundgql.domain.rules.situation import Rule, Situation, Window, day, moment
from refundgql.domain.vocabulary import (
    ContractKind,
    IssueDecision,
    RefundActionName,
    RefundCaseKind,
    RefusalCode,
    SettlementStatus,
)


class DayWindow(Rule):
    """A window of whole UTC days from a start; subclasses name the start, the limit and the words."""

    alternatives: tuple[RefundActionName, ...] = ()

    def starts_at(self, it: Situation) -> datetime | None:
        """Return where days are counted from; None when the window does not apply."""
        raise NotImplementedError

    def limit_days(self, it: Situation) -> int:
        """Return the last day number on which the window is open."""
        raise NotImplementedError

    def too_late(self, it: Situation, last_day: str) -> str:
        """Return the sentence for an act after the window, whose last UTC date is given."""
        raise NotImplementedError

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with WINDOW_CLOSED after the last day."""
        start = self.starts_at(it)
        if start is None:
            return None
        elapsed, limit = day_number(start, it.at), self.limit_days(it)
        if elapsed <= limit:
            return None
        until = window_end_at(start, limit)
        return WindowRefusal(
            code=RefusalCode.WINDOW_CLOSED,
            message=self.too_late(it, day(window_end_at(start, limit - 1))),
            rule=self.rules[0],
            alternatives=self.alternatives,
            available_from=start,
            available_until=until,
            elapsed_days=elapsed,
            limit_days=limit,
        )

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return the day number and the limit."""
        start = self.starts_at(it)
        if start is None:
            return ()
        return (("elapsedDays", str(day_number(start, it.at))), ("limitDays", str(self.limit_days(it))))

    def window(self, it: Situation) -> Window | None:
        """Close after the last day."""
        start = self.starts_at(it)
        return Window(closes_at=window_end_at(start, self.limit_days(it))) if start is not None else None


class LeadWindow(DayWindow):
    """A professional asks within days of the charge; staff may file later, as goodwill."""

    rules = ("L15", "D4")
    about = "within the lead window from the charge, or filed by staff (goodwill after it)"

    def starts_at(self, it: Situation) -> datetime | None:
        """Count from the charge, and not at all for staff."""
        lead = it.facts.lead
        return None if lead is None or it.viewer_is_filing else lead.charged_at

    def limit_days(self, it: Situation) -> int:
        """Return the lead window."""
        return it.policy.lead_window_days

    def too_late(self, it: Situation, last_day: str) -> str:
        """Say until when it was open, and who can still help."""
        return f"This lead could be reported until {last_day} (UTC): contact support, who may still file for you."


class SupportWindow(DayWindow):
    """Invoices can be asked about, directly or through support, for so many days from their payment."""

    rules = ("C07",)
    about = "within the support window from the payment"

    def starts_at(self, it: Situation) -> datetime | None:
        """Count from the payment, once there is one."""
        return it.paid_at if is_paid(it) and not is_running(it) else None

    def limit_days(self, it: Situation) -> int:
        """Return the support window."""
        return it.policy.support_window_days

    def too_late(self, it: Situation, last_day: str) -> str:
        """Say until when it was open."""
        return f"Refunds of this payment could be asked for until {last_day} (UTC): nothing more can be done here."


class EscalationWindow(SupportWindow):
    """A declined hourly request can be escalated as long as support may still decide on the payment."""

    rules = ("C24",)
    about = "within the support window from the payment"

    def too_late(self, it: Situation, last_day: str) -> str:
        """Say until when it was open."""
        return f"This could be escalated until {last_day} (UTC): nothing more can be done here."


def is_direct(it: Situation) -> bool:
    """Tell whether the expert decides about an invoice: its direct window is open, or it is not paid yet (C06)."""
    return it.paid_at is None or day_number(it.paid_at, it.at) <= it.policy.direct_window_days


class AskedOfTheExpert(Rule):
    """After support's decision only the expert can be asked again, as goodwill."""

    rules = ("D12",)
    about = "support has not decided on this payment's money, or the expert still can"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with FINAL_DECISION what would open with support."""
        if not it.facts.payment.support_decided or is_direct(it):
            return None
        return BasicRefusal(
            code=RefusalCode.FINAL_DECISION,
            message="Support has decided on this payment finally: read its answer in the case.",
            rule="D12",
        )


class DirectWindow(DayWindow):
    """The expert's own right to decide ends with the direct window."""

    rules = ("D7", "C06")
    about = "within the direct window from the payment"
    alternatives: tuple[RefundActionName, ...] = (RefundActionName.CONSENT,)

    def starts_at(self, it: Situation) -> datetime | None:
        """Count from the payment, once there is one."""
        return it.paid_at if is_paid(it) and not is_running(it) else None

    def limit_days(self, it: Situation) -> int:
        """Return the direct window."""
        return it.policy.direct_window_days

    def too_late(self, it: Situation, last_day: str) -> str:
        """Say until when it was open, and who decides now."""
        return f"Experts could decide on this payment until {last_day} (UTC): support decides from then on."


class AnswerInTime(Rule):
    """A decline after the answer time would take away the hand-over that was announced."""

    rules = ("D8",)
    about = "before the answer time has run out"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with WINDOW_CLOSED from `respondBy` on."""
        case = it.case
        if case is None or case.respond_by is None or it.at < case.respond_by:
            return None
        return WindowRefusal(
            code=RefusalCode.WINDOW_CLOSED,
            message=f"This had to be answered before {moment(case.respond_by)}: support takes it over.",
            rule="D8",
            alternatives=(RefundActionName.APPROVE, RefundActionName.CONSENT),
            available_from=case.opened_at,
            available_until=case.respond_by,
            elapsed_days=day_number(case.opened_at, it.at),
            limit_days=it.policy.respond_within_days,
        )

    def window(self, it: Situation) -> Window | None:
        """Close with the answer time."""
        return Window(closes_at=it.case.respond_by) if it.case is not None else None


class HandOverDue(Rule):
    """A request moves to support when its direct window or its answer time has run out, and not before."""

    rules: tuple[str, ...] = ("D7", "D8")
    about = "the direct window is over, or for hourly work the answer time"

    def due(self, it: Situation) -> tuple[str, datetime] | None:
        """Return the rule and the instant of the earliest hand-over; None when there is none."""
        case = it.case
        dues: list[tuple[datetime, str]] = []
        if case is not None and case.respond_by is not None:
            dues.append((case.respond_by, "D8"))
        if it.kind is RefundCaseKind.INVOICE and it.paid_at is not None:
            dues.append((it.policy.direct_until(it.paid_at), "D7"))
        if not dues:
            return None
        at, rule = min(dues)
        return rule, at

    def cited(self, it: Situation) -> str | None:
        """Return which of the two deadlines handed the request over."""
        due = self.due(it)
        return due[0] if due is not None else None

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with NOT_YET_AVAILABLE before the hand-over is due."""
        due = self.due(it)
        if due is not None and it.at >= due[1]:
            return None
        return WindowRefusal(
            code=RefusalCode.NOT_YET_AVAILABLE,
            message="The expert can still answer: wait for the hand-over.",
            rule=due[0] if due is not None else self.rules[0],
            available_from=due[1] if due is not None else None,
        )


class AnswerOverdue(HandOverDue):
    """Escrow moves to support when the answer time has run out; it has no window."""

    rules = ("D8",)
    about = "the answer time is over"


class SecondLookWindow(DayWindow):
    """A second look is asked for within days of the decline."""

    rules = ("D6",)
    about = "within the second look's window from the decline"

    def starts_at(self, it: Situation) -> datetime | None:
        """Count from the decline."""
        return it.case.declined_at if it.case is not None else None

    def limit_days(self, it: Situation) -> int:
        """Return the second look's window."""
        return it.policy.second_look_window_days

    def too_late(self, it: Situation, last_day: str) -> str:
        """Say until when it was open."""
        return f"A second look could be asked for until {last_day} (UTC): the answer is final now."


class FundsOverdue(Rule):
    """An approved refund that waits for funds can be escalated after so many days."""

    rules = ("D13",)
    about = "approved, and without funds for longer than the policy waits"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with ESCALATION_NOT_AVAILABLE when nothing is awaited, NOT_YET_AVAILABLE while it still may come."""
        case = it.case
        if case is None or case.approved_at is None or case.settlement is not SettlementStatus.AWAITING_FUNDS:
            return WindowRefusal(
                code=RefusalCode.ESCALATION_NOT_AVAILABLE,
                message="This refund is not waiting for funds: there is nothing to escalate.",
                rule="D13",
            )
        elapsed, limit = day_number(case.approved_at, it.at), it.policy.funds_wait_days
        if elapsed > limit:
            return None
        opens_at = window_end_at(case.approved_at, limit)
        return WindowRefusal(
            code=RefusalCode.NOT_YET_AVAILABLE,
            message=f"The expert's balance may still receive the money: escalate from {moment(opens_at)}.",
            rule="D13",
            available_from=opens_at,
            elapsed_days=elapsed,
            limit_days=limit,
        )

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return the days waited and the limit."""
        case = it.case
        if case is None or case.approved_at is None:
            return ()
        waited = day_number(case.approved_at, it.at)
        return (("elapsedDays", str(waited)), ("limitDays", str(it.policy.funds_wait_days)))

    def window(self, it: Situation) -> Window | None:
        """Open after the days of waiting."""
        case = it.case
        if case is None or case.approved_at is None:
            return None
        return Window(opens_at=window_end_at(case.approved_at, it.policy.funds_wait_days))


class DisputeWindow(DayWindow):
    """Hourly invoices can be disputed within days of their payment; escrow until it is released."""

    rules = ("C31",)
    about = "hourly: within the days of dispute resolution from the payment"
    alternatives = (RefundActionName.ESCALATE,)

    def starts_at(self, it: Situation) -> datetime | None:
        """Count from an hourly invoice's payment."""
        contract = it.facts.contract
        hourly = contract is not None and contract.kind is ContractKind.HOURLY
        return it.paid_at if hourly and it.kind is RefundCaseKind.INVOICE else None

    def limit_days(self, it: Situation) -> int:
        """Return the days of dispute resolution."""
        return it.policy.dispute_resolution_days

    def too_late(self, it: Situation, last_day: str) -> str:
        """Say until when it was open."""
        return f"This invoice could be disputed until {last_day} (UTC): go on with the refund request."


class TimesheetCutOff(Rule):
    """A week's hours are disputed after the week has ended and before its cut-off, whatever else is pending."""

    rules = ("C25", "C26", "C27", "C28")
    about = "after the week's end and before its cut-off"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with NOT_YET_AVAILABLE while the week runs (C25), WINDOW_CLOSED from the cut-off on (C28)."""
        week = it.facts.week
        if week is None:
            return None
        until = it.policy.timesheet_until(week.ends_at)
        if week.ends_at <= it.at < until:
            return None
        limit = it.policy.timesheet_dispute_days
        elapsed = day_number(week.ends_at, it.at) + 1  # days count from the week's Sunday
        if it.at < week.ends_at:
            return WindowRefusal(
                code=RefusalCode.NOT_YET_AVAILABLE,
                message=f"This week is still running: dispute its hours from {moment(week.ends_at)}.",
                rule="C25",
                available_from=week.ends_at,
                available_until=until,
                limit_days=limit,
            )
        return WindowRefusal(
            code=RefusalCode.WINDOW_CLOSED,
            message=f"This week's hours could be disputed before {moment(until)}: ask the expert for a refund instead.",
            rule="C28",
            alternatives=(RefundActionName.REQUEST,),
            available_from=week.ends_at,
            available_until=until,
            elapsed_days=elapsed,
            limit_days=limit,
        )

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return the cut-off."""
        week = it.facts.week
        return (("disputeUntil", it.policy.timesheet_until(week.ends_at).isoformat()),) if week is not None else ()

    def window(self, it: Situation) -> Window | None:
        """Open from the week's end to the cut-off."""
        week = it.facts.week
        return Window(week.ends_at, it.policy.timesheet_until(week.ends_at)) if week is not None else None


class IssueWindow(DirectWindow):
    """An expert issues a refund while the right to decide is the expert's own; recording none has no window."""

    about = "FULL and PARTIAL: within the direct window from the payment"
    alternatives = ()

    def starts_at(self, it: Situation) -> datetime | None:
        """Count from the payment, unless nothing is refunded."""
        if it.act.decision is IssueDecision.NONE:
            return None
        return super().starts_at(it)
