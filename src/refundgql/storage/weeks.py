"""Billing weeks as timers leave them."""

from __future__ import annotations

from refundgql.storage.database import Transaction


async def mark_week_released(tx: Transaction, billing_week_id: str, at_micros: int) -> None:
    """Record that a week's held money has gone to the expert; the first release stays the recorded one."""
    await tx.execute(
        "UPDATE contract SET version = version + 1 WHERE id = (SELECT contract_id FROM billing_week WHERE id = ?)",
        (billing_week_id,),
    )
    await tx.execute(
        "UPDATE billing_week SET released_at = ? WHERE id = ? AND released_at IS NULL", (at_micros, billing_week_id)
    )
