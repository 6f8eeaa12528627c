"""The rule catalogue: every numbered rule in plain words, with the policy's present value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from refundgql.domain.money import format_minor
from refundgql.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule as clients read it; `from_source` tells the marketplace's published terms from product decisions."""

    rule: str
    name: str
    value: str
    text: str
    from_source: bool


def policy_rules(policy: Policy) -> tuple[PolicyRule, ...]:
    """Return the catalogue for one policy, leads first, then contracts, then product decisions."""
    return tuple(
        PolicyRule(rule, name, value(policy) if callable(value) else value, text, not rule.startswith("D"))
        for rule, name, value, text in _LEADS + _CONTRACTS + _DECISIONS
    )


_Row = tuple[str, str, str | Callable[[Policy], str], str]


def _days(name: str) -> Callable[[Policy], str]:
    return _many(name, "day")


def _hours(name: str) -> Callable[[Policy], str]:
    return _many(name, "hour")


def _many(name: str, unit: str) -> Callable[[Policy], str]:
    def told(policy: Policy) -> str:
        number = getattr(policy, name)
        return f"{number} {unit}" if number == 1 else f"{number} {unit}s"

    return told


def _amounts(name: str) -> Callable[[Policy], str]:
    def told(policy: Policy) -> str:
        found = sorted(getattr(policy, name).items())
        return ", ".join(f"{format_minor(minor, code)} {code}" for code, minor in found) or "none"

    return told


_LEADS: tuple[_Row, ...] = (
    (
        "L01",
        "Ask from the chat",
        "chat",
        "A professional starts a lead's refund in the conversation with that customer.",
    ),
    ("L05", "Find the customer", "filters", "Conversations can be filtered until the right customer is found."),
    (
        "L06",
        "Report action",
        "one act",
        "The conversation offers one report act, always shown, with reasons when closed.",
    ),
    ("L08", "Not being hired", "refused", "Losing the job to somebody else is not a reason for a refund."),
    (
        "L09",
        "Changed job",
        "detail needed",
        "A job that turned out elsewhere, unserved or otherwise changed qualifies.",
    ),
    (
        "L10",
        "Terms violation",
        "detail needed",
        "Recruiting, minors and other breaches qualify and report the customer.",
    ),
    ("L12", "Other reasons", "explanation needed", "Anything else is weighed by support from the written explanation."),
    (
        "L14",
        "Decision target",
        _hours("decision_target_hours"),
        "Support aims to decide within this time; missing it flags the case and decides nothing.",
    ),
    ("L15", "Lead window", _days("lead_window_days"), "Days from the charge in which a professional may ask."),
    (
        "L16",
        "Evidence",
        "statements, messages, files",
        "What is added stays as it was, with a hash; the chat is kept whole.",
    ),
    ("L17", "Credit to the balance", "LEADS", "Lead credit buys leads; it never leaves as cash or to a card."),
    ("L18", "Credit at once", "one transaction", "Approving a lead's refund and crediting it happen together."),
)

_CONTRACTS: tuple[_Row, ...] = (
    ("C02", "Closed contracts", "open and closed", "A contract's end does not end the right to ask about it."),
    ("C04", "One invoice", "paid invoice", "A client asks about one invoice that has been paid."),
    ("C05", "What is left", "at most the rest", "The amount asked is no more than what is left of that payment."),
    ("C06", "Direct window", _days("direct_window_days"), "Days from the payment in which the expert decides."),
    ("C07", "Support window", _days("support_window_days"), "Days from the payment in which support still decides."),
    ("C10", "Running week", "not refundable", "The hours of a week can be asked back once the week has ended."),
    ("C11", "Paid first", "paid invoice", "An ended week's hours can be refunded once they have been paid."),
    ("C12", "Voluntary refund", "FULL or PARTIAL", "An expert may refund all or part without having been asked."),
    ("C13", "No refund", "NONE", "An expert may record that nothing is refunded; it moves nothing and blocks nothing."),
    ("C14", "Cap", "what was paid", "Refunds of a contract never exceed what was paid for it."),
    (
        "C15",
        "Who decides when",
        "expert, then support",
        "The expert decides first; later support does, knowing the expert's consent.",
    ),
    ("C16", "Credit", "at once", "An approved refund reaches the client's balance at once."),
    (
        "C17",
        "Payment method",
        lambda policy: f"{policy.withdrawal_days_from} to {policy.withdrawal_days_until} business days",
        "Money on the way to a payment method takes about this long.",
    ),
    ("C18", "Withdrawal", "on request", "A client may ask for the balance to be paid out."),
    ("C19", "Pay from the balance", "allowed", "Credited money can pay new invoices."),
    (
        "C20",
        "History",
        "every posting",
        "The transaction history shows each movement and each request not credited yet.",
    ),
    (
        "C21",
        "Hidden reviews",
        _amounts("review_threshold_minor"),
        "Reviews hide while a refunded contract is worth less than this.",
    ),
    (
        "C22",
        "Review window",
        _days("review_window_days"),
        "Days from the contract's end in which a review can be posted.",
    ),
    (
        "C23",
        "Review edit",
        lambda policy: f"{policy.review_edits} edit",
        "The expert may let the client edit a posted review.",
    ),
    ("C24", "Escalate", "hourly", "A client may take an expert's no on hourly work to support."),
    (
        "C25",
        "Timesheet dispute",
        _days("timesheet_dispute_days"),
        "Days from the week's Sunday in which its hours can be disputed.",
    ),
    (
        "C26",
        "Week's end",
        "Monday 00:00 UTC",
        "A billing week ends with its Sunday in UTC; only an ended and paid week is disputed.",
    ),
    ("C27", "Cut-off", "Saturday 00:00 UTC", "A pending request does not move the cut-off of the dispute."),
    ("C28", "Missed cut-off", "ask the expert", "After the cut-off the expert can still be asked for a refund."),
    (
        "C29",
        "Accepted work",
        "no escalation, no dispute",
        "A released milestone counts as accepted; the expert may still refund it.",
    ),
    (
        "C30",
        "Escrow",
        "all or part",
        "A funded milestone can be asked back until it is released, which an open case prevents.",
    ),
    (
        "C31",
        "Dispute resolution",
        _days("dispute_resolution_days"),
        "Hourly invoices this young, and escrow not yet released, can be disputed.",
    ),
)

