"""What was given with an act: reasons, texts, amounts, currencies (D2, D17)."""

from __future__ import annotations

from refundgql.domain.refusals import BasicRefusal, Refusal, refusal
from refundgql.domain.rules.situation import Group, Rule, Situation
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.vocabulary import (
    ContractKind,
    IssueDecision,
    RefundActionName,
    RefundCaseKind,
    RefundCaseState,
    RefundReason,
    RefundReasonDetail,
    RefusalCode,
    WhoseMove,
)

_TEXT_FIELDS = {
    RefundActionName.REQUEST: "explanation",
    RefundActionName.OPEN_TIMESHEET_DISPUTE: "explanation",
    RefundActionName.ESCALATE: "explanation",
    RefundActionName.DISPUTE: "explanation",
    RefundActionName.DECLINE: "message",
    RefundActionName.REVERSE: "reason",
    RefundActionName.RETURN: "reason",
    RefundActionName.REOPEN: "reason",
    RefundActionName.SEND_MESSAGE: "body",
    RefundActionName.ADD_EVIDENCE: "text",
    RefundActionName.REQUEST_INFORMATION: "question",
}
"""What the words of an act are called where they are not a note."""

MAXIMUM_TEXT_CHARACTERS = 10_000
"""Long enough for any account of what happened, short enough that a case's history stays readable."""

DETAILS = {
    RefundReason.JOB_CHANGED: (
        "L09",
        (
            RefundReasonDetail.DIFFERENT_LOCATION,
            RefundReasonDetail.SERVICE_NOT_OFFERED,
            RefundReasonDetail.OTHER_CHANGE,
        ),
    ),
    RefundReason.TERMS_VIOLATION: (
        "L10",
        (RefundReasonDetail.RECRUITING_EMPLOYEES, RefundReasonDetail.MINOR, RefundReasonDetail.OTHER_VIOLATION),
    ),
}
LEAD_REASONS = (
    RefundReason.JOB_CHANGED,
    RefundReason.TERMS_VIOLATION,
    RefundReason.OTHER,
    RefundReason.NOT_HIRED,  # offered, so that people can read why it is refused (L08)
)
CONTRACT_REASONS = (
    RefundReason.WORK_NOT_DELIVERED,
    RefundReason.QUALITY,
    RefundReason.HOURS_INCORRECT,
    RefundReason.CHARGED_IN_ERROR,
    RefundReason.OTHER,
)


def invalid(message: Sentence, rule: str | None, *field: str) -> BasicRefusal:
    """Say what is wrong with one given value."""
    return refusal(RefusalCode.INVALID_INPUT, message, rule, field=field or None)


class LeadReason(Rule):
    """A lead's refund has a reason from its own list."""

    rules = ("D17",)
    about = "a reason that leads have"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT a missing reason or one of contracts."""
        reason = it.act.reason
        if reason in LEAD_REASONS or (it.asking and reason is None):
            return None
        accepted = ", ".join(reason for reason in LEAD_REASONS if reason is not RefundReason.NOT_HIRED)
        message = sentence(
            "LEAD_REASON_MISSING", "Give one of the reasons that leads have: {reasons}.", reasons=accepted
        )
        return invalid(message, "D17", "reason")


class LeadReasonDetail(Rule):
    """A changed job and a terms violation say which."""

    rules = ("L09", "L10")
    about = "the detail that the reason has"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT a detail that is missing or belongs to another reason."""
        reason, detail = it.act.reason, it.act.reason_detail
        if it.asking or reason is None:
            return None
        rule, details = DETAILS.get(reason, ("D17", ()))
        if detail in details or (detail is None and not details):
            return None
        if not details:
            message = sentence("REASON_HAS_NO_DETAIL", "{reason} has no detail: leave reasonDetail out.", reason=reason)
            return invalid(message, rule, "reasonDetail")
        message = sentence(
            "REASON_DETAIL_MISSING", "Say which: give reasonDetail as one of {details}.", details=", ".join(details)
        )
        return invalid(message, rule, "reasonDetail")


