"""The contract machine: open, then closed; refunds work in both (C02, C14)."""

from __future__ import annotations

from statemachine import State

from refundgql.domain.advancing import StrictMachine
from refundgql.domain.vocabulary import ContractStatus


class ContractMachine(StrictMachine):
    """OPEN to CLOSED; a closed contract never opens again, so that the review window has one start (C22)."""

    open = State(initial=True, value=ContractStatus.OPEN)
    closed = State(value=ContractStatus.CLOSED, final=True)

    close = open.to(closed)
