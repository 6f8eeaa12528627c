"""When money arrives on an expert's balance, approved cases that waited for it are credited in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable

from refundgql.commands.filing import file_withdrawal
from refundgql.commands.unit_of_work import Unit
from refundgql.domain.cases import decide
from refundgql.domain.decisions import Act, Decision, Posting
from refundgql.domain.ledger import contracts_owner
from refundgql.domain.refusals import Refused
from refundgql.domain.vocabulary import RefundActionName
from refundgql.storage.facts import load_case_facts
from refundgql.storage.settlements import Waiting, list_awaited, list_awaiting_cases

CASES_AT_ONCE = 200
"""Cases credited in one transaction; the sweeper takes up the rest."""


async def find_waiting(unit: Unit, postings: Iterable[Posting]) -> list[Waiting]:
    """Return those balances that postings bring money to and that cases wait for; nearly always none."""
    received = _received(postings)
    return await list_awaited(unit.tx, received) if received else []


async def settle_postings(unit: Unit, postings: Iterable[Posting]) -> list[str]:
    """Credit waiting cases of everybody whose contract balance received money; return the ids of credited cases."""
    return await settle_balances(unit, _received(postings))


async def settle_balances(unit: Unit, balances: Iterable[Waiting]) -> list[str]:
    """Credit the cases that wait for these balances as far as the money goes; return the ids of credited cases."""
    waiting = dict.fromkeys(balances)
    credited: list[str] = []
    while waiting and len(credited) < CASES_AT_ONCE:
        balance, _ = waiting.popitem()
        for case_id in await list_awaiting_cases(unit.tx, balance, limit=CASES_AT_ONCE):
            decision = await _credit(unit, case_id)
            if decision is None:
                # What does not cover an earlier refund may cover a later one, whose client need not wait for more.
                continue
            credited.append(case_id)
            # A credit is money on somebody's balance again, and that somebody may be an expert who owes, too.
            waiting |= dict.fromkeys(_received(decision.postings))
    return credited


async def _credit(unit: Unit, case_id: str) -> Decision | None:
    facts = (await load_case_facts(unit.tx, [case_id], lock=True))[case_id]
    try:
        decision = decide(Act(action=RefundActionName.CREDIT, at=unit.now(), case_id=case_id), facts, unit.policy)
    except Refused:
        return None
    await unit.save(decision, facts)
    if decision.withdrawal_requested:
        await file_withdrawal(unit, decision)
    return decision


def _received(postings: Iterable[Posting]) -> list[Waiting]:
    """Return the contract balances that these postings bring money to."""
    return [Waiting(owner[0], owner[1]) for it in postings if (owner := contracts_owner(it.to_key)) is not None]
