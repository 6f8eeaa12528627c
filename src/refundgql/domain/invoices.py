"""The invoice machine: issued, then paid."""

from __future__ import annotations

from statemachine import State

from refundgql.domain.advancing import StrictMachine
from refundgql.domain.vocabulary import InvoiceStatus


class InvoiceStatusMachine(StrictMachine):
    """ISSUED to PAID; an invoice never becomes unpaid, a refund is a case of its own."""

    issued = State(initial=True, value=InvoiceStatus.ISSUED)
    paid = State(value=InvoiceStatus.PAID, final=True)

    pay = issued.to(paid)
