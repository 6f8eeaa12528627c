"""The machines of milestones, invoices, contracts and withdrawals: every step, allowed or not."""

from datetime import UTC, datetime
from itertools import product

import pytest

from refundgql.domain.advancing import StrictMachine, advance, steps
from refundgql.domain.contracts import ContractMachine
from refundgql.domain.invoices import InvoiceStatusMachine
from refundgql.domain.milestones import MilestoneMachine, advance_milestone
from refundgql.domain.money import Money
from refundgql.domain.refusals import AmountRefusal, Refused
from refundgql.domain.vocabulary import (
    MilestoneStatus,
    RefusalCode,
    WithdrawalStatus,
)
from refundgql.domain.withdrawals import (
    Withdrawal,
    WithdrawalFunds,
    WithdrawalMachine,
    change_status,
    take_out,
    withdrawal_refusals,
)

AT = datetime(2026, 3, 2, tzinfo=UTC)
ALLOWED: dict[type[StrictMachine], set[tuple[str, str]]] = {
    MilestoneMachine: {
        ("UNFUNDED", "FUNDED"),
        ("FUNDED", "RELEASED"),
        ("FUNDED", "RETURNED"),
        ("RETURNED", "FUNDED"),
    },
    InvoiceStatusMachine: {("ISSUED", "PAID")},
    ContractMachine: {("OPEN", "CLOSED")},
    WithdrawalMachine: {("REQUESTED", "SENT"), ("SENT", "PAID"), ("SENT", "FAILED"), ("REQUESTED", "FAILED")},
}


@pytest.mark.parametrize("machine", ALLOWED)
def test_a_machine_has_exactly_its_steps(machine: type[StrictMachine]) -> None:
    """Every pair of states is either a step of the machine or refused as such; nothing is silently ignored."""
    assert set(steps(machine)) == ALLOWED[machine]
    for current, target in product({state.value for state in machine.states}, repeat=2):
        if (current, target) in ALLOWED[machine]:
            advance(machine, "thing", current, target)
        else:
            with pytest.raises(Refused) as refused:
                advance(machine, "thing", current, target)
            assert [refusal.code for refusal in refused.value.refusals] == [RefusalCode.TRANSITION_NOT_ALLOWED]


def test_an_open_case_holds_a_milestone() -> None:
    """A milestone is not released while a case on it is open (C30), but it can be returned."""
    with pytest.raises(Refused) as refused:
        advance_milestone(MilestoneStatus.FUNDED, MilestoneStatus.RELEASED, open_case_number=7)
    (refusal,) = refused.value.refusals
    assert (refusal.code, refusal.rule) == (RefusalCode.CASE_ALREADY_OPEN, "C30")
    assert "RC-000007" in refusal.message
    advance_milestone(MilestoneStatus.FUNDED, MilestoneStatus.RETURNED, open_case_number=7)


def _withdrawal(status: WithdrawalStatus) -> Withdrawal:
    return Withdrawal(
        id="w",
        account_id="a",
        amount=Money(500, "USD"),
        status=status,
        requested_at=AT,
        updated_at=AT,
        posting_id="taken",
    )


def test_a_withdrawal_moves_its_money_with_its_steps() -> None:
    """Money leaves with the request, arrives with PAID, and comes back with FAILED."""
    out = take_out(_withdrawal(WithdrawalStatus.REQUESTED))
    assert (out.from_key, out.to_key) == ("balance:a:CONTRACTS:USD", "in_transit:w:USD")
    sent, nothing = change_status(_withdrawal(WithdrawalStatus.REQUESTED), WithdrawalStatus.SENT, AT)
    assert (sent.status, nothing) == (WithdrawalStatus.SENT, ())
    _, (arrived,) = change_status(sent, WithdrawalStatus.PAID, AT)
    assert (arrived.from_key, arrived.to_key) == ("in_transit:w:USD", "external:USD")
    failed, (back,) = change_status(sent, WithdrawalStatus.FAILED, AT, "Account closed")
    assert (back.from_key, back.to_key, back.amount) == ("in_transit:w:USD", "balance:a:CONTRACTS:USD", out.amount)
    assert (failed.failure_reason, back.reverses_id) == ("Account closed", "taken")
    with pytest.raises(Refused, match="Say why"):
        change_status(sent, WithdrawalStatus.FAILED, AT)


@pytest.mark.parametrize(
    ("funds", "rules"),
    [
        (WithdrawalFunds(contracts_minor=500), []),
        (WithdrawalFunds(contracts_minor=499), ["D10"]),
        (WithdrawalFunds(contracts_minor=0, leads_minor=900), ["L17"]),
        (WithdrawalFunds(contracts_minor=-1, leads_minor=900), ["D13"]),
        (WithdrawalFunds(contracts_minor=900, awaiting_case_number=3), ["D13"]),
        (WithdrawalFunds(contracts_minor=100, awaiting_case_number=3), ["D13", "D10"]),
    ],
)
def test_what_stands_against_a_withdrawal(funds: WithdrawalFunds, rules: list[str]) -> None:
    """Each reason against a withdrawal is told with its rule, and the most that can leave is never negative."""
    found = withdrawal_refusals(Money(500, "USD"), funds)
    assert [refusal.rule for refusal in found] == rules
    assert all(refusal.maximum.minor >= 0 for refusal in found if isinstance(refusal, AmountRefusal))
