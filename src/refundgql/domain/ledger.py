"""The ledger's accounts and the shape of its postings: double entry, append only."""

from __future__ import annotations

from refundgql.domain.vocabulary import BalancePurpose


def external(currency: str) -> str:
    """Return the key of the world outside in one currency."""
    return f"external:{currency}"


def platform_leads(currency: str) -> str:
    """Return the key of what the platform earned with leads in one currency."""
    return f"platform_leads:{currency}"


def balance(account_id: str, purpose: BalancePurpose, currency: str) -> str:
    """Return the key of a person's balance for one purpose and currency (L17)."""
    return f"balance:{account_id}:{purpose}:{currency}"


def held(payment_id: str, currency: str) -> str:
    """Return the key of the money held for a milestone's or a week's payment."""
    return f"held:{payment_id}:{currency}"


def in_transit(withdrawal_id: str, currency: str) -> str:
    """Return the key of the money of one withdrawal on its way out."""
    return f"in_transit:{withdrawal_id}:{currency}"


def contracts_owner(key: str) -> tuple[str, str] | None:
    """Return owner and currency of a key when it is somebody's balance of contract money."""
    kind, *rest = key.split(":")
    return (rest[0], rest[2]) if kind == "balance" and rest[1] == BalancePurpose.CONTRACTS else None
