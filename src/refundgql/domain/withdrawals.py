"""Withdrawals (D10): when contract money may leave a balance, the machine of its way out, and its postings.

It must not let lead credit out (L17), and must not store anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from statemachine import State

from refundgql.domain.advancing import StrictMachine, advance
from refundgql.domain.decisions import Posting
from refundgql.domain.kept_texts import (
    CANCELLED_BY_OWNER,
    WITHDRAWAL,
    WITHDRAWAL_CANCELLED,
    WITHDRAWAL_FAILED,
    WITHDRAWAL_PAID,
)
from refundgql.domain.ledger import balance, external, in_transit
from refundgql.domain.money import Money
from refundgql.domain.refusals import AmountRefusal, Refusal, Refused, refusal
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.vocabulary import (
    BalancePurpose,
    NoticeName,
    RefusalCode,
    WithdrawalEventName,
    WithdrawalStatus,
)
from refundgql.domain.webhooks import Notice


class WithdrawalMachine(StrictMachine):
    """REQUESTED to SENT to PAID; FAILED puts the money back, also when it never left."""

    requested = State(initial=True, value=WithdrawalStatus.REQUESTED)
    sent = State(value=WithdrawalStatus.SENT)
    paid = State(value=WithdrawalStatus.PAID, final=True)
    failed = State(value=WithdrawalStatus.FAILED, final=True)

    send_out = requested.to(sent)
    arrive = sent.to(paid)
    fail = requested.to(failed) | sent.to(failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """One withdrawal as it stands."""

    id: str
    account_id: str
    refund_case_id: str | None = None  # the case whose credit it sends on
    amount: Money
    status: WithdrawalStatus
    requested_at: datetime
    updated_at: datetime
    failure_reason: str | None = None
    cancelled_at: datetime | None = None
    posting_id: str | None = None  # the one that took the money off the balance, which a failure undoes


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalFunds:
    """What a request to withdraw looks at, in minor units of the currency asked for."""

    contracts_minor: int = 0  # available for CONTRACTS
    leads_minor: int = 0  # lead credit, which stays (L17)
    awaiting_case_number: int | None = None  # an approved case of this expert that waits for funds (D13)


def withdrawal_refusals(amount: Money, funds: WithdrawalFunds) -> tuple[Refusal, ...]:
    """Return everything that stands against withdrawing this amount now (D10, D13, L17)."""
    found: list[Refusal] = []
    if funds.awaiting_case_number is not None:
        message = sentence(
            "APPROVED_CASE_NOT_COVERED",
            "You approved the refund {case} and your balance does not cover it yet: "
            "withdrawals open again once it is credited.",
            case=f"RC-{funds.awaiting_case_number:06d}",
        )
        found.append(refusal(RefusalCode.FUNDS_INSUFFICIENT, message, "D13"))
    if amount.minor > funds.contracts_minor:
        maximum = Money(max(funds.contracts_minor, 0), amount.currency)
        if funds.contracts_minor < 0:
            rule, why = (
                "D13",
                sentence(
                    "BALANCE_NEGATIVE",
                    "Your balance is negative: it has to be covered before anything can be withdrawn.",
                ),
            )
        elif funds.leads_minor > 0:
            rule, why = (
                "L17",
                sentence(
                    "LEAD_CREDIT_STAYS",
                    "Lead credit buys leads and cannot be withdrawn: at most {maximum} can leave.",
                    maximum=maximum,
                ),
            )
        else:
            rule, why = (
                "D10",
                sentence("WITHDRAWAL_TOO_MUCH", "At most {maximum} of your balance can be withdrawn.", maximum=maximum),
            )
        found.append(
            AmountRefusal(
                code=RefusalCode.BALANCE_INSUFFICIENT,
                message=why,
                rule=rule,
                field=("amount",),
                maximum=maximum,
                requested=amount,
            )
        )
    return tuple(found)


def take_out(withdrawal: Withdrawal) -> Posting:
    """Return the posting that takes a withdrawal's money off the balance."""
    currency = withdrawal.amount.currency
    return Posting(
        fact="WITHDRAWAL",
        from_key=balance(withdrawal.account_id, BalancePurpose.CONTRACTS, currency),
        to_key=in_transit(withdrawal.id, currency),
        amount=withdrawal.amount,
        description=WITHDRAWAL.of(),
        case_id=withdrawal.refund_case_id,
        withdrawal_id=withdrawal.id,
    )


