"""How much: caps on what is asked, approved, consented to and reversed (C05, C14, C15, C29, D5, D9, D13, D16)."""

from __future__ import annotations

from refundgql.domain.refusals import AmountRefusal, Refusal, refusal
from refundgql.domain.rules.payments import is_paid, is_running
from refundgql.domain.rules.situation import Rule, Situation, taken_minor
from refundgql.domain.sentences import Sentence, sentence
from refundgql.domain.vocabulary import (
    ContractKind,
    IssueDecision,
    MilestoneStatus,
    RefundCaseKind,
    RefusalCode,
)


class AmountCap(Rule):
    """An amount is at most what is left of the payment and of the contract; subclasses lower it further."""

    rules: tuple[str, ...] = ("C14", "D9")
    about = "amount ≤ what is left of the payment and of the contract"

    def maximum(self, it: Situation) -> tuple[int, str]:
        """Return the most that the act may move, in minor units, and the rule that says so."""
        return it.refundable_minor, self.rules[0]

    def wanted(self, it: Situation) -> int | None:
        """Return the amount of the act in minor units; None when none is known yet."""
        return it.act.amount.minor if it.act.amount is not None else None

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with AMOUNT_EXCEEDS_REFUNDABLE; without an amount only when nothing is left."""
        if it.case is None and it.facts.lead is None and (is_running(it) or not is_paid(it)):
            return None  # nothing can be asked for before it is paid, which another rule says
        maximum, rule = self.maximum(it)
        wanted = None if it.asking and it.act.amount is None else self.wanted(it)
        if maximum > 0 if wanted is None else wanted <= maximum and maximum > 0:
            return None
        charged_back = it.facts.payment.charged_back_minor
        if charged_back and maximum == it.refundable_minor:
            code, rule = RefusalCode.CHARGED_BACK, "D25"
            message = sentence(
                "CHARGED_BACK",
                "The bank wants {amount} of this payment back: {rest}",
                amount=it.money(charged_back),
                rest=_at_most(it, maximum),
            )
        else:
            code, message = RefusalCode.AMOUNT_EXCEEDS_REFUNDABLE, self.too_much(it, maximum)
        return AmountRefusal(
            code=code,
            message=message,
            rule=rule,
            field=("amount",) if it.act.amount is not None else None,
            maximum=it.money(maximum),
            requested=it.money(wanted or 0),
        )

    def too_much(self, it: Situation, maximum: int) -> Sentence:
        """Say how much there is."""
        if maximum <= 0:
            return sentence("NOTHING_LEFT", "Nothing is left of this payment to refund: look at its earlier refunds.")
        return sentence(
            "AT_MOST", "At most {maximum} can be refunded here: give that or less.", maximum=it.money(maximum)
        )

    def saw(self, it: Situation) -> tuple[tuple[str, str], ...]:
        """Return the maximum."""
        return (("maximum", str(it.money(self.maximum(it)[0]))),)


class RequestCap(AmountCap):
    """A client asks for no more than what is left."""

    rules = ("C14", "C05", "D9")


class PriceLeft(AmountCap):
    """Of a lead's price something has to be left to be asked for: it may have gone back before, or to a bank."""

    rules = ("D9", "D25")
    about = "something of the price is left"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse as AmountCap does, unless the lead has a case: then OneCasePerLead speaks."""
        lead = it.facts.lead
        has_case = it.facts.payment.open_case_id is not None or (lead is not None and lead.case_id is not None)
        return None if has_case else super().check(it)


class IssueCap(AmountCap):
    """An expert issues no more than what is left; recording none needs nothing."""

    rules = ("C14", "C12", "D9")

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with AMOUNT_EXCEEDS_REFUNDABLE unless nothing is refunded."""
        return None if it.act.decision is IssueDecision.NONE else super().check(it)


class ApprovalCap(AmountCap):
    """An approved amount is at most the requested one, and at most what is left when it is approved."""

    rules: tuple[str, ...] = ("D9", "C14")
    about = "amount ≤ the requested one and ≤ what is left, looked at again under the lock"

    def maximum(self, it: Situation) -> tuple[int, str]:
        """Return the smaller of what was asked and what is left."""
        left = it.refundable_minor
        asked = _asked(it) if _is_asked_for(it) else None
        if asked is not None and asked < left:
            return asked, "D9"
        return left, "C14"

    def wanted(self, it: Situation) -> int | None:
        """Return the given amount, or the requested one when none is given (D9)."""
        return it.act.amount.minor if it.act.amount is not None else _asked(it)


class LeadApprovalCap(ApprovalCap):
    """Support approves all or part of the lead's price."""

    rules = ("D5",)
    about = "amount ≤ the lead's price"

    def maximum(self, it: Situation) -> tuple[int, str]:
        """Return what is left of the price."""
        return super().maximum(it)[0], "D5"


