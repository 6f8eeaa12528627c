"""The queue of each webhook endpoint and the log of what became of it.

An endpoint's place in the event log says how far its queue has been filled; PENDING deliveries at or before that place
are the queue, in the order of the log. Setting the place back fills it again with the same deliveries, whose ids follow
from endpoint and event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from refundgql.domain.calendar import DAY_MICROS
from refundgql.domain.vocabulary import WebhookDeliveryState as State
from refundgql.domain.webhooks import delivery_id, wants, wants_notice
from refundgql.storage.database import Database, Row, Source, Transaction
from refundgql.storage.events import Cursor, StreamEvent
from refundgql.storage.notices import StreamNotice
from refundgql.storage.rows import change, insertion
from refundgql.storage.webhooks import NOW, WebhookEndpoint, change_leased

KEPT_DAYS = 30
"""The log of deliveries reaches back so far; the event log itself is never shortened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedDelivery:
    """The delivery at the front of a queue; what it tells of is an event's row or a notice's, as names and values.

    Instants are in microseconds, amounts in minor units; people and things are named by the marketplace's references.
    """

    id: str
    event_id: str
    cursor: Cursor
    event: Mapping[str, Any] | None = None
    notice: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of sending once; `at` in microseconds."""

    at: int
    status: int | None
    error: str | None
    duration_ms: int


async def enqueue(
    tx: Transaction,
    endpoint: WebhookEndpoint,
    owner: str,
    told: Sequence[StreamEvent | StreamNotice],
    at: int,
) -> bool:
    """Put the events and notices that an endpoint wants into its queue and move its place behind the last one.

    Tells whether that was done: not when the lease was lost or somebody else has moved the place meanwhile.
    """
    last = told[-1].cursor
    moved = await tx.execute(
        "UPDATE webhook_endpoint SET commit_order = ?, position = ? WHERE id = ? AND lease_owner = ?"
        " AND commit_order = ? AND position = ?",
        (*last, endpoint.id, owner, *endpoint.cursor),
    )
    if moved != 1:
        return False
    wanted = [one for one in told if _wanted(endpoint, one)]
    if wanted:
        await tx.execute(
            "INSERT INTO webhook_delivery (id, endpoint_id, event_id, case_id, commit_order, position, state,"
            f" queued_at) VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?, ?)'] * len(wanted))}"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, queued_at = excluded.queued_at,"
            " settled_at = NULL",
            [
                value
                for one in wanted
                for value in (
                    delivery_id(endpoint.id, one.id),
                    endpoint.id,
                    one.id,
                    one.case_id or one.id,  # a notice that is about no case stands for itself
                    *one.cursor,
                    State.PENDING.value,
                    at,
                )
            ],
        )
    return True


def _wanted(endpoint: WebhookEndpoint, one: StreamEvent | StreamNotice) -> bool:
    if isinstance(one, StreamNotice):
        return wants_notice(endpoint.event_names, endpoint.kinds, one.name)
    return wants(endpoint.event_names, endpoint.kinds, one.name, str(one.snapshot["kind"]))


_REF = "(SELECT a.external_ref FROM account a WHERE a.id = {})"
_EVENT = (
    "SELECT e.case_id, e.sequence, e.name, e.at, e.actor_role, e.from_state, e.to_state, e.amount_minor, e.currency,"
    " e.rule, e.audience, e.snapshot,"
    f" {_REF.format('c.requester_id')} AS requester, {_REF.format('c.counterparty_id')} AS counterparty,"
    " CASE WHEN c.lead_id IS NOT NULL THEN 'Lead' WHEN c.milestone_id IS NOT NULL AND c.kind = 'ESCROW'"
    " THEN 'Milestone' WHEN c.kind = 'TIMESHEET' THEN 'BillingWeek' WHEN c.invoice_id IS NOT NULL THEN 'Invoice'"
    " ELSE 'Milestone' END AS subject_type,"
    " (SELECT external_ref FROM lead WHERE id = c.lead_id) AS lead_ref,"
    " (SELECT external_ref FROM milestone WHERE id = c.milestone_id) AS milestone_ref,"
    " (SELECT external_ref FROM billing_week WHERE id = c.billing_week_id) AS week_ref,"
    " (SELECT external_ref FROM invoice WHERE id = c.invoice_id) AS invoice_ref,"
    " (SELECT external_ref FROM contract WHERE id = c.contract_id) AS contract"
    " FROM refund_event e JOIN refund_case c ON c.id = e.case_id WHERE e.id = ?"
)
_NOTICE = (
    "SELECT n.name, n.at, n.withdrawal_id, n.case_id, c.number, w.amount_minor, w.currency, w.estimated_until,"
    f" w.external_ref AS withdrawal, {_REF.format('w.account_id')} AS account, k.external_ref AS contract,"
    f" {_REF.format('k.client_id')} AS client, {_REF.format('k.expert_id')} AS expert"
    " FROM notice n LEFT JOIN withdrawal w ON w.id = n.withdrawal_id LEFT JOIN contract k ON k.id = n.contract_id"
    " LEFT JOIN refund_case c ON c.id = n.case_id WHERE n.id = ?"
)
_SUBJECT_REFS = {"Lead": "lead_ref", "Milestone": "milestone_ref", "BillingWeek": "week_ref", "Invoice": "invoice_ref"}


async def find_next(source: Source, endpoint: WebhookEndpoint) -> QueuedDelivery | None:
    """Return the delivery at the front of an endpoint's queue, or nothing."""
    row = await source.fetch_row(
        "SELECT d.id, d.event_id, d.commit_order, d.position FROM webhook_delivery d"
        " WHERE d.endpoint_id = ? AND d.state = 'PENDING' AND (d.commit_order, d.position) <= (?, ?)"
        " ORDER BY d.commit_order, d.position LIMIT 1",
        (endpoint.id, *endpoint.cursor),
    )
    if row is None:
        return None
    event_id, cursor = str(row["event_id"]), Cursor(row["commit_order"], row["position"])
    found = await source.fetch_row(_EVENT, (event_id,))
    if found is None:
        notice = await source.fetch_row(_NOTICE, (event_id,))
        return QueuedDelivery(id=str(row["id"]), event_id=event_id, cursor=cursor, notice=_named(notice))
    event = _named(found)
    event["snapshot"] = snapshot = orjson.loads(event["snapshot"])
    event["subject"] = event[_SUBJECT_REFS[event["subject_type"]]]
    assignee = snapshot.get("assignee_id")
    ref = "SELECT external_ref FROM account WHERE id = ?"
    event["assignee"] = None if assignee is None else await source.fetch_value(ref, (assignee,))
    return QueuedDelivery(id=str(row["id"]), event_id=event_id, cursor=cursor, event=event)


