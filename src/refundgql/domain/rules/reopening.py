"""When an administrator may mend a final decline: once, soon, and not on their own decision (D22)."""

from __future__ import annotations

from datetime import date

from refundgql.domain.deadlines import REOPEN_WINDOW
from refundgql.domain.refusals import Refusal, refusal
from refundgql.domain.rules.situation import Group, Rule, Situation
from refundgql.domain.rules.windows import DayWindow
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.vocabulary import RefundActionName, RefusalCode


class DecidedByAnother(Rule):
    """Whoever decided does not reopen."""

    rules = ("D22",)
    about = "not by whoever decided"
    group = Group.WHO

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with SAME_DECIDER."""
        case, viewer = it.case, it.viewer
        if case is None or viewer is None:
            return None
        decided = (case.decided_by_id, case.proposed_by_id, case.first_decided_by_id, case.first_proposed_by_id)
        if viewer.account_id not in decided:
            return None
        message = sentence("DECIDED_BY_YOU", "You decided this case: another administrator reopens it.")
        return refusal(RefusalCode.SAME_DECIDER, message, "D22")


class FinallyDeclined(Rule):
    """Only a decline by support's last word, or by a later request, is reopened: no other is support's to mend."""

    rules = ("D22",)
    about = "support declined it for good, or a later request made it final"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with TRANSITION_NOT_ALLOWED."""
        case = it.case
        asked = case is not None and case.opened_by is not RefundActionName.ISSUE
        if case is None or (case.final_decision and asked):
            return None
        words = (
            sentence(
                "NOT_DECLINED_FOR_GOOD",
                "Only what support declined for good, or a later request made final, is reopened.",
            )
            if asked
            else sentence("NOTHING_WAS_ASKED", "Nothing was asked for here: leave it as the expert recorded it.")
        )
        return refusal(RefusalCode.TRANSITION_NOT_ALLOWED, words, "D22")


class ReopenedOnce(Rule):
    """A case is reopened once."""

    rules = ("D22",)
    about = "not reopened before"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with FINAL_DECISION the second time."""
        if it.case is None or it.case.reopened_at is None:
            return None
        message = sentence("REOPENED_ALREADY", "This case was reopened once: its answer is final.")
        return refusal(RefusalCode.FINAL_DECISION, message, "D22")


class ReopenWindow(DayWindow):
    """A case is reopened within days of the decline."""

    rules = ("D22",)
    about = "within the days of reopening from the decline"
    span = REOPEN_WINDOW

    def too_late(self, it: Situation, last_day: date) -> Sentence:
        """Say until when it was open."""
        return sentence(
            "REOPENING_OVER",
            "This case could be reopened until {last_day} (UTC): its answer is final.",
            last_day=last_day,
        )
