"""The chargeback machine (D25): a bank wants money back, and gets it or does not."""

from __future__ import annotations

from statemachine import State

from refundgql.domain.advancing import StrictMachine
from refundgql.domain.vocabulary import ChargebackStatus


class ChargebackMachine(StrictMachine):
    """OPEN to WON, the money stays, or to LOST, it is gone."""

    opened = State(initial=True, value=ChargebackStatus.OPEN)
    won = State(value=ChargebackStatus.WON, final=True)
    lost = State(value=ChargebackStatus.LOST, final=True)

    win = opened.to(won)
    lose = opened.to(lost)
