"""Webhook endpoints as rows: kept, changed, and leased to the one process that sends to each.

A lease is measured by the database's own clock, because the machines' clocks may differ by more than a lease is long;
all other instants come in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from refundgql.domain.vocabulary import WebhookStop
from refundgql.storage.database import Database, Dialect, Source, Transaction
from refundgql.storage.events import Cursor
from refundgql.storage.rows import insertion, read


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """One endpoint; instants in microseconds, empty filters take everything, `cursor` is the place of its queue.

    The former secret is there as long as it is valid.
    """

    id: str
    url: str
    description: str | None
    event_names: tuple[str, ...]
    kinds: tuple[str, ...]
    secret: str = field(repr=False)
    former_secret: str | None = field(default=None, repr=False)
    stopped: WebhookStop | None = None
    cursor: Cursor
    failures: int = 0
    failing_since: int | None = None
    next_attempt_at: int = 0


NOW = {
    Dialect.POSTGRES: "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
    Dialect.SQLITE: "CAST((julianday('now') - 2440587.5) * 86400000000 AS integer)",
}
"""The database's own time in microseconds."""
_COLUMNS = (
    "id, url, description, event_names, kinds, secret, stopped, commit_order, position, failures, failing_since,"
    " next_attempt_at"
)
_SKIP_LOCKED = {Dialect.POSTGRES: " FOR UPDATE SKIP LOCKED", Dialect.SQLITE: ""}


async def insert_endpoint(tx: Transaction, endpoint: WebhookEndpoint, at: int) -> None:
    """Add an endpoint; `at` in microseconds."""
    order, position = endpoint.cursor
    await tx.execute(
        *insertion(
            "webhook_endpoint",
            id=endpoint.id,
            url=endpoint.url,
            description=endpoint.description,
            event_names=",".join(sorted(endpoint.event_names)),
            kinds=",".join(sorted(endpoint.kinds)),
            secret=endpoint.secret,
            commit_order=order,
            position=position,
            created_at=at,
        )
    )


async def count_endpoints(source: Source | Transaction) -> int:
    """Return how many endpoints there are; within a transaction nobody adds one meanwhile."""
    if isinstance(source, Transaction) and source.dialect is Dialect.POSTGRES:
        await source.execute("LOCK TABLE webhook_endpoint IN SHARE ROW EXCLUSIVE MODE")
    return int(await source.fetch_value("SELECT count(*) FROM webhook_endpoint WHERE deleted_at IS NULL"))


async def find_endpoint(source: Source | Transaction, endpoint_id: str) -> WebhookEndpoint | None:
    """Return an endpoint that was not deleted, or nothing."""
    row = await source.fetch_row(
        f"SELECT {_COLUMNS}, CASE WHEN former_secret_until > {NOW[source.dialect]} THEN former_secret END AS"
        " former_secret FROM webhook_endpoint WHERE id = ? AND deleted_at IS NULL",
        (endpoint_id,),
    )
    if row is None:
        return None
    names, kinds = names_of(row["event_names"]), names_of(row["kinds"])
    cursor = Cursor(row["commit_order"], row["position"])
    return read(WebhookEndpoint, row, event_names=names, kinds=kinds, cursor=cursor)


def names_of(text: str) -> tuple[str, ...]:
    """Return the names of a comma-separated list."""
    return tuple(text.split(",")) if text else ()


async def change_endpoint(tx: Transaction, endpoint_id: str, **values: Any) -> bool:
    """Set columns of an endpoint that was not deleted, and tell whether there is one."""
    names = ", ".join(f"{name} = ?" for name in values)
    changed = await tx.execute(
        f"UPDATE webhook_endpoint SET {names} WHERE id = ? AND deleted_at IS NULL", (*values.values(), endpoint_id)
    )
    return changed == 1


async def replace_secret(tx: Transaction, endpoint_id: str, secret: str, overlap_micros: int) -> bool:
    """Give an endpoint a new secret beside which the former one is valid for a while, and tell whether there is one."""
    changed = await tx.execute(
        "UPDATE webhook_endpoint SET former_secret = CASE WHEN CAST(? AS bigint) > 0 THEN secret END,"
        f" former_secret_until = CASE WHEN CAST(? AS bigint) > 0 THEN {NOW[tx.dialect]} + ? END, secret = ?"
        " WHERE id = ? AND deleted_at IS NULL",
        (overlap_micros, overlap_micros, overlap_micros, secret, endpoint_id),
    )
    return changed == 1


async def change_leased(tx: Transaction, endpoint_id: str, owner: str, **values: Any) -> bool:
    """Set columns of an endpoint as the one who has its lease, and tell whether that is still so."""
    names = ", ".join(f"{name} = ?" for name in values)
    changed = await tx.execute(
        f"UPDATE webhook_endpoint SET {names} WHERE id = ? AND lease_owner = ?", (*values.values(), endpoint_id, owner)
    )
    return changed == 1


async def claim_endpoints(database: Database, owner: str, lease_micros: int, *, limit: int) -> Sequence[str]:
    """Lease endpoints that nobody sends to, at most `limit`, and return their ids; the oldest go first."""
    now = NOW[database.dialect]
    free = f"stopped IS NULL AND deleted_at IS NULL AND leased_until <= {now}"
    # Without a look first every process would take the write lock each second, for nothing.
    if await database.fetch_row(f"SELECT 1 AS found FROM webhook_endpoint WHERE {free} LIMIT 1") is None:
        return []
    async with database.transaction() as tx:
        rows = await tx.fetch(
            f"UPDATE webhook_endpoint SET lease_owner = ?, leased_until = {now} + ? WHERE id IN (SELECT id FROM"
            f" webhook_endpoint WHERE {free} ORDER BY id LIMIT ?{_SKIP_LOCKED[database.dialect]}) RETURNING id",
            (owner, lease_micros, limit),
        )
    return [str(row["id"]) for row in rows]


async def keep_leases(
    database: Database, owner: str, lease_micros: int, endpoint_ids: Collection[str]
) -> Collection[str]:
    """Renew an owner's leases of these endpoints where they have not run out, and return the ids of those endpoints."""
    now = NOW[database.dialect]
    async with database.transaction() as tx:
        rows = await tx.fetch(
            f"UPDATE webhook_endpoint SET leased_until = {now} + ? WHERE lease_owner = ? AND leased_until > {now}"
            " AND id = ANY(?) AND stopped IS NULL AND deleted_at IS NULL RETURNING id",
            (lease_micros, owner, list(endpoint_ids)),
        )
    return {str(row["id"]) for row in rows}


async def release_leases(database: Database, owner: str, endpoint_ids: Collection[str]) -> None:
    """Give an owner's leases back, so that another process goes on at once."""
    async with database.transaction() as tx:
        await tx.execute(
            "UPDATE webhook_endpoint SET lease_owner = NULL, leased_until = 0 WHERE lease_owner = ? AND id = ANY(?)",
            (owner, list(endpoint_ids)),
        )
