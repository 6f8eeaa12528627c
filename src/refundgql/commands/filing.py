"""Filing a withdrawal: the money leaves the balance and gets an estimated window."""

from __future__ import annotations

from uuid_utils.compat import uuid7

from refundgql.commands.unit_of_work import Unit
from refundgql.domain.business_days import withdrawal_estimate
from refundgql.domain.cases import withdrawal_changed
from refundgql.domain.decisions import Decision
from refundgql.domain.money import Money
from refundgql.domain.vocabulary import WithdrawalStatus
from refundgql.domain.withdrawals import Withdrawal, take_out, told_of, withdrawal_refusals
from refundgql.storage.facts import load_case_facts
from refundgql.storage.ledger import post
from refundgql.storage.withdrawals import insert_withdrawal, load_withdrawal_funds

KEPT_ON_BALANCE = "KEPT_ON_BALANCE"
"""What the event says of money that was to be sent on and stays."""


async def file_new(
    unit: Unit, account_id: str, amount: Money, *, withdrawal_id: str, case_id: str | None = None
) -> None:
    """Keep a new withdrawal, estimated in business days (D10), and take its money off the balance."""
    at = unit.now()
    withdrawal = Withdrawal(
        id=withdrawal_id,
        account_id=account_id,
        refund_case_id=case_id,
        amount=amount,
        status=WithdrawalStatus.REQUESTED,
        requested_at=at,
        updated_at=at,
    )
    await insert_withdrawal(unit.tx, withdrawal, withdrawal_estimate(at, unit.policy, unit.holiday_calendar))
    await post(unit.tx, [take_out(withdrawal)], at)
    unit.tell(told_of(withdrawal))


async def file_withdrawal(unit: Unit, decision: Decision) -> None:
    """Send a credit on to the payment method, as the client asked with the request (D10).

    Money that may not leave, because an approved refund of the client as an expert waits for it (D13), stays: that
    is an event of the case, of which staff read the reason and the client learns it from a withdrawal's refusal (D29).
    """
    case = decision.case
    amount = Money(case.credited_minor or 0, case.currency)
    funds = await load_withdrawal_funds(unit.tx, case.requester_id, case.currency)
    refusals = withdrawal_refusals(amount, funds)
    withdrawal_id: str | None = None
    note, reason = KEPT_ON_BALANCE, refusals[0].message if refusals else None
    if not refusals:
        withdrawal_id, note = str(uuid7()), WithdrawalStatus.REQUESTED.value
        await file_new(unit, case.requester_id, amount, withdrawal_id=withdrawal_id, case_id=case.id)
    facts = (await load_case_facts(unit.tx, [case.id], lock=True))[case.id]
    filed = withdrawal_changed(facts, unit.now(), unit.policy, note, withdrawal_id, reason)
    await unit.save(filed, facts)
