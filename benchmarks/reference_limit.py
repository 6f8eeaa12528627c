"""The physical limit beside the project: bare ASGI, and one prepared statement that returns the whole answer.

It must not become useful: it has no GraphQL, no viewers and no rules, and answers `POST /q1` … `/m1` with variables.
Run by uvicorn with BENCHMARK_DATABASE_URL.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import asyncpg
import orjson

CONNECTIONS = 8
HEADERS = [(b"content-type", b"application/json")]

_AMOUNT = (
    "json_build_object('amount', to_char(c.requested_minor / 100.0, 'FM999999990.00'), 'currencyCode', c.currency)"
)


def _at(column: str) -> str:
    return f'to_char(to_timestamp({column} / 1000000), \'YYYY-MM-DD"T"HH24:MI:SS"Z"\')'


def _events(last: int, fields: str) -> str:
    return (
        "json_build_object('edges', (SELECT coalesce(json_agg(json_build_object('node', json_build_object("
        f"{fields})) ORDER BY e.sequence), '[]') FROM (SELECT * FROM refund_event x WHERE x.case_id = c.id"
        f" ORDER BY x.sequence DESC LIMIT {last}) e))"
    )


_NUMBER = "'number', 'RC-' || lpad(c.number::text, 6, '0')"
_ID = "'id', 'RefundCase_' || c.id"
_SUBJECT = "LEFT JOIN lead l ON l.id = c.lead_id LEFT JOIN invoice i ON i.id = c.invoice_id"
_FROM = f"refund_case c JOIN account r ON r.id = c.requester_id {_SUBJECT}"

_Q1_EVENTS = _events(
    5,
    "'id', 'RefundEvent_' || e.id, 'sequence', e.sequence, 'name', e.name, 'fromState', e.from_state,"
    f" 'toState', e.to_state, 'note', e.note, 'at', {_at('e.at')}",
)
_Q1 = f"""
SELECT json_build_object('data', json_build_object('refundCase', (SELECT json_build_object({_ID}, {_NUMBER},
  'kind', c.kind, 'state', c.state, 'reason', c.reason, 'requestedAmount', {_AMOUNT}, 'openedAt', {_at("c.opened_at")},
  'requester', json_build_object('id', 'Account_' || r.id, 'name', r.name, 'externalRef', r.external_ref),
  'subject', CASE WHEN l.id IS NOT NULL THEN json_build_object('id', 'Lead_' || l.id, 'title', l.title,
      'location', l.location, 'price', json_build_object('amount', to_char(l.price_minor / 100.0, 'FM999999990.00')))
    ELSE json_build_object('id', 'Invoice_' || i.id, 'number', i.number, 'status', i.status,
      'amount', json_build_object('amount', to_char(i.amount_minor / 100.0, 'FM999999990.00'))) END,
  'events', {_Q1_EVENTS}) FROM {_FROM} WHERE c.id = $1)))::text"""

_PAGE = (
    "'pageInfo', json_build_object('hasNextPage', count(*) = {size}, 'endCursor', (array_agg(c.id ORDER BY c.id))[1])"
)


def _list(fields: str, size: int, where: str) -> str:
    page = _PAGE.format(size=size)
    return (
        "SELECT json_build_object('data', json_build_object('refundCases', json_build_object('edges',"
        f" json_agg(json_build_object('node', json_build_object({fields}))), {page})))::text FROM (SELECT * FROM"
        f" refund_case WHERE {where} ORDER BY opened_at DESC, id DESC LIMIT {size}) c"
        f" JOIN account r ON r.id = c.requester_id {_SUBJECT}"
    )


_Q2 = _list(
    f"{_ID}, {_NUMBER}, 'state', c.state, 'requestedAmount', {_AMOUNT}, 'openedAt', {_at('c.opened_at')},"
    " 'requester', json_build_object('name', r.name), 'events', "
    + _events(3, f"'name', e.name, 'toState', e.to_state, 'at', {_at('e.at')}"),
    20,
    "opened_at < $2 AND state = $1",
)
_Q3 = _list(
    f"{_ID}, {_NUMBER}, 'kind', c.kind, 'state', c.state, 'reason', c.reason, 'requestedAmount', {_AMOUNT},"
    f" 'openedAt', {_at('c.opened_at')}, 'updatedAt', {_at('c.updated_at')}, 'version', c.version,"
    " 'requester', json_build_object('id', 'Account_' || r.id, 'name', r.name),"
    " 'subject', CASE WHEN l.id IS NOT NULL THEN json_build_object('id', 'Lead_' || l.id, 'title', l.title)"
    " ELSE json_build_object('id', 'Invoice_' || i.id, 'number', i.number) END, 'events', "
    + _events(5, f"'sequence', e.sequence, 'name', e.name, 'toState', e.to_state, 'at', {_at('e.at')}"),
    100,
    "opened_at < $1",
)
# The rows of an approval of ours, and no others: the case, its payment, two events, a posting, the balance, the key.
_M1 = f"""
WITH c AS (UPDATE refund_case SET state = 'CREDITED', version = version + 2, approved_minor = requested_minor,
    credited_minor = requested_minor, settlement = 'SETTLED', decided_at = updated_at, credited_at = updated_at,
    whose_move = 'NOBODY' WHERE id = $1 AND state = 'REQUESTED' RETURNING *),
