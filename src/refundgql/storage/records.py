"""Records' rows found, locked and kept, many at a time: one statement a table, however many rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar

from refundgql.domain.texts import fold
from refundgql.storage.database import Dialect, Source, Transaction
from refundgql.storage.faults import TransientFault
from refundgql.storage.ids import new_id
from refundgql.storage.record_rows import (
    Claim,
    PaidShare,
    Stored,
    StoredBillingWeek,
    StoredContract,
    StoredInvoice,
    StoredMilestone,
    StoredReview,
    StoredTotals,
)

SYNC_TURN = 7_310_244_873
"""The advisory lock that makes batches of records take turns on PostgreSQL, as they do on SQLite: one that looks up its
rows while another commits would see half of what that one made."""

RowType = TypeVar("RowType", bound=Stored)
RowsWritten = tuple[str, int, list[Any]]
"""A statement that writes one row, how many values it takes, and the values of one row after the other."""


def columns(row_type: type[Stored]) -> tuple[str, ...]:
    """Return the names of a row's columns, in the order its values are given."""
    own = {base.name for base in fields(Stored)}
    return tuple(column.name for column in fields(row_type) if column.name not in own)


def values_of(row_type: type[Stored]) -> Callable[[Stored], tuple[Any, ...]]:
    """Return the function that reads a row's values in the order of its columns."""
    return attrgetter(*columns(row_type))


async def take_turn(tx: Transaction) -> None:
    """Wait for the batches of records that other transactions are writing."""
    if tx.dialect is Dialect.POSTGRES:
        await tx.execute("SELECT pg_advisory_xact_lock(?)", (SYNC_TURN,))


async def find_rows(
    source: Source | Transaction, row_type: type[RowType], keys: Collection[str], *, lock: bool = True
) -> list[RowType]:
    """Return the rows with these keys; those that others change too are locked, in the order of their keys.

    Without `lock` they are not, but for those that are locked at once: see `lock_unchanged`.
    """
    names = columns(row_type)
    sql = f"SELECT {', '.join(names)} FROM {row_type.table} WHERE {row_type.key_column} = ANY(?)"
    if row_type.locked:
        lock_order = "key" if row_type.key_column == "key" else "id"
        sql += f" ORDER BY {lock_order}"
        locks = lock or row_type.locked_at_once
        if locks and isinstance(source, Transaction) and source.dialect is Dialect.POSTGRES:
            sql += " FOR UPDATE"
    rows: Sequence[Any] = await source.fetch(sql, (list(keys),))
    return [_stored(row_type(*row)) for row in rows]


_COMPARED = (("contract", "id", "version"), ("payment", "id", "version"), ("ledger_account", "key", "balance_minor"))
"""What is compared of which rows, in everybody's order of locks."""


async def lock_unchanged(tx: Transaction, *read: Mapping[str, int]) -> None:
    """Lock contracts, payments and balances, given with what they were when they were read, each by its key.

    Locks are held only while a batch is written, not while it is worked out.
    Refuses: TransientFault when somebody has changed one meanwhile.
    """
    if tx.dialect is not Dialect.POSTGRES:
        return
    for (table, key, value), expected in zip(_COMPARED, read, strict=True):
        if not expected:
            continue
        sql = f"SELECT {key}, {value} FROM {table} WHERE {key} = ANY(?) ORDER BY {key} FOR NO KEY UPDATE"
        found = {str(row[0]): row[1] for row in await tx.fetch(sql, (sorted(expected),))}
        if found != expected:
            raise TransientFault(f"A {table} changed while a batch of records was worked out.")


async def has_rows(source: Source | Transaction, row_type: type[Stored]) -> bool:
    """Tell whether a table has any row."""
    return await source.fetch_value(f"SELECT 1 FROM {row_type.table} LIMIT 1") is not None


def _stored(row: RowType) -> RowType:
    row.stored = True
    return row


async def find_claims(source: Source | Transaction, row_type: type[Stored], owners: Collection[str]) -> list[Claim]:
    """Return what is taken already: weeks or reviews of contracts, invoices of payments, ids."""
    key, owner = _CLAIM_KEYS[row_type]
    sql = f"SELECT {key} AS claimed, external_ref FROM {row_type.table} WHERE {owner} = ANY(?)"
    return [_stored(Claim(row[0], row[1])) for row in await source.fetch(sql, (list(owners),))]


_CLAIM_KEYS: dict[type[Stored], tuple[str, str]] = {
    StoredBillingWeek: ("CAST(contract_id AS TEXT) || ':' || starts_at", "contract_id"),
    StoredReview: ("CAST(contract_id AS TEXT) || ':' || CAST(author_id AS TEXT)", "contract_id"),
    StoredInvoice: ("CAST(payment_id AS TEXT)", "payment_id"),
    StoredMilestone: ("'milestone:' || CAST(payment_id AS TEXT)", "payment_id"),
    StoredContract: ("CAST(id AS TEXT)", "id"),
}