def change_status(
    withdrawal: Withdrawal, target: WithdrawalStatus, at: datetime, failure_reason: str | None = None
) -> tuple[Withdrawal, tuple[Posting, ...]]:
    """Return the withdrawal one step further, and where its money goes with that step.

    Refuses: TRANSITION_NOT_ALLOWED; INVALID_INPUT for a failure without a reason.
    """
    if target is WithdrawalStatus.FAILED and failure_reason is None:
        message = sentence("FAILURE_REASON_MISSING", "Say why the withdrawal failed: its owner reads it.")
        raise Refused(refusal(RefusalCode.INVALID_INPUT, message, field=("failureReason",)))
    advance(WithdrawalMachine, phrase("withdrawal"), withdrawal.status, target)
    reason = failure_reason if target is WithdrawalStatus.FAILED else None
    changed = replace(withdrawal, status=target, updated_at=at, failure_reason=reason)
    return changed, money_of(changed)


def cancel(withdrawal: Withdrawal, at: datetime) -> tuple[Withdrawal, tuple[Posting, ...]]:
    """Return the withdrawal as its owner cancelled it, and where its money goes.

    Refuses: TRANSITION_NOT_ALLOWED once it was sent.
    """
    if withdrawal.status is not WithdrawalStatus.REQUESTED:
        message = sentence(
            "WITHDRAWAL_TOO_LATE_TO_CANCEL",
            "This withdrawal is {status}: it can be cancelled only before it is sent.",
            status=withdrawal.status,
        )
        raise Refused(refusal(RefusalCode.TRANSITION_NOT_ALLOWED, message, "D10"))
    failed, postings = change_status(withdrawal, WithdrawalStatus.FAILED, at, CANCELLED_BY_OWNER.of())
    what = WITHDRAWAL_CANCELLED.of()
    return replace(failed, cancelled_at=at), tuple(replace(it, description=what) for it in postings)


def told_of(withdrawal: Withdrawal) -> Notice:
    """Return what its owner and webhooks are told of a withdrawal as it stands."""
    it = withdrawal
    event = it.status.value if it.cancelled_at is None else WithdrawalEventName.CANCELLED.value
    return withdrawal_told(it.id, it.account_id, event, it.updated_at, it.refund_case_id)


def withdrawal_told(
    withdrawal_id: str, account_id: str, event: str, at: datetime, case_id: str | None = None
) -> Notice:
    """Return what is told of one step of a withdrawal, named as WithdrawalEventName has it."""
    name = NoticeName(f"WITHDRAWAL_{event}")
    return Notice(name=name, at=at, account_id=account_id, withdrawal_id=withdrawal_id, case_id=case_id)


def money_of(withdrawal: Withdrawal) -> tuple[Posting, ...]:
    """Return where the money of a withdrawal goes that has come so far: out, or back; nothing on its way."""
    currency = withdrawal.amount.currency
    if withdrawal.status is WithdrawalStatus.PAID:
        fact, to_key, text = "PAYOUT", external(currency), WITHDRAWAL_PAID.of()
    elif withdrawal.status is WithdrawalStatus.FAILED:
        to_key = balance(withdrawal.account_id, BalancePurpose.CONTRACTS, currency)
        fact, text = "WITHDRAWAL_FAILED", WITHDRAWAL_FAILED.of()
    else:
        return ()
    return (
        Posting(
            fact=fact,
            from_key=in_transit(withdrawal.id, currency),
            to_key=to_key,
            amount=withdrawal.amount,
            description=text,
            case_id=withdrawal.refund_case_id,
            withdrawal_id=withdrawal.id,
            reverses_id=withdrawal.posting_id if withdrawal.status is WithdrawalStatus.FAILED else None,
        ),
    )