class ReasonExplained(Rule):
    """OTHER needs words."""

    rules = ("L12",)
    about = "OTHER comes with an explanation"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT an OTHER without explanation."""
        if it.asking or it.act.reason is not RefundReason.OTHER or (it.act.text or "").strip():
            return None
        message = sentence(
            "EXPLANATION_MISSING", "Explain in a sentence or two what happened, so that support can weigh it."
        )
        return invalid(message, "L12", "explanation")


class FiledWithReason(Rule):
    """Staff who file for a professional say why; nobody else does."""

    rules = ("D4",)
    about = "staff give a reason for filing on a pro's behalf"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT a missing reason of staff, or one of a professional."""
        if it.asking or it.facts.lead is None or it.viewer is None:
            return None
        given = (it.act.on_behalf_reason or "").strip()
        if it.viewer.account_id == it.facts.lead.pro_id:
            if not given:
                return None
            message = sentence("ON_BEHALF_OF_YOURSELF", "You ask for yourself: leave onBehalfReason out.")
            return invalid(message, "D4", "onBehalfReason")
        if given:
            return None
        message = sentence("ON_BEHALF_REASON_MISSING", "Say in onBehalfReason why you file this for the professional.")
        return invalid(message, "D4", "onBehalfReason")


class ContractReason(Rule):
    """A contract's refund has a reason from its own list, or none."""

    rules = ("D17",)
    about = "a reason that contracts have, or none"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT a reason of leads, and incorrect hours where none are billed."""
        reason = it.act.reason
        if reason is None:
            return None
        if reason not in CONTRACT_REASONS:
            message = sentence(
                "CONTRACT_REASON_UNKNOWN",
                "Give one of the reasons that contracts have, or none: {reasons}.",
                reasons=", ".join(CONTRACT_REASONS),
            )
            return invalid(message, "D17", "reason")
        contract = it.facts.contract
        if reason is RefundReason.HOURS_INCORRECT and contract is not None and contract.kind is not ContractKind.HOURLY:
            message = sentence("NO_HOURS_BILLED", "This contract bills no hours: give another reason, or none.")
            return invalid(message, "D17", "reason")
        return None


class TextGiven(Rule):
    """An act that needs words has some."""

    group = Group.GIVEN

    def __init__(self, field: str, about: Sentence, rule: str | None = None) -> None:
        """Name the input field and what the words are for."""
        self.field = field
        self.about = about
        self.rules = (rule,) if rule else ()
        self.rule = rule

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT words that are missing."""
        if it.asking or (it.act.text or "").strip():
            return None
        return invalid(sentence("TEXT_MISSING", "Write {what}.", what=self.about), self.rule, self.field)


class PartyAsked(Rule):
    """Support asks one of the two parties."""

    rules = ("D24",)
    about = "a party of the case is asked"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT anybody else, and a counterparty where there is none."""
        asked, case = it.act.asked_party, it.case
        if it.asking or asked is WhoseMove.REQUESTER:
            return None
        if asked is WhoseMove.COUNTERPARTY and case is not None and case.counterparty_id is not None:
            return None
        others = "REQUESTER" if case is None or case.counterparty_id is None else "REQUESTER or COUNTERPARTY"
        return invalid(sentence("NOT_A_PARTY", "Ask a party of this case: {parties}.", parties=others), "D24", "from")

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return whom support asks."""
        return (("askedParty", it.act.asked_party.value),) if it.act.asked_party is not None else ()


class DaysToAnswer(Rule):
    """A question names a number of days, or leaves them to the policy."""

    rules = ("D24",)
    about = "a number of days within the policy's"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT less than a day and more than the policy has."""
        days, most = it.act.days, it.policy.information_most_days
        if days is None or 1 <= days <= most:
            return None
        return invalid(
            sentence("DAYS_OUT_OF_RANGE", "Give 1 to {limit} days for the answer.", limit=most), "D24", "days"
        )

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return the days."""
        return (("days", str(it.act.days if it.act.days is not None else it.policy.information_days)),)


