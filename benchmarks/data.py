"""A seeded database of any size, written straight into the tables.

It must not be used for anything but measuring: it goes around the commands, so that a hundred thousand cases take a
minute and not an hour.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from refundgql.domain.deadlines import EDITION
from refundgql.domain.policy import Policy
from refundgql.storage.clocks import set_armed_rules
from refundgql.storage.database import Database, Dialect, Transaction
from refundgql.storage.migrating import migrate
from refundgql.storage.policies import keep_policy

START_MICROS = 1_735_689_600_000_000  # 2025-01-01T00:00Z
MINUTE_MICROS = 60_000_000
STATES = ("REQUESTED", "REQUESTED", "DECLINED", "ESCALATED", "CREDITED")
BATCH_CASES = 5_000
SUPPORT = ("support-1", "support-2")


@dataclass(frozen=True, slots=True)
class Size:
    """How many of what; every case has three events."""

    cases: int = 100_000
    accounts: int = 20_000
    seed: int = 7


def case_id(number: int) -> str:
    """Return the id of the n-th case, the same in every database."""
    return str(uuid.UUID(int=(0x7000 << 64) | (0x8 << 60) | number | (number << 80)))


def _id(kind: int, number: int) -> str:
    return str(uuid.UUID(int=(kind << 112) | (0x7 << 76) | (0x8 << 60) | number))


def account_id(number: int) -> str:
    """Return the id of the n-th account."""
    return _id(1, number)


def support_id(number: int) -> str:
    """Return the id of the n-th member of support."""
    return _id(2, number)


TABLES = ("contract", "payment", "lead", "invoice", "refund_case", "refund_event", "posting")
"""What is referred to first: SQLite would look through a whole table for whoever waits for a row that comes late."""


async def load(url: str, size: Size) -> Database:
    """Migrate an empty database and fill it; returns it open."""
    database = await Database.open(url)
    await migrate(database)
    if await database.fetch_value("SELECT count(*) FROM refund_case"):
        async with database.transaction() as tx:
            await _armed(tx)  # the rules may be newer than the data
        return database
    rng = random.Random(size.seed)
    async with database.transaction() as tx:
        await _people(tx, size)
    paid_back: dict[str, int] = {}
    for first in range(1, size.cases + 1, BATCH_CASES):
        async with database.transaction() as tx:
            if database.dialect is Dialect.POSTGRES:
                await tx.execute("SET LOCAL session_replication_role = replica")  # the triggers guard one row at a time
                await tx.execute("SET LOCAL statement_timeout = 0")
            await _cases(tx, rng, size, range(first, min(first + BATCH_CASES, size.cases + 1)), paid_back)
    async with database.transaction() as tx:
        await _balances(tx, paid_back)
        await _armed(tx)
    if database.dialect is Dialect.POSTGRES:
        async with database.transaction() as tx:
            await tx.execute("SELECT setval(pg_get_serial_sequence('refund_case', 'number'), ?)", (size.cases,))
    await _analyze(database)
    return database


async def _analyze(database: Database) -> None:
    async with database.transaction() as tx:
        if database.dialect is Dialect.POSTGRES:
            await tx.execute("SET LOCAL statement_timeout = 0")
        await tx.execute("ANALYZE")


async def _people(tx: Transaction, size: Size) -> None:
    rows = [
        (account_id(n), f"account-{n}", f"Person {n}", "CLIENT,EXPERT,PRO", START_MICROS)
        for n in range(1, size.accounts + 1)
    ]
    rows += [(_id(2, n), ref, f"Support {n}", "SUPPORT", START_MICROS) for n, ref in enumerate(SUPPORT, 1)]
    await tx.execute_many(
        "INSERT INTO account (id, external_ref, name, roles, created_at) VALUES (?, ?, ?, ?, ?)", rows
    )


async def _armed(tx: Transaction) -> None:
    """Say that the clocks are those of the rules in force: no server works them out anew while it is measured."""
    policy = Policy()
    await keep_policy(tx, policy, datetime.now(UTC))
    await set_armed_rules(tx, f"{EDITION} {policy.version}")


async def _balances(tx: Transaction, paid_back: dict[str, int]) -> None:
    """Give everybody who was paid back their ledger account: plans made while there is none would read all of them."""
    await tx.execute_many(
        "INSERT INTO ledger_account (key, kind, owner_id, purpose, currency, balance_minor, may_be_negative)"
        " VALUES (?, 'balance', ?, ?, 'USD', ?, ?)",
        [(key, key.split(":")[1], key.split(":")[2], minor, False) for key, minor in paid_back.items()],
    )


async def _cases(tx: Transaction, rng: random.Random, size: Size, numbers: range, paid_back: dict[str, int]) -> None:
    tables: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    for number in numbers:
        for table, row in _rows(rng, size, number):
            tables[table].append(row)
            if table == "refund_case" and row["credited_minor"]:
                tables["posting"].append(_credit(row, paid_back))
    for table, rows in tables.items():
        if not rows:
            continue
        columns = list(rows[0])
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
        await tx.execute_many(sql, [list(row.values()) for row in rows])


def _rows(rng: random.Random, size: Size, n: int) -> Iterator[tuple[str, dict[str, Any]]]:
    opened = START_MICROS + 4 * n * MINUTE_MICROS
    state = STATES[n // 7 % len(STATES)]
    requester, other = account_id(rng.randint(1, size.accounts)), account_id(rng.randint(1, size.accounts))
    payment, lead, contract, invoice = _id(3, n), _id(4, n), _id(5, n), _id(6, n)
    amount = rng.randint(100, 50_000)
    is_lead = n % 2 == 0
    undecided = state in {"REQUESTED", "ESCALATED"}
    credited = amount if state == "CREDITED" else 0
    yield (
        "payment",
        {
            "id": payment,
            "kind": "LEAD" if is_lead else "INVOICE",
            "contract_id": None if is_lead else contract,
            "currency": "USD",
            "paid_minor": amount,
            "refunded_minor": credited,
            "reserved_minor": 0,
        },
    )
    if is_lead:
        yield "lead", _lead(n, lead, payment, requester, other, amount, opened)
    else:
        yield "contract", _contract(n, contract, requester, other, opened)
        yield "invoice", _invoice(n, invoice, contract, payment, amount, opened)
    case = {
        "number": n,
        "id": case_id(n),
        "kind": "LEAD" if is_lead else "INVOICE",
        "state": state,
        "route": "SUPPORT" if is_lead else "DIRECT",
        "opened_by": "REQUEST",
        "payment_id": payment,
        "lead_id": lead if is_lead else None,
        "contract_id": None if is_lead else contract,
        "invoice_id": None if is_lead else invoice,
        "requester_id": requester,
        "counterparty_id": None if is_lead else other,
        "filed_by_id": requester,
        "goodwill": False,
        "reason": "OTHER",
        "explanation": f"Explanation of case {n}",
        "send_to_payment_method": False,
        "currency": "USD",
        "requested_minor": amount,
        "approved_minor": credited or None,
        "credited_minor": credited or None,
        "settlement": "SETTLED" if credited else "NOT_DUE",
        "opened_at": opened,
        "updated_at": opened + 2 * MINUTE_MICROS,
        "credited_at": opened + 2 * MINUTE_MICROS if credited else None,
        "overdue": undecided,
        "deadline_at": opened + 2_880 * MINUTE_MICROS if undecided else None,
        "whose_move": "SUPPORT" if undecided else "NOBODY",
        "final_decision": False,
        "support_decided": False,
        "second_look_used": False,
        "version": 3,
        "policy_version": "benchmark",
    }
    yield "refund_case", case
    for sequence, (name, before) in enumerate((("REQUEST", None), ("SEND_MESSAGE", state), ("ASSIGN", state)), 1):
        yield (
            "refund_event",
            {
                "id": _id(7, 3 * n + sequence),
                "commit_order": 0,
                "case_id": case["id"],
                "sequence": sequence,
                "name": name,
                "at": opened + sequence * MINUTE_MICROS,
                "actor_id": requester,
                "actor_role": "REQUESTER",
                "from_state": before,
                "to_state": state,
                "amount_minor": amount,
                "currency": "USD",
                "note": f"note {sequence}",
                "facts": "[]",
                "snapshot": _snapshot(case),
            },
        )


def _credit(case: dict[str, Any], paid_back: dict[str, int]) -> dict[str, Any]:
    """Return the posting that paid a case back, and add it to the requester's balance."""
    purpose = "LEADS" if case["kind"] == "LEAD" else "CONTRACTS"
    key = f"balance:{case['requester_id']}:{purpose}:USD"
    paid_back[key] = paid_back.get(key, 0) + case["credited_minor"]
    return {
        "id": _id(8, case["number"]),
        "at": case["updated_at"],
        "fact": "CREDIT",
        "from_key": "platform_leads:USD" if purpose == "LEADS" else "external:USD",
        "to_key": key,
        "amount_minor": case["credited_minor"],
        "currency": "USD",
        "description": f"Refund of case {case['number']}",
        "case_id": case["id"],
        "payment_id": case["payment_id"],
        "to_balance_after_minor": paid_back[key],
    }


