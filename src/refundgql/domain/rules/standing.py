"""Where a case stands beyond its state: final, looked at twice, hourly or accepted work (C24, C29, C31, D12)."""

from __future__ import annotations

from refundgql.domain.deadlines import information_until
from refundgql.domain.refusals import ConflictRefusal, Refusal, refusal
from refundgql.domain.rules.situation import Rule, Situation, goes_on, taken_minor
from refundgql.domain.sentences import sentence
from refundgql.domain.vocabulary import (
    OPEN_STATES,
    ContractKind,
    MilestoneStatus,
    RefundActionName,
    RefundCaseKind,
    RefusalCode,
)

_FINAL_WORDS = {
    "C13": sentence("RECORDED_AS_NO_REFUND", "This records that the expert refunds nothing: ask for a refund instead."),
    "D14": sentence("LATER_REQUEST", "A later request took this one's place: go on with that one."),
}


def _final(it: Situation, code: RefusalCode) -> Refusal | None:
    case = it.case
    if case is None or not case.final_decision or decided_by_support(it):
        return None
    rule = "C13" if case.opened_by is RefundActionName.ISSUE else "D14"
    return refusal(code, _FINAL_WORDS[rule], rule, RefundActionName.REQUEST)


def decided_by_support(it: Situation) -> bool:
    """Tell whether support has decided on the payment's money, on this case or on another of whatever kind (D12)."""
    case = it.case
    own = case is not None and case.support_decided and case.kind is not RefundCaseKind.LEAD
    return own or it.facts.payment.support_decided


def _released(it: Situation) -> bool:
    milestone = it.facts.milestone
    return milestone is not None and milestone.status is MilestoneStatus.RELEASED


def _hourly(it: Situation) -> bool:
    contract = it.facts.contract
    return contract is not None and contract.kind is ContractKind.HOURLY


class NotDecidedBySupport(Rule):
    """Support's decision is final for the payment's money, whatever kind of case it was taken on."""

    rules: tuple[str, ...] = ("D12",)
    about = "support has not decided on this payment's money"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with FINAL_DECISION."""
        if not decided_by_support(it):
            return None
        is_anew = it.case is not None and it.case.reopened_at is not None and it.state in OPEN_STATES
        words = sentence("DECIDED_ANEW", "Support decides this case anew: wait for its answer.")
        if not is_anew:
            words = sentence(
                "DECIDED_BY_SUPPORT", "Support has decided on this payment finally: read its answer in the case."
            )
        return refusal(RefusalCode.FINAL_DECISION, words, "D12", RefundActionName.REQUEST)


class StillAwaited(NotDecidedBySupport):
    """As NotDecidedBySupport; but what no money can cover any more has nobody else to end it."""

    rules = ("D12", "D25")
    about = "support has not decided on this payment's money, or a bank has taken what was approved"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with FINAL_DECISION."""
        return None if it.case is not None and taken_minor(it.case, it.facts) else super().check(it)


class RestDeclined(Rule):
    """What a part approval left counts as declined, and is taken to support once."""

    rules = ("D19",)
    about = "the rest was not taken to support before"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with ESCALATION_NOT_AVAILABLE or DISPUTE_NOT_AVAILABLE."""
        case = it.case
        if case is not None and case.continued_by_id is None:
            return None
        escalated = it.action is RefundActionName.ESCALATE
        message = sentence(
            "REST_TAKEN_TO_SUPPORT", "The rest of this request was taken to support already: go on with that case."
        )
        return refusal(
            RefusalCode.ESCALATION_NOT_AVAILABLE if escalated else RefusalCode.DISPUTE_NOT_AVAILABLE, message, "D19"
        )


class EscalationNotFinal(Rule):
    """A final decline is not escalated."""

    rules = ("C13", "D14")
    about = "the decline is not final"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with ESCALATION_NOT_AVAILABLE."""
        return _final(it, RefusalCode.ESCALATION_NOT_AVAILABLE)


class DisputeNotFinal(Rule):
    """A final decline is not disputed."""

    rules = ("C13", "D14")
    about = "the decline is not final"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with DISPUTE_NOT_AVAILABLE."""
        return _final(it, RefusalCode.DISPUTE_NOT_AVAILABLE)


class HourlyEscalation(Rule):
    """Only hourly work is taken from the expert to support; accepted work is not."""

    rules = ("C24", "C29")
    about = "hourly contract, and no accepted milestone"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with ESCALATION_NOT_AVAILABLE."""
        if _released(it):
            message = sentence(
                "WORK_ACCEPTED_TALK",
                "This milestone was released, so its work is accepted: talk to the expert, or ask again.",
            )
            return refusal(RefusalCode.ESCALATION_NOT_AVAILABLE, message, "C29", RefundActionName.REQUEST)
        if _hourly(it):
            return None
        message = sentence(
            "ONLY_HOURLY_ESCALATES", "Only refunds of hourly work can be escalated: talk to the expert, or ask again."
        )
        return refusal(RefusalCode.ESCALATION_NOT_AVAILABLE, message, "C24", RefundActionName.REQUEST)


class Disputable(Rule):
    """Dispute resolution takes hourly invoices and escrow that is still held."""

    rules = ("C31", "C29")
    about = "hourly invoice, or escrow not yet released"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with DISPUTE_NOT_AVAILABLE."""
        if _released(it):
            message = sentence(
                "WORK_ACCEPTED_ASK",
                "This milestone was released, so its work is accepted: ask the expert for a refund.",
            )
            return refusal(RefusalCode.DISPUTE_NOT_AVAILABLE, message, "C29", RefundActionName.REQUEST)
        if it.kind is RefundCaseKind.ESCROW or _hourly(it):
            return None
        message = sentence(
            "NOT_DISPUTABLE",
            "Only hourly invoices and unreleased escrow can be disputed: {instead}.",
            instead=goes_on(it),
        )
        return refusal(RefusalCode.DISPUTE_NOT_AVAILABLE, message, "C31", RefundActionName.REQUEST)


class SecondLookUnused(Rule):
    """A lead's decline can be looked at again once."""

    rules = ("D6",)
    about = "no second look has been taken"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with SECOND_LOOK_USED."""
        if it.case is None or not it.case.second_look_used:
            return None
        message = sentence("SECOND_LOOK_TAKEN", "A second look has been taken: this answer is final.")
        return refusal(RefusalCode.SECOND_LOOK_USED, message, "D6")


class NotReversed(Rule):
    """A credit is reversed once."""

    rules = ("D16",)
    about = "not reversed before"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with TRANSITION_NOT_ALLOWED a second reversal."""
        case = it.case
        if case is None or case.reversed_at is None:
            return None
        return ConflictRefusal(
            code=RefusalCode.TRANSITION_NOT_ALLOWED,
            message=sentence("REVERSED_ALREADY", "This refund was reversed already: look at the case's history."),
            rule="D16",
            current_state=case.state,
            current_version=case.version,
        )


class NothingAsked(Rule):
    """Support asks one question at a time."""

    rules = ("D24",)
    about = "no question is waiting for its answer"
    passes_by_itself = True

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with TRANSITION_NOT_ALLOWED while a party may still answer."""
        case = it.case
        until = information_until(case) if case is not None else None
        if case is None or until is None or it.at >= until:
            return None
        return ConflictRefusal(
            code=RefusalCode.TRANSITION_NOT_ALLOWED,
            message=sentence(
                "QUESTION_WAITS",
                "A question is waiting for its answer until {until}: ask again after that.",
                until=until,
            ),
            rule="D24",
            current_state=case.state,
            current_version=case.version,
        )
