"""Loads what the rules look at, for any number of cases or payments in one statement; under lock in two.

Under lock, rows are locked in one order everywhere: contracts, payments, cases, each by id; balances come last, when
postings move them. On SQLite the transaction itself is the lock.

Where rows cannot be locked (`Database.one_write`), an optimistic lock takes the lock's place: payment and contract
carry a version, which every writer of anything that is read here raises, and what is decided is written only where they
still are what was read. Balances are compared in neither: their CHECK is (D13).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from refundgql.domain.calendar import from_micros
from refundgql.domain.facts import (
    Case,
    ContractFacts,
    Facts,
    FundsFacts,
    InvoiceFacts,
    LeadFacts,
    MilestoneFacts,
    PaymentFacts,
    WeekFacts,
)
from refundgql.domain.money import Money
from refundgql.domain.payment_cases import with_cases
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import (
    ContractKind,
    ContractStatus,
    InvoiceStatus,
    MilestoneStatus,
    PaymentKind,
)
from refundgql.storage import visibility
from refundgql.storage.case_rows import COLUMNS, case_from
from refundgql.storage.database import Dialect, Row, Source, Transaction
from refundgql.storage.evidence import IS_READABLE

# What there are several of comes as one JSON text, so that one statement loads everything.
_SELECT = """
SELECT (SELECT {array}(SUM(t.paid_minor), SUM(t.refunded_minor), SUM(t.reserved_minor),
    SUM(t.charged_back_minor)) FROM payment t
    WHERE t.contract_id = k.id) AS totals,
  {cases} AS cases, NULL AS evidence,
  p.id, p.version AS payment_version, p.kind, p.currency, p.paid_minor, p.refunded_minor, p.reserved_minor,
  p.charged_back_minor,
  l.id AS lead_id, l.title AS lead_title, l.pro_id, l.customer_id, l.charged_at, l.price_minor,
  k.id AS contract_id, k.version AS contract_version, k.kind AS contract_kind, k.status AS contract_status,
  k.client_id, k.expert_id,
  k.currency AS contract_currency, k.started_at, k.ended_at, k.reviews_hidden,
  EXISTS (SELECT 1 FROM review v WHERE v.contract_id = k.id AND v.author_id = k.client_id) AS client_reviewed,
  EXISTS (SELECT 1 FROM review v WHERE v.contract_id = k.id AND v.author_id = k.expert_id) AS expert_reviewed,
  i.id AS invoice_id, i.status AS invoice_status, i.amount_minor AS invoice_minor, i.issued_at, i.paid_at,
  w.id AS week_id, w.starts_at, w.ends_at, w.hours, w.rate_minor, w.amount_minor AS week_minor,
  w.released_at AS week_released_at,
  m.id AS milestone_id, m.status AS milestone_status, m.amount_minor AS milestone_minor, m.funded_at,
  m.released_at AS milestone_released_at,
  (SELECT MAX(x.at) FROM audit_entry x WHERE x.account_id = COALESCE(k.client_id, l.pro_id)
    AND x.action = 'ERASED') AS recipient_erased_at,
  (SELECT MAX(x.at) FROM audit_entry x WHERE x.account_id = k.expert_id AND x.action = 'ERASED') AS expert_erased_at,
  h.balance_minor AS held_minor, e.balance_minor AS expert_minor, r.balance_minor AS requester_minor
FROM payment p
LEFT JOIN lead l ON l.payment_id = p.id
LEFT JOIN contract k ON k.id = p.contract_id
LEFT JOIN invoice i ON i.payment_id = p.id
LEFT JOIN billing_week w ON w.payment_id = p.id
LEFT JOIN milestone m ON m.payment_id = p.id
LEFT JOIN ledger_account h ON h.key = 'held:' || CAST(p.id AS TEXT) || ':' || p.currency
LEFT JOIN ledger_account e ON e.key = 'balance:' || CAST(k.expert_id AS TEXT) || ':CONTRACTS:' || p.currency
LEFT JOIN ledger_account r ON r.key = CASE WHEN l.id IS NULL
  THEN 'balance:' || CAST(k.client_id AS TEXT) || ':CONTRACTS:' || p.currency
  ELSE 'balance:' || CAST(l.pro_id AS TEXT) || ':LEADS:' || p.currency END
