"""Too early and too late: every window of the rules, as whole UTC days (D1)."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

from refundgql.domain.deadlines import (
    ANSWER_TIME,
    CUT_OFF,
    DIRECT_WINDOW,
    DISPUTE_WINDOW,
    FUNDS_WAIT,
    LEAD_WINDOW,
    SECOND_LOOK,
    SUPPORT_WINDOW,
    Span,
    hand_over,
)
from refundgql.domain.refusals import Refusal, WindowRefusal, refusal
from refundgql.domain.rules.payments import is_paid, is_running
from refundgql.domain.rules.situation import Rule, Situation, Window, goes_on, last_day
from refundgql.domain.sentences import Sentence, phrase, sentence
from refundgql.domain.vocabulary import (
    IssueDecision,
    RefundActionName,
    RefusalCode,
    SettlementStatus,
)


class DayWindow(Rule):
    """An act is open until its deadline ends; subclasses name the span and the words."""

    span: ClassVar[Span]
    alternatives: tuple[RefundActionName, ...] = ()

    def starts_at(self, it: Situation) -> datetime | None:
        """Return where days are counted from; None when the window does not apply."""
        return self.span.starts_at(it.facts, it.case)

    def too_late(self, it: Situation, last_day: date) -> Sentence:
        """Return the sentence for an act after the window, whose last UTC date is given."""
        raise NotImplementedError

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with WINDOW_CLOSED after the last day."""
        start = self.starts_at(it)
        if start is None:
            return None
        until = self.span.end(start, it.policy)
        if it.at < until:
            return None
        return WindowRefusal(
            code=RefusalCode.WINDOW_CLOSED,
            message=self.too_late(it, last_day(until)),
            rule=self.rules[0],
            alternatives=self.alternatives,
            available_from=start,
            available_until=until,
            elapsed_days=self.span.elapsed(start, it.at),
            limit_days=self.span.limit(it.policy),
        )

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return the day number and the limit."""
        start = self.starts_at(it)
        if start is None:
            return ()
        return (
            ("elapsedDays", str(self.span.elapsed(start, it.at))),
            ("limitDays", str(self.span.limit(it.policy))),
        )

    def window(self, it: Situation) -> Window | None:
        """Close with the deadline."""
        start = self.starts_at(it)
        return Window(closes_at=self.span.end(start, it.policy)) if start is not None else None


class LeadWindow(DayWindow):
    """A professional asks within days of the charge; staff may file later, as goodwill."""

    rules = ("L15", "D4")
    about = "within the lead window from the charge, or filed by staff (goodwill after it)"
    span = LEAD_WINDOW

    def starts_at(self, it: Situation) -> datetime | None:
        """Count from the charge, and not at all for staff."""
        return None if it.viewer_is_filing else super().starts_at(it)

    def too_late(self, it: Situation, last_day: date) -> Sentence:
        """Say until when it was open, and who can still help."""
        return sentence(
            "LEAD_WINDOW_OVER",
            "This lead could be reported until {last_day} (UTC): contact support, who may still file for you.",
            last_day=last_day,
        )


class SupportWindow(DayWindow):
    """Invoices can be asked about, directly or through support, for so many days from their payment."""

    rules = ("C07",)
    about = "within the support window from the payment"
    span = SUPPORT_WINDOW

    def starts_at(self, it: Situation) -> datetime | None:
        """Count from the payment, once there is one."""
        return super().starts_at(it) if is_paid(it) and not is_running(it) else None

    def too_late(self, it: Situation, last_day: date) -> Sentence:
        """Say until when it was open."""
        return sentence(
            "SUPPORT_WINDOW_OVER",
            "Refunds of this payment could be asked for until {last_day} (UTC): nothing more can be done here.",
            last_day=last_day,
        )


class EscalationWindow(SupportWindow):
    """A declined hourly request can be escalated as long as support may still decide on the payment."""

    rules = ("C24",)
    about = "within the support window from the payment"

    def too_late(self, it: Situation, last_day: date) -> Sentence:
        """Say until when it was open."""
        return sentence(
            "ESCALATION_WINDOW_OVER",
            "This could be escalated until {last_day} (UTC): nothing more can be done here.",
            last_day=last_day,
        )


def is_direct(it: Situation) -> bool:
    """Tell whether the expert decides about an invoice: its direct window is open, or it is not paid yet (C06)."""
    until = DIRECT_WINDOW.ends_at(it.facts, it.case, it.policy)
    return until is None or it.at < until


class AskedOfTheExpert(Rule):
    """After support's decision only the expert can be asked again, as goodwill."""

    rules = ("D12",)
    about = "support has not decided on this payment's money, or the expert still can"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with FINAL_DECISION what would open with support."""
        if not it.facts.payment.support_decided or is_direct(it):
            return None
        message = sentence(
            "DECIDED_BY_SUPPORT", "Support has decided on this payment finally: read its answer in the case."
        )
        return refusal(RefusalCode.FINAL_DECISION, message, "D12")

    def window(self, it: Situation) -> Window | None:
        """Return until when the expert can be asked, once support has decided."""
        if not it.facts.payment.support_decided:
            return None
        return Window(None, DIRECT_WINDOW.ends_at(it.facts, None, it.policy))


class DirectWindow(DayWindow):
    """The expert's own right to decide ends with the direct window."""

    rules = ("D7", "C06")
    about = "within the direct window from the payment"
    span = DIRECT_WINDOW
    alternatives: tuple[RefundActionName, ...] = (RefundActionName.CONSENT,)

    def starts_at(self, it: Situation) -> datetime | None:
        """Count from the payment, once there is one."""
        return super().starts_at(it) if is_paid(it) and not is_running(it) else None

    def too_late(self, it: Situation, last_day: date) -> Sentence:
        """Say until when it was open, and who decides now."""
        return sentence(
            "DIRECT_WINDOW_OVER",
            "Experts could decide on this payment until {last_day} (UTC): support decides from then on.",
            last_day=last_day,
        )