class TextStorable(Rule):
    """Words are bounded and hold no character that cannot be stored."""

    about = f"texts of at most {MAXIMUM_TEXT_CHARACTERS} characters"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT texts that are too long or hold a NUL or half a character."""
        for field, text in (
            (_TEXT_FIELDS.get(it.action, "note"), it.act.text),
            ("internalNote", it.act.internal_note),
            ("onBehalfReason", it.act.on_behalf_reason),
        ):
            if text is None:
                continue
            if len(text) > MAXIMUM_TEXT_CHARACTERS:
                message = sentence(
                    "TEXT_TOO_LONG", "Shorten the text to {limit} characters.", limit=MAXIMUM_TEXT_CHARACTERS
                )
                return invalid(message, None, field)
            if (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)) or "\0" in text:
                message = sentence("TEXT_UNSTORABLE", "Remove the characters from the text that are no characters.")
                return invalid(message, None, field)
        return None


class AmountPositive(Rule):
    """Money that moves is more than nothing."""

    rules = ("D2",)
    about = "an amount above zero"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT an amount of zero or less."""
        amount = it.act.amount
        if amount is None or amount.minor > 0:
            return None
        return invalid(sentence("AMOUNT_NOT_POSITIVE", "Give an amount above zero."), "D2", "amount")


class AmountGiven(Rule):
    """An act about a part says how much."""

    rules = ("D2",)
    about = "an amount"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT an act without amount."""
        if it.asking or it.act.amount is not None:
            return None
        return invalid(sentence("AMOUNT_MISSING", "Give the amount."), "D2", "amount")


class SameCurrency(Rule):
    """Money comes back in the currency it was paid in."""

    rules = ("D2",)
    about = "the payment's currency"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with CURRENCY_MISMATCH another currency."""
        amount, currency = it.act.amount, it.facts.payment.currency
        if amount is None or amount.currency == currency:
            return None
        message = sentence(
            "CURRENCY_MISMATCH", "This was paid in {currency}: give the amount in {currency}.", currency=currency
        )
        return refusal(RefusalCode.CURRENCY_MISMATCH, message, "D2", field=("amount",))


class RestOfEscrowShape(Rule):
    """What becomes of the rest is said with support's approval of escrow alone."""

    rules = ("D11",)
    about = "rest: HOLD or RELEASE of what a part approval leaves in escrow"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT where there is no escrow, the expert decides, or nothing is approved."""
        by_support = it.state in (RefundCaseState.ESCALATED, RefundCaseState.DISPUTED)
        approves = it.action in (RefundActionName.APPROVE, RefundActionName.PROPOSE)
        if it.act.rest is None or (it.kind is RefundCaseKind.ESCROW and by_support and approves):
            return None
        message = sentence("REST_NOT_YOURS", "Only support says what becomes of the rest of escrow: leave rest out.")
        return invalid(message, "D11", "rest")

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return what was said."""
        return (("rest", it.act.rest.value),) if it.act.rest is not None else ()


class IssueShape(Rule):
    """What is issued says all, part or nothing, with an amount for a part alone."""

    rules = ("C12", "C13")
    about = "FULL and NONE without amount, PARTIAL with one below the maximum"
    group = Group.GIVEN

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with INVALID_INPUT a decision whose amount does not belong to it."""
        decision, amount = it.act.decision, it.act.amount
        if it.asking:
            return None
        if decision is None:
            return invalid(
                sentence("DECISION_MISSING", "Say whether all, part or nothing is refunded."), "C12", "decision"
            )
        if decision is not IssueDecision.PARTIAL:
            if amount is None:
                return None
            rule = "C13" if decision is IssueDecision.NONE else "C12"
            message = sentence(
                "DECISION_TAKES_NO_AMOUNT", "{decision} takes no amount: leave it out.", decision=decision
            )
            return invalid(message, rule, "amount")
        if amount is None:
            return invalid(sentence("PART_MISSING", "Give the part to refund as an amount."), "C12", "amount")
        if amount.currency == it.facts.payment.currency and 0 < amount.minor == it.refundable_minor:
            return invalid(
                sentence("PART_IS_ALL", "That is all there is to refund: issue it as FULL."), "C12", "amount"
            )
        return None