def _lead(n: int, lead: str, payment: str, pro: str, customer: str, amount: int, at: int) -> dict[str, Any]:
    return {
        "id": lead,
        "external_ref": f"old-lead-{n}",
        "payment_id": payment,
        "pro_id": pro,
        "customer_id": customer,
        "customer_name": f"Customer {n}",
        "title": f"Lead {n}",
        "category": "Painting",
        "location": "Leeds",
        "price_minor": amount,
        "currency": "USD",
        "charged_at": at - MINUTE_MICROS,
    }


def _contract(n: int, contract: str, client: str, expert: str, at: int) -> dict[str, Any]:
    return {
        "id": contract,
        "external_ref": f"old-contract-{n}",
        "kind": "HOURLY",
        "client_id": client,
        "expert_id": expert,
        "title": f"Contract {n}",
        "status": "OPEN",
        "currency": "USD",
        "started_at": at - MINUTE_MICROS,
        "reviews_hidden": False,
    }


def _invoice(n: int, invoice: str, contract: str, payment: str, amount: int, at: int) -> dict[str, Any]:
    return {
        "id": invoice,
        "external_ref": f"old-invoice-{n}",
        "number": f"N-{n}",
        "contract_id": contract,
        "payment_id": payment,
        "amount_minor": amount,
        "currency": "USD",
        "status": "PAID",
        "issued_at": at - 2 * MINUTE_MICROS,
        "paid_at": at - MINUTE_MICROS,
    }


def _snapshot(case: dict[str, Any]) -> str:
    names: Sequence[str] = (
        "number",
        "kind",
        "state",
        "route",
        "reason",
        "opened_at",
        "overdue",
        "whose_move",
        "currency",
    )
    found = {name: case[name] for name in names} | {
        "deadline_at": case["deadline_at"],
        "assignee_id": None,
        "requested_minor": case["requested_minor"],
        "approved_minor": case["approved_minor"],
        "consented_minor": None,
        "credited_minor": case["credited_minor"],
        "updated_at": case["updated_at"],
    }
    return orjson.dumps(found).decode()
