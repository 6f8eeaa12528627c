"""Reads what happened to past cases and to the money around them, for any number of cases in a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

import orjson

from refundgql.domain.calendar import from_micros
from refundgql.domain.facts import Facts
from refundgql.domain.history import History, PastEvent, ToldChange
from refundgql.storage.database import Row, Source
from refundgql.storage.facts import load_case_facts
from refundgql.storage.rows import read

# Contracts are named apart from payments, so that each part of the condition has an index.
_EVENTS = """
SELECT e.case_id, c.kind AS case_kind, c.opened_by, c.payment_id, c.contract_id, e.commit_order, e.position, e.name,
  e.at, e.actor_id, e.actor_role, e.from_state, e.to_state, e.amount_minor, e.note, e.rule, e.facts
FROM refund_case c JOIN refund_event e ON e.case_id = c.id
WHERE c.id IN (SELECT o.id FROM refund_case o WHERE o.contract_id = ANY(?)
  UNION SELECT o.id FROM refund_case o WHERE o.payment_id = ANY(?))
ORDER BY e.commit_order, e.position"""

_PAYMENTS = """
SELECT p.contract_id, p.paid_minor, COALESCE(i.paid_at, m.funded_at) AS paid_at
FROM payment p LEFT JOIN invoice i ON i.payment_id = p.id LEFT JOIN milestone m ON m.payment_id = p.id
WHERE p.contract_id = ANY(?) AND COALESCE(i.paid_at, m.funded_at) IS NOT NULL"""


_TOLD = """
SELECT COALESCE(p.contract_id, p.id) AS owner_id, t.payment_id, t.after_position, t.refunded_minor, t.charged_back_minor
FROM payment p JOIN told_change t ON t.payment_id = p.id
WHERE p.id IN (SELECT o.id FROM payment o WHERE o.contract_id = ANY(?)
  UNION SELECT o.id FROM payment o WHERE o.id = ANY(?))"""


async def load_histories(source: Source, case_ids: Collection[str]) -> dict[str, History]:
    """Return the history of each case that exists, by case id."""
    found = await load_case_facts(source, case_ids)
    if not found:
        return {}
    continued = {facts.case.continues_id for facts in found.values() if facts.case is not None} - {None}
    earlier = await load_case_facts(source, [case_id for case_id in continued if case_id is not None])
    contracts = list({facts.contract.id for facts in found.values() if facts.contract is not None})
    payments = list({facts.payment.id for facts in found.values()})
    events = _Events(await source.fetch(_EVENTS, (contracts, payments)))
    paid = defaultdict(list)
    for row in await source.fetch(_PAYMENTS, (contracts,)) if contracts else ():
        paid[row["contract_id"]].append((from_micros(row["paid_at"]), row["paid_minor"]))
    told = defaultdict(list)
    for row in await source.fetch(_TOLD, (contracts, payments)):
        told[row["owner_id"]].append(read(ToldChange, row))
    histories = {case_id: events.history(case_id, facts, paid, earlier) for case_id, facts in found.items()}
    return {case_id: replace(one, told=told[_owner_of(one.facts)]) for case_id, one in histories.items()}


def _owner_of(facts: Facts) -> str:
    """Return whose money counts together: the contract's, or a lead's payment's."""
    return facts.contract.id if facts.contract is not None else facts.payment.id


class _Events:
    """Events by case, by payment and by contract, each in the order of the stream."""

    def __init__(self, rows: Collection[Row]) -> None:
        self._of_case: dict[str, list[PastEvent]] = defaultdict(list)
        self._of_money: dict[str, list[PastEvent]] = defaultdict(list)
        for row in rows:
            event = _event(row)
            self._of_case[event.case_id].append(event)
            self._of_money[row["contract_id"] or event.payment_id].append(event)

    def history(
        self, case_id: str, facts: Facts, paid: dict[str, list[tuple[datetime, int]]], earlier: dict[str, Facts]
    ) -> History:
        """Return one case's history."""
        contract, case = facts.contract, facts.case
        continues = None if case is None else earlier.get(case.continues_id or "")
        return History(
            facts=facts,
            events=self._of_case[case_id],
            money_events=self._of_money[_owner_of(facts)],
            continues=None if continues is None else continues.case,
            contract_payments=paid[contract.id] if contract is not None else (),
        )


def _event(row: Row) -> PastEvent:
    return read(PastEvent, row, place=(row["commit_order"], row["position"]), saw=dict(orjson.loads(row["facts"])))
