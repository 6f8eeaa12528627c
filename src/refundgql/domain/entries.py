"""What has happened to money, as entries of the ledger: one or more postings each, which nobody else makes.

It must not decide that something has happened, or store it; credits and their reversals are settlement.py's.
"""

from __future__ import annotations

from dataclasses import replace

from refundgql.domain.decisions import Posting
from refundgql.domain.kept_texts import LEAD, LEAD_TOP_UP, OPENING_BALANCE
from refundgql.domain.ledger import balance, external, platform_leads
from refundgql.domain.money import Money
from refundgql.domain.vocabulary import BalancePurpose

RELEASE, REFUND, CHARGEBACK = "RELEASE", "REFUND", "CHARGEBACK"


def opening_entry(account_id: str, purpose: BalancePurpose, opening: Money) -> list[Posting]:
    """Return what opens a balance: from outside, or to it where somebody owed; nothing for nothing."""
    own, outside = balance(account_id, purpose, opening.currency), external(opening.currency)
    from_key, to_key = (outside, own) if opening.minor > 0 else (own, outside)
    amount = Money(abs(opening.minor), opening.currency)
    entry = posted("OPENING", from_key, to_key, amount, OPENING_BALANCE.of(), None)
    return [replace(one, may_overdraw=opening.minor < 0) for one in entry]


def charge_entry(payment_id: str, pro_id: str, price: Money, share_minor: int, title: str) -> list[Posting]:
    """Return what charges a lead: what lead credit does not pay is paid from outside before (L17)."""
    currency = price.currency
    purse, rest = balance(pro_id, BalancePurpose.LEADS, currency), Money(price.minor - share_minor, currency)
    return [
        *posted("TOP_UP", external(currency), purse, rest, LEAD_TOP_UP.of(), payment_id),
        *posted("CHARGE", purse, platform_leads(currency), price, LEAD.of(title=title), payment_id),
    ]


def payment_entry(
    payment_id: str, client_id: str, to_key: str, amount: Money, share_minor: int, what: str
) -> list[Posting]:
    """Return what pays for work, a share of it from the client's balance (C19), the rest from outside."""
    currency = amount.currency
    own, share = balance(client_id, BalancePurpose.CONTRACTS, currency), Money(share_minor, currency)
    return [
        *posted("PAYMENT", own, to_key, share, what, payment_id),
        *posted("PAYMENT", external(currency), to_key, Money(amount.minor - share_minor, currency), what, payment_id),
    ]


def release_entry(payment_id: str, held_key: str, expert_id: str, left: Money, what: str) -> list[Posting]:
    """Return what gives held money to the expert: a week's at its cut-off, or a released milestone's."""
    to_key = balance(expert_id, BalancePurpose.CONTRACTS, left.currency)
    return posted(RELEASE, held_key, to_key, left, what, payment_id)


def held_first(
    fact: str, held_key: str, held_minor: int, receiver_key: str, to_key: str, amount: Money, what: str, payment_id: str
) -> list[Posting]:
    """Return what takes money of a payment back from where it is now: what is held first, then from its receiver."""
    from_held = Money(min(max(held_minor, 0), amount.minor), amount.currency)
    rest = Money(amount.minor - from_held.minor, amount.currency)
    return [
        *posted(fact, held_key, to_key, from_held, what, payment_id),
        *posted(fact, receiver_key, to_key, rest, what, payment_id),
    ]


def posted(fact: str, from_key: str, to_key: str, amount: Money, what: str, payment_id: str | None) -> list[Posting]:
    """Return one posting, or none where there is nothing to move."""
    if amount.minor <= 0:
        return []
    return [
        Posting(fact=fact, from_key=from_key, to_key=to_key, amount=amount, description=what, payment_id=payment_id)
    ]
