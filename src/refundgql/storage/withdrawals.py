"""Withdrawals: rows to domain objects and back, and the funds a new one looks at."""

from __future__ import annotations

from datetime import date

from refundgql.domain.ledger import balance, in_transit
from refundgql.domain.money import Money
from refundgql.domain.vocabulary import BalancePurpose, RefundCaseState
from refundgql.domain.withdrawals import Withdrawal, WithdrawalFunds
from refundgql.storage.database import Dialect, Source, Transaction
from refundgql.storage.rows import change, insertion, read


async def load_withdrawal_funds(tx: Transaction, account_id: str, currency: str) -> WithdrawalFunds:
    """Return what an account's request to withdraw looks at, its balance rows locked."""
    contracts = balance(account_id, BalancePurpose.CONTRACTS, currency)
    leads = balance(account_id, BalancePurpose.LEADS, currency)
    lock = " FOR UPDATE" if tx.dialect is Dialect.POSTGRES else ""
    rows = await tx.fetch(
        f"SELECT key, balance_minor FROM ledger_account WHERE key IN (?, ?) ORDER BY key{lock}", (contracts, leads)
    )
    balances = {row["key"]: row["balance_minor"] for row in rows}
    return WithdrawalFunds(
        contracts_minor=balances.get(contracts, 0),
        leads_minor=balances.get(leads, 0),
        awaiting_case_number=await find_awaiting_case(tx, account_id),
    )


async def find_awaiting_case(source: Source, account_id: str) -> int | None:
    """Return the number of an approved case that waits for an expert's funds (D13)."""
    number: int | None = await source.fetch_value(
        # What a bank has taken for good no balance covers any more; what it only wants may come back (D25).
        "SELECT min(rc.number) FROM refund_case rc JOIN contract c ON c.id = rc.contract_id"
        " JOIN payment p ON p.id = rc.payment_id"
        " WHERE c.expert_id = ? AND rc.settlement = 'AWAITING_FUNDS' AND rc.state = ?"
        " AND rc.approved_minor <= p.paid_minor - p.refunded_minor - p.charged_back_minor"
        " + (SELECT COALESCE(SUM(b.amount_minor), 0) FROM chargeback b"
        " WHERE b.payment_id = p.id AND b.status = 'OPEN')",
        (account_id, RefundCaseState.APPROVED.value),
    )
    return number


async def insert_withdrawal(tx: Transaction, withdrawal: Withdrawal, estimate: tuple[date, date]) -> None:
    """Keep a new withdrawal with the first and last date it is expected to arrive."""
    amount, (first, last) = withdrawal.amount, estimate
    await tx.execute(
        *insertion(
            "withdrawal",
            id=withdrawal.id,
            account_id=withdrawal.account_id,
            refund_case_id=withdrawal.refund_case_id,
            currency=amount.currency,
            amount_minor=amount.minor,
            status=withdrawal.status,
            requested_at=withdrawal.requested_at,
            updated_at=withdrawal.updated_at,
            estimated_from=first.isoformat(),
            estimated_until=last.isoformat(),
            failure_reason=withdrawal.failure_reason,
        )
    )


async def lock_withdrawal(tx: Transaction, withdrawal_id: str) -> Withdrawal | None:
    """Return a withdrawal, locked until the transaction ends."""
    lock = " FOR UPDATE" if tx.dialect is Dialect.POSTGRES else ""
    row = await tx.fetch_row(f"SELECT * FROM withdrawal WHERE id = ?{lock}", (withdrawal_id,))
    if row is None:
        return None
    taken_out = "SELECT id FROM posting WHERE to_key = ? AND fact = 'WITHDRAWAL'"
    posting_id = await tx.fetch_value(taken_out, (in_transit(row["id"], row["currency"]),))
    amount = Money(row["amount_minor"], row["currency"])
    return read(Withdrawal, row, amount=amount, posting_id=posting_id)


async def update_withdrawal(tx: Transaction, withdrawal: Withdrawal) -> None:
    """Keep a withdrawal's new status."""
    await tx.execute(
        *change(
            "withdrawal",
            withdrawal.id,
            status=withdrawal.status,
            updated_at=withdrawal.updated_at,
            failure_reason=withdrawal.failure_reason,
            cancelled_at=withdrawal.cancelled_at,
        )
    )
