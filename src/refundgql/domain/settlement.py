"""The money of a decision: crediting, reserving, releasing a week, reversing; postings as the ledger table says."""

from __future__ import annotations

from dataclasses import replace

from refundgql.domain.deadlines import CUT_OFF
from refundgql.domain.decisions import Posting
from refundgql.domain.draft import Draft
from refundgql.domain.entries import held_first, release_entry
from refundgql.domain.facts import Case, ContractFacts, Facts
from refundgql.domain.kept_texts import MILESTONE_RELEASED, REFUND_OF_LEAD, REFUNDS, REVERSED, WEEK_RELEASED
from refundgql.domain.ledger import balance, held, platform_leads
from refundgql.domain.money import Money
from refundgql.domain.sentences import Sentence
from refundgql.domain.vocabulary import (
    BalancePurpose,
    MilestoneStatus,
    RefundCaseKind,
    RefundCaseState,
    SettlementStatus,
)

CREDIT, REVERSAL = "CREDIT", "REVERSAL"

_TITLE_CHARACTERS = 200
"""Leaves room for the words before a lead's title in a posting's description."""


def credit(draft: Draft, case: Case) -> Case:
    """Post an approved amount to who asked for it and return the credited case; the caller says whether it waited."""
    amount_minor = case.approved_minor or 0
    draft.postings += credit_postings(case, draft.facts, amount_minor)
    draft.refunded_delta_minor += amount_minor
    payment = draft.facts.payment
    if case.kind is RefundCaseKind.ESCROW and payment.refunded_minor + amount_minor >= payment.paid_minor:
        draft.move_milestone(MilestoneStatus.RETURNED)
    draft.withdrawal_requested = case.send_to_payment_method
    return case.changed(
        state=RefundCaseState.CREDITED,
        credited_minor=amount_minor,
        credited_at=draft.at,
        settlement=SettlementStatus.SETTLED,
    )


def credit_postings(case: Case, facts: Facts, amount_minor: int) -> list[Posting]:
    """Return the postings of a credit of minor units: held money first, then the expert's balance."""
    currency, what = case.currency, _describe(case, facts)
    if case.kind is RefundCaseKind.LEAD:
        to_key = balance(case.requester_id, BalancePurpose.LEADS, currency)
        return [_posting(CREDIT, platform_leads(currency), to_key, amount_minor, case, what)]
    contract, hold = contract_of(facts), held(case.payment_id, currency)
    to_key = balance(contract.client_id, BalancePurpose.CONTRACTS, currency)
    held_minor = facts.funds.held_minor if _has_hold(facts) else 0
    if case.kind is RefundCaseKind.ESCROW:
        held_minor = amount_minor  # escrow comes back from escrow alone
    from_key = balance(contract.expert_id, BalancePurpose.CONTRACTS, currency)
    entry = held_first(CREDIT, hold, held_minor, from_key, to_key, Money(amount_minor, currency), what, case.payment_id)
    return [
        replace(one, case_id=case.id, may_overdraw=one.from_key == from_key and case.support_decided) for one in entry
    ]


def release_rest(draft: Draft, case: Case) -> None:
    """Release what is left of a disputed week's money once its cut-off has passed and its dispute is over."""
    week = draft.facts.week
    if case.kind is not RefundCaseKind.TIMESHEET or week is None or week.released:
        return
    if draft.at < CUT_OFF.end(week.ends_at, draft.policy):
        return  # its own timer releases it then
    draft.week_released = True
    rest = draft.facts.funds.held_minor - draft.refunded_delta_minor
    draft.postings += release_postings(draft.facts, rest, case.id)


def release_escrow(draft: Draft, case: Case) -> None:
    """Give what support's part approval leaves in escrow to the expert, and release the milestone (D11)."""
    left = draft.facts.funds.held_minor - draft.refunded_delta_minor
    if draft.milestone_status is None and left > 0:
        draft.move_milestone(MilestoneStatus.RELEASED)
        draft.postings += release_postings(draft.facts, left, case.id)


def release_postings(facts: Facts, amount_minor: int, case_id: str | None = None) -> list[Posting]:
    """Return the posting that gives held money to the expert: a week at its cut-off, or a released milestone."""
    payment = facts.payment
    what = (WEEK_RELEASED if facts.week is not None else MILESTONE_RELEASED).of()
    left, hold = Money(amount_minor, payment.currency), held(payment.id, payment.currency)
    entry = release_entry(payment.id, hold, contract_of(facts).expert_id, left, what)
    return [replace(one, case_id=case_id) for one in entry]


def reverse(draft: Draft, case: Case) -> None:
    """Undo a credit, posting by posting: to where each came from, or to the expert once that is over (D16)."""
    facts, currency = draft.facts, case.currency
    if sum(part.minor for part in facts.credit) != case.credited_minor:
        raise ValueError("a credit is reversed whole: its postings have to be among the facts")
    for part in facts.credit:
        to_key = part.from_key
        if to_key == held(case.payment_id, currency) and not _is_held(facts):
            to_key = balance(contract_of(facts).expert_id, BalancePurpose.CONTRACTS, currency)
        what = REVERSED.of(what=_describe(case, facts))
        posting = _posting(REVERSAL, part.to_key, to_key, part.minor, case, what)
        draft.postings.append(replace(posting, reverses_id=part.posting_id))
        draft.refunded_delta_minor -= part.minor
    milestone = facts.milestone
    if case.kind is RefundCaseKind.ESCROW and milestone is not None and milestone.status is MilestoneStatus.RETURNED:
        draft.move_milestone(MilestoneStatus.FUNDED)


def contract_of(facts: Facts) -> ContractFacts:
    """Return the contract of a payment that is not a lead's."""
    if facts.contract is None:
        raise ValueError("this payment belongs to a lead, not to a contract")
    return facts.contract


def _has_hold(facts: Facts) -> bool:
    """Tell whether the payment's money waits on an account of its own: a week's, or a milestone's."""
    return facts.week is not None or facts.milestone is not None


def _is_held(facts: Facts) -> bool:
    """Tell whether money that comes back to this payment is held again instead of being the expert's."""
    if facts.milestone is not None:
        return facts.milestone.status is not MilestoneStatus.RELEASED
    return facts.week is not None and not facts.week.released and facts.paid_at is not None


def _describe(case: Case, facts: Facts) -> Sentence:
    if facts.lead is not None:
        return REFUND_OF_LEAD.of(title=facts.lead.title[:_TITLE_CHARACTERS])
    return REFUNDS[case.kind].of()


def _posting(fact: str, from_key: str, to_key: str, amount_minor: int, case: Case, what: str) -> Posting:
    return Posting(
        fact=fact,
        from_key=from_key,
        to_key=to_key,
        amount=Money(amount_minor, case.currency),
        description=what,
        case_id=case.id,
        payment_id=case.payment_id,
    )
