"""Withdrawals (D10): asking for one, and what the marketplace reports of its way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uuid_utils.compat import uuid7

from refundgql.commands.checks import Amount, Checks, existing_id, is_uuid
from refundgql.commands.filing import file_new
from refundgql.commands.idempotency import Made, once
from refundgql.commands.results import WithdrawalResult
from refundgql.commands.settle import settle_postings
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.cases import withdrawal_changed
from refundgql.domain.decisions import Posting
from refundgql.domain.refusals import Refused, not_found, refusal
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefusalCode, Role, WithdrawalStatus
from refundgql.domain.withdrawals import Withdrawal, cancel, change_status, told_of, withdrawal_refusals
from refundgql.storage.facts import load_case_facts
from refundgql.storage.ledger import post
from refundgql.storage.visibility import owns
from refundgql.storage.withdrawals import load_withdrawal_funds, lock_withdrawal, update_withdrawal

_OWNERS = frozenset({Role.PRO, Role.CLIENT, Role.EXPERT})
"""Roles that have a balance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestWithdrawal:
    """Send money of one's balance to one's payment method."""

    amount: Amount
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWithdrawal:
    """Keep money that was to be sent to one's payment method."""

    withdrawal_id: str
    idempotency_key: str


async def request_withdrawal(uow: UnitOfWork, viewer: Viewer, given: RequestWithdrawal) -> WithdrawalResult:
    """Take contract money off the balance and on its way (D10).

    Refuses: FORBIDDEN, INVALID_INPUT; FUNDS_INSUFFICIENT while an approved refund waits for this balance (D13);
    BALANCE_INSUFFICIENT, citing L17 where lead credit would have covered it.
    """
    withdrawal_id = str(uuid7())

    async def work(unit: Unit) -> Made:
        if not viewer.roles & _OWNERS:
            message = sentence(
                "NO_BALANCE_TO_WITHDRAW", "Only professionals, clients and experts have a balance to withdraw from."
            )
            raise Refused(refusal(RefusalCode.FORBIDDEN, message, "D10"))
        checks = Checks()
        amount = checks.money(given.amount)
        checks.raise_if_any()
        assert amount is not None  # noqa: S101 - the checks refused everything else
        funds = await load_withdrawal_funds(unit.tx, viewer.account_id, amount.currency)
        if refusals := withdrawal_refusals(amount, funds):
            raise Refused(*refusals)
        await file_new(unit, viewer.account_id, amount, withdrawal_id=withdrawal_id)
        return {"withdrawal_id": withdrawal_id}

    made, replayed = await once(uow, viewer, given, work)
    return WithdrawalResult(made["withdrawal_id"], replayed)


async def cancel_withdrawal(uow: UnitOfWork, viewer: Viewer, given: CancelWithdrawal) -> WithdrawalResult:
    """Put a withdrawal's money back on its owner's balance before it was sent (D10).

    Refuses: NOT_FOUND; FORBIDDEN for everybody but its owner; TRANSITION_NOT_ALLOWED once it was sent.
    """

    async def work(unit: Unit) -> Made:
        withdrawal_id = existing_id(given.withdrawal_id, phrase("withdrawal"), "withdrawalId")
        withdrawal = await lock_withdrawal(unit.tx, withdrawal_id)
        if withdrawal is None or not owns(viewer, withdrawal.account_id):
            raise Refused(not_found(phrase("withdrawal"), "withdrawalId"))
        if withdrawal.account_id != viewer.account_id:
            message = sentence("ONLY_OWNER_CANCELS_WITHDRAWAL", "Only its owner cancels a withdrawal.")
            raise Refused(refusal(RefusalCode.FORBIDDEN, message, "D10"))
        changed, postings = cancel(withdrawal, unit.now())
        await _keep(unit, changed, postings)
        return {"withdrawal_id": withdrawal_id}

    made, replayed = await once(uow, viewer, given, work)
    return WithdrawalResult(made["withdrawal_id"], replayed)


async def change_withdrawal(
    unit: Unit, withdrawal_id: str, target: WithdrawalStatus, failure_reason: str | None = None
) -> bool:
    """Take a withdrawal one step further within an open transaction, and tell whether that changed anything.

    Refuses: NOT_FOUND; TRANSITION_NOT_ALLOWED for a step that its machine does not have.
    """
    withdrawal = await lock_withdrawal(unit.tx, withdrawal_id) if is_uuid(withdrawal_id) else None
    if withdrawal is None:
        raise Refused(not_found(phrase("withdrawal"), "id"))
    if withdrawal.status is target:
        return False
    changed, postings = change_status(withdrawal, target, unit.now(), failure_reason)
    await _keep(unit, changed, postings)
    return True


async def _keep(unit: Unit, changed: Withdrawal, postings: Sequence[Posting]) -> None:
    """Keep a withdrawal's step, move its money, and tell its case, its owner and webhooks."""
    await update_withdrawal(unit.tx, changed)
    await post(unit.tx, postings, changed.updated_at)
    if changed.refund_case_id is not None:
        await _record_on_case(unit, changed, changed.refund_case_id)
    unit.tell(told_of(changed))
    await settle_postings(unit, postings)


async def _record_on_case(unit: Unit, withdrawal: Withdrawal, case_id: str) -> None:
    """Write WITHDRAWAL_CHANGED into the history of the case whose credit is on its way."""
    facts = (await load_case_facts(unit.tx, [case_id], lock=True))[case_id]
    decision = withdrawal_changed(
        facts, unit.now(), unit.policy, withdrawal.status.value, withdrawal.id, withdrawal.failure_reason
    )
    await unit.save(decision, facts)
