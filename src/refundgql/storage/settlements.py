"""Approved cases that wait for their expert's money (D13): in which order, and which could be credited now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from refundgql.storage.database import Source, Transaction


@dataclass(frozen=True, slots=True)
class Waiting:
    """An expert's balance that approved cases wait for."""

    account_id: str
    currency: str


async def find_awaiting(source: Source | Transaction, expert_ids: Collection[str]) -> set[Waiting]:
    """Return those experts' balances that approved cases wait for."""
    rows = await source.fetch(
        "SELECT DISTINCT c.expert_id, rc.currency FROM refund_case rc JOIN contract c ON c.id = rc.contract_id"
        " WHERE rc.state = 'APPROVED' AND rc.settlement = 'AWAITING_FUNDS' AND c.expert_id = ANY(?)",
        (list(expert_ids),),
    )
    return {Waiting(row[0], row[1]) for row in rows}


async def list_awaited(tx: Transaction, balances: Sequence[Waiting]) -> list[Waiting]:
    """Return those of the balances that an approved case waits for."""
    found = await find_awaiting(tx, {balance.account_id for balance in balances})
    return [balance for balance in balances if balance in found]


async def list_awaiting_cases(tx: Transaction, balance: Waiting, *, limit: int) -> list[str]:
    """Return the cases that an expert's balance, with what is held, may cover; the one approved first at the front."""
    rows = await tx.fetch(
        "SELECT rc.id FROM refund_case rc JOIN contract c ON c.id = rc.contract_id"
        " LEFT JOIN ledger_account b"
        " ON b.key = 'balance:' || CAST(c.expert_id AS TEXT) || ':CONTRACTS:' || rc.currency"
        " LEFT JOIN ledger_account h ON h.key = 'held:' || CAST(rc.payment_id AS TEXT) || ':' || rc.currency"
        " WHERE rc.settlement = 'AWAITING_FUNDS' AND rc.state = 'APPROVED' AND c.expert_id = ? AND rc.currency = ?"
        " AND rc.approved_minor <= (CASE WHEN b.balance_minor > 0 THEN b.balance_minor ELSE 0 END)"
        " + (CASE WHEN h.balance_minor > 0 THEN h.balance_minor ELSE 0 END)"
        " ORDER BY rc.approved_at, rc.number LIMIT ?",
        (balance.account_id, balance.currency, limit),
    )
    return [str(row["id"]) for row in rows]


async def list_coverable(source: Source | Transaction, *, limit: int) -> list[Waiting]:
    """Return the balances that cover at least one of the cases waiting for them; none unless an act was cut short."""
    rows = await source.fetch(
        "SELECT DISTINCT c.expert_id, rc.currency FROM refund_case rc JOIN contract c ON c.id = rc.contract_id"
        " JOIN ledger_account b ON b.owner_id = c.expert_id AND b.purpose = 'CONTRACTS' AND b.currency = rc.currency"
        " JOIN payment p ON p.id = rc.payment_id"
        " WHERE rc.settlement = 'AWAITING_FUNDS' AND rc.state = 'APPROVED' AND b.balance_minor >= rc.approved_minor"
        " AND rc.approved_minor <= p.paid_minor - p.refunded_minor - p.charged_back_minor LIMIT ?",
        (limit,),
    )
    return [Waiting(str(row["expert_id"]), row["currency"]) for row in rows]