def _named(row: Row | None) -> dict[str, Any]:
    """Return a row's values by column, ids as texts."""
    if row is None:
        raise ValueError("a delivery tells of an event or a notice")
    return {name: str(row[name]) if isinstance(row[name], UUID) else row[name] for name in row.keys()}  # noqa: SIM118


async def record_attempt(
    tx: Transaction, endpoint_id: str, owner: str, delivery: str, attempt: Attempt, state: State, **endpoint: Any
) -> bool:
    """Write down an attempt, what became of the delivery, and how the endpoint stands now, in the given columns.

    Tells whether the lease still held: then it was written down, otherwise nothing was.
    """
    if not await change_leased(tx, endpoint_id, owner, **endpoint):
        return False
    await tx.execute(*insertion("webhook_attempt", attempt, delivery_id=delivery))
    if state is not State.PENDING:
        await settle_delivery(tx, delivery, state, attempt.at)
    return True


async def find_delivery(source: Source | Transaction, delivery: str) -> tuple[str, State] | None:
    """Return the endpoint and the state of a delivery whose endpoint was not deleted, or nothing."""
    row = await source.fetch_row(
        "SELECT d.endpoint_id, d.state FROM webhook_delivery d JOIN webhook_endpoint w ON w.id = d.endpoint_id"
        " WHERE d.id = ? AND w.deleted_at IS NULL",
        (delivery,),
    )
    return None if row is None else (str(row["endpoint_id"]), State(row["state"]))


async def settle_delivery(tx: Transaction, delivery: str, state: State, at: int) -> None:
    """Set the state of a delivery: PENDING puts it back into the queue, at its event's place."""
    settled_at = None if state is State.PENDING else at
    await tx.execute(*change("webhook_delivery", delivery, state=state, settled_at=settled_at))


async def requeue_given_up(tx: Transaction, endpoint_id: str, since: int) -> None:
    """Put deliveries that were given up at or after an instant back into the queue."""
    await tx.execute(
        "UPDATE webhook_delivery SET state = ?, settled_at = NULL WHERE endpoint_id = ? AND state = ?"
        " AND settled_at >= ?",
        (State.PENDING.value, endpoint_id, State.FAILED.value, since),
    )


async def purge_deliveries(database: Database, now: int, *, kept_days: int = KEPT_DAYS, batch: int = 1_000) -> int:
    """Delete what the log need not hold any more, a batch in each transaction, and return how many deliveries it was.

    That is what was settled longer ago than the log reaches back, and everything of deleted endpoints.
    """
    old = ("settled_at < ?", (now - kept_days * DAY_MICROS,))
    left = ("endpoint_id IN (SELECT id FROM webhook_endpoint WHERE deleted_at IS NOT NULL)", ())
    purged = await _purge(database, old, batch) + await _purge(database, left, batch)
    async with database.transaction() as tx:
        await tx.execute(
            "DELETE FROM webhook_endpoint WHERE deleted_at IS NOT NULL"
            f" AND leased_until < {NOW[database.dialect]}"
            " AND NOT EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.endpoint_id = webhook_endpoint.id)"
        )
    return purged


async def _purge(database: Database, condition: tuple[str, Sequence[Any]], batch: int) -> int:
    purged = 0
    while True:
        async with database.transaction() as tx:
            rows = await tx.fetch(
                f"SELECT id FROM webhook_delivery WHERE {condition[0]} LIMIT ?", (*condition[1], batch)
            )
            ids = [row["id"] for row in rows]
            await tx.execute("DELETE FROM webhook_attempt WHERE delivery_id = ANY(?)", (ids,))
            await tx.execute("DELETE FROM webhook_delivery WHERE id = ANY(?)", (ids,))
        purged += len(ids)
        if len(ids) < batch:
            return purged