WHERE p.id {which}"""

_CASE_VALUES = ", ".join(f"c.{name}" for name in COLUMNS)

_CASES = {
    Dialect.POSTGRES: f"(SELECT json_agg(json_build_array({_CASE_VALUES}) ORDER BY c.opened_at, c.number)"
    " FROM refund_case c WHERE c.payment_id = p.id)",
    Dialect.SQLITE: f"(SELECT json_group_array(json_array({_CASE_VALUES})) FROM"
    " (SELECT * FROM refund_case WHERE payment_id = p.id ORDER BY opened_at, number) AS c)",
}
_ARRAY = {Dialect.POSTGRES: "json_build_array", Dialect.SQLITE: "json_array"}

_OF_CASES = "(SELECT payment_id FROM refund_case WHERE id = ANY(?))"
_WHICH = {
    # An array, not a subquery: with so many joins PostgreSQL would not look at the subquery first.
    (Dialect.POSTGRES, True): f"= ANY(ARRAY{_OF_CASES})",
    (Dialect.SQLITE, True): f"IN {_OF_CASES}",
    (Dialect.POSTGRES, False): "= ANY(?)",
    (Dialect.SQLITE, False): "= ANY(?)",
}
_STATEMENTS = {
    (dialect, of_cases): _SELECT.format(array=_ARRAY[dialect], cases=_CASES[dialect], which=which)
    for (dialect, of_cases), which in _WHICH.items()
}
_NO_EVIDENCE = "NULL AS evidence"
_EVIDENCE = {
    Dialect.POSTGRES: "(SELECT json_agg(json_build_array(x.case_id, x.sha256) ORDER BY x.added_at, x.id)"
    " FROM evidence x WHERE x.case_id = ANY(?) AND {read})",
    Dialect.SQLITE: "(SELECT json_group_array(json_array(case_id, sha256)) FROM (SELECT x.case_id, x.sha256"
    " FROM evidence x WHERE x.case_id = ANY(?) AND {read} ORDER BY x.added_at, x.id))",
}
"""The hashes of what a reader can read of the evidence on cases (D26)."""
_Hashes = dict[str, tuple[str, ...]]

# Each step waits for the one before it: its count is asked for before the first row is.
_LOCK = """
WITH contracts AS MATERIALIZED (
  SELECT id FROM contract WHERE id IN (SELECT contract_id FROM {of} AS named) ORDER BY id FOR NO KEY UPDATE
), payments AS MATERIALIZED (
  SELECT id FROM payment WHERE id IN (SELECT payment_id FROM {of} AS named)
    AND (SELECT count(*) FROM contracts) >= 0 ORDER BY id FOR NO KEY UPDATE
), cases AS MATERIALIZED (
  SELECT id FROM refund_case WHERE {which}
    AND (SELECT count(*) FROM payments) >= 0 ORDER BY id FOR NO KEY UPDATE
)
SELECT count(*) FROM cases"""

_LOCK_CASES = _LOCK.format(
    of="(SELECT payment_id, contract_id FROM refund_case WHERE id = ANY(?))", which="id = ANY(?)"
)
_LOCK_PAYMENTS = _LOCK.format(
    of="(SELECT id AS payment_id, contract_id FROM payment WHERE id = ANY(?))", which="payment_id = ANY(?)"
)


async def load_case_facts(
    source: Source, case_ids: Collection[str], *, lock: bool = False, reader: Viewer | None = None
) -> dict[str, Facts]:
    """Return the facts of each case that exists, by case id; with `lock`, nobody else changes them meanwhile.

    In one write, that is: what is saved is refused when somebody has. With a `reader` they hold the hashes of the
    evidence that this viewer can read: a decision names what it rested on (D26).
    """
    ids = list(case_ids)
    if not ids:
        return {}
    wanted = set(ids)
    return {
        case.id: with_cases(replace(facts, evidence=evidence.get(case.id, ())), cases, case)
        for facts, cases, evidence in await _load(source, ids, of_cases=True, lock=lock, reader=reader)
        for case in cases
        if case.id in wanted
    }


async def load_payment_facts(source: Source, payment_ids: Collection[str], *, lock: bool = False) -> dict[str, Facts]:
    """Return the facts of each payment that exists, by payment id and without a case; `lock` as for cases."""
    ids = list(payment_ids)
    if not ids:
        return {}
    loaded = await _load(source, ids, of_cases=False, lock=lock)
    return {facts.payment.id: with_cases(facts, cases, None) for facts, cases, _ in loaded}


async def _load(
    source: Source, ids: Sequence[str], *, of_cases: bool, lock: bool, reader: Viewer | None = None
) -> list[tuple[Facts, list[Case], _Hashes]]:
    """Return the facts of payments, each with its cases, oldest first, and the hashes of their evidence."""
    parameters: list[Any] = [ids]
    statement = _STATEMENTS[source.dialect, of_cases]
    if reader is not None:
        condition, values = visibility.evidence(reader, "x")
        read = _EVIDENCE[source.dialect].format(read=f"{IS_READABLE} AND {condition}")
        statement, parameters = statement.replace(_NO_EVIDENCE, f"{read} AS evidence"), [ids, *values, ids]
    locks = not isinstance(source, Transaction) or source.locks_rows
    if lock and locks and source.dialect is Dialect.POSTGRES:
        await source.fetch(_LOCK_CASES if of_cases else _LOCK_PAYMENTS, (ids, ids, ids))
    return [
        (_facts(row), [case_from(one) for one in orjson.loads(row["cases"] or "[]")], _hashes(row["evidence"]))
        for row in await source.fetch(statement, parameters)
    ]


def _hashes(text: str | None) -> _Hashes:
    found: _Hashes = {}
    for case_id, sha256 in orjson.loads(text or "[]"):
        found[case_id] = (*found.get(case_id, ()), sha256)
    return found


def _facts(row: Row) -> Facts:
    currency = row["currency"]
    return Facts(
        payment=PaymentFacts(
            id=row["id"],
            version=row["payment_version"],
            kind=PaymentKind(row["kind"]),
            currency=currency,
            paid_minor=row["paid_minor"],
            refunded_minor=row["refunded_minor"],
            reserved_minor=row["reserved_minor"],
            charged_back_minor=row["charged_back_minor"],
        ),
        lead=None if row["lead_id"] is None else _lead(row),
        contract=None if row["contract_id"] is None else _contract(row),
        invoice=None if row["invoice_id"] is None else _invoice(row),
        week=None if row["week_id"] is None else _week(row),
        milestone=None if row["milestone_id"] is None else _milestone(row),
        funds=FundsFacts(
            held_minor=row["held_minor"] or 0,
            expert_available_minor=row["expert_minor"] or 0,
            requester_available_minor=row["requester_minor"] or 0,
        ),
        recipient_erased_at=_instant(row["recipient_erased_at"]),
        expert_erased_at=_instant(row["expert_erased_at"]),
    )


def _lead(row: Row) -> LeadFacts:
    return LeadFacts(
        id=row["lead_id"],
        title=row["lead_title"],
        pro_id=row["pro_id"],
        customer_id=row["customer_id"],
        charged_at=from_micros(row["charged_at"]),
        price=Money(row["price_minor"], row["currency"]),
    )


def _contract(row: Row) -> ContractFacts:
    paid_minor, refunded_minor, reserved_minor, charged_back_minor = orjson.loads(row["totals"])
    return ContractFacts(
        id=row["contract_id"],
        version=row["contract_version"],
        kind=ContractKind(row["contract_kind"]),
        status=ContractStatus(row["contract_status"]),
        client_id=row["client_id"],
        expert_id=row["expert_id"],
        currency=row["contract_currency"],
        started_at=from_micros(row["started_at"]),
        ended_at=_instant(row["ended_at"]),
        paid_minor=paid_minor,
        refunded_minor=refunded_minor,
        reserved_minor=reserved_minor,
        charged_back_minor=charged_back_minor,
        reviews_hidden=bool(row["reviews_hidden"]),
        client_reviewed=bool(row["client_reviewed"]),
        expert_reviewed=bool(row["expert_reviewed"]),
    )


def _invoice(row: Row) -> InvoiceFacts:
    return InvoiceFacts(
        id=row["invoice_id"],
        status=InvoiceStatus(row["invoice_status"]),
        amount=Money(row["invoice_minor"], row["currency"]),
        issued_at=from_micros(row["issued_at"]),
        paid_at=_instant(row["paid_at"]),
    )


def _week(row: Row) -> WeekFacts:
    return WeekFacts(
        id=row["week_id"],
        starts_at=from_micros(row["starts_at"]),
        ends_at=from_micros(row["ends_at"]),
        hours=Decimal(row["hours"]),
        rate=Money(row["rate_minor"], row["currency"]),
        amount=Money(row["week_minor"], row["currency"]),
        released=row["week_released_at"] is not None,
    )


def _milestone(row: Row) -> MilestoneFacts:
    return MilestoneFacts(
        id=row["milestone_id"],
        status=MilestoneStatus(row["milestone_status"]),
        amount=Money(row["milestone_minor"], row["currency"]),
        funded_at=_instant(row["funded_at"]),
        released_at=_instant(row["milestone_released_at"]),
    )


def _instant(micros: int | None) -> Any:
    return None if micros is None else from_micros(micros)