_DECISIONS: tuple[_Row, ...] = (
    (
        "D1",
        "Windows",
        "whole UTC days",
        "Days are counted between UTC dates; a window closes at midnight after its last day.",
    ),
    (
        "D2",
        "Money",
        "integer minor units",
        "Amounts are exact, positive, in the payment's currency with that currency's decimals.",
    ),
    ("D3", "Identities", "opaque ids, RC numbers", "Ids are opaque; a case also has a short number to read out."),
    (
        "D4",
        "Filing for a pro",
        "any time, with a reason",
        "Staff may file for a professional; when late it is goodwill, and the filer does not decide.",
    ),
    ("D5", "Part of a price", "all or part", "Support may approve all or part of a lead's price."),
    (
        "D6",
        "Second look",
        _days("second_look_window_days"),
        "Days from a decline in which one second look, by somebody else, may be asked for.",
    ),
    (
        "D7",
        "Route",
        "fixed at the request",
        "The route never changes; what the expert leaves unanswered goes to support when the direct window ends.",
    ),
    (
        "D8",
        "Answer time",
        _days("respond_within_days"),
        "Days an expert has to answer on hourly or escrow money before support takes over.",
    ),
    (
        "D9",
        "Counting the cap",
        "payment and contract",
        "The smaller rest of payment and contract is the cap; approved amounts count, open requests do not.",
    ),
    (
        "D10",
        "Payout estimate",
        lambda policy: f"{policy.withdrawal_days_from} to {policy.withdrawal_days_until} business days",
        "A payout is its own object; it can be filed by itself when the credit arrives.",
    ),
    ("D11", "Rest in escrow", "stays held", "What a part refund leaves of a milestone stays in escrow."),
    (
        "D12",
        "Support is final",
        "final",
        "What support decides is final for that payment's money: the expert can still be asked, as goodwill.",
    ),
    (
        "D13",
        "Waiting for funds",
        _days("funds_wait_days"),
        "An approved refund waits for the expert's balance; after these days the client may escalate it.",
    ),
    (
        "D14",
        "One open case",
        _many("requests_per_payment", "request"),
        "A payment has one open case at a time and this many requests in all, those approved in part not counted.",
    ),
    ("D15", "Cancel", "while undecided", "Whoever asked may withdraw the request until it is decided."),
    (
        "D16",
        "Reversal",
        "compensating posting",
        "A credited refund may be reversed by an administrator while the money is there.",
    ),
    ("D17", "Reasons", "closed list", "Each kind of case accepts its own list of reasons."),
    (
        "D18",
        "Rounding",
        "half to even",
        "Hours times rate is rounded half to even; business days count from the next day.",
    ),
    (
        "D19",
        "Approved in part",
        "follow-up case",
        "What an expert's part approval leaves counts as declined: it can be taken to support as a case of its own.",
    ),
    (
        "D20",
        "Targets of contract cases",
        _hours("contract_target_hours"),
        "Support aims to decide a contract's case within this time from when it came; missing it decides nothing.",
    ),
    (
        "D21",
        "Reminders",
        _hours("reminder_hours"),
        "So long before an answer, a decision or a way to support is lost, both sides are told once.",
    ),
    (
        "D22",
        "Reopening",
        _days("reopen_window_days"),
        "Days from a final decline in which an administrator who did not decide may have it decided anew, once.",
    ),
    (
        "D23",
        "Second signature",
        _amounts("decision_limit_minor"),
        "A decision of support above this is a proposal until a colleague with the limit signs it.",
    ),
    (
        "D24",
        "Questions of support",
        lambda policy: f"{policy.information_days} days, at most {policy.information_most_days}",
        "Support may ask a party for information; its target stands still until the answer, or the end of these days.",
    ),
    (
        "D25",
        "Chargebacks",
        "lower what can be refunded",
        "What a bank wants back, or has taken, cannot be refunded as well; what the marketplace won can.",
    ),
    (
        "D26",
        "Evidence",
        "100 items a side",
        "Each item has an audience; a party withdraws its own until a decision, ADMIN redacts one, its hash stays.",
    ),
    (
        "D27",
        "Facts are of the past",
        "5 minutes ahead at most",
        "What is said to have happened may lie no further ahead; before a payment nothing of it can be asked back.",
    ),
    (
        "D28",
        "Rules in force",
        "decide now",
        "Every deadline follows the present rules; a changed rule moves it, and whoever was told reads so in the case.",
    ),
    (
        "D29",
        "Internal",
        "staff only",
        "What staff write for each other is one event for the parties, without author and text, and nothing new.",
    ),
    (
        "D30",
        "Told and forgotten",
        "administrators",
        "All that is held about a person can be had, and erased once no case of theirs is open and no money there.",
    ),
)
