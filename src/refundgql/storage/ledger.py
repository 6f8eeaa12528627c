"""The ledger's rows: postings are appended, and each account's balance moves with them under one lock order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from refundgql.domain.calendar import to_micros
from refundgql.domain.decisions import Posting
from refundgql.domain.facts import CreditedPart
from refundgql.storage.database import Dialect, Transaction, Write
from refundgql.storage.ids import new_id

_UNCOUNTED = ("external:", "platform_leads:")
"""Accounts without a running balance: every payment would wait for their rows."""

# A balance may be negative only by a posting that may overdraw, and then only rise (D13); the table's CHECK refuses
# what this leaves not allowed. Accounts come into being when they are first touched.
_SET = (
    "SET balance_minor = {account}.balance_minor + given.delta, booked_at = {booked},"
    " may_be_negative = ({account}.balance_minor + given.delta < 0"
    " AND (given.overdraw OR ({account}.may_be_negative AND given.delta >= 0)))"
)
_COLUMNS = "key, kind, owner_id, purpose, currency, balance_minor, may_be_negative"

# What is booked is booked after everything that its balances have booked, whatever a machine's clock says (C20).
_BOOKED_POSTGRES = "(SELECT at FROM booked)"
_BOOKED_SQLITE = (
    "(SELECT max(?, coalesce(max(b.booked_at), 0)) FROM ledger_account b"
    " WHERE b.key IN (SELECT value ->> 0 FROM json_each(?)))"
)

_MOVE_POSTGRES = (
    (
        "given",
        "SELECT * FROM unnest(CAST(? AS text[]), CAST(? AS text[]), CAST(? AS uuid[]), CAST(? AS text[]),"
        " CAST(? AS text[]), CAST(? AS bigint[]), CAST(? AS boolean[]))"
        " AS g (key, kind, owner_id, purpose, currency, delta, overdraw)",
    ),
    ("locked", "SELECT l.key, l.booked_at FROM ledger_account l JOIN given USING (key) ORDER BY l.key FOR UPDATE OF l"),
    ("booked", "SELECT GREATEST(CAST(? AS bigint), max(booked_at)) AS at FROM locked"),
    (
        "updated",
        f"UPDATE ledger_account a {_SET.format(account='a', booked=_BOOKED_POSTGRES)} FROM given"
        " JOIN locked USING (key) WHERE a.key = given.key RETURNING a.key, a.balance_minor",
    ),
    (
        "opened",
        f"INSERT INTO ledger_account ({_COLUMNS}, booked_at) SELECT key, kind, owner_id, purpose, currency, delta,"
        f" delta < 0 AND overdraw, {_BOOKED_POSTGRES} FROM given"
        " WHERE key NOT IN (SELECT key FROM locked) RETURNING key, balance_minor",
    ),
    ("moved", "SELECT * FROM updated UNION ALL SELECT * FROM opened"),
)

# One balance that rises, as nearly every refund's does: opened or raised by one statement.
_RAISE_POSTGRES = (
    (
        "moved",
        f"INSERT INTO ledger_account AS a ({_COLUMNS}, booked_at) VALUES (?, ?, ?, ?, ?, ?, FALSE, ?)"
        " ON CONFLICT (key) DO UPDATE SET balance_minor = a.balance_minor + EXCLUDED.balance_minor,"
        " may_be_negative = (a.may_be_negative AND a.balance_minor + EXCLUDED.balance_minor < 0),"
        " booked_at = GREATEST(a.booked_at, EXCLUDED.booked_at) RETURNING key, balance_minor, booked_at",
    ),
    ("booked", "SELECT booked_at AS at FROM moved"),
)

_GIVEN_SQLITE = (
    "(SELECT value ->> 0 AS key, value ->> 1 AS kind, value ->> 2 AS owner_id, value ->> 3 AS purpose,"
    " value ->> 4 AS currency, value ->> 5 AS delta, value ->> 6 AS overdraw FROM json_each(?)) AS given"
)
_MOVE_SQLITE = (
    f"INSERT INTO ledger_account ({_COLUMNS}) SELECT key, kind, owner_id, purpose, currency, 0, FALSE"
    f" FROM {_GIVEN_SQLITE} WHERE TRUE ON CONFLICT (key) DO NOTHING",
    f"UPDATE ledger_account {_SET.format(account='ledger_account', booked=_BOOKED_SQLITE)} FROM {_GIVEN_SQLITE}"
    " WHERE ledger_account.key = given.key",
)

# The balance after a posting: the account's after all of them, less what those after it move.
_AFTER = "(SELECT balance_minor FROM {moved} WHERE key = ?) - ?"
_INSERT = (
    "INSERT INTO posting (id, at, fact, from_key, to_key, amount_minor, currency, description, case_id, payment_id,"
    " withdrawal_id, reverses_id, from_balance_after_minor, to_balance_after_minor, booked_at)"
    f" SELECT {', '.join('?' * 12)}, {_AFTER}, {_AFTER}, {{booked}}"
)


async def post(tx: Transaction, postings: Sequence[Posting], at: datetime) -> list[str]:
    """Append postings in their order, move the balances they touch, and return the postings' new ids.

    Refuses: BalanceRace when a balance would be negative that may not be (D13).
    """
    await tx.flush()
    writes, ids = posting_writes(tx.dialect, postings, at)
    tx.later(*writes)
    await tx.flush()
    return ids


def posting_writes(dialect: Dialect, postings: Sequence[Posting], at: datetime) -> tuple[list[Write], list[str]]:
    """Return what appends postings and moves the balances they touch, and the postings' new ids.

    Refuses, when it runs: BalanceRace.
    """
    if not postings:
        return [], []
    deltas: dict[str, int] = defaultdict(int)
    overdrawn: set[str] = set()
    for posting in postings:
        deltas[posting.from_key] -= posting.amount.minor
        deltas[posting.to_key] += posting.amount.minor
        if posting.may_overdraw and posting.from_key.startswith("balance:"):
            overdrawn.add(posting.from_key)
    counted = {key: deltas[key] for key in sorted(deltas) if not key.startswith(_UNCOUNTED)}
    rest = dict(counted)
    writes = _move_writes(dialect, counted, overdrawn, to_micros(at))
    ids: list[str] = []
    for posting in postings:
        ids.append(new_id())
        values = [ids[-1], to_micros(at), posting.fact, posting.from_key, posting.to_key, posting.amount.minor]
        values += [posting.amount.currency, posting.description[:300], posting.case_id, posting.payment_id]
        values += [posting.withdrawal_id, posting.reverses_id]
        for key, sign in ((posting.from_key, -1), (posting.to_key, 1)):
            rest[key] = rest.get(key, 0) - sign * posting.amount.minor
            values += (key, rest[key])
        if dialect is Dialect.SQLITE:
            values += _booked_sqlite(counted, to_micros(at))
        writes.append(_insert_write(dialect, values, writes[-1].name, f"posted_{len(ids)}"))
    return writes, ids


def _insert_write(dialect: Dialect, values: Sequence[Any], before: str | None, name: str) -> Write:
    """Return what appends one posting.

    On PostgreSQL it waits for the write before it, so that positions follow the order in which balances were locked.
    """
    if dialect is Dialect.SQLITE:
        return Write(_INSERT.format(moved="ledger_account", booked=_BOOKED_SQLITE), values)
    insert = _INSERT.format(moved="moved", booked=_BOOKED_POSTGRES)
    sql = f"{insert} FROM (SELECT count(*) FROM {before}) AS ready RETURNING id"
    return Write(sql, values, name=name)


def _booked_sqlite(keys: Iterable[str], at_micros: int) -> tuple[int, str]:
    return at_micros, orjson.dumps([[key] for key in keys]).decode()


def _move_writes(
    dialect: Dialect, deltas: Mapping[str, int], overdrawn: Collection[str], at_micros: int
) -> list[Write]:
    given = [(*_account_columns(key), delta, key in overdrawn) for key, delta in deltas.items()]
    if dialect is Dialect.POSTGRES and len(given) == 1 and min(deltas.values()) >= 0:
        (moved, raised), (booked, at) = _RAISE_POSTGRES
        return [Write(raised, (*given[0][:-1], at_micros), name=moved), Write(at, name=booked)]
    if dialect is Dialect.POSTGRES:
        columns = [list(column) for column in zip(*given, strict=True)] or [[] for _ in range(7)]
        parameters: dict[str, Sequence[Any]] = {"given": columns, "booked": [at_micros]}
        return [Write(sql, parameters.get(name, ()), name=name) for name, sql in _MOVE_POSTGRES]
    opened, moved = _MOVE_SQLITE
    rows = orjson.dumps(given).decode()
    return [Write(opened, (rows,)), Write(moved, (*_booked_sqlite(deltas, at_micros), rows))]


def _account_columns(key: str) -> tuple[Any, ...]:
    kind, *rest = key.split(":")
    is_balance = kind == "balance"
    return key, kind, rest[0] if is_balance else None, rest[1] if is_balance else None, rest[-1]


async def load_credit(tx: Transaction, case_id: str) -> tuple[CreditedPart, ...]:
    """Return the postings of a case's credit, in the order in which they were booked."""
    sql = "SELECT id, from_key, to_key, amount_minor FROM posting"
    rows = await tx.fetch(f"{sql} WHERE case_id = ? AND fact = 'CREDIT' ORDER BY position", (case_id,))
    return tuple(
        CreditedPart(posting_id=str(posting_id), from_key=from_key, to_key=to_key, minor=minor)
        for posting_id, from_key, to_key, minor in rows
    )
