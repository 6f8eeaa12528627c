"""Settling: what a refund that waits for money costs a batch of records that brings it (D13)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from refundgql.clocks import SystemClock
from refundgql.commands.checks import Amount
from refundgql.commands.decisions import ApproveRefund, approve_refund
from refundgql.commands.requests import RequestInvoiceRefund, request_invoice_refund
from refundgql.commands.sync_records import take_records
from refundgql.commands.unit_of_work import UnitOfWork
from refundgql.commands.withdrawals import RequestWithdrawal, request_withdrawal
from refundgql.domain.policy import Policy
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Role
from refundgql.messaging.memory import MemoryBus
from refundgql.storage.database import Database
from refundgql.storage.migrating import migrate

BIG = "50000000.00"


async def settling_factor(url: str, invoices: int) -> float:
    """Return what a batch of paid invoices takes with one awaited refund of their expert, against without one."""
    database = await Database.open(url)
    try:
        await migrate(database)
        uow = UnitOfWork(database=database, clock=SystemClock(), policy=Policy(), bus=MemoryBus())
        await take_records(uow, [*_people(), _invoice("big", BIG)])
        await _took_s(uow, "warm", invoices)
        without = await _took_s(uow, "without", invoices)
        await _await_money(uow)
        return await _took_s(uow, "with", invoices) / without
    finally:
        await database.close()


async def _took_s(uow: UnitOfWork, prefix: str, invoices: int) -> float:
    shapes = [_invoice(f"{prefix}-{number}", "0.01") for number in range(invoices)]
    began = time.perf_counter()
    await take_records(uow, shapes)
    return time.perf_counter() - began


async def _await_money(uow: UnitOfWork) -> None:
    """Let the expert take everything out and then agree to give all of the large invoice back."""
    client, expert = await _viewer(uow, "client", Role.CLIENT), await _viewer(uow, "expert", Role.EXPERT)
    minor = await uow.database.fetch_value(
        "SELECT balance_minor FROM ledger_account WHERE owner_id = ? AND purpose = 'CONTRACTS'", (expert.account_id,)
    )
    everything = Amount(Decimal(minor) / 100, "USD")
    await request_withdrawal(uow, expert, RequestWithdrawal(amount=everything, idempotency_key="all"))
    invoice_id = await uow.database.fetch_value("SELECT id FROM invoice WHERE external_ref = 'big'")
    asked = RequestInvoiceRefund(invoice_id=str(invoice_id), amount=Amount(Decimal(BIG), "USD"), idempotency_key="ask")
    case_id = (await request_invoice_refund(uow, client, asked)).case_id
    await approve_refund(uow, expert, ApproveRefund(refund_case_id=case_id, idempotency_key="approve"))


async def _viewer(uow: UnitOfWork, ref: str, role: Role) -> Viewer:
    found = await uow.database.fetch_value("SELECT id FROM account WHERE external_ref = ?", (ref,))
    return Viewer(str(found), ref, ref.title(), frozenset({role}))


def _people() -> Iterable[dict[str, Any]]:
    for ref in ("client", "expert"):
        yield {"account": {"externalRef": ref, "name": ref.title(), "roles": [ref.upper()]}}
    yield {
        "contract": {
            "externalRef": "contract",
            "kind": "FIXED_PRICE",
            "client": "client",
            "expert": "expert",
            "title": "Drawings",
            "status": "OPEN",
            "currencyCode": "USD",
            "startedAt": "2025-06-01T00:00:00Z",
        }
    }


def _invoice(ref: str, amount: str) -> dict[str, Any]:
    return {
        "invoice": {
            "externalRef": ref,
            "contract": "contract",
            "number": ref,
            "amount": {"amount": amount, "currencyCode": "USD"},
            "issuedAt": "2026-11-01T00:00:00Z",
            "paidAt": "2026-11-02T00:00:00Z",
        }
    }