async def find_totals(source: Source | Transaction, contract_ids: Collection[str]) -> list[StoredTotals]:
    """Return what the payments of each contract sum up to."""
    sql = (
        "SELECT contract_id, CAST(SUM(paid_minor) AS BIGINT) AS paid, CAST(SUM(refunded_minor) AS BIGINT) AS refunded"
        " FROM payment WHERE contract_id = ANY(?) GROUP BY contract_id"
    )
    return [_stored(StoredTotals(row[0], row[1], row[2])) for row in await source.fetch(sql, (list(contract_ids),))]


async def find_open_cases(
    source: Source | Transaction, payment_ids: Collection[str], states: Collection[str]
) -> dict[str, int]:
    """Return the number of the case in one of these states for each payment that has one."""
    sql = "SELECT payment_id, number FROM refund_case WHERE payment_id = ANY(?) AND state = ANY(?)"
    return {row[0]: row[1] for row in await source.fetch(sql, (list(payment_ids), list(states)))}


async def find_paid_shares(source: Source | Transaction, payment_ids: Collection[str]) -> list[PaidShare]:
    """Return how much of each payment a balance paid; those that none paid are missing."""
    sql = (
        "SELECT payment_id, CAST(SUM(CASE WHEN fact = 'TOP_UP' THEN -amount_minor ELSE amount_minor END) AS BIGINT)"
        " FROM posting WHERE payment_id = ANY(?) AND (fact IN ('CHARGE', 'TOP_UP')"
        " OR (fact = 'PAYMENT' AND from_key LIKE 'balance:%')) GROUP BY payment_id"
    )
    return [_stored(PaidShare(row[0], row[1])) for row in await source.fetch(sql, (list(payment_ids),))]


async def find_cases_of(source: Source | Transaction, payment_ids: Collection[str]) -> list[tuple[str, str]]:
    """Return payment and id of every case on these payments, oldest first."""
    sql = "SELECT payment_id, id FROM refund_case WHERE payment_id = ANY(?) ORDER BY number"
    return [(row[0], row[1]) for row in await source.fetch(sql, (list(payment_ids),))]


def inserted_rows(row_type: type[RowType], rows: Sequence[RowType]) -> RowsWritten | None:
    """Return what keeps new rows, in their order."""
    if not rows:
        return None
    names = (*columns(row_type), *row_type.folded)
    marks = ", ".join("?" * len(names))
    values = list(chain.from_iterable(_with_folded(row_type, rows, values_of(row_type))))
    return f"INSERT INTO {row_type.table} ({', '.join(names)}) VALUES ({marks})", len(names), values


def told_changes(changes: Sequence[tuple[str, int, int]], at: int) -> RowsWritten | None:
    """Return what keeps changes of payments' money: the payment's id, and how much more was refunded and charged back.

    Each is put behind the event that is the last of the stream when it is written.
    """
    if not changes:
        return None
    sql = (
        "INSERT INTO told_change (id, payment_id, at, refunded_minor, charged_back_minor, after_position)"
        " VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(position), 0) FROM refund_event))"
    )
    return sql, 5, [value for payment_id, *deltas in changes for value in (new_id(), payment_id, at, *deltas)]


def updated_rows(row_type: type[RowType], rows: Sequence[RowType]) -> RowsWritten | None:
    """Return what keeps rows as they stand now."""
    if not rows:
        return None
    identity = "key" if row_type.key_column == "key" else "id"
    names = (identity, *row_type.updatable, *row_type.folded)
    given = _with_folded(row_type, rows, attrgetter(identity, *row_type.updatable))
    values = list(chain.from_iterable((*changed, key) for key, *changed in given))
    sets = ", ".join(f"{name} = ?" for name in names[1:])
    return f"UPDATE {row_type.table} SET {sets} WHERE {identity} = ?", len(names), values


def _with_folded(
    row_type: type[RowType], rows: Sequence[RowType], values: Callable[[Any], Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield each row's values, followed by what searches look at."""
    sources = tuple(row_type.folded.values())
    for row in rows:
        yield (*values(row), *("\n".join(fold(getattr(row, name)) for name in names) for names in sources))


async def write_rows(tx: Transaction, rows: RowsWritten) -> None:
    """Keep rows.

    Refuses: ConstraintViolated.
    """
    await tx.execute_rows(*rows)


async def rename_customers(tx: Transaction, names: dict[str, str]) -> None:
    """Carry customers' new names, by account id, to the leads that show them."""
    if names:
        changed = [(name, fold(name), account_id) for account_id, name in names.items()]
        sql = "UPDATE lead SET customer_name = ?, customer_folded = ? WHERE customer_id = ?"
        await tx.execute_many(sql, changed)


async def recount_last_messages(tx: Transaction, lead_ids: Collection[str]) -> None:
    """Set the instant of the last message that was not deleted, for leads whose chats changed backwards."""
    if lead_ids:
        await tx.execute(
            "UPDATE lead SET last_message_at ="
            " (SELECT MAX(sent_at) FROM message WHERE lead_id = lead.id AND deleted_at IS NULL)"
            " WHERE id = ANY(?)",
            (list(lead_ids),),
        )
