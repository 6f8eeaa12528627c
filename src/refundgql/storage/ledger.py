"""The ledger's rows: postings are appended, and each account's balance moves with them under one lock order.

It must not decide where money goes; `ledger_checks.py` proves the whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson

from refundgql.domain.calendar import to_micros
from refundgql.domain.decisions import Posting
from refundgql.storage.database import Dialect, Source, Transaction
from refundgql.storage.faults import ConstraintViolated, TransientFault
from refundgql.storage.ids import new_id

_UNCOUNTED = ("external:", "platform_leads:")
"""Accounts without a running balance: every payment would wait for their rows."""

# A balance may be negative only by a posting that may overdraw, and then only rise (D13); the table's CHECK refuses
# what this leaves not allowed.
_MOVE = (
    "UPDATE ledger_account{alias} SET balance_minor = {a}.balance_minor + given.delta,"
    " may_be_negative = ({a}.balance_minor + given.delta < 0"
    " AND (given.overdraw OR ({a}.may_be_negative AND given.delta >= 0)))"
)

_MOVE_POSTGRES = (
    "WITH given (key, delta, overdraw) AS (SELECT * FROM"
    " unnest(CAST(? AS text[]), CAST(? AS bigint[]), CAST(? AS boolean[]))),"
    " locked AS (SELECT l.key FROM ledger_account l JOIN given USING (key) ORDER BY l.key FOR UPDATE OF l) "
    + _MOVE.format(alias=" a", a="a")
    + " FROM given JOIN locked USING (key) WHERE a.key = given.key RETURNING a.key, a.balance_minor"
)

_MOVE_SQLITE = (
    _MOVE.format(alias="", a="ledger_account") + " FROM (SELECT value ->> 0 AS key, value ->> 1 AS delta,"
    " value ->> 2 AS overdraw FROM json_each(?)) AS given"
    " WHERE ledger_account.key = given.key RETURNING key, balance_minor"
)

_INSERT = (
    "INSERT INTO posting (id, at, fact, from_key, to_key, amount_minor, currency, description, case_id, payment_id,"
    " withdrawal_id, reverses_id, from_balance_after_minor, to_balance_after_minor)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class BalanceRace(TransientFault):
    """A balance was spent between looking and posting: decide again."""


async def post(tx: Transaction, postings: Sequence[Posting], at: datetime) -> list[str]:
    """Append postings in their order, move the balances they touch, and return the postings' new ids.

    Refuses: BalanceRace when a balance would be negative that may not be (D13).
    """
    if not postings:
        return []
    deltas: dict[str, int] = defaultdict(int)
    overdrawn: set[str] = set()
    for posting in postings:
        deltas[posting.from_key] -= posting.amount.minor
        deltas[posting.to_key] += posting.amount.minor
        if posting.may_overdraw and posting.from_key.startswith("balance:"):
            overdrawn.add(posting.from_key)
    counted = {key: deltas[key] for key in sorted(deltas) if not key.startswith(_UNCOUNTED)}
    final = await _move(tx, counted, overdrawn)
    running = {key: final[key] - delta for key, delta in counted.items()}
    reversed_ids = await _reversed_ids(tx, postings)
    at_micros = to_micros(at)
    rows = []
    for posting, reverses_id in zip(postings, reversed_ids, strict=True):
        for key, sign in ((posting.from_key, -1), (posting.to_key, 1)):
            if key in running:
                running[key] += sign * posting.amount.minor
        rows.append(
            (
                new_id(),
                at_micros,
                posting.fact,
                posting.from_key,
                posting.to_key,
                posting.amount.minor,
                posting.amount.currency,
                posting.description[:300],
                posting.case_id,
                posting.payment_id,
                posting.withdrawal_id,
                reverses_id,
                running.get(posting.from_key),
                running.get(posting.to_key),
            )
        )
    await tx.execute_many(_INSERT, rows)
    return [row[0] for row in rows]


async def _move(tx: Transaction, deltas: dict[str, int], overdrawn: Collection[str]) -> dict[str, int]:
    """Add the deltas and return the balances after them; accounts come into being when they are first touched."""
    if not deltas:
        return {}
    balances = await _move_existing(tx, deltas, overdrawn)
    missing = {key: delta for key, delta in deltas.items() if key not in balances}
    if missing:
        await open_accounts(tx, missing)
        balances |= await _move_existing(tx, missing, overdrawn)
    return balances


async def _move_existing(tx: Transaction, deltas: dict[str, int], overdrawn: Collection[str]) -> dict[str, int]:
    try:
        if tx.dialect is Dialect.POSTGRES:
            flags = [key in overdrawn for key in deltas]
            rows = await tx.fetch(_MOVE_POSTGRES, (list(deltas), list(deltas.values()), flags))
        else:
            given = [[key, delta, key in overdrawn] for key, delta in deltas.items()]
            rows = await tx.fetch(_MOVE_SQLITE, (orjson.dumps(given).decode(),))
    except ConstraintViolated as violated:
        if violated.name == "ledger_balance_not_negative":
            raise BalanceRace("A balance changed while the decision was made.") from violated
        raise
    return {row["key"]: row["balance_minor"] for row in rows}


async def open_accounts(tx: Transaction, keys: Iterable[str]) -> None:
    """Add the accounts that are not there yet, with nothing on them."""
    await tx.execute_many(
        "INSERT INTO ledger_account (key, kind, owner_id, purpose, currency, balance_minor, may_be_negative)"
        " VALUES (?, ?, ?, ?, ?, 0, FALSE) ON CONFLICT (key) DO NOTHING",
        [_account_columns(key) for key in sorted(keys)],
    )


def _account_columns(key: str) -> tuple[Any, ...]:
    kind, *rest = key.split(":")
    is_balance = kind == "balance"
    return key, kind, rest[0] if is_balance else None, rest[1] if is_balance else None, rest[-1]


async def _reversed_ids(tx: Transaction, postings: Sequence[Posting]) -> list[str | None]:
    """Return, for each posting that undoes another, that one's id: the nearest match that is not undone yet."""
    undoing = [posting for posting in postings if posting.reverses_fact is not None]
    if not undoing:
        return [None] * len(postings)
    case_ids = sorted({posting.case_id for posting in undoing if posting.case_id is not None})
    transit_keys = sorted({posting.from_key for posting in undoing if posting.withdrawal_id is not None})
    left = list(
        await tx.fetch(
            "SELECT p.id, p.case_id, p.withdrawal_id, p.fact, p.from_key, p.to_key, p.amount_minor FROM posting p"
            " WHERE (p.case_id = ANY(?) OR p.to_key = ANY(?))"
            " AND NOT EXISTS (SELECT 1 FROM posting r WHERE r.reverses_id = p.id) ORDER BY p.position",
            (case_ids, transit_keys),
        )
    )
    found: list[str | None] = []
    for posting in postings:
        wanted = (posting.case_id, posting.withdrawal_id, posting.reverses_fact)
        same = [row for row in left if (row["case_id"], row["withdrawal_id"], row["fact"]) == wanted]
        if posting.reverses_fact is None or not same:
            found.append(None)
            continue

        def distance(row: Any, posting: Posting = posting) -> tuple[bool, bool, bool]:
            return (
                row["to_key"] != posting.from_key,
                row["from_key"] != posting.to_key,
                row["amount_minor"] != posting.amount.minor,
            )

        best = min(same, key=distance)
        left.remove(best)
        found.append(str(best["id"]))
    return found


async def find_balances(source: Source, keys: Collection[str]) -> dict[str, int]:
    """Return the balances of accounts by key in minor units; those never touched are missing."""
    rows = await source.fetch("SELECT key, balance_minor FROM ledger_account WHERE key = ANY(?)", (list(keys),))
    return {row["key"]: row["balance_minor"] for row in rows}