class AnswerInTime(DayWindow):
    """A decline after the answer time would take away the hand-over that was announced."""

    rules = ("D8",)
    about = "before the answer time has run out"
    span = ANSWER_TIME
    alternatives = (RefundActionName.APPROVE, RefundActionName.CONSENT)

    def too_late(self, it: Situation, last_day: date) -> Sentence:
        """Say until when it had to be answered, and who takes it over."""
        return sentence(
            "ANSWER_TIME_OVER",
            "This had to be answered until {last_day} (UTC): support takes it over.",
            last_day=last_day,
        )

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return nothing: the event's own instant tells."""
        return ()


class HandOverDue(Rule):
    """A request moves to support when its direct window or its answer time is over or nobody can answer, not before."""

    rules: tuple[str, ...] = ("D7", "D8", "D30")
    about = "the direct window is over, or for hourly work the answer time, or the expert's account was erased"

    def due(self, it: Situation) -> tuple[datetime, str] | None:
        """Return the instant and the rule of the earliest hand-over; None when there is none."""
        return None if it.case is None else hand_over(it.facts, it.case, it.policy)

    def cited(self, it: Situation) -> str | None:
        """Return which of the two deadlines handed the request over."""
        due = self.due(it)
        return due[1] if due is not None else None

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with NOT_YET_AVAILABLE before the hand-over is due."""
        due = self.due(it)
        if due is not None and it.at >= due[0]:
            return None
        return WindowRefusal(
            code=RefusalCode.NOT_YET_AVAILABLE,
            message=sentence("EXPERT_CAN_STILL_ANSWER", "The expert can still answer: wait for the hand-over."),
            rule=due[1] if due is not None else self.rules[0],
            available_from=due[0] if due is not None else None,
        )


class AnswerOverdue(HandOverDue):
    """Escrow moves to support when the answer time has run out; it has no window."""

    rules = ("D8", "D30")
    about = "the answer time is over, or the expert's account was erased"


class SecondLookWindow(DayWindow):
    """A second look is asked for within days of the decline."""

    rules = ("D6",)
    about = "within the second look's window from the decline"
    span = SECOND_LOOK

    def too_late(self, it: Situation, last_day: date) -> Sentence:
        """Say until when it was open."""
        return sentence(
            "SECOND_LOOK_OVER",
            "A second look could be asked for until {last_day} (UTC): the answer is final now.",
            last_day=last_day,
        )


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
                message=sentence(
                    "NOT_WAITING_FOR_FUNDS", "This refund is not waiting for funds: there is nothing to escalate."
                ),
                rule="D13",
            )
        opens_at = FUNDS_WAIT.end(case.approved_at, it.policy)
        if it.at >= opens_at:
            return None
        return WindowRefusal(
            code=RefusalCode.NOT_YET_AVAILABLE,
            message=sentence(
                "FUNDS_MAY_STILL_COME",
                "The expert's balance may still receive the money: escalate from {from_at}.",
                from_at=opens_at,
            ),
            rule="D13",
            available_from=opens_at,
            elapsed_days=FUNDS_WAIT.elapsed(case.approved_at, it.at),
            limit_days=FUNDS_WAIT.limit(it.policy),
        )

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return the days waited and the limit."""
        case = it.case
        if case is None or case.approved_at is None:
            return ()
        waited = FUNDS_WAIT.elapsed(case.approved_at, it.at)
        return (("elapsedDays", str(waited)), ("limitDays", str(FUNDS_WAIT.limit(it.policy))))

    def window(self, it: Situation) -> Window | None:
        """Open after the days of waiting."""
        opens_at = FUNDS_WAIT.ends_at(it.facts, it.case, it.policy)
        return Window(opens_at=opens_at) if opens_at is not None else None