class SupportApprovalCap(ApprovalCap):
    """As ApprovalCap; for accepted work, and after a decision of support, at most what the expert consented to."""

    rules = ("D9", "C14", "C29", "D12")
    about = (
        "amount ≤ the requested one and ≤ what is left; "
        "released milestone, or decided by support before: ≤ the expert's consent"
    )

    def maximum(self, it: Situation) -> tuple[int, str]:
        """Return the cap, lowered to the consent where nothing else is left to decide."""
        maximum, rule = super().maximum(it)
        goodwill = _only_goodwill(it)
        consented = (it.case.consented_minor if it.case is not None else None) or 0
        return (consented, goodwill) if goodwill is not None and consented < maximum else (maximum, rule)

    def too_much(self, it: Situation, maximum: int) -> Sentence:
        """Say how much there is, or that consent is missing."""
        if maximum <= 0 < it.refundable_minor:
            if _only_goodwill(it) == "C29":
                return sentence(
                    "ACCEPTED_WITHOUT_CONSENT",
                    "The work was accepted and the expert has consented to nothing: decline, or wait for consent.",
                )
            return sentence(
                "DECIDED_WITHOUT_CONSENT",
                "Support has decided on this before and the expert has consented to nothing: "
                "decline, or wait for consent.",
            )
        return super().too_much(it, maximum)


class SomethingLeft(AmountCap):
    """Nobody is taken to support for what is not there any more."""

    about = "something of the payment is left"


class RestCap(AmountCap):
    """What a part approval left is asked for as far as it is still there."""

    rules = ("D19", "D9")
    about = "something of the rest is left"


class ReopenCap(SomethingLeft):
    """What is decided anew is still there."""

    rules = ("D22", "D9")


class ConsentCap(AmountCap):
    """An expert consents to no more than was asked and is left."""

    rules = ("C15", "C14")
    about = "amount ≤ the requested one and ≤ what is left"

    def maximum(self, it: Situation) -> tuple[int, str]:
        """Return the smaller of what was asked and what is left."""
        left = it.refundable_minor
        asked = _asked(it)
        return (asked, "C15") if asked is not None and asked < left else (left, "C14")


class FundsThere(Rule):
    """An expert's approval is credited when the money is there; support's decision at once."""

    rules = ("D13",)
    about = "held money and the expert's balance cover it, or support decided"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with FUNDS_INSUFFICIENT while the expert's balance cannot cover it."""
        if shortfall_minor(it) == 0:
            return None
        message = sentence(
            "EXPERT_FUNDS_MISSING",
            "The expert's balance does not cover this refund yet: it is credited by itself when it does.",
        )
        return refusal(RefusalCode.FUNDS_INSUFFICIENT, message, "D13")


class MoneyStillThere(Rule):
    """A reversal takes back what the recipient still has."""

    rules = ("D16",)
    about = "the recipient still has the money"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with BALANCE_INSUFFICIENT."""
        credited = (it.case.credited_minor if it.case is not None else None) or 0
        if it.facts.funds.requester_available_minor >= credited:
            return None
        if it.case is not None and it.case.reversed_at is not None:
            return None  # NotReversed says so already
        message = sentence(
            "RECIPIENT_FUNDS_MISSING",
            "The recipient no longer has the money on the balance: reverse this once the balance covers it.",
        )
        return refusal(RefusalCode.BALANCE_INSUFFICIENT, message, "D16")


def _at_most(it: Situation, maximum: int) -> Sentence:
    if maximum <= 0:
        return sentence("REST_IS_NOTHING", "nothing is left to refund.")
    return sentence("REST_IS_AT_MOST", "at most {maximum} can be refunded here.", maximum=it.money(maximum))


def shortfall_minor(it: Situation) -> int:
    """Return what an approved refund lacks, in minor units; nothing lacks but for an expert's own approval (D13)."""
    case, funds = it.case, it.facts.funds
    if case is None or case.kind is not RefundCaseKind.INVOICE or case.support_decided:
        return 0
    needed, taken = (case.approved_minor or 0) - max(funds.held_minor, 0), taken_minor(case, it.facts)
    return max(needed - max(funds.expert_available_minor, 0), taken, 0) if needed > 0 or taken > 0 else 0


def _asked(it: Situation) -> int | None:
    """Return what was asked for; for a refund the expert issued, what the expert agreed to."""
    case = it.case
    if case is None:
        return None
    return case.requested_minor if case.requested_minor is not None else case.consented_minor


def _is_asked_for(it: Situation) -> bool:
    """Tell whether what was asked bounds a decision; hourly money may all be asked of support, whatever was issued."""
    case, contract = it.case, it.facts.contract
    issued = case is not None and case.requested_minor is None
    return not issued or contract is None or contract.kind is not ContractKind.HOURLY


class ExpertThere(Rule):
    """What only the expert may give is asked for while there is one."""

    rules = ("D30", "C29", "D12")
    about = "the expert's account was not erased, where the refund is the expert's to give"

    def check(self, it: Situation) -> Refusal | None:
        """Refuse with TRANSITION_NOT_ALLOWED."""
        if it.facts.expert_erased_at is None or _only_goodwill(it) is None:
            return None
        message = sentence(
            "EXPERT_ERASED",
            "Only the expert could still agree to this refund, whose account was erased: talk to support.",
        )
        return refusal(RefusalCode.TRANSITION_NOT_ALLOWED, message, "D30")


def _only_goodwill(it: Situation) -> str | None:
    """Return the rule by which the money is the expert's to give: accepted work (C29), or decided before (D12)."""
    milestone = it.facts.milestone
    if it.kind is RefundCaseKind.INVOICE and milestone is not None and milestone.status is MilestoneStatus.RELEASED:
        return "C29"
    return "D12" if it.facts.payment.support_decided else None