paid AS (UPDATE payment SET refunded_minor = refunded_minor + c.requested_minor FROM c WHERE payment.id = c.payment_id),
e AS (INSERT INTO refund_event (id, case_id, commit_order, sequence, name, at, actor_role, from_state, to_state,
    amount_minor, currency, facts, snapshot) SELECT gen_random_uuid(), c.id,
    (pg_current_xact_id()::text)::bigint, c.version - 1 + step, name,
    c.updated_at, actor, before, after, c.requested_minor, c.currency, '[]', '{{}}'
    FROM c, (VALUES (0, 'APPROVE', 'SUPPORT', 'REQUESTED', 'APPROVED'), (1, 'CREDIT', 'SYSTEM', 'APPROVED', 'CREDITED'))
      AS acts (step, name, actor, before, after) RETURNING *),
b AS (INSERT INTO ledger_account AS a (key, kind, owner_id, purpose, currency, balance_minor, may_be_negative)
    SELECT 'balance:' || c.requester_id || ':LEADS:USD', 'balance', c.requester_id, 'LEADS', c.currency,
    c.requested_minor, FALSE FROM c
    ON CONFLICT (key) DO UPDATE SET balance_minor = a.balance_minor + excluded.balance_minor RETURNING *),
p AS (INSERT INTO posting (id, at, fact, from_key, to_key, amount_minor, currency, description, case_id, payment_id,
    to_balance_after_minor) SELECT gen_random_uuid(), c.updated_at, 'CREDIT', 'platform_leads:USD', b.key,
    c.requested_minor, c.currency, 'Refund', c.id, c.payment_id, b.balance_minor FROM c, b),
k AS (INSERT INTO idempotent_result (account_id, key, operation, input_sha256, result, created_at)
    SELECT c.requester_id, c.id::text, 'approve_refund', repeat('0', 64), '{{}}', c.updated_at FROM c)
SELECT json_build_object('data', json_build_object('approveRefund', json_build_object(
  'refundCase', json_build_object({_ID}, 'state', c.state, 'version', c.version),
  'event', json_build_object('id', 'RefundEvent_' || e.id, 'sequence', e.sequence, 'name', e.name,
    'toState', e.to_state, 'at', {_at("e.at")}), 'refusals', json_build_array())))::text FROM c, e
  WHERE e.name = 'APPROVE'"""

STATEMENTS = {"q1": (_Q1, ("id",)), "q2": (_Q2, ("state", "before")), "q3": (_Q3, ("before",)), "m1": (_M1, ("id",))}

_free: asyncio.LifoQueue[dict[str, Any]] = asyncio.LifoQueue()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer one request."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    workload = scope["path"][1:]
    variables = orjson.loads(body)
    connection = await _free.get()
    try:
        names = STATEMENTS[workload][1]
        found = await connection[workload].fetchval(*(variables[name] for name in names))
        answer = (found or '{"errors":[]}').encode()
    finally:
        _free.put_nowait(connection)
    headers = [*HEADERS, (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _live(receive: Any, send: Any) -> None:
    while (await receive())["type"] == "lifespan.startup":
        for _ in range(CONNECTIONS):
            connection = await asyncpg.connect(os.environ["BENCHMARK_DATABASE_URL"])
            await connection.execute("SET jit = off")
            _free.put_nowait({name: await connection.prepare(sql) for name, (sql, _) in STATEMENTS.items()})
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
