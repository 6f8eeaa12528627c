"""Telling the cases of a payment what became of a chargeback on it (D25)."""

from __future__ import annotations

from collections.abc import Sequence

from refundgql.commands.sync_book import ChargebackStep
from refundgql.commands.unit_of_work import Unit
from refundgql.domain.cases import charged_back
from refundgql.storage.facts import load_case_facts
from refundgql.storage.records import find_cases_of


async def tell_cases(unit: Unit, steps: Sequence[ChargebackStep]) -> None:
    """Record CHARGEBACK on every case of the payments, in the order in which it was told."""
    if not steps:
        return
    cases = await find_cases_of(unit.tx, {step.payment_id for step in steps})
    for step in steps:
        for case_id in [case_id for payment_id, case_id in cases if payment_id == step.payment_id]:
            facts = (await load_case_facts(unit.tx, [case_id], lock=True))[case_id]
            await unit.save(charged_back(facts, unit.now(), unit.policy, step.status, step.amount), facts)