class DisputeWindow(DayWindow):
    """Hourly invoices can be disputed within days of their payment; escrow until it is released."""

    rules = ("C31",)
    about = "hourly: within the days of dispute resolution from the payment"
    span = DISPUTE_WINDOW
    alternatives = (RefundActionName.ESCALATE,)

    def too_late(self, it: Situation, last_day: date) -> Sentence:
        """Say until when it was open."""
        return sentence(
            "DISPUTE_WINDOW_OVER",
            "This invoice could be disputed until {last_day} (UTC): {instead}.",
            last_day=last_day,
            instead=goes_on(it),
        )


class TimesheetCutOff(Rule):
    """A week's hours are disputed after the week has ended and before its cut-off, whatever else is pending."""

    rules = ("C25", "C26", "C27", "C28")
    about = "after the week's end and before its cut-off"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with NOT_YET_AVAILABLE while the week runs (C25), WINDOW_CLOSED from the cut-off on (C28)."""
        week = it.facts.week
        if week is None:
            return None
        until = CUT_OFF.end(week.ends_at, it.policy)
        if week.ends_at <= it.at < until:
            return None
        limit, elapsed = CUT_OFF.limit(it.policy), CUT_OFF.elapsed(week.ends_at, it.at)
        if it.at < week.ends_at:
            return WindowRefusal(
                code=RefusalCode.NOT_YET_AVAILABLE,
                message=sentence(
                    "WEEK_STILL_RUNNING",
                    "This week is still running: dispute its hours from {from_at}.",
                    from_at=week.ends_at,
                ),
                rule="C25",
                available_from=week.ends_at,
                available_until=until,
                limit_days=limit,
            )
        return WindowRefusal(
            code=RefusalCode.WINDOW_CLOSED,
            message=sentence(
                "TIMESHEET_DISPUTE_OVER",
                "This week's hours could be disputed before {until}: ask the expert for a refund instead.",
                until=until,
            ),
            rule="C28",
            alternatives=(RefundActionName.REQUEST,),
            available_from=week.ends_at,
            available_until=until,
            elapsed_days=elapsed,
            limit_days=limit,
        )

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return the cut-off."""
        until = CUT_OFF.ends_at(it.facts, None, it.policy)
        return (("disputeUntil", until.isoformat()),) if until is not None else ()

    def window(self, it: Situation) -> Window | None:
        """Open from the week's end to the cut-off."""
        week = it.facts.week
        return Window(week.ends_at, CUT_OFF.end(week.ends_at, it.policy)) if week is not None else None


class IssueWindow(DirectWindow):
    """An expert issues a refund while the right to decide is the expert's own; recording none has no window."""

    about = "FULL and PARTIAL: within the direct window from the payment"
    alternatives = ()

    def starts_at(self, it: Situation) -> datetime | None:
        """Count from the payment, unless nothing is refunded."""
        if it.act.decision is IssueDecision.NONE:
            return None
        return super().starts_at(it)

    def too_late(self, it: Situation, last_day: date) -> Sentence:
        """Say until when it was open, and who can still be asked."""
        until = SUPPORT_WINDOW.ends_at(it.facts, None, it.policy)
        asks = until is not None and it.at < until
        asked = phrase("the client can still ask support") if asks else phrase("nothing more can be done")
        return sentence(
            "ISSUE_WINDOW_OVER",
            "Experts could refund this payment until {last_day} (UTC): {instead}.",
            last_day=last_day,
            instead=asked,
        )
