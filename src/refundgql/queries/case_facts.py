"""The facts that availability, clocks and previews are computed from, read without locks."""

from __future__ import annotations

from collections.abc import Sequence

from refundgql.domain.facts import Facts
from refundgql.storage.database import Source
from refundgql.storage.facts import load_case_facts, load_payment_facts


async def case_facts(source: Source, case_ids: Sequence[str]) -> dict[str, Facts]:
    """Return the facts of cases by case id, with the same number of statements for any number of them."""
    return await load_case_facts(source, list(case_ids))


async def payment_facts(source: Source, payment_ids: Sequence[str]) -> dict[str, Facts]:
    """Return the facts of payments by payment id, with the same number of statements for any number of them."""
    return await load_payment_facts(source, list(payment_ids))
