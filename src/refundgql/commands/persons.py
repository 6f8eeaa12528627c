"""Forgetting a person (D30)."""

from __future__ import annotations

from dataclasses import dataclass

from refundgql.commands.assignments import take_back_cases
from refundgql.commands.checks import NOTE_CHARS, Checks, existing_id
from refundgql.commands.evidence_changes import discard_now
from refundgql.commands.idempotency import Made, once
from refundgql.commands.results import AccountResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.calendar import to_micros
from refundgql.domain.refusals import Refused, not_found, refusal
from refundgql.domain.sentences import phrase, sentence
from refundgql.domain.topics import ACCOUNTS
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import RefusalCode
from refundgql.storage import persons
from refundgql.storage.accounts import find_viewer
from refundgql.storage.audit import AuditAction, record
from refundgql.storage.clocks import look_at_cases


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseAccount:
    """Make everything about an account unreadable, for a reason that holds nothing about the person."""

    account_id: str
    reason: str
    idempotency_key: str | None = None


_UNFINISHED = (
    (
        persons.has_open_case,
        RefusalCode.CASE_ALREADY_OPEN,
        sentence("PERSON_HAS_OPEN_CASE", "A case with this person is open: decide it, or let it be cancelled first."),
    ),
    (
        persons.has_proposal,
        RefusalCode.CASE_ALREADY_OPEN,
        sentence(
            "PERSON_HAS_PROPOSAL",
            "A decision that this person proposed waits for a second signature: confirm or return it first.",
        ),
    ),
    (
        persons.has_question,
        RefusalCode.CASE_ALREADY_OPEN,
        sentence(
            "PERSON_HAS_QUESTION", "A question of this person waits for an answer: let it come, or its days end, first."
        ),
    ),
    (
        persons.has_money,
        RefusalCode.BALANCE_INSUFFICIENT,
        sentence(
            "PERSON_HAS_MONEY", "There is money on this person's balance, or on its way: pay it out or settle it first."
        ),
    ),
    (
        persons.has_money_held,
        RefusalCode.BALANCE_INSUFFICIENT,
        sentence(
            "PERSON_HAS_HELD_MONEY",
            "Money of a contract with this person is held: let it be released, or returned to the client, first.",
        ),
    ),
)
"""What has to come to its end before somebody can be forgotten, and how it is said."""


async def erase_account(uow: UnitOfWork, viewer: Viewer | None, given: EraseAccount) -> AccountResult:
    """Erase an account; no viewer is the command line.

    Open cases that are assigned to them are nobody's afterwards.
    Refuses: FORBIDDEN for all but administrators, and for oneself; NOT_FOUND; INVALID_INPUT; CASE_ALREADY_OPEN while a
    case is open, or waits for what they have begun; BALANCE_INSUFFICIENT while there is money of theirs.
    """

    async def work(unit: Unit) -> Made:
        checks = Checks()
        reason = checks.text(given.reason, "reason", NOTE_CHARS)
        if viewer is not None and (not viewer.is_admin or viewer.account_id == given.account_id):
            message = sentence("ERASED_BY_ANOTHER", "Another administrator erases accounts.")
            raise Refused(refusal(RefusalCode.FORBIDDEN, message, "D30"))
        account_id = existing_id(given.account_id, phrase("account"), "accountId")
        if await find_viewer(unit.tx, account_id) is None:
            raise Refused(not_found(phrase("account"), "accountId"))
        checks.raise_if_any()
        await persons.hold(unit.tx, account_id)
        for stands_in_the_way, code, message in _UNFINISHED:
            if await stands_in_the_way(unit.tx, account_id):
                raise Refused(refusal(code, message, "D30"))
        await take_back_cases(unit, account_id)
        actor, now = None if viewer is None else viewer.account_id, to_micros(unit.now())
        await persons.erase(unit.tx, account_id, now)
        await look_at_cases(unit.tx, await persons.list_case_payments(unit.tx, account_id), unit.now())
        record(unit.tx, AuditAction.ERASED, account_id, actor, now, {"reason": reason})
        unit.ring_people([account_id])
        unit.topics.add(ACCOUNTS)
        return {"account_id": account_id}

    if viewer is None:
        made, replayed = await uow.run(work, name="erase_account"), False
    else:
        made, replayed = await once(uow, viewer, given, work)
    await discard_now(uow)
    return AccountResult(made["account_id"], replayed=replayed)
